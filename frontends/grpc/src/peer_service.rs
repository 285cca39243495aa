//! Owns PeerService: who is connected, how far the node has synced, and what to change about it.
//! Promises that on a node without a network every call answers `NETWORK_DISABLED`, before its request is looked at.
//! Refuses to wait for the network: what is asked for happens after the answer, and a peer event tells of it.

use std::sync::Arc;
use std::time::Duration;

use everett_net::PeerId;
use everett_node::{DEFAULT_BAN, MAX_BAN, PeerError, PeerRef, Peers};
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::disconnect_peer_request::Peer as Named;
use everett_proto::v1::peer_service_server::PeerService;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code, Request, Response, Status};

use crate::calls::Calls;
use crate::config::StreamLimits;
use crate::convert::peer as convert;
use crate::deadline::Deadline;
use crate::fault::Fault;
use crate::parse;
use crate::peer_stream;
use crate::responses::Responses;

/// Longest address or subnet that is looked at, in characters; those of Tor have 62 and a port.
const MAX_ADDRESS_CHARS: usize = 256;

pub(crate) struct PeerCalls {
    calls: Calls,
    max_streams: usize,
    places: Arc<Semaphore>,
}

impl PeerCalls {
    pub(crate) fn new(calls: Calls, limits: StreamLimits) -> PeerCalls {
        PeerCalls {
            calls,
            max_streams: limits.max_streams,
            places: Arc::new(Semaphore::new(limits.max_streams)),
        }
    }

    fn peers(&self) -> Result<Arc<dyn Peers>, Fault> {
        self.calls
            .handle()
            .peers()
            .ok_or_else(Fault::network_disabled)
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, Fault> {
        self.places.clone().try_acquire_owned().map_err(|_| {
            let limit = self.max_streams;
            Fault::new(
                Code::ResourceExhausted,
                ErrorReason::Overloaded,
                format!("{limit} streams of peer events are open, the most this node takes"),
            )
            .with("limit", limit)
        })
    }

    /// Answers a call that asks the network. It takes a reader's place: what shows or steers peers takes locks.
    async fn ask<Q: Send + 'static, A: Send + 'static>(
        &self,
        request: Request<Q>,
        work: impl FnOnce(&dyn Peers, Q) -> Result<A, Fault> + Send + 'static,
    ) -> Result<Response<A>, Status> {
        let peers = self.peers()?;
        self.calls
            .read(request, move |_, request| work(&*peers, request))
            .await
    }
}

#[tonic::async_trait]
impl PeerService for PeerCalls {
    type StreamPeerEventsStream = Responses<v1::StreamPeerEventsResponse>;

    async fn list_peers(
        &self,
        request: Request<v1::ListPeersRequest>,
    ) -> Result<Response<v1::ListPeersResponse>, Status> {
        self.ask(request, |peers, _| {
            let network = peers.network();
            Ok(v1::ListPeersResponse {
                peers: peers.list().iter().map(convert::peer).collect(),
                sync: Some(convert::progress(&peers.progress())),
                listening_addresses: network.listening.iter().map(ToString::to_string).collect(),
                added_peers: network.added.into_iter().map(convert::added_peer).collect(),
                known_addresses: network.known_addresses as u64,
                bytes_received: network.bytes_received,
                bytes_sent: network.bytes_sent,
            })
        })
        .await
    }

    async fn add_peer(
        &self,
        request: Request<v1::AddPeerRequest>,
    ) -> Result<Response<v1::AddPeerResponse>, Status> {
        self.ask(request, |peers, request| {
            let address = check("address", &request.address)?;
            let endpoint = peers.add(address, request.once, request.v1)?;
            Ok(v1::AddPeerResponse {
                address: endpoint.to_string(),
            })
        })
        .await
    }

    async fn disconnect_peer(
        &self,
        request: Request<v1::DisconnectPeerRequest>,
    ) -> Result<Response<v1::DisconnectPeerResponse>, Status> {
        self.ask(request, |peers, request| {
            match &request.peer {
                None => return Err(Fault::field("peer", "set peer_id or address")),
                Some(Named::PeerId(id)) => peers
                    .disconnect(PeerRef::Id(PeerId(*id)))
                    .map_err(|error| Fault::from(error).with("peer_id", id))?,
                Some(Named::Address(text)) => {
                    let address = check("address", text)?;
                    peers
                        .disconnect(PeerRef::Address(address))
                        .map_err(|error| Fault::from(error).with("address", address))?;
                }
            }
            Ok(v1::DisconnectPeerResponse {})
        })
        .await
    }

    async fn ban_peer(
        &self,
        request: Request<v1::BanPeerRequest>,
    ) -> Result<Response<v1::BanPeerResponse>, Status> {
        self.ask(request, |peers, request| {
            let subnet = check("subnet", &request.subnet)?;
            let ban = peers.ban(subnet, length(request.duration)?)?;
            Ok(v1::BanPeerResponse {
                ban: Some(convert::ban(ban)),
            })
        })
        .await
    }

    async fn unban_peer(
        &self,
        request: Request<v1::UnbanPeerRequest>,
    ) -> Result<Response<v1::UnbanPeerResponse>, Status> {
        self.ask(request, |peers, request| {
            let subnet = check("subnet", &request.subnet)?;
            peers.unban(subnet)?;
            Ok(v1::UnbanPeerResponse {})
        })
        .await
    }

    async fn list_bans(
        &self,
        request: Request<v1::ListBansRequest>,
    ) -> Result<Response<v1::ListBansResponse>, Status> {
        self.ask(request, |peers, _| {
            Ok(v1::ListBansResponse {
                bans: peers.bans().into_iter().map(convert::ban).collect(),
            })
        })
        .await
    }

    async fn stream_peer_events(
        &self,
        request: Request<v1::StreamPeerEventsRequest>,
    ) -> Result<Response<Self::StreamPeerEventsStream>, Status> {
        let peers = self.peers()?;
        let place = self.place()?;
        // What a call may take at most is not meant for those that go on as long as their clients like.
        let deadline = Deadline::of(request.metadata(), None);
        let stop = self.calls.handle().stop_signal().clone();
        let responses = peer_stream::begin(peers.events(), deadline, stop, place);
        Ok(Response::new(responses))
    }
}

/// Refuses what is missing or no address of any kind; the network looks at the rest.
fn check<'a>(field: &str, text: &'a str) -> Result<&'a str, Fault> {
    if text.is_empty() {
        return Err(Fault::field(field, "it is missing"));
    }
    if text.len() > MAX_ADDRESS_CHARS || text.chars().any(char::is_control) {
        let wrong = format!("no address has control characters or more than {MAX_ADDRESS_CHARS}");
        return Err(Fault::field(field, wrong));
    }
    Ok(text)
}

/// How long a ban lasts.
fn length(duration: Option<prost_types::Duration>) -> Result<Duration, Fault> {
    let Some(duration) = duration else {
        return Ok(DEFAULT_BAN);
    };
    let length = parse::duration(duration).unwrap_or_default();
    match length.is_zero() || length > MAX_BAN {
        true => {
            let days = MAX_BAN.as_secs() / 86_400;
            let wrong = format!("a ban lasts longer than nothing and at most {days} days");
            Err(Fault::field("duration", wrong))
        }
        false => Ok(length),
    }
}

impl From<PeerError> for Fault {
    fn from(error: PeerError) -> Fault {
        let message = error.to_string();
        match error {
            PeerError::Address { .. } => Fault::field("address", message),
            PeerError::Subnet { .. } => Fault::field("subnet", message),
            PeerError::Known(address) => {
                Fault::new(Code::AlreadyExists, ErrorReason::PeerKnown, message)
                    .with("address", address)
            }
            PeerError::Banned { address, subnet } => {
                Fault::new(Code::FailedPrecondition, ErrorReason::PeerBanned, message)
                    .with("address", address)
                    .with("subnet", subnet)
            }
            // Who asked knows by what the peer was named.
            PeerError::Unknown(_) => Fault::new(Code::NotFound, ErrorReason::PeerUnknown, message),
            PeerError::NotBanned(subnet) => {
                Fault::new(Code::NotFound, ErrorReason::PeerUnknown, message).with("subnet", subnet)
            }
        }
    }
}
