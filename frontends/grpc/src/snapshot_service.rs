//! Owns SnapshotService: saving, listing and deleting the node's snapshots.
//! Promises that saving ends when its client goes away, and that nothing is left of it then.
//! Refuses to restore: that is for a node that does not run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use everett_node::Handle;
use everett_node::snapshots::{
    Listed, SnapshotManifest, SnapshotProgress, Snapshots, SnapshotsError,
};
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::snapshot_service_server::SnapshotService;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status};

use crate::calls::Calls;
use crate::config::GrpcConfig;
use crate::fault::Fault;

/// How often a client is told how far it is.
const TOLD_EVERY: Duration = Duration::from_millis(100);
/// Messages that wait for a client to read.
const QUEUE: usize = 16;
/// Snapshots that are saved at once: a second one is told that it has to wait, and a third one here.
const MAX_SAVES: usize = 2;

pub(crate) struct SnapshotCalls {
    calls: Calls,
    /// Whether anybody who reaches the port may call: then nobody may here, who could fill the disk and delete.
    open: bool,
    saves: Arc<Semaphore>,
}

impl SnapshotCalls {
    pub(crate) fn new(calls: Calls, config: &GrpcConfig) -> SnapshotCalls {
        SnapshotCalls {
            calls,
            open: config.is_open_to_all(),
            saves: Arc::new(Semaphore::new(MAX_SAVES)),
        }
    }

    fn snapshots(&self) -> Result<Snapshots, Fault> {
        if self.open {
            let why = "this node listens beyond its machine without a token, and so serves no snapshots; set a token (--grpc-token)";
            return Err(Fault::new(
                Code::FailedPrecondition,
                ErrorReason::SnapshotsDisabled,
                why,
            ));
        }
        let snapshots = self.calls.handle().snapshots().cloned();
        snapshots.ok_or_else(|| SnapshotsError::InMemory.into())
    }
}

#[tonic::async_trait]
impl SnapshotService for SnapshotCalls {
    type SaveSnapshotStream = ReceiverStream<Result<v1::SaveSnapshotResponse, Status>>;

    async fn save_snapshot(
        &self,
        request: Request<v1::SaveSnapshotRequest>,
    ) -> Result<Response<Self::SaveSnapshotStream>, Status> {
        let name = request.into_inner().name;
        let snapshots = self.snapshots()?;
        snapshots.path(&name).map_err(Fault::from)?;
        let place = self.saves.clone().try_acquire_owned().map_err(|_| {
            let directory = snapshots.directory().to_path_buf();
            Fault::from(SnapshotsError::Busy { directory })
        })?;
        let (sender, messages) = mpsc::channel(QUEUE);
        let handle = self.calls.handle().clone();
        tokio::spawn(async move {
            let (saving, telling) = (handle.clone(), sender.clone());
            let saved = handle
                .read(move |_| save(&saving, &name, &telling))
                .await
                .map_err(Fault::from)
                .and_then(|saved| saved.map_err(Fault::from));
            let last = match saved {
                Ok(manifest) => Ok(v1::SaveSnapshotResponse {
                    bytes_done: manifest.bytes,
                    bytes_total: manifest.bytes,
                    snapshot: Some(snapshot(manifest)),
                }),
                Err(fault) => Err(fault.into()),
            };
            // The client may be gone.
            let _ = sender.send(last).await;
            drop(place);
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn list_snapshots(
        &self,
        request: Request<v1::ListSnapshotsRequest>,
    ) -> Result<Response<v1::ListSnapshotsResponse>, Status> {
        let snapshots = self.snapshots()?;
        self.calls
            .read(request, move |_, _| {
                let listed = snapshots.list()?;
                Ok(v1::ListSnapshotsResponse {
                    snapshots: listed.into_iter().map(shown).collect(),
                    directory: snapshots.directory().display().to_string(),
                })
            })
            .await
    }

    async fn delete_snapshot(
        &self,
        request: Request<v1::DeleteSnapshotRequest>,
    ) -> Result<Response<v1::DeleteSnapshotResponse>, Status> {
        let snapshots = self.snapshots()?;
        self.calls
            .read(request, move |_, request| {
                snapshots.delete(&request.name)?;
                Ok(v1::DeleteSnapshotResponse {})
            })
            .await
    }
}

fn save(
    handle: &Handle,
    name: &str,
    client: &mpsc::Sender<Result<v1::SaveSnapshotResponse, Status>>,
) -> Result<SnapshotManifest, SnapshotsError> {
    let mut told: Option<Instant> = None;
    handle.save_snapshot(name, &mut |SnapshotProgress { done, total }| {
        if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
            told = Some(Instant::now());
            // One that does not read misses some.
            let _ = client.try_send(Ok(v1::SaveSnapshotResponse {
                bytes_done: done,
                bytes_total: total,
                snapshot: None,
            }));
        }
        !client.is_closed()
    })
}

fn shown(listed: Listed) -> v1::Snapshot {
    match listed.manifest {
        Ok(manifest) => v1::Snapshot {
            name: listed.name,
            ..snapshot(manifest)
        },
        Err(error) => v1::Snapshot {
            name: listed.name,
            damage: error.to_string(),
            ..v1::Snapshot::default()
        },
    }
}

fn snapshot(manifest: SnapshotManifest) -> v1::Snapshot {
    v1::Snapshot {
        name: manifest.name,
        damage: String::new(),
        created: Some(prost_types::Timestamp {
            seconds: i64::try_from(manifest.created).unwrap_or(i64::MAX),
            nanos: 0,
        }),
        network: manifest.network,
        best_hash: manifest.best_hash,
        best_height: manifest.best_height,
        worlds: u32::try_from(manifest.world_count).unwrap_or(u32::MAX),
        mempool_transactions: manifest.mempool_transactions.unwrap_or(0) as u64,
        wallets: manifest
            .wallets
            .into_iter()
            .map(|wallet| wallet.name)
            .collect(),
        bytes: manifest.bytes,
        left_out: manifest
            .left_out
            .into_iter()
            .map(|wallet| v1::LeftOutWallet {
                name: wallet.name,
                why: wallet.why,
            })
            .collect(),
    }
}

impl From<SnapshotsError> for Fault {
    fn from(error: SnapshotsError) -> Fault {
        use SnapshotsError as E;
        let message = error.to_string();
        let (code, reason) = match error {
            E::Store(error) => return error.into(),
            E::BadName { .. } => return Fault::field("name", message),
            E::Unknown { .. } => (Code::NotFound, ErrorReason::SnapshotUnknown),
            E::Exists { .. } => (Code::AlreadyExists, ErrorReason::SnapshotExists),
            E::InUse { .. } | E::Busy { .. } | E::NotSettled { .. } => {
                (Code::Unavailable, ErrorReason::SnapshotBusy)
            }
            E::Damaged { .. } | E::NewerFormat { .. } => {
                (Code::DataLoss, ErrorReason::SnapshotDamaged)
            }
            E::TooMany { .. } | E::DiskFull { .. } => {
                (Code::ResourceExhausted, ErrorReason::DiskFull)
            }
            E::InMemory => (Code::FailedPrecondition, ErrorReason::ReadOnly),
            E::Cancelled => (Code::Unavailable, ErrorReason::ShuttingDown),
            _ => (Code::Internal, ErrorReason::StoreFailed),
        };
        Fault::new(code, reason, message)
    }
}
