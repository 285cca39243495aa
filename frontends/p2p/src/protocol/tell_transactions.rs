//! Owns the telling of transactions: to whom, when, how many, and what may be asked for then.
//! Promises Bitcoin Core's pace: what peers hear when tells little of where a transaction came from.
//! Refuses to wait for the mempool: what needs its order is told a little later when that cannot be had.

use std::time::Duration;

use bitcoin::consensus::serialize;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::{Transaction, Txid, Witness, Wtxid};
use everett_mempool::FeeRate;
use everett_net::{Command, Message, PeerId};

use super::Protocol;
use super::action::Action;
use super::peer::Peer;
use super::transactions::LastBlock;
use crate::chance::Chance;
use crate::serve::{Found, MAX_INVENTORY};
use crate::transactions::MempoolWork;
use crate::transactions::pending::Pending;
use crate::transactions::requests::TransactionId;

/// How often those who called us are told, on average: all of them at one time.
const INBOUND_INTERVAL: Duration = Duration::from_secs(5);
/// How often each of those whom we called is told, on average.
const OUTBOUND_INTERVAL: Duration = Duration::from_secs(2);
/// After how long what no peer has taken is told again, at least.
const RETRY_AFTER: Duration = Duration::from_secs(600);
/// How much later it may be.
const RETRY_SPREAD: Duration = Duration::from_secs(300);
/// How often the mempool is asked for its least fee rate.
const FEE_INTERVAL: Duration = Duration::from_secs(1);

impl Protocol {
    /// Tells each peer that does not know it of a pending transaction that was given in here. Nothing if it is not pending.
    /// Whoever gives it in notes in the mempool that no peer has taken it yet.
    pub fn announce_transaction(&mut self, txid: &Txid, now: Duration) {
        self.now = now;
        self.follow_mempool();
        if let Some(one) = self.pending.get_mut(txid) {
            one.taken = false;
        }
        self.queue_for_all(&TransactionId::Txid(*txid));
    }

    /// Has every peer told of a pending transaction that does not know it.
    pub(super) fn queue_for_all(&mut self, id: &TransactionId) {
        let Some(one) = self.pending.get(id) else {
            return;
        };
        for peer in self.peers.values_mut() {
            if let Some(outgoing) = &mut peer.outgoing {
                outgoing.queue(one);
            }
        }
    }

    /// Tells those whose turn it is.
    pub(super) fn tell_transactions(&mut self) {
        let now = self.now;
        let due = |peer: &Peer| {
            let outgoing = peer.outgoing.as_ref();
            outgoing.is_some_and(|one| {
                one.next.is_none_or(|next| next <= now)
                    || (peer.permissions.no_ban && (one.all || one.waiting().len() > 0))
            })
        };
        let due: Vec<PeerId> = (self.peers.iter())
            .filter(|(_, peer)| due(peer))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.tell_transactions_to(id);
        }
        self.tell_again();
    }

    /// One peer's turn; the first one comes with the connection, and only says from when on it is told.
    pub(super) fn tell_transactions_to(&mut self, id: PeerId) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let inbound = peer.info.purpose.is_inbound();
        let kind = peer.info.endpoint.kind();
        let least = FeeRate::per_kvb(i64::try_from(peer.fee_filter).unwrap_or(i64::MAX));
        let Some(outgoing) = &mut peer.outgoing else {
            return;
        };
        let pending = &self.pending;
        let mut waiting: Vec<Wtxid> = outgoing.waiting().copied().collect();
        let mut all: Vec<Wtxid> = Vec::new();
        if waiting.len() > 1 || outgoing.all {
            let Some(view) = self.mempool.try_view() else {
                return;
            };
            view.sort_for_mining(&mut waiting);
            if outgoing.all {
                all.extend(view.relayed().map(|one| one.tx.wtxid));
            }
        }
        if outgoing.next.is_none_or(|next| next <= now) {
            outgoing.next = Some(match inbound {
                true => {
                    let next = self.inbound_turns.entry(kind).or_default();
                    if *next <= now {
                        *next = now + self.chance.wait(INBOUND_INTERVAL);
                    }
                    *next
                }
                false => now + self.chance.wait(OUTBOUND_INTERVAL),
            });
        }
        outgoing.all = false;
        let get = |wtxid: &Wtxid| pending.get(&TransactionId::Wtxid(*wtxid));
        let mut told: Vec<TransactionId> = (all.iter())
            .filter_map(|wtxid| outgoing.tell_again(get(wtxid)?, least))
            .collect();
        let mut left = outgoing.share();
        for wtxid in &waiting {
            if left == 0 {
                break;
            }
            if let Some(id) = outgoing.tell(wtxid, get(wtxid), least) {
                told.push(id);
                left -= 1;
            }
        }
        outgoing.sequence = pending.sequence();
        for some in told.chunks(MAX_INVENTORY) {
            let entries = some.iter().map(|id| match id {
                TransactionId::Txid(txid) => Inventory::Transaction(*txid),
                TransactionId::Wtxid(wtxid) => Inventory::WTx(*wtxid),
            });
            self.send(id, NetworkMessage::Inv(entries.collect()));
        }
    }

    /// What was given in here and no peer has taken is told again now and then.
    fn tell_again(&mut self) {
        if self.now < self.next_retry {
            return;
        }
        let Some(view) = self.mempool.try_view() else {
            return;
        };
        let untaken = view.unbroadcast();
        drop(view);
        self.next_retry = Protocol::retry_after(self.now, &mut self.chance);
        for txid in untaken {
            if let Some(one) = self.pending.get_mut(&txid) {
                one.taken = false;
            }
            self.queue_for_all(&TransactionId::Txid(txid));
        }
    }

    /// When what nobody has taken is told again next: not on the minute, by which nodes could be told apart.
    pub(super) fn retry_after(now: Duration, chance: &mut Chance) -> Duration {
        now + RETRY_AFTER + chance.within(RETRY_SPREAD)
    }

    /// `mempool` came: who has leave is told of all that is pending, in its turn.
    pub(super) fn on_mempool_asked(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.permissions.mempool {
            if let Some(outgoing) = &mut peer.outgoing {
                outgoing.all = true;
            }
        } else if !peer.permissions.no_ban {
            self.punish(id, super::Reason::NotWanted("mempool"));
        }
    }

    /// Tells peers below which fee rate transactions are of no use.
    pub(super) fn tell_fee_rates(&mut self) {
        if !self.config.relay {
            return;
        }
        if self.now >= self.crowding_fee_next
            && let Some(view) = self.mempool.try_view()
        {
            self.crowding_fee = view.crowding_fee().sat_per_kvb();
            self.crowding_fee_next = self.now + FEE_INTERVAL;
        }
        let least = self.mempool.config().min_relay_fee.sat_per_kvb();
        let rate = (!self.initial_download).then_some(self.crowding_fee);
        let mut told = Vec::new();
        for (id, peer) in &mut self.peers {
            if !peer.info.purpose.relays() || peer.permissions.force_relay {
                continue;
            }
            let due = peer
                .fee_told
                .due(rate, least, &self.fee_steps, self.now, &mut self.chance);
            told.extend(due.map(|rate| (*id, rate)));
        }
        for (id, rate) in told {
            self.send(id, NetworkMessage::FeeFilter(rate));
        }
    }

    /// A transaction was sent to a peer that asked for it.
    pub(super) fn transaction_taken(&mut self, txid: &Txid) {
        if let Some(one) = self.pending.get_mut(txid).filter(|one| !one.taken) {
            one.taken = true;
            self.act(Action::Work(MempoolWork::Taken(*txid)));
        }
    }
}

/// The answer to a request for a transaction, and its txid if it is pending: what came into the mempool before the peer was
/// last told, and what the last block has.
pub(super) fn find(
    entry: &Inventory,
    sequence: u64,
    pending: &Pending,
    last_block: Option<&LastBlock>,
) -> (Found, Option<Txid>) {
    let Some(id) = TransactionId::of(entry) else {
        return (Found::Missing, None);
    };
    let whole = !matches!(entry, Inventory::Transaction(_));
    let waits = pending.get(&id).filter(|one| one.sequence < sequence);
    if let Some(one) = waits {
        return (Found::Here(message(&one.tx.tx, whole)), Some(one.tx.txid));
    }
    let confirmed = last_block.and_then(|block| block.get(&id));
    match confirmed {
        Some(one) => (Found::Here(message(&one.tx, whole)), None),
        None => (Found::Missing, None),
    }
}

fn message(tx: &Transaction, whole: bool) -> Message {
    let bytes = match whole {
        true => serialize(tx),
        false => {
            let mut bare = tx.clone();
            for input in &mut bare.input {
                input.witness = Witness::new();
            }
            serialize(&bare)
        }
    };
    Message::new(Command::new("tx").expect("a name"), bytes)
}
