//! Owns the node's side of the protocol: what it says to its peers and makes of what they say.
//! Promises to be deterministic: the same inputs at the same times give the same actions. It has no socket, no thread,
//! no clock; it reads the ledger and leaves every write to its driver.
//! Refuses to judge blocks: that is the ledger's.

mod action;
mod config;
mod misbehaviour;
mod progress;

use std::time::Duration;

use bitcoin::BlockHash;
use bitcoin::p2p::address::AddrV2Message;
use everett_ledger::{Ledger, Outcome, Reject};
use everett_net::{Message, PeerId, PeerInfo};

pub use action::{Action, Useful};
pub use config::{ForkLimits, ProtocolConfig};
pub use misbehaviour::{Consequence, Reason};
pub use progress::{PeerSync, Phase, SyncProgress};

/// The node's side of the protocol with all its peers.
pub struct Protocol {
    config: ProtocolConfig,
    ledger: Ledger,
    actions: Vec<Action>,
}

impl Protocol {
    /// A protocol without peers. `now` is the time since some start, as in every other call; `seed` chooses where
    /// chance decides.
    pub fn new(config: ProtocolConfig, ledger: Ledger, seed: u64, now: Duration) -> Protocol {
        let _ = (seed, now);
        Protocol {
            config,
            ledger,
            actions: Vec::new(),
        }
    }

    /// A peer has shaken hands.
    pub fn connected(&mut self, info: PeerInfo, now: Duration) {
        let _ = (info, now);
    }

    /// A peer sent a message. Of peers that are not connected any more nothing is taken.
    pub fn received(&mut self, peer: PeerId, message: Message, now: Duration) {
        let _ = (peer, message, now);
    }

    /// A connection ended.
    pub fn disconnected(&mut self, peer: PeerId, now: Duration) {
        let _ = (peer, now);
    }

    /// The ledger's answer to the oldest [`Action::SubmitHeaders`] that has none yet.
    pub fn headers_taken(&mut self, answer: Result<(), (usize, Reject)>, now: Duration) {
        let _ = (answer, now);
    }

    /// The ledger's answers to the oldest [`Action::SubmitBlock`]s that have none yet, in their order, each with the
    /// blocks that it let in ([`everett_ledger::Submitted::joined`]).
    pub fn blocks_taken(
        &mut self,
        outcomes: Vec<(BlockHash, Outcome, Vec<(BlockHash, Outcome)>)>,
        now: Duration,
    ) {
        let _ = (outcomes, now);
    }

    /// The ledger has committed something ([`Ledger::event_seq`] changed): a new best world, a new tip, whoever made it.
    pub fn best_changed(&mut self, now: Duration) {
        let _ = now;
    }

    /// The answer to [`Action::FindAddresses`].
    pub fn addresses_found(&mut self, addresses: Vec<AddrV2Message>, now: Duration) {
        let _ = (addresses, now);
    }

    /// Time passes: to be called about every 100 ms, and whenever actions were done. Cheap if nothing is due.
    pub fn tick(&mut self, now: Duration) {
        let _ = now;
    }

    /// Sends the next piece of what a peer asked for, where less than `room` bytes... `true` if something was sent and
    /// more may follow; `false` once nothing waits.
    pub fn serve(&mut self, peer: PeerId, room: usize, now: Duration) -> bool {
        let _ = (peer, room, now);
        false
    }

    /// Peers for which [`Protocol::serve`] has something to do.
    pub fn waiting_to_be_served(&self) -> Vec<PeerId> {
        Vec::new()
    }

    /// What is to be done, oldest first.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }
}
