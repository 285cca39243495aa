//! Owns one connection of a pool from its first byte to its last, and what is noted when it is over.
//! Promises that a socket is closed before anybody hears that its connection is over.
//! Refuses to decide who is called again: that is the caller's.

use std::sync::Arc;

use bitcoin::secp256k1::rand::{Rng, thread_rng};
use tokio::net::TcpStream;

use super::event::{FailedReason, PoolEvent};
use super::{Inner, Place};
use crate::connection::{Link, LostReason, Owner, Peer, Permit};
use crate::endpoint::Endpoint;
use crate::message::Message;
use crate::peer::{PeerInfo, Purpose};
use crate::session::{Session, SessionError};

impl Inner {
    /// Runs one connection to its end. Whether the peer should be called again with v1.
    pub(super) async fn run(
        self: &Arc<Inner>,
        stream: TcpStream,
        mut place: Place,
        v2: bool,
    ) -> bool {
        let peer = place.peer().clone();
        if let Ok(address) = stream.local_addr() {
            peer.set_local_address(address);
        }
        let config = self.session_config(v2);
        let write_stall = config.timeouts.write_stall;
        let seed = thread_rng().r#gen();
        let session = Session::new(
            config,
            peer.id(),
            peer.purpose(),
            peer.endpoint().clone(),
            self.clock.now(),
            seed,
        );
        // Shutting down closes those that it finds; this one may have come after it looked.
        if self.is_closing() {
            peer.close(LostReason::ShutDown);
        }
        let owner = PoolOwner {
            inner: self.clone(),
        };
        let mut link = Link::new(
            stream,
            session,
            peer.clone(),
            owner,
            self.clock,
            write_stall,
        );
        let reason = (&mut link).await;
        let fall_back = link.should_fall_back() && !self.is_closing();
        // The socket is closed before anybody hears that the connection is over.
        drop(link);
        if fall_back {
            place.call_again();
        }
        drop(place);
        self.after(&peer, reason, fall_back);
        fall_back
    }

    fn after(&self, peer: &Peer, reason: LostReason, fall_back: bool) {
        let (endpoint, purpose) = (peer.endpoint().clone(), peer.purpose());
        if let LostReason::Session(SessionError::SelfConnection { called }) = &reason {
            self.met_ourselves(called, &reason);
        }
        let now = self.clock.now();
        match peer.info() {
            Some(_) if purpose == Purpose::Feeler => {}
            Some(_) => {
                tracing::debug!(peer = %peer.id(), %endpoint, %reason, "connection lost");
                if !purpose.is_inbound() {
                    let lasted = now.saturating_sub(peer.counters().connected);
                    self.state()
                        .lost(&endpoint, now, lasted, reason.to_string());
                }
                // Whom we know blocks from only is not to be seen in what we tell of addresses.
                if !purpose.is_inbound() && purpose != Purpose::BlockRelayOnly {
                    self.book().connected(&endpoint, self.unix_time());
                }
                let peer = peer.id();
                self.tell(PoolEvent::Lost {
                    peer,
                    endpoint,
                    reason,
                });
            }
            None if fall_back => {}
            None => {
                let reason = FailedReason::Handshake(reason);
                if !purpose.is_inbound() {
                    self.call_failed(&endpoint, purpose, &reason);
                }
                self.fail(endpoint, purpose, reason);
            }
        }
        self.caller.notify_one();
    }

    /// The address that we called is our own: the call is ended with the same reason, and not made again.
    fn met_ourselves(&self, called: &Endpoint, reason: &LostReason) {
        tracing::info!(endpoint = %called, "an address is our own; it is not called again");
        let calls = self.state().is_ourselves(called);
        for call in calls {
            call.close(reason.clone());
        }
    }
}

/// What the pool does with what happens on a connection.
struct PoolOwner {
    inner: Arc<Inner>,
}

impl Owner for PoolOwner {
    fn established(&self, peer: &Peer, info: PeerInfo) {
        let inner = &self.inner;
        let (endpoint, purpose) = (peer.endpoint(), peer.purpose());
        inner.state().established(peer.id());
        if !purpose.is_inbound() {
            let mut book = inner.book();
            book.set_services(endpoint, info.services);
            book.good(endpoint, inner.unix_time());
        }
        if purpose == Purpose::Feeler {
            peer.disconnect("it answered, which is all that was asked");
            return;
        }
        inner.tell(PoolEvent::Established(info));
    }

    fn message(&self, peer: &Peer, message: Message, permit: Permit) {
        if peer.purpose() != Purpose::Feeler {
            let message = PoolEvent::Message(peer.id(), message, permit);
            self.inner.tell(message);
        }
    }

    fn drained(&self, peer: &Peer) {
        self.inner.tell(PoolEvent::Drained(peer.id()));
    }
}
