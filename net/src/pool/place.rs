//! Owns a connection's place among the members: taken before its task runs, given back when that ends.
//! Promises that it is given back once, also by a task that is stopped half-way or never begins.
//! Refuses to be taken without the pool's lock, under which its owner has seen that there is one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Inner;
use super::members::State;
use crate::connection::Peer;
use crate::endpoint::Endpoint;
use crate::peer::{PeerId, Purpose};

/// The place of a connection that has been made.
pub(super) struct Place {
    inner: Arc<Inner>,
    peer: Peer,
    again: bool,
}

impl Place {
    /// Takes one for a new connection. Must not be dropped while `state` is locked.
    pub(super) fn take(
        inner: &Arc<Inner>,
        state: &mut State,
        purpose: Purpose,
        endpoint: Endpoint,
    ) -> Place {
        let now = inner.clock.now();
        let id = PeerId(inner.next_id.fetch_add(1, Ordering::Relaxed));
        let peer = Peer::new(id, purpose, endpoint, inner.total.clone(), now);
        state.join(peer.clone(), now);
        Place {
            inner: inner.clone(),
            peer,
            again: false,
        }
    }

    /// Whose it is.
    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The peer is called once more: when the place is given back, that call is under way.
    pub(super) fn call_again(&mut self) {
        self.again = true;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Under one lock, so that its figures are counted with those that are or with those that were, and not twice.
        let mut state = self.inner.state();
        self.inner.past().add(&self.peer.counters());
        state.leave(self.peer.id(), self.again);
    }
}
