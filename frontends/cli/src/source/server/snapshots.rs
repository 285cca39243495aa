//! Owns what a running node is asked about its snapshots.

use everett_node::snapshots::SnapshotProgress;
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::snapshot_service_client::SnapshotServiceClient;

use super::{MAX_MESSAGE_BYTES, Server, Wire};
use crate::failure::Failure;
use crate::view::snapshot::{SnapshotView, SnapshotsView};

impl Server {
    fn snapshot_client(&self) -> SnapshotServiceClient<Wire> {
        SnapshotServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// Has the node save one; `told` is told how far it is.
    pub(crate) fn save_snapshot(
        &self,
        name: String,
        told: &mut dyn FnMut(SnapshotProgress),
    ) -> Result<SnapshotView, Failure> {
        self.check_network()?;
        let request = v1::SaveSnapshotRequest { name };
        self.runtime.block_on(async {
            let mut messages = (self.snapshot_client().save_snapshot(request).await?).into_inner();
            while let Some(message) = messages.message().await? {
                if let Some(snapshot) = message.snapshot {
                    return Ok(snapshot.into());
                }
                told(SnapshotProgress {
                    done: message.bytes_done,
                    total: message.bytes_total,
                });
            }
            let cut = "the node said nothing more before the snapshot was saved; its log has more";
            Err(Failure::new(ErrorReason::Internal, cut))
        })
    }

    /// The node's snapshots.
    pub(crate) fn snapshots(&self) -> Result<SnapshotsView, Failure> {
        self.check_network()?;
        let request = v1::ListSnapshotsRequest {};
        let answer = self.call(self.snapshot_client().list_snapshots(request))?;
        Ok(SnapshotsView {
            directory: answer.directory,
            snapshots: answer.snapshots.into_iter().map(Into::into).collect(),
        })
    }

    /// Has the node delete one.
    pub(crate) fn delete_snapshot(&self, name: &str) -> Result<(), Failure> {
        self.check_network()?;
        let request = v1::DeleteSnapshotRequest {
            name: name.to_owned(),
        };
        self.call(self.snapshot_client().delete_snapshot(request))?;
        Ok(())
    }
}
