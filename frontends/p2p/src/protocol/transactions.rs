//! Owns the way of transactions from peers to the mempool: what is asked for, what is judged, what follows.
//! Promises that each peer has a bounded part of the judging, and that nobody is punished for what the mempool does not
//! take: as in Bitcoin Core, that is a waste of the peer's own time.
//! Refuses to judge: the driver has the mempool do that.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::hashes::Hash;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::{BlockHash, Wtxid};
use bytes::Bytes;
use everett_ledger::decode::{DecodedBlock, DecodedTransaction, decode_transaction};
use everett_mempool::{
    Change, Happened, PackageOutcome, PackageVerdict, Reason as Left, RejectionKind,
};
use everett_net::PeerId;

use super::Protocol;
use super::action::{Action, Useful};
use super::download::MAX_IN_FLIGHT;
use super::misbehaviour::Reason;
use crate::recent_transactions::{RecentTransaction, Source};
use crate::transactions::incoming::{Came, MAX_ANNOUNCED};
use crate::transactions::pending::Leap;
use crate::transactions::requests::TransactionId;
use crate::transactions::{MempoolAnswer, MempoolWork, Verdict};

/// Transactions of one peer that are being judged, from which on no more are taken from it.
pub(super) const MAX_JUDGED: usize = 16;
/// The same in bytes; one more may come when they are nearly used up.
pub(super) const MAX_JUDGED_BYTES: usize = 1_000_000;
/// The same of all peers.
pub(super) const MAX_ALL_JUDGED_BYTES: usize = 32_000_000;
/// Entries of one `getdata` for transactions: Bitcoin Core's `MAX_GETDATA_SZ`.
const MAX_GETDATA: usize = 1_000;
/// Blocks of one step of the mempool that are read for what they confirm: the last of them.
const MAX_BLOCKS_READ: usize = 100;
/// Larger transactions are not kept beside the mempool: Bitcoin Core's limit.
const MAX_KEPT_BYTES: usize = 100_000;

/// What is being judged for a peer.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Judged {
    pub(super) count: usize,
    pub(super) bytes: usize,
}

/// The last block of the best world, for those who were told of a transaction that it has.
pub(super) struct LastBlock {
    block: Arc<DecodedBlock>,
    /// By either id.
    places: HashMap<[u8; 32], usize, foldhash::fast::RandomState>,
}

impl LastBlock {
    fn new(block: Arc<DecodedBlock>) -> LastBlock {
        let ids = |(place, tx): (usize, &DecodedTransaction)| {
            [
                (tx.txid.to_byte_array(), place),
                (tx.wtxid.to_byte_array(), place),
            ]
        };
        LastBlock {
            places: block
                .transactions
                .iter()
                .enumerate()
                .flat_map(ids)
                .collect(),
            block,
        }
    }

    pub(super) fn get(&self, id: &TransactionId) -> Option<&DecodedTransaction> {
        let found = &self.block.transactions[*self.places.get(&id.hash())?];
        let same = match id {
            TransactionId::Txid(txid) => found.txid == *txid,
            TransactionId::Wtxid(wtxid) => found.wtxid == *wtxid,
        };
        same.then_some(found)
    }
}

impl Protocol {
    /// The mempool has changed, whoever did it.
    pub fn mempool_changed(&mut self, now: Duration) {
        self.now = now;
        self.follow_mempool();
        self.settle();
    }

    /// The answer to a piece of [`Action::Work`], in whatever order.
    pub fn mempool_answered(&mut self, answer: MempoolAnswer, now: Duration) {
        self.now = now;
        self.follow_mempool();
        match answer {
            MempoolAnswer::Judged {
                from,
                tx,
                first,
                change,
                verdict,
            } => {
                self.judging_ends(from, &[&tx]);
                match verdict {
                    // Another block came meanwhile, which may have made it good.
                    Verdict::Refused(_) if change < self.moved => self.judge(from, tx, first),
                    Verdict::Accepted => self.accepted(from, &tx, first),
                    Verdict::Refused(rejection) => self.refused(from, &tx, rejection.kind, first),
                    Verdict::Failed => {}
                }
            }
            MempoolAnswer::PackageJudged {
                from,
                parent,
                child,
                change,
                verdict,
            } => {
                self.judging_ends(from, &[&parent, &child]);
                match verdict {
                    // The same.
                    Some(verdict) if change < self.moved && verdict.rejection.is_some() => {
                        self.judge_package(from, parent, child);
                    }
                    Some(verdict) => self.package_judged(from, &parent, &child, &verdict),
                    None => {}
                }
            }
            MempoolAnswer::Block(hash, block) => self.block_read(&hash, block),
        }
        self.reconsider();
        self.settle();
    }

    /// Whether another message of a peer may be taken: not while many of its transactions are being judged. It has to wait
    /// until [`Protocol::mempool_answered`].
    pub fn has_room(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_none_or(|peer| {
            peer.judged.count < MAX_JUDGED && peer.judged.bytes < MAX_JUDGED_BYTES
        }) && self.judged_bytes < MAX_ALL_JUDGED_BYTES
    }

    /// `tx` came.
    pub(super) fn on_transaction(&mut self, id: PeerId, payload: &Bytes) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if !peer.info.purpose.relays() || !(self.config.relay || peer.permissions.relay) {
            // Who reads our `version` message knows.
            return self.punish(id, Reason::NotWanted("tx"));
        }
        if self.initial_download {
            // What it spends may not be here yet.
            return;
        }
        let (tx, length) = match decode_transaction(payload) {
            Ok((tx, length)) => (Arc::new(tx), length),
            Err(error) => return self.note(id, Reason::Undecodable(error.to_string())),
        };
        let hash = match peer.info.wtxid_relay {
            true => tx.wtxid.to_byte_array(),
            false => tx.txid.to_byte_array(),
        };
        if let Some(outgoing) = &mut peer.outgoing {
            outgoing.knows(&hash);
        }
        let force = peer.permissions.force_relay;
        self.incoming.answered(id, &tx);
        self.act(Action::HeardTransaction {
            from: id,
            transaction: RecentTransaction {
                txid: tx.txid,
                wtxid: tx.wtxid,
                bytes: payload.slice(..length),
            },
        });
        if self.judging.contains(tx.wtxid.as_byte_array()) {
            return;
        }
        match self.incoming.came(id, &tx, &self.pending) {
            Came::Judge => self.judge(id, tx, true),
            Came::Package(child) => self.judge_package(id, tx, child),
            Came::Known if force => self.queue_for_all(&TransactionId::Txid(tx.txid)),
            Came::Known => {}
        }
    }

    /// A peer told of a transaction. `false` if it must not on this connection.
    pub(super) fn on_transaction_told(&mut self, id: PeerId, entry: &Inventory) -> bool {
        let now = self.now;
        let (Some(peer), Some(told)) = (self.peers.get_mut(&id), TransactionId::of(entry)) else {
            return true;
        };
        // Each peer tells of them by the id that was agreed on.
        if matches!(told, TransactionId::Wtxid(_)) != peer.info.wtxid_relay {
            return true;
        }
        if !peer.info.purpose.relays() || !(self.config.relay || peer.permissions.relay) {
            return false;
        }
        if let Some(outgoing) = &mut peer.outgoing {
            outgoing.knows(&told.hash());
        }
        if !self.initial_download {
            self.incoming.announced(id, told, &self.pending, now);
        }
        true
    }

    /// `notfound` came, with so many entries.
    pub(super) fn transactions_not_found(&mut self, id: PeerId, entries: &[Inventory]) {
        if entries.len() > MAX_ANNOUNCED + MAX_IN_FLIGHT {
            return;
        }
        for missing in entries.iter().filter_map(TransactionId::of) {
            self.incoming.requests.answered(id, &missing.hash());
        }
    }

    /// Asks for what is wanted.
    pub(super) fn ask_for_transactions(&mut self) {
        let due = self.incoming.due(&self.pending, &self.judging, self.now);
        for (id, wanted) in due {
            for some in wanted.chunks(MAX_GETDATA) {
                let entries = some.iter().map(TransactionId::asked).collect();
                self.send(id, NetworkMessage::GetData(entries));
            }
        }
    }

    fn judge(&mut self, from: PeerId, tx: Arc<DecodedTransaction>, first: bool) {
        self.judging_begins(from, &[&tx]);
        self.act(Action::Work(MempoolWork::Judge { from, tx, first }));
    }

    fn judge_package(
        &mut self,
        from: PeerId,
        parent: Arc<DecodedTransaction>,
        child: Arc<DecodedTransaction>,
    ) {
        self.judging_begins(from, &[&parent, &child]);
        self.act(Action::Work(MempoolWork::JudgePackage {
            from,
            parent,
            child,
        }));
    }

    fn judging_begins(&mut self, from: PeerId, txs: &[&DecodedTransaction]) {
        for tx in txs {
            self.judging.insert(tx.txid.to_byte_array());
            self.judging.insert(tx.wtxid.to_byte_array());
            self.judged_bytes += tx.size;
            if let Some(peer) = self.peers.get_mut(&from) {
                peer.judged.count += 1;
                peer.judged.bytes += tx.size;
            }
        }
    }

    fn judging_ends(&mut self, from: PeerId, txs: &[&DecodedTransaction]) {
        for tx in txs {
            self.judging.remove(tx.txid.as_byte_array());
            self.judging.remove(tx.wtxid.as_byte_array());
            self.judged_bytes = self.judged_bytes.saturating_sub(tx.size);
            if let Some(peer) = self.peers.get_mut(&from) {
                peer.judged.count = peer.judged.count.saturating_sub(1);
                peer.judged.bytes = peer.judged.bytes.saturating_sub(tx.size);
            }
        }
    }

    fn accepted(&mut self, from: PeerId, tx: &DecodedTransaction, first: bool) {
        let now = self.now;
        self.incoming.accepted(tx);
        // Also while the mempool of the last run is being read, whose transactions are not told.
        self.queue_for_all(&TransactionId::Txid(tx.txid));
        if let Some(peer) = self.peers.get_mut(&from).filter(|_| first) {
            peer.last_transaction = Some(now);
            self.act(Action::Useful(from, Useful::Transaction));
        }
    }

    fn refused(
        &mut self,
        from: PeerId,
        tx: &Arc<DecodedTransaction>,
        kind: RejectionKind,
        first: bool,
    ) {
        let now = self.now;
        if self.pending.contains(&TransactionId::Wtxid(tx.wtxid)) {
            // It came in another way meanwhile: from a user, or as an orphan that was looked at twice.
            return self.incoming.accepted(tx);
        }
        let refusal = self
            .incoming
            .refused(from, tx, kind, first, &self.pending, now);
        if refusal.keep {
            self.keep_aside(tx);
        }
        let peer = self.peers.get_mut(&from);
        if let Some(outgoing) = peer.and_then(|peer| peer.outgoing.as_mut()) {
            for parent in &refusal.parents {
                outgoing.knows(parent.as_byte_array());
            }
        }
        if let Some(child) = refusal.child {
            self.judge_package(from, tx.clone(), child);
        }
    }

    /// Keeps for compact blocks what the mempool does not hold.
    fn keep_aside(&mut self, tx: &DecodedTransaction) {
        if tx.size < MAX_KEPT_BYTES {
            let transaction = RecentTransaction::from(tx);
            self.recent.insert(&transaction, Source::Refused);
        }
    }

    fn package_judged(
        &mut self,
        from: PeerId,
        parent: &Arc<DecodedTransaction>,
        child: &Arc<DecodedTransaction>,
        verdict: &PackageVerdict,
    ) {
        if verdict.rejection.is_some() {
            self.incoming.package_refused(parent, child);
        }
        // The child first: it need not be looked at again for its parent's sake.
        for tx in [child, parent] {
            match verdict.of(&tx.wtxid) {
                Some(PackageOutcome::Accepted(_)) => self.accepted(from, tx, true),
                Some(PackageOutcome::Known { .. }) => self.incoming.accepted(tx),
                Some(PackageOutcome::Refused(refused)) => {
                    self.refused(from, tx, refused.rejection.kind, false);
                }
                Some(PackageOutcome::DifferentWitness(_)) => {
                    self.refused(from, tx, RejectionKind::Conflict, false);
                }
                None => {}
            }
        }
    }

    /// Has orphans judged again whose parents have come, on the account of those who gave them.
    fn reconsider(&mut self) {
        if self.incoming.orphans.is_empty() {
            return;
        }
        let has_work = |id: &PeerId| self.incoming.orphans.has_work(id.0);
        let busy: Vec<PeerId> = self.peers.keys().copied().filter(has_work).collect();
        for id in busy {
            while self.has_room(id) {
                let Some(orphan) = self.incoming.orphans.next_to_reconsider(id.0) else {
                    break;
                };
                // It is on its way to the mempool, behind the parent that has come.
                if !self.judging.contains(orphan.wtxid.as_byte_array()) {
                    self.judge(id, orphan, false);
                }
            }
        }
    }

    pub(super) fn follow_mempool(&mut self) {
        let loaded = self.mempool.is_loaded();
        let news = self.pending.follow(&self.mempool);
        for change in news.changes {
            self.mempool_moved(&change);
            for happened in &change.happened {
                match happened {
                    Happened::Entered {
                        tx,
                        returned: false,
                        ..
                    } if loaded => self.queue_for_all(&TransactionId::Txid(tx.txid)),
                    Happened::Left {
                        tx,
                        reason: Left::Replaced,
                        ..
                    } => self.keep_aside(tx),
                    _ => {}
                }
            }
        }
        if let Some(leap) = news.leap {
            self.mempool_leapt(&leap);
        }
        let pending = &self.pending;
        let holds = |wtxid: &Wtxid| pending.contains(&TransactionId::Wtxid(*wtxid));
        for peer in self.peers.values_mut() {
            if let Some(outgoing) = &mut peer.outgoing {
                outgoing.prune(pending.len(), holds);
            }
        }
    }

    /// The world that the mempool stands on is another, perhaps.
    fn mempool_moved(&mut self, change: &Change) {
        if !change.undone.is_empty() {
            self.incoming.undone();
        }
        if !change.undone.is_empty() || !change.applied.is_empty() {
            self.incoming.tip_changed();
            self.moved = change.number;
        }
        self.read_blocks(&change.applied);
    }

    /// It is another, and nobody told by which blocks: whatever was remembered of the old one may be wrong.
    fn mempool_leapt(&mut self, leap: &Leap) {
        self.incoming.undone();
        self.incoming.tip_changed();
        self.moved = self.moved.max(leap.change);
        let Some(from) = &leap.from else {
            return;
        };
        let fork = self.ledger.fork_point(from, &leap.to);
        let to = self.ledger.header(&leap.to);
        let (Some(fork), Some(to)) = (fork, to) else {
            return;
        };
        let first = (to.height + 1).saturating_sub(MAX_BLOCKS_READ as u32);
        let heights = first.max(fork.height + 1)..=to.height;
        let applied: Vec<BlockHash> = heights
            .filter_map(|height| self.ledger.ancestor(&leap.to, height))
            .map(|block| block.hash)
            .collect();
        self.read_blocks(&applied);
    }

    /// Has the last of some blocks of the best world read for what they confirm.
    fn read_blocks(&mut self, applied: &[BlockHash]) {
        if self.initial_download {
            return;
        }
        let first = applied.len().saturating_sub(MAX_BLOCKS_READ);
        for hash in &applied[first..] {
            self.act(Action::Work(MempoolWork::ReadBlock(*hash)));
        }
    }

    fn block_read(&mut self, hash: &BlockHash, block: Arc<DecodedBlock>) {
        // It may have been undone meanwhile.
        if self
            .ledger
            .header(hash)
            .is_some_and(|info| info.on_best_chain)
        {
            self.incoming.block(&block);
        }
        if *hash == self.ledger.best().hash() {
            self.last_block = Some(LastBlock::new(block));
        }
    }
}
