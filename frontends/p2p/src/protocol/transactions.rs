//! Owns what is done about transactions so far: those that come are kept for compact blocks and handed on; with relay on,
//! those told of are asked for.
//! Promises bounds on what is remembered of each peer, and that one peer at a time is asked.
//! Refuses to judge or to pass them on: the mempool will.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bitcoin::hashes::Hash;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bytes::Bytes;
use everett_net::{PeerId, Purpose};

use super::Protocol;
use super::action::{Action, Useful};
use super::misbehaviour::Reason;

/// Transactions that one peer told of and that are not here: Bitcoin Core's `MAX_PEER_TX_ANNOUNCEMENTS`.
pub(super) const MAX_ANNOUNCED: usize = 5_000;
/// Transactions asked of one peer at a time.
const MAX_ASKED: usize = 100;
/// How long a peer has to give one.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Peers that are remembered to have one.
const MAX_HOLDERS: usize = 8;

/// A transaction that somebody told of.
struct Wanted {
    entry: Inventory,
    holders: VecDeque<PeerId>,
    asked: Option<(PeerId, Duration)>,
}

/// The transactions that are wanted.
#[derive(Default)]
pub(super) struct TransactionRequests {
    wanted: BTreeMap<[u8; 32], Wanted>,
    of_peer: BTreeMap<PeerId, Counts>,
}

#[derive(Default)]
struct Counts {
    announced: usize,
    asked: usize,
}

impl TransactionRequests {
    fn announce(&mut self, peer: PeerId, hash: [u8; 32], entry: Inventory) {
        let counts = self.of_peer.entry(peer).or_default();
        if counts.announced >= MAX_ANNOUNCED {
            return;
        }
        let wanted = self.wanted.entry(hash).or_insert_with(|| Wanted {
            entry,
            holders: VecDeque::new(),
            asked: None,
        });
        if wanted.holders.len() < MAX_HOLDERS && !wanted.holders.contains(&peer) {
            wanted.holders.push_back(peer);
            counts.announced += 1;
        }
    }

    /// What is to be asked of whom now.
    fn due(&mut self, now: Duration) -> BTreeMap<PeerId, Vec<Inventory>> {
        let mut due: BTreeMap<PeerId, Vec<Inventory>> = BTreeMap::new();
        let mut given_up = Vec::new();
        for (hash, wanted) in &mut self.wanted {
            if let Some((peer, since)) = wanted.asked {
                if now < since + TIMEOUT {
                    continue;
                }
                wanted.asked = None;
                if let Some(counts) = self.of_peer.get_mut(&peer) {
                    counts.asked = counts.asked.saturating_sub(1);
                    counts.announced = counts.announced.saturating_sub(1);
                }
                wanted.holders.retain(|holder| *holder != peer);
            }
            let free = wanted.holders.iter().find(|peer| {
                (self.of_peer.get(peer)).is_some_and(|counts| counts.asked < MAX_ASKED)
            });
            match free.copied() {
                Some(peer) => {
                    wanted.asked = Some((peer, now));
                    if let Some(counts) = self.of_peer.get_mut(&peer) {
                        counts.asked += 1;
                    }
                    due.entry(peer).or_default().push(wanted.entry);
                }
                None if wanted.holders.is_empty() => given_up.push(*hash),
                None => {}
            }
        }
        for hash in given_up {
            self.wanted.remove(&hash);
        }
        due
    }

    fn came(&mut self, hash: &[u8; 32]) {
        let Some(wanted) = self.wanted.remove(hash) else {
            return;
        };
        for peer in &wanted.holders {
            if let Some(counts) = self.of_peer.get_mut(peer) {
                counts.announced = counts.announced.saturating_sub(1);
            }
        }
        if let Some((peer, _)) = wanted.asked
            && let Some(counts) = self.of_peer.get_mut(&peer)
        {
            counts.asked = counts.asked.saturating_sub(1);
        }
    }

    fn not_found(&mut self, peer: PeerId, hash: &[u8; 32]) {
        let Some(wanted) = self.wanted.get_mut(hash) else {
            return;
        };
        if wanted.asked.is_some_and(|(asked, _)| asked == peer) {
            // It is taken for an answer that came too late.
            wanted.asked = Some((peer, Duration::ZERO));
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.wanted.len()
    }

    pub(super) fn forget(&mut self, peer: PeerId) {
        if self.of_peer.remove(&peer).is_none() {
            return;
        }
        self.wanted.retain(|_, wanted| {
            wanted.holders.retain(|holder| *holder != peer);
            if wanted.asked.is_some_and(|(asked, _)| asked == peer) {
                wanted.asked = None;
            }
            !wanted.holders.is_empty()
        });
    }
}

fn hash_of(entry: &Inventory) -> Option<[u8; 32]> {
    match entry {
        Inventory::Transaction(txid) | Inventory::WitnessTransaction(txid) => {
            Some(txid.to_byte_array())
        }
        Inventory::WTx(wtxid) => Some(wtxid.to_byte_array()),
        _ => None,
    }
}

impl Protocol {
    /// `tx` came.
    pub(super) fn on_transaction(&mut self, id: PeerId, payload: &Bytes) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if !peer.info.purpose.relays() || !self.config.relay {
            // Who reads our `version` message knows.
            return self.punish(id, Reason::NotWanted("tx"));
        }
        let known = self.recent.len();
        let transaction = match self.recent.insert_message(payload) {
            Ok(transaction) => transaction,
            Err(error) => return self.note(id, Reason::Undecodable(error.to_string())),
        };
        self.transactions.came(&transaction.txid.to_byte_array());
        self.transactions.came(&transaction.wtxid.to_byte_array());
        if self.recent.len() != known {
            peer.last_transaction = Some(now);
            self.act(Action::Useful(id, Useful::Transaction));
        }
        let from = id;
        self.act(Action::HeardTransaction { from, transaction });
    }

    /// A peer told of a transaction. `false` if it must not on this connection.
    pub(super) fn on_transaction_told(&mut self, id: PeerId, entry: &Inventory) -> bool {
        let Some(peer) = self.peers.get(&id) else {
            return true;
        };
        if peer.info.purpose == Purpose::BlockRelayOnly {
            return false;
        }
        // Each peer tells of them by the id that was agreed on.
        let by_wtxid = matches!(entry, Inventory::WTx(_));
        if !self.config.relay || by_wtxid != peer.info.wtxid_relay || self.is_initial_download() {
            return true;
        }
        if let Inventory::WTx(wtxid) = entry
            && self.recent.contains(wtxid)
        {
            return true;
        }
        if let Some(hash) = hash_of(entry) {
            let entry = match entry {
                Inventory::Transaction(txid) => Inventory::WitnessTransaction(*txid),
                other => *other,
            };
            self.transactions.announce(id, hash, entry);
        }
        true
    }

    pub(super) fn transaction_not_found(&mut self, id: PeerId, entry: &Inventory) {
        if let Some(hash) = hash_of(entry) {
            self.transactions.not_found(id, &hash);
        }
    }

    /// Asks for what is wanted.
    pub(super) fn ask_for_transactions(&mut self) {
        for (id, entries) in self.transactions.due(self.now) {
            self.send(id, NetworkMessage::GetData(entries));
        }
    }
}
