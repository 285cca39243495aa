//! Owns orphans: transactions that spend what is not known yet, until it comes.
//! Promises each peer its own share of memory and work, so that no peer can push out what another gave: what goes first is
//! always of the peer that takes the most of its share. Refuses to keep more than [`MAX_LATENCY`] and [`PEER_WEIGHT`] for
//! each peer. Bitcoin Core's rules and figures.
//!
//! A transaction is kept once, however many peers told of it; it stays as long as one of them has room for it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bitcoin::{OutPoint, Transaction, Txid, Wtxid};
use everett_ledger::decode::DecodedTransaction;

#[cfg(test)]
mod tests;

/// Most work that all orphans together may make when their turn comes: each counts one, and one for every ten inputs, for
/// each peer that told of it. Shared out evenly among the peers.
pub const MAX_LATENCY: u64 = 3_000;
/// Weight of orphans that each peer has room for.
pub const PEER_WEIGHT: u64 = 404_000;

/// A peer, by whatever number the caller gives it.
pub type PeerId = u64;

struct Orphan {
    tx: Arc<DecodedTransaction>,
    /// Who told of it, and when: a number that rises.
    from: BTreeMap<PeerId, u64>,
}

impl Orphan {
    fn latency(&self) -> u64 {
        1 + self.tx.tx.input.len() as u64 / 10
    }

    fn weight(&self) -> u64 {
        (self.tx.stripped_size * 3 + self.tx.size) as u64
    }
}

/// What a peer has here.
#[derive(Default)]
struct Share {
    weight: u64,
    latency: u64,
    /// What it told of, the oldest first.
    told: BTreeSet<(u64, Wtxid)>,
    /// What is to be looked at again on its account, the oldest first.
    work: BTreeSet<(u64, Wtxid)>,
}

/// The orphans.
#[derive(Default)]
pub struct Orphans {
    by_wtxid: HashMap<Wtxid, Orphan>,
    by_parent: HashMap<OutPoint, BTreeSet<Wtxid>>,
    peers: HashMap<PeerId, Share>,
    weight: u64,
    latency: u64,
    next: u64,
}

/// An orphan as it is shown.
#[derive(Clone, Debug)]
pub struct OrphanInfo {
    /// The transaction.
    pub tx: Arc<DecodedTransaction>,
    /// Who told of it.
    pub from: Vec<PeerId>,
}

impl Orphans {
    /// None yet.
    pub fn new() -> Orphans {
        Orphans::default()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_wtxid.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_wtxid.is_empty()
    }

    /// Keeps a transaction that a peer gave; whether it is new here. It may have to make room at once.
    pub fn add(&mut self, tx: &Arc<DecodedTransaction>, peer: PeerId) -> bool {
        let wtxid = tx.wtxid;
        let new = !self.by_wtxid.contains_key(&wtxid);
        if new {
            for input in &tx.tx.input {
                self.by_parent
                    .entry(input.previous_output)
                    .or_default()
                    .insert(wtxid);
            }
            let orphan = Orphan {
                tx: tx.clone(),
                from: BTreeMap::new(),
            };
            self.weight += orphan.weight();
            self.by_wtxid.insert(wtxid, orphan);
        }
        self.add_announcer(&wtxid, peer);
        new
    }

    /// Notes that another peer knows an orphan, too; whether that is new, and the orphan here.
    pub fn add_announcer(&mut self, wtxid: &Wtxid, peer: PeerId) -> bool {
        let Some(orphan) = self.by_wtxid.get_mut(wtxid) else {
            return false;
        };
        if orphan.from.contains_key(&peer) {
            return false;
        }
        self.next += 1;
        orphan.from.insert(peer, self.next);
        let (weight, latency) = (orphan.weight(), orphan.latency());
        let share = self.peers.entry(peer).or_default();
        share.told.insert((self.next, *wtxid));
        share.weight += weight;
        share.latency += latency;
        self.latency += latency;
        self.make_room();
        true
    }

    /// An orphan.
    pub fn get(&self, wtxid: &Wtxid) -> Option<&Arc<DecodedTransaction>> {
        self.by_wtxid.get(wtxid).map(|orphan| &orphan.tx)
    }

    /// Whether a peer told of an orphan.
    pub fn has_from(&self, wtxid: &Wtxid, peer: PeerId) -> bool {
        self.by_wtxid
            .get(wtxid)
            .is_some_and(|orphan| orphan.from.contains_key(&peer))
    }

    /// Forgets an orphan, whoever told of it; whether it was here.
    pub fn erase(&mut self, wtxid: &Wtxid) -> bool {
        let Some(orphan) = self.by_wtxid.get(wtxid) else {
            return false;
        };
        let from: Vec<PeerId> = orphan.from.keys().copied().collect();
        from.into_iter()
            .for_each(|peer| self.take_back(wtxid, peer));
        self.make_room();
        true
    }

    /// Forgets a peer, and the orphans that only it told of.
    pub fn erase_peer(&mut self, peer: PeerId) {
        let Some(share) = self.peers.get(&peer) else {
            return;
        };
        let told: Vec<Wtxid> = share.told.iter().map(|(_, wtxid)| *wtxid).collect();
        told.iter().for_each(|wtxid| self.take_back(wtxid, peer));
        self.peers.remove(&peer);
        // What others told of, too, has one share less to lie in.
        self.make_room();
    }

    /// Forgets the orphans that a block has, or that spend what it spends; how many.
    pub fn erase_for_block<'a>(
        &mut self,
        block: impl IntoIterator<Item = &'a Transaction>,
    ) -> usize {
        let inputs = block.into_iter().flat_map(|tx| &tx.input);
        let gone: HashSet<Wtxid> = inputs
            .filter_map(|input| self.by_parent.get(&input.previous_output))
            .flatten()
            .copied()
            .collect();
        gone.iter().filter(|wtxid| self.erase(wtxid)).count()
    }

    /// A transaction has come in: the orphans that spend it are to be looked at again, each on the account of one of the
    /// peers that told of it.
    pub fn parent_came(&mut self, parent: &DecodedTransaction) {
        for wtxid in self.children(&parent.txid, parent.tx.output.len()) {
            let Some(orphan) = self.by_wtxid.get(&wtxid) else {
                continue;
            };
            let waits = |peer: &&PeerId| {
                let told = orphan.from[*peer];
                self.peers
                    .get(*peer)
                    .is_some_and(|share| share.work.contains(&(told, wtxid)))
            };
            if orphan.from.keys().any(|peer| waits(&peer)) {
                continue;
            }
            // The one with the least to do.
            let busy = |peer: &PeerId| self.peers.get(peer).map_or(0, |share| share.work.len());
            let Some((peer, told)) = orphan.from.iter().min_by_key(|(peer, _)| busy(peer)) else {
                continue;
            };
            let (peer, told) = (*peer, *told);
            if let Some(share) = self.peers.get_mut(&peer) {
                share.work.insert((told, wtxid));
            }
        }
    }

    /// The next orphan to be looked at again on a peer's account. It stays here until it is erased.
    pub fn next_to_reconsider(&mut self, peer: PeerId) -> Option<Arc<DecodedTransaction>> {
        let (_, wtxid) = self.peers.get_mut(&peer)?.work.pop_first()?;
        self.get(&wtxid).cloned()
    }

    /// Whether a peer has orphans to be looked at again.
    pub fn has_work(&self, peer: PeerId) -> bool {
        self.peers
            .get(&peer)
            .is_some_and(|share| !share.work.is_empty())
    }

    /// The orphans of one peer that spend a transaction, the youngest first: to be given in together with it.
    pub fn children_from(
        &self,
        parent: &DecodedTransaction,
        peer: PeerId,
    ) -> Vec<Arc<DecodedTransaction>> {
        let all = self.children(&parent.txid, parent.tx.output.len());
        let orphans = all.iter().filter_map(|wtxid| self.by_wtxid.get(wtxid));
        let mut found: Vec<(u64, &Orphan)> = orphans
            .filter_map(|orphan| Some((*orphan.from.get(&peer)?, orphan)))
            .collect();
        found.sort_unstable_by_key(|(told, _)| std::cmp::Reverse(*told));
        found
            .into_iter()
            .map(|(_, orphan)| orphan.tx.clone())
            .collect()
    }

    /// All of them.
    pub fn all(&self) -> Vec<OrphanInfo> {
        let info = |orphan: &Orphan| OrphanInfo {
            tx: orphan.tx.clone(),
            from: orphan.from.keys().copied().collect(),
        };
        self.by_wtxid.values().map(info).collect()
    }

    fn children(&self, txid: &Txid, outputs: usize) -> BTreeSet<Wtxid> {
        let outpoints = (0..outputs as u32).map(|vout| OutPoint::new(*txid, vout));
        outpoints
            .filter_map(|outpoint| self.by_parent.get(&outpoint))
            .flatten()
            .copied()
            .collect()
    }

    /// Forgets that a peer told of an orphan, and the orphan with the last of them.
    fn take_back(&mut self, wtxid: &Wtxid, peer: PeerId) {
        let Some(orphan) = self.by_wtxid.get_mut(wtxid) else {
            return;
        };
        let Some(told) = orphan.from.remove(&peer) else {
            return;
        };
        let (weight, latency) = (orphan.weight(), orphan.latency());
        let last = orphan.from.is_empty();
        self.latency -= latency;
        if let Some(share) = self.peers.get_mut(&peer) {
            share.weight -= weight;
            share.latency -= latency;
            share.told.remove(&(told, *wtxid));
            share.work.remove(&(told, *wtxid));
            if share.told.is_empty() {
                self.peers.remove(&peer);
            }
        }
        if last && let Some(orphan) = self.by_wtxid.remove(wtxid) {
            self.weight -= weight;
            for input in &orphan.tx.tx.input {
                if let Some(children) = self.by_parent.get_mut(&input.previous_output) {
                    children.remove(wtxid);
                    if children.is_empty() {
                        self.by_parent.remove(&input.previous_output);
                    }
                }
            }
        }
    }

    /// Takes back the oldest of whoever takes the most of its share, until the rest has room.
    fn make_room(&mut self) {
        while self.latency > MAX_LATENCY || self.weight > PEER_WEIGHT * self.peers.len() as u64 {
            let peers = self.peers.len() as u64;
            // In thousandths of the share, of whichever is more: work or memory.
            let taken = |share: &Share| {
                let work = share.latency * peers * 1_000 / MAX_LATENCY;
                work.max(share.weight * 1_000 / PEER_WEIGHT)
            };
            let most = self
                .peers
                .iter()
                .max_by_key(|(peer, share)| (taken(share), **peer));
            let Some((peer, share)) = most else { break };
            let peer = *peer;
            // What is about to be looked at goes last.
            let oldest = share.told.iter().find(|told| !share.work.contains(told));
            let Some((_, wtxid)) = oldest.or(share.told.first()).copied() else {
                break;
            };
            self.take_back(&wtxid, peer);
        }
    }
}
