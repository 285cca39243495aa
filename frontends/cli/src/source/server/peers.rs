//! Owns the questions about peers, which only a running node can answer.

use std::time::Duration;

use everett_proto::v1;
use everett_proto::v1::disconnect_peer_request::Peer as Named;
use everett_proto::v1::peer_service_client::PeerServiceClient;

use super::{MAX_MESSAGE_BYTES, Server, Wire};
use crate::failure::Failure;
use crate::view::peers::{AddedView, BanView, PeersView};

impl Server {
    fn peer_client(&self) -> PeerServiceClient<Wire> {
        PeerServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// The peers, and how far the node has synced.
    pub(crate) fn peers(&self) -> Result<PeersView, Failure> {
        self.check_network()?;
        let request = v1::ListPeersRequest {};
        Ok(self.call(self.peer_client().list_peers(request))?.into())
    }

    /// Has the node call a peer.
    pub(crate) fn add_peer(
        &self,
        address: String,
        once: bool,
        v1: bool,
    ) -> Result<AddedView, Failure> {
        self.check_network()?;
        let request = v1::AddPeerRequest { address, once, v1 };
        let added = self.call(self.peer_client().add_peer(request))?;
        Ok(AddedView {
            address: added.address,
            once,
        })
    }

    /// Has the node end a connection; a plain number names one by its id.
    pub(crate) fn disconnect(&self, peer: &str) -> Result<(), Failure> {
        self.check_network()?;
        let peer = match peer.parse() {
            Ok(id) => Named::PeerId(id),
            Err(_) => Named::Address(peer.to_owned()),
        };
        let request = v1::DisconnectPeerRequest { peer: Some(peer) };
        self.call(self.peer_client().disconnect_peer(request))?;
        Ok(())
    }

    /// Has the node ban a subnet, for the server's default time unless another is given.
    pub(crate) fn ban(&self, subnet: String, length: Option<Duration>) -> Result<BanView, Failure> {
        self.check_network()?;
        let duration = length.and_then(|length| prost_types::Duration::try_from(length).ok());
        let request = v1::BanPeerRequest { subnet, duration };
        let answer = self.call(self.peer_client().ban_peer(request))?;
        Ok(answer.ban.unwrap_or_default().into())
    }

    /// Has the node take a ban back.
    pub(crate) fn unban(&self, subnet: String) -> Result<(), Failure> {
        self.check_network()?;
        let request = v1::UnbanPeerRequest { subnet };
        self.call(self.peer_client().unban_peer(request))?;
        Ok(())
    }

    /// The bans that hold.
    pub(crate) fn bans(&self) -> Result<Vec<BanView>, Failure> {
        self.check_network()?;
        let request = v1::ListBansRequest {};
        let answer = self.call(self.peer_client().list_bans(request))?;
        Ok(answer.bans.into_iter().map(BanView::from).collect())
    }
}
