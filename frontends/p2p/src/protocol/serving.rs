//! Owns the pulling of answers to what peers asked for, one message at a time.
//! Promises that what waits for a slow peer is a list of hashes, and that whoever asks wrongly is dealt with.
//! Refuses to make the answers: that is [`crate::serve`]'s.

use std::time::Duration;

use bitcoin::p2p::message_blockdata::Inventory;
use everett_ledger::Ledger;
use everett_net::{Message, PeerId};

use super::{Protocol, tell_transactions};
use crate::serve::{Found, Requests, ServeError, Serving};

impl Protocol {
    /// Sends the next answer to what a peer asked for: to be called while what waits to be written to it is little (below
    /// 1 MB, say), so that what waits is a list of hashes, not blocks. `true` if something was sent and more may follow;
    /// `false` also if what is next waits for a verdict of the ledger.
    pub fn serve(&mut self, peer: PeerId, now: Duration) -> bool {
        self.now = now;
        let answer = self.next_answer(peer);
        match answer {
            Ok(Some(message)) => self.send_message(peer, message),
            Ok(None) => return false,
            Err(_) => drop(self.asked_wrongly(peer, answer)),
        }
        self.has_requests(peer)
    }

    fn next_answer(&mut self, id: PeerId) -> Result<Option<Message>, ServeError> {
        let Some(peer) = self.peers.get_mut(&id) else {
            return Ok(None);
        };
        let sequence = peer.outgoing.as_ref().map(|outgoing| outgoing.sequence);
        let mut taken = Vec::new();
        let (pending, last_block) = (&self.pending, self.last_block.as_ref());
        let find = |entry: &Inventory| {
            // On connections that are not for transactions nobody is told what is missing.
            let Some(sequence) = sequence else {
                return Found::Ignored;
            };
            let (found, txid) = tell_transactions::find(entry, sequence, pending, last_block);
            taken.extend(txid);
            found
        };
        let answer = (self.serving).next_with(&mut peer.asked_of_us, &self.ledger, find);
        for txid in taken {
            self.transaction_taken(&txid);
        }
        answer
    }

    /// Whether [`Protocol::serve`] has something to do for a peer.
    pub fn has_requests(&self, peer: PeerId) -> bool {
        self.peers
            .get(&peer)
            .is_some_and(|peer| !peer.asked_of_us.is_empty())
    }

    /// Peers for which [`Protocol::serve`] has something to do.
    pub fn waiting_to_be_served(&self) -> Vec<PeerId> {
        (self.peers.iter())
            .filter(|(_, peer)| !peer.asked_of_us.is_empty())
            .map(|(id, _)| *id)
            .collect()
    }

    /// Does something with what a peer has asked for; nothing if it is gone.
    pub(super) fn with_requests<T: Default>(
        &mut self,
        id: PeerId,
        with: impl FnOnce(&mut Serving, &mut Requests, &Ledger) -> Result<T, ServeError>,
    ) -> Result<T, ServeError> {
        match self.peers.get_mut(&id) {
            Some(peer) => with(&mut self.serving, &mut peer.asked_of_us, &self.ledger),
            None => Ok(T::default()),
        }
    }
}
