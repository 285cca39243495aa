//! Owns the way of a transaction to us: who is asked for it, what waits for its parents, what was refused lately.
//! Promises Bitcoin Core's rules (`txdownloadman`), and that nothing that a peer does keeps the others' transactions away.
//! Refuses to judge and to send: it says what to judge and whom to ask.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Txid, Wtxid};
use everett_ledger::decode::{DecodedBlock, DecodedTransaction};
use everett_mempool::RejectionKind;
use everett_mempool::orphans::Orphans;
use everett_net::PeerId;
use foldhash::fast::RandomState;

use super::pending::Pending;
use super::requests::{Requests, TransactionId};
use super::rolling::RollingSet;

/// Transactions that one peer told of and that are still wanted.
pub(crate) const MAX_ANNOUNCED: usize = 5_000;
/// The same of all peers: where there are so many that this would be more, each has a smaller share.
pub(crate) const MAX_ALL_ANNOUNCED: usize = 1_000_000;
/// Requests in flight from which on a peer counts as having enough to do.
const OVERLOADED: usize = 100;
/// How much later a peer is asked: that called us; for a txid while others use wtxids; that has enough to do.
const DELAY: Duration = Duration::from_secs(2);
/// How long a peer has to give one.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Refused transactions that are remembered until the next block.
const REJECTED: usize = 120_000;
/// Ids of confirmed transactions that are remembered.
const CONFIRMED: usize = 48_000;

/// A peer as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source {
    /// We called it, so it is asked first.
    pub(crate) preferred: bool,
    pub(crate) wtxid_relay: bool,
    /// The user lets it tell of as many as it likes.
    pub(crate) unlimited: bool,
}

/// What is to be done about a transaction that came.
#[derive(Debug)]
pub(crate) enum Came {
    /// Nothing: it is here, or was refused.
    Known,
    /// It is to be judged.
    Judge,
    /// It is to be judged together with this child.
    Package(Arc<DecodedTransaction>),
}

/// What follows from a refusal.
#[derive(Default, Debug)]
pub(crate) struct Refusal {
    /// A block may hold it all the same: it is worth keeping for compact blocks.
    pub(crate) keep: bool,
    /// Parents that the giver of an orphan must have.
    pub(crate) parents: Vec<Txid>,
    /// A child to be judged together with it.
    pub(crate) child: Option<Arc<DecodedTransaction>>,
}

/// Transactions on their way to us.
pub(crate) struct Incoming {
    pub(crate) requests: Requests,
    pub(crate) orphans: Orphans,
    peers: BTreeMap<PeerId, Source>,
    wtxid_peers: usize,
    /// Refused for good; ids of either kind.
    rejected: RollingSet,
    /// Refused for their fee, which a child may add to; and packages.
    reconsiderable: RollingSet,
    confirmed: RollingSet,
}

impl Incoming {
    pub(crate) fn new(keys: (u64, u64)) -> Incoming {
        Incoming {
            requests: Requests::new(keys),
            orphans: Orphans::new(),
            peers: BTreeMap::new(),
            wtxid_peers: 0,
            rejected: RollingSet::new(REJECTED, keys),
            reconsiderable: RollingSet::new(REJECTED, keys),
            confirmed: RollingSet::new(CONFIRMED, keys),
        }
    }

    pub(crate) fn connected(&mut self, peer: PeerId, source: Source) {
        if self.peers.insert(peer, source).is_none() {
            self.wtxid_peers += usize::from(source.wtxid_relay);
        }
    }

    pub(crate) fn disconnected(&mut self, peer: PeerId) {
        if let Some(source) = self.peers.remove(&peer) {
            self.wtxid_peers -= usize::from(source.wtxid_relay);
        }
        self.requests.disconnected(peer);
        self.orphans.erase_peer(peer.0);
    }

    /// How many transactions a peer may tell of.
    pub(crate) fn most_announced(&self) -> usize {
        MAX_ANNOUNCED.min(MAX_ALL_ANNOUNCED / self.peers.len().max(1))
    }

    /// Whether a transaction need not come. A txid never tells of an orphan, which may have had its witnesses changed; but
    /// where there are none it is the wtxid.
    fn has(&self, id: &TransactionId, pending: &Pending, reconsiderable: bool) -> bool {
        let hash = id.hash();
        // All three sets have the same keys.
        let short = self.rejected.short(&hash);
        self.orphans.get(&Wtxid::from_byte_array(hash)).is_some()
            || (reconsiderable && self.reconsiderable.contains_short(short))
            || self.confirmed.contains_short(short)
            || self.rejected.contains_short(short)
            || pending.contains(id)
    }

    /// When a peer may be asked for what it tells of now; `None` if it has told of too many.
    fn time_to_ask(
        &self,
        peer: PeerId,
        by_wtxid: bool,
        more: usize,
        now: Duration,
    ) -> Option<Duration> {
        let source = self.peers.get(&peer)?;
        if !source.unlimited && self.requests.count(peer) + more > self.most_announced() {
            return None;
        }
        let overloaded = !source.unlimited && self.requests.in_flight(peer) >= OVERLOADED;
        let reasons = [
            !source.preferred,
            !by_wtxid && self.wtxid_peers > 0,
            overloaded,
        ];
        let delays = reasons.iter().filter(|so| **so).count() as u32;
        Some(now + DELAY * delays)
    }

    /// A peer tells of a transaction.
    pub(crate) fn announced(
        &mut self,
        peer: PeerId,
        id: TransactionId,
        pending: &Pending,
        now: Duration,
    ) {
        if let TransactionId::Wtxid(wtxid) = id
            && let Some(orphan) = self.orphans.get(&wtxid).cloned()
        {
            // It is here, and this peer, too, may have its parents.
            let parents = self.missing_parents(&orphan, pending);
            if !parents.is_empty() && self.ask_for_parents(peer, &wtxid, &parents, now) {
                self.orphans.add_announcer(&wtxid, peer.0);
            }
            return;
        }
        // Who has told of too many is not worth the look.
        let by_wtxid = matches!(id, TransactionId::Wtxid(_));
        let Some(at) = self.time_to_ask(peer, by_wtxid, 1, now) else {
            return;
        };
        if self.has(&id, pending, true) {
            return;
        }
        let preferred = self.peers.get(&peer).is_some_and(|source| source.preferred);
        self.requests.announce(peer, id, preferred, at);
    }

    fn missing_parents(&self, tx: &DecodedTransaction, pending: &Pending) -> Vec<Txid> {
        let mut parents = unique_parents(tx);
        parents.retain(|txid| !self.has(&TransactionId::Txid(*txid), pending, false));
        parents
    }

    /// Takes it that a peer which has an orphan has its parents. Whether it may be asked.
    fn ask_for_parents(
        &mut self,
        peer: PeerId,
        orphan: &Wtxid,
        parents: &[Txid],
        now: Duration,
    ) -> bool {
        if self.orphans.has_from(orphan, peer.0) {
            return false;
        }
        let Some(at) = self.time_to_ask(peer, false, parents.len(), now) else {
            return false;
        };
        let preferred = self.peers.get(&peer).is_some_and(|source| source.preferred);
        for parent in parents {
            self.requests
                .announce(peer, TransactionId::Txid(*parent), preferred, at);
        }
        true
    }

    /// What is to be asked of whom now.
    ///
    /// What is being judged, by either id, waits for the verdict.
    pub(crate) fn due(
        &mut self,
        pending: &Pending,
        judging: &HashSet<[u8; 32], RandomState>,
        now: Duration,
    ) -> BTreeMap<PeerId, Vec<TransactionId>> {
        let mut due: BTreeMap<PeerId, Vec<TransactionId>> = BTreeMap::new();
        for (peer, id) in self.requests.due(now) {
            if judging.contains(&id.hash()) {
                continue;
            }
            if self.has(&id, pending, false) {
                self.requests.forget(&id.hash());
                continue;
            }
            self.requests.ask(peer, &id, now + TIMEOUT);
            due.entry(peer).or_default().push(id);
        }
        due
    }

    /// A peer answered with a transaction: what it was asked for it is not asked again.
    pub(crate) fn answered(&mut self, peer: PeerId, tx: &DecodedTransaction) {
        self.requests.answered(peer, &tx.txid.to_byte_array());
        self.requests.answered(peer, &tx.wtxid.to_byte_array());
    }

    /// What is to be done about a transaction that came.
    pub(crate) fn came(&self, peer: PeerId, tx: &DecodedTransaction, pending: &Pending) -> Came {
        if self.has(&TransactionId::Wtxid(tx.wtxid), pending, false) {
            return Came::Known;
        }
        if !self.reconsiderable.contains(tx.wtxid.as_byte_array()) {
            return Came::Judge;
        }
        self.package_with(peer, tx)
            .map_or(Came::Known, Came::Package)
    }

    /// A child that the same peer gave, and that was not refused together with this parent. Others' children are not
    /// tried: they could be made to keep the right one from its turn.
    fn package_with(
        &self,
        peer: PeerId,
        parent: &DecodedTransaction,
    ) -> Option<Arc<DecodedTransaction>> {
        let children = self.orphans.children_from(parent, peer.0).into_iter();
        let mut untried = children.filter(|child| {
            !self.reconsiderable.contains(&package_id(parent, child))
                && !self.rejected.contains(child.txid.as_byte_array())
        });
        untried.next()
    }

    /// The mempool took a transaction.
    pub(crate) fn accepted(&mut self, tx: &DecodedTransaction) {
        self.forget(tx);
        self.orphans.parent_came(tx);
        self.orphans.erase(&tx.wtxid);
    }

    fn forget(&mut self, tx: &DecodedTransaction) {
        self.requests.forget(tx.txid.as_byte_array());
        self.requests.forget(tx.wtxid.as_byte_array());
    }

    /// The mempool refused a transaction. `first`: when it came, not on its second try.
    pub(crate) fn refused(
        &mut self,
        peer: PeerId,
        tx: &Arc<DecodedTransaction>,
        kind: RejectionKind,
        first: bool,
        pending: &Pending,
        now: Duration,
    ) -> Refusal {
        let has_witness = tx.txid.as_byte_array() != tx.wtxid.as_byte_array();
        let mut refusal = Refusal {
            keep: first,
            ..Refusal::default()
        };
        match kind {
            RejectionKind::MissingInputs => {
                if first && !self.rejected.contains(tx.wtxid.as_byte_array()) {
                    self.orphan(peer, tx, &mut refusal, pending, now);
                }
                return refusal;
            }
            // Its like with witnesses may be good.
            RejectionKind::WitnessStripped => refusal.keep = false,
            RejectionKind::Reconsiderable => {
                self.reconsiderable.insert(tx.wtxid.as_byte_array());
                if first {
                    refusal.child = self.package_with(peer, tx);
                }
                self.requests.forget(tx.wtxid.as_byte_array());
            }
            kind => {
                // Never by txid, but where witnesses make no difference: they may have been changed on the way.
                self.rejected.insert(tx.wtxid.as_byte_array());
                self.requests.forget(tx.wtxid.as_byte_array());
                if kind == RejectionKind::InputsNotStandard && has_witness {
                    self.rejected.insert(tx.txid.as_byte_array());
                    self.requests.forget(tx.txid.as_byte_array());
                }
            }
        }
        self.orphans.erase(&tx.wtxid);
        refusal
    }

    /// Keeps a transaction whose parents are missing, if those can be had.
    fn orphan(
        &mut self,
        peer: PeerId,
        tx: &Arc<DecodedTransaction>,
        refusal: &mut Refusal,
        pending: &Pending,
        now: Duration,
    ) {
        let parents = unique_parents(tx);
        let refused = |txid: &&Txid| self.rejected.contains(txid.as_byte_array());
        // One parent that paid too little can come in together with it; two cannot.
        let poor = |txid: &&Txid| {
            self.reconsiderable.contains(txid.as_byte_array())
                && !pending.contains(&TransactionId::Txid(**txid))
        };
        if parents.iter().any(|txid| refused(&txid)) || parents.iter().filter(poor).count() > 1 {
            // Whatever its witnesses are.
            self.rejected.insert(tx.txid.as_byte_array());
            self.rejected.insert(tx.wtxid.as_byte_array());
            return self.forget(tx);
        }
        let missing = self.missing_parents(tx, pending);
        refusal.keep &= self.orphans.get(&tx.wtxid).is_none();
        let mut from = vec![peer];
        for hash in [tx.txid.as_byte_array(), tx.wtxid.as_byte_array()] {
            for other in self.requests.candidates(hash) {
                if !from.contains(&other) {
                    from.push(other);
                }
            }
        }
        for peer in from {
            if self.ask_for_parents(peer, &tx.wtxid, &missing, now) {
                self.orphans.add(tx, peer.0);
            }
        }
        self.forget(tx);
        refusal.parents = missing;
    }

    /// A package was refused: it is not tried again.
    pub(crate) fn package_refused(
        &mut self,
        parent: &DecodedTransaction,
        child: &DecodedTransaction,
    ) {
        self.reconsiderable.insert(&package_id(parent, child));
    }

    /// The best world has a block more.
    pub(crate) fn block(&mut self, block: &DecodedBlock) {
        self.orphans
            .erase_for_block(block.transactions.iter().map(|tx| &tx.tx));
        for tx in &block.transactions {
            self.confirmed.insert(tx.txid.as_byte_array());
            if tx.txid.as_byte_array() != tx.wtxid.as_byte_array() {
                self.confirmed.insert(tx.wtxid.as_byte_array());
            }
            self.forget(tx);
        }
    }

    /// The best world has lost blocks: what they had may be told of again.
    pub(crate) fn undone(&mut self) {
        self.confirmed.clear();
    }

    /// The best world is another: what was refused may be good now.
    pub(crate) fn tip_changed(&mut self) {
        self.rejected.clear();
        self.reconsiderable.clear();
    }

    /// Ids that are remembered of refused and confirmed transactions, and the most that can be.
    pub(crate) fn remembered(&self) -> (usize, usize) {
        let sets = [&self.rejected, &self.reconsiderable, &self.confirmed];
        (
            sets.iter().map(|set| set.len()).sum(),
            sets.iter().map(|set| set.most()).sum(),
        )
    }
}

fn unique_parents(tx: &DecodedTransaction) -> Vec<Txid> {
    let parents = tx.tx.input.iter().map(|input| input.previous_output.txid);
    let mut parents: Vec<Txid> = parents.collect();
    parents.sort_unstable();
    parents.dedup();
    parents
}

/// A number for a parent together with a child.
fn package_id(parent: &DecodedTransaction, child: &DecodedTransaction) -> [u8; 32] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(parent.wtxid.as_byte_array());
    bytes[32..].copy_from_slice(child.wtxid.as_byte_array());
    sha256::Hash::hash(&bytes).to_byte_array()
}
