//! Owns the question of whom a transaction is asked: who told of it, when each may be asked, who was asked.
//! Promises that one peer at a time is asked, those that we called first and among equals by a secret dice, and the next one
//! as soon as the first has answered, said no, left, or let a minute pass: nobody can hold a transaction back. What is due
//! is found in the order of time, whatever is not due costs nothing.
//! Refuses more announcements than its caller lets in: see [`Requests::count`].
//!
//! ```text
//!   announce ─> Delayed ──its time──> Ready <──> Best ──asked──> Requested ──answer, no, a minute──> Completed
//! ```
//!
//! A transaction whose announcements are all completed is forgotten. The states are those of Bitcoin Core's
//! `TxRequestTracker`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use bitcoin::hashes::{Hash, siphash24};
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::{Txid, Wtxid};
use everett_net::PeerId;
use foldhash::fast::RandomState;

#[cfg(test)]
mod tests;

/// How a transaction is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TransactionId {
    /// Without its witnesses.
    Txid(Txid),
    /// With them (BIP339).
    Wtxid(Wtxid),
}

impl TransactionId {
    /// The bytes, whichever id it is.
    pub fn hash(&self) -> [u8; 32] {
        match self {
            TransactionId::Txid(txid) => txid.to_byte_array(),
            TransactionId::Wtxid(wtxid) => wtxid.to_byte_array(),
        }
    }

    /// The id in an entry of `inv`, `getdata` or `notfound`; `None` if it is not about a transaction.
    pub fn of(entry: &Inventory) -> Option<TransactionId> {
        match entry {
            Inventory::Transaction(txid) | Inventory::WitnessTransaction(txid) => {
                Some(TransactionId::Txid(*txid))
            }
            Inventory::WTx(wtxid) => Some(TransactionId::Wtxid(*wtxid)),
            _ => None,
        }
    }

    /// How it is asked for: always with the witnesses.
    pub fn asked(&self) -> Inventory {
        match self {
            TransactionId::Txid(txid) => Inventory::WitnessTransaction(*txid),
            TransactionId::Wtxid(wtxid) => Inventory::WTx(*wtxid),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// May be asked from this time on.
    Delayed(Duration),
    /// May be asked, but another one is better or was asked.
    Ready,
    /// The one to be asked next.
    Best,
    /// Was asked, and has until this time.
    Requested(Duration),
    /// Was asked in vain.
    Completed,
}

#[derive(Clone, Debug)]
struct Announcement {
    peer: PeerId,
    id: TransactionId,
    /// Its number among all: who told first is asked first.
    number: u64,
    preferred: bool,
    state: State,
}

#[derive(Default)]
struct OfPeer {
    told: HashSet<[u8; 32], RandomState>,
    /// Those that are to be asked of it now, by the announcement's number.
    askable: BTreeMap<u64, TransactionId>,
    in_flight: usize,
}

/// Who told of which transaction, and whom to ask when.
pub struct Requests {
    keys: (u64, u64),
    next: u64,
    /// By hash, whichever id it is. No list is empty or of completed ones only; a peer is in it once.
    wanted: HashMap<[u8; 32], Vec<Announcement>, RandomState>,
    /// When a delayed one may be asked, or one that was asked has had its time.
    timeline: BTreeSet<(Duration, [u8; 32], PeerId)>,
    peers: BTreeMap<PeerId, OfPeer>,
    /// At how many entries of the timeline and of the askable [`Requests::due`] has looked: what it promises to cost.
    #[cfg(test)]
    looks: usize,
}

impl Requests {
    /// None. The keys decide whom of equals is asked first, and must not be known to peers.
    pub fn new(keys: (u64, u64)) -> Requests {
        Requests {
            keys,
            next: 0,
            wanted: HashMap::default(),
            timeline: BTreeSet::new(),
            peers: BTreeMap::new(),
            #[cfg(test)]
            looks: 0,
        }
    }

    fn rank(&self, hash: &[u8; 32], one: &Announcement) -> (bool, u64) {
        let mut bytes = [0; 40];
        bytes[..32].copy_from_slice(hash);
        bytes[32..].copy_from_slice(&one.peer.0.to_le_bytes());
        let dice = siphash24::Hash::hash_to_u64_with_keys(self.keys.0, self.keys.1, &bytes);
        (one.preferred, dice)
    }

    /// A peer tells of a transaction that may be asked of it from `at` on. Nothing if it has told of it before.
    /// O(log n), and a look at those who told of the same.
    pub fn announce(&mut self, peer: PeerId, id: TransactionId, preferred: bool, at: Duration) {
        let hash = id.hash();
        if !self.peers.entry(peer).or_default().told.insert(hash) {
            return;
        }
        self.next += 1;
        self.wanted.entry(hash).or_default().push(Announcement {
            peer,
            id,
            number: self.next,
            preferred,
            state: State::Delayed(at),
        });
        self.timeline.insert((at, hash, peer));
    }

    /// What is to be asked of whom now, of each peer in the order in which it told. Each has to be answered by
    /// [`Requests::ask`] or [`Requests::forget`]; until then it is given again. O(log n) for each, and nothing for others.
    pub fn due(&mut self, now: Duration) -> Vec<(PeerId, TransactionId)> {
        while let Some((at, hash, peer)) = self.timeline.first().copied() {
            #[cfg(test)]
            {
                self.looks += 1;
            }
            if at > now {
                break;
            }
            self.timeline.pop_first();
            match self.state(&hash, peer) {
                Some(State::Delayed(_)) => self.promote(&hash, peer),
                Some(State::Requested(_)) => self.complete(&hash, peer),
                _ => {}
            }
        }
        let due = self
            .peers
            .iter()
            .flat_map(|(peer, of)| of.askable.values().map(|id| (*peer, *id)));
        #[cfg(test)]
        let due = due.inspect(|_| self.looks += 1);
        due.collect()
    }

    /// It was asked, and has until `until`.
    pub fn ask(&mut self, peer: PeerId, id: &TransactionId, until: Duration) {
        let hash = id.hash();
        if self.state(&hash, peer) != Some(State::Best) {
            return;
        }
        self.set(&hash, peer, State::Requested(until));
        self.timeline.insert((until, hash, peer));
    }

    /// A peer answered, with the transaction or with its regret: it is not asked again. The next one is.
    pub fn answered(&mut self, peer: PeerId, hash: &[u8; 32]) {
        match self.state(hash, peer) {
            None | Some(State::Completed) => {}
            Some(State::Delayed(at) | State::Requested(at)) => {
                self.timeline.remove(&(at, *hash, peer));
                self.complete(hash, peer);
            }
            Some(State::Ready | State::Best) => self.complete(hash, peer),
        }
    }

    /// It is not wanted any more, from anybody.
    pub fn forget(&mut self, hash: &[u8; 32]) {
        for one in self.wanted.remove(hash).unwrap_or_default() {
            self.drop_one(hash, &one);
        }
    }

    /// A peer is gone.
    pub fn disconnected(&mut self, peer: PeerId) {
        let Some(of) = self.peers.get(&peer) else {
            return;
        };
        let told: Vec<[u8; 32]> = of.told.iter().copied().collect();
        for hash in told {
            let Some(all) = self.wanted.get_mut(&hash) else {
                continue;
            };
            let Some(place) = all.iter().position(|one| one.peer == peer) else {
                continue;
            };
            let one = all.swap_remove(place);
            self.drop_one(&hash, &one);
            self.tidy(
                &hash,
                matches!(one.state, State::Best | State::Requested(_)),
            );
        }
        self.peers.remove(&peer);
    }

    /// Peers that told of it and have not been asked in vain, the first to tell first.
    pub fn candidates(&self, hash: &[u8; 32]) -> Vec<PeerId> {
        let all = self.wanted.get(hash).map_or(&[][..], Vec::as_slice);
        let mut open: Vec<&Announcement> = all
            .iter()
            .filter(|one| one.state != State::Completed)
            .collect();
        open.sort_unstable_by_key(|one| one.number);
        open.into_iter().map(|one| one.peer).collect()
    }

    /// Of how many transactions a peer told that are still wanted.
    pub fn count(&self, peer: PeerId) -> usize {
        self.peers.get(&peer).map_or(0, |of| of.told.len())
    }

    /// How many a peer was asked for and has not given.
    pub fn in_flight(&self, peer: PeerId) -> usize {
        self.peers.get(&peer).map_or(0, |of| of.in_flight)
    }

    /// How many transactions are wanted.
    pub fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// How many announcements there are in all.
    pub fn announcements(&self) -> usize {
        self.peers.values().map(|of| of.told.len()).sum()
    }

    fn state(&self, hash: &[u8; 32], peer: PeerId) -> Option<State> {
        let all = self.wanted.get(hash)?;
        let one = all.iter().find(|one| one.peer == peer)?;
        Some(one.state)
    }

    /// Changes the state of an announcement; its times are for the caller to keep.
    fn set(&mut self, hash: &[u8; 32], peer: PeerId, state: State) {
        let all = self.wanted.get_mut(hash);
        let found = all.and_then(|all| all.iter_mut().find(|one| one.peer == peer));
        let (Some(one), Some(of)) = (found, self.peers.get_mut(&peer)) else {
            return;
        };
        match one.state {
            State::Best => drop(of.askable.remove(&one.number)),
            State::Requested(_) => of.in_flight -= 1,
            _ => {}
        }
        match state {
            State::Best => drop(of.askable.insert(one.number, one.id)),
            State::Requested(_) => of.in_flight += 1,
            _ => {}
        }
        one.state = state;
    }

    /// One whose time has come: it is the best one, or waits behind it.
    fn promote(&mut self, hash: &[u8; 32], peer: PeerId) {
        self.set(hash, peer, State::Ready);
        let all = self.wanted.get(hash).map_or(&[][..], Vec::as_slice);
        let selected = |one: &&Announcement| matches!(one.state, State::Best | State::Requested(_));
        match all.iter().find(selected) {
            None => self.set(hash, peer, State::Best),
            Some(best) if best.state == State::Best => {
                let other = best.peer;
                let better = all
                    .iter()
                    .find(|one| one.peer == peer)
                    .is_some_and(|one| self.rank(hash, one) > self.rank(hash, best));
                if better {
                    self.set(hash, other, State::Ready);
                    self.set(hash, peer, State::Best);
                }
            }
            Some(_) => {}
        }
    }

    fn complete(&mut self, hash: &[u8; 32], peer: PeerId) {
        let selected = matches!(
            self.state(hash, peer),
            Some(State::Best | State::Requested(_))
        );
        self.set(hash, peer, State::Completed);
        self.tidy(hash, selected);
    }

    /// After one was taken out or completed: the next best takes the place of one that was selected, and what nobody is
    /// left for is forgotten.
    fn tidy(&mut self, hash: &[u8; 32], reselect: bool) {
        let Some(all) = self.wanted.get(hash) else {
            return;
        };
        if all.iter().all(|one| one.state == State::Completed) {
            return self.forget(hash);
        }
        let ready = all.iter().filter(|one| one.state == State::Ready);
        let best = ready.max_by_key(|one| self.rank(hash, one));
        if let Some(best) = best.filter(|_| reselect) {
            let peer = best.peer;
            self.set(hash, peer, State::Best);
        }
    }

    /// Takes an announcement that is in no list any more out of the books.
    fn drop_one(&mut self, hash: &[u8; 32], one: &Announcement) {
        if let State::Delayed(at) | State::Requested(at) = one.state {
            self.timeline.remove(&(at, *hash, one.peer));
        }
        let Some(of) = self.peers.get_mut(&one.peer) else {
            return;
        };
        of.told.remove(hash);
        match one.state {
            State::Best => drop(of.askable.remove(&one.number)),
            State::Requested(_) => of.in_flight -= 1,
            _ => {}
        }
        if of.told.is_empty() {
            self.peers.remove(&one.peer);
        }
    }
}
