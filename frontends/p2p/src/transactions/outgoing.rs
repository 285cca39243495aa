//! Owns what one peer is told of transactions: what it knows, what waits to be told, when it is told next, what it may ask.
//! Promises Bitcoin Core's pace, and memory for what the peer has heard and what the mempool holds.
//! Refuses to look into the mempool.

use std::collections::BTreeSet;
use std::time::Duration;

use bitcoin::Wtxid;
use everett_mempool::FeeRate;
use everett_net::PeerInfo;

use super::pending::Relayed;
use super::requests::TransactionId;
use super::rolling::RollingSet;

/// Ids that a peer is remembered to know.
const KNOWN: usize = 50_000;
/// Transactions a second that a peer who called us is told of, when no more wait than that.
const BROADCAST_PER_SECOND: usize = 14;
/// Transactions that a peer is told of at a time, when no more wait than that: [`BROADCAST_PER_SECOND`] for the five seconds
/// that pass on average.
pub(crate) const BROADCAST_TARGET: usize = BROADCAST_PER_SECOND * 5;
/// The most that it is told of at a time.
pub(crate) const BROADCAST_MAX: usize = 1_000;
/// What may wait to be told beyond what the mempool holds, before what has left it is taken out.
pub(crate) const MAX_GONE: usize = 1_000;

/// What a peer is told of transactions.
pub(crate) struct Outgoing {
    /// By the id that the peer uses.
    known: RollingSet,
    to_send: BTreeSet<Wtxid>,
    /// `None` until it has had its first turn.
    pub(crate) next: Option<Duration>,
    /// What came into the mempool before this sequence may be asked for: it was told of, or could have been.
    pub(crate) sequence: u64,
    /// It wants to hear of all that is pending (BIP35).
    pub(crate) all: bool,
    by_wtxid: bool,
}

impl Outgoing {
    /// For a peer that wants to hear of transactions, on a connection that is for them; else `None`.
    pub(crate) fn of(info: &PeerInfo, keys: (u64, u64)) -> Option<Outgoing> {
        (info.relay && info.purpose.relays()).then(|| Outgoing {
            known: RollingSet::new(KNOWN, keys),
            to_send: BTreeSet::new(),
            next: None,
            sequence: 1,
            all: false,
            by_wtxid: info.wtxid_relay,
        })
    }

    /// The id by which the peer knows a transaction.
    pub(crate) fn id(&self, one: &Relayed) -> TransactionId {
        match self.by_wtxid {
            true => TransactionId::Wtxid(one.tx.wtxid),
            false => TransactionId::Txid(one.tx.txid),
        }
    }

    /// The peer knows a transaction.
    pub(crate) fn knows(&mut self, hash: &[u8; 32]) {
        self.known.insert(hash);
    }

    /// Tells the peer of a transaction when its turn comes, unless it knows it. Nothing before its first turn: that would
    /// show what came during the handshake.
    pub(crate) fn queue(&mut self, one: &Relayed) {
        if self.next.is_some() && !self.known.contains(&self.id(one).hash()) {
            self.to_send.insert(one.tx.wtxid);
        }
    }

    /// What waits to be told.
    pub(crate) fn waiting(&self) -> impl ExactSizeIterator<Item = &Wtxid> {
        self.to_send.iter()
    }

    /// Takes out what the mempool does not hold any more, once that may be much. To be called when something has left it.
    pub(crate) fn prune(&mut self, held: usize, holds: impl Fn(&Wtxid) -> bool) {
        if self.to_send.len() > held + MAX_GONE {
            self.to_send.retain(holds);
        }
    }

    /// How many it is told of now: more while many wait.
    pub(crate) fn share(&self) -> usize {
        (BROADCAST_TARGET + self.to_send.len() / 1_000 * 5).min(BROADCAST_MAX)
    }

    /// What waited is told now, or not at all: its id if the peer is to hear of it.
    pub(crate) fn tell(
        &mut self,
        wtxid: &Wtxid,
        one: Option<&Relayed>,
        least: FeeRate,
    ) -> Option<TransactionId> {
        self.to_send.remove(wtxid);
        let one = one?;
        let id = self.id(one);
        if self.known.contains(&id.hash()) || one.fee < least.fee(one.vsize) {
            return None;
        }
        self.known.insert(&id.hash());
        Some(id)
    }

    /// The same, whether the peer knows it or not: it asked.
    pub(crate) fn tell_again(&mut self, one: &Relayed, least: FeeRate) -> Option<TransactionId> {
        self.to_send.remove(&one.tx.wtxid);
        if one.fee < least.fee(one.vsize) {
            return None;
        }
        let id = self.id(one);
        self.known.insert(&id.hash());
        Some(id)
    }

    /// How many ids it remembers, and the most it can.
    pub(crate) fn remembered(&self) -> (usize, usize) {
        (self.known.len(), self.known.most())
    }
}
