//! Owns the thread that the protocol lives on: what comes in, in whose turn, and what is done about it.
//! Promises that each peer gets its turn, however much another one sends, and that the protocol's actions are carried out
//! in their order.
//! Refuses to wait for anything but its inbox: blocks, headers and transactions are taken by other threads.
//!
//! ```text
//!  pool ──events──> inbox ──a message of each peer in turn──> Protocol ──actions──> pool, takers, address book
//!  takers ─answers──^  ^── the ledger has changed
//! ```

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use bitcoin::block::Header;
use bitcoin::p2p::ServiceFlags;
use everett_ledger::StoreError;
use everett_net::address_book::GOSSIP_PENALTY;
use everett_net::{Endpoint, PeerId, Pool, PoolEvent, SendError};
use everett_node::{Handle, HeardTransaction};
use tracing::{debug, info, warn};

use crate::compact_meters::CompactMeters;
use crate::input::{Input, PendingBlock};
use crate::protocol::{Action, Consequence, Protocol, Reason, Useful};
use crate::roster::Roster;
use crate::throttle::Throttle;
use crate::transactions::MempoolWork;

/// How often the protocol looks at its deadlines.
const TICK: Duration = Duration::from_millis(100);
/// Inputs that are taken from the inbox before peers get their turns again.
const MAX_INPUTS: usize = 10_000;
/// Block spacings that the best tip may be old for peers which keep only the last blocks: as in Bitcoin Core.
const LIMITED_WITHIN: u64 = 144;
/// While fewer bytes wait to be written to a peer, it is served more of what it asked for: Bitcoin Core's
/// `-maxsendbuffer`.
const SERVED_BELOW: usize = 1_000_000;

/// What the thread works with.
pub(crate) struct Conversation {
    pub(crate) protocol: Protocol,
    pub(crate) pool: Pool,
    pub(crate) handle: Handle,
    pub(crate) roster: Arc<Roster>,
    pub(crate) inbox: Receiver<Input>,
    /// Whether [`Input::LedgerChanged`] waits in the inbox.
    pub(crate) changed: Arc<AtomicBool>,
    pub(crate) headers: Sender<Vec<Header>>,
    pub(crate) blocks: Sender<PendingBlock>,
    pub(crate) works: Sender<MempoolWork>,
    /// Whether [`Input::MempoolChanged`] waits in the inbox.
    pub(crate) mempool_changed: Arc<AtomicBool>,
    /// Peers with events whose turn has to wait: much of what they gave is being judged.
    pub(crate) held: BTreeSet<PeerId>,
    /// Events of connections, of each in the order in which they happened.
    pub(crate) waiting: HashMap<PeerId, VecDeque<PoolEvent>>,
    /// Peers with such events, the next one first.
    pub(crate) turns: VecDeque<PeerId>,
    /// Peers that have asked for something that they have not been sent yet.
    pub(crate) asking: BTreeSet<PeerId>,
    /// Whether the best tip is so recent that peers which keep only the last blocks are of use, too.
    pub(crate) near_tip: bool,
    /// Lines about misbehaviour.
    pub(crate) warnings: Throttle,
    /// Nobody works on the mempool any more.
    pub(crate) cut_off: bool,
    pub(crate) compact_meters: CompactMeters,
}

impl Conversation {
    /// Runs until it is stopped.
    ///
    /// # Errors
    ///
    /// What the disk does.
    pub(crate) fn run(mut self) -> Result<(), StoreError> {
        let mut next_tick = self.pool.now();
        while !self.cut_off {
            let now = self.pool.now();
            if now >= next_tick {
                next_tick = now + TICK;
                self.protocol.tick(now);
                self.act();
                self.tell();
            }
            let pause = match self.turns.is_empty() && !self.can_serve() {
                true => next_tick.saturating_sub(self.pool.now()),
                false => Duration::ZERO,
            };
            match self.inbox.recv_timeout(pause) {
                Ok(input) => {
                    if !self.take(input)? {
                        return Ok(());
                    }
                    for _ in 1..MAX_INPUTS {
                        let Ok(input) = self.inbox.try_recv() else {
                            break;
                        };
                        if !self.take(input)? {
                            return Ok(());
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            self.hear_each();
            self.serve_each();
        }
        Ok(())
    }

    /// Whether to go on.
    fn take(&mut self, input: Input) -> Result<bool, StoreError> {
        let now = self.pool.now();
        match input {
            Input::Pool(event, permit) => {
                self.queue(event);
                drop(permit);
            }
            Input::HeadersTaken(answer) => self.protocol.headers_taken(answer, now),
            Input::SoundBlock(hash) => self.protocol.sound_block(&hash, now),
            Input::BlocksTaken(verdicts) => {
                self.protocol.blocks_taken(verdicts, now);
                // Some may have waited for a verdict.
                self.asking.extend(self.protocol.waiting_to_be_served());
            }
            Input::LedgerChanged => {
                self.changed.store(false, Ordering::Release);
                let height = self.handle.ledger().best().height();
                self.pool.set_start_height(height);
                self.protocol.best_changed(now);
            }
            Input::MempoolAnswered(answer) => {
                self.protocol.mempool_answered(answer, now);
                self.turns.extend(std::mem::take(&mut self.held));
            }
            Input::MempoolChanged => {
                self.mempool_changed.store(false, Ordering::Release);
                self.protocol.mempool_changed(now);
            }
            Input::Announce(txid) => self.protocol.announce_transaction(&txid, now),
            // Who asked may have given up.
            Input::Orphans(answer) => _ = answer.send(self.protocol.orphans()),
            Input::Fetch {
                peer,
                hash,
                height,
                answer,
            } => {
                let asked = self.protocol.fetch_block(peer, hash, height, now);
                _ = answer.send(asked);
            }
            Input::StoreFailed(error) => return Err(error),
            Input::Stop => return Ok(false),
        }
        self.act();
        Ok(true)
    }

    fn queue(&mut self, event: PoolEvent) {
        let peer = match &event {
            PoolEvent::Established(info) => info.id,
            PoolEvent::Message(peer, ..) | PoolEvent::Drained(peer) => *peer,
            PoolEvent::Lost { peer, .. } => *peer,
            PoolEvent::Failed { .. } => return self.roster.tell(&event),
        };
        // Messages are bounded by the peer's receive budget.
        let queue = self.waiting.entry(peer).or_default();
        if queue.is_empty() {
            self.turns.push_back(peer);
        }
        queue.push_back(event);
    }

    /// Takes one event of each peer that has any.
    fn hear_each(&mut self) {
        for _ in 0..self.turns.len() {
            let Some(peer) = self.turns.pop_front() else {
                return;
            };
            let Some(queue) = self.waiting.get_mut(&peer) else {
                continue;
            };
            if !self.protocol.has_room(peer) {
                self.held.insert(peer);
                continue;
            }
            let event = queue.pop_front();
            match queue.is_empty() {
                true => drop(self.waiting.remove(&peer)),
                false => self.turns.push_back(peer),
            }
            if let Some(event) = event {
                self.hear(peer, event);
            }
        }
    }

    fn hear(&mut self, peer: PeerId, event: PoolEvent) {
        let now = self.pool.now();
        self.roster.tell(&event);
        match event {
            PoolEvent::Established(peer) => {
                info!(
                    peer = %peer.id,
                    address = %peer.endpoint,
                    kind = peer.purpose.as_str(),
                    transport = peer.transport.as_str(),
                    version = peer.version,
                    agent = peer.user_agent,
                    height = peer.start_height,
                    "connected: its version message came"
                );
                self.protocol.connected(peer, now);
            }
            PoolEvent::Message(peer, message, permit) => {
                self.protocol.received(peer, message, now);
                if self.protocol.has_requests(peer) {
                    self.asking.insert(peer);
                }
                // What it sent is dealt with: it may send more.
                drop(permit);
            }
            PoolEvent::Drained(_) | PoolEvent::Failed { .. } => {}
            PoolEvent::Lost {
                endpoint, reason, ..
            } => {
                info!(%peer, address = %endpoint, %reason, "connection lost");
                self.asking.remove(&peer);
                self.protocol.disconnected(peer, now);
            }
        }
        self.act();
    }

    fn can_serve(&self) -> bool {
        let mut asking = self.asking.iter();
        asking.any(|peer| self.has_room(*peer) == Some(true))
    }

    /// Whether little waits to be written to a peer; `None` if it is gone, though its last messages may still wait here.
    fn has_room(&self, peer: PeerId) -> Option<bool> {
        let peer = self.pool.peer(peer)?;
        Some(peer.queued() < SERVED_BELOW)
    }

    /// Sends each peer that has asked for something one piece of it.
    fn serve_each(&mut self) {
        for peer in self.asking.clone() {
            let more = match self.has_room(peer) {
                Some(true) => self.protocol.serve(peer, self.pool.now()),
                Some(false) => continue,
                None => false,
            };
            if !more {
                self.asking.remove(&peer);
            }
            self.act();
        }
    }

    /// Carries out what the protocol wants done.
    fn act(&mut self) {
        loop {
            let actions = self.protocol.take_actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                self.carry_out(action);
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Send(peer, message) => match self.pool.send(peer, message) {
                Ok(()) | Err(SendError::NotConnected) => {}
                Err(error) => {
                    debug!(%peer, %error, "a message is not sent, and the connection ended");
                    self.pool.disconnect(peer, error.to_string());
                }
            },
            Action::Disconnect(peer, reason) => {
                // One that the user wants: it is called again, and would be let go for the same each time.
                if reason.consequence() == Consequence::Discouraged {
                    let endpoint = self.pool.peer(peer).map(|peer| peer.endpoint().clone());
                    if let Some(endpoint) = endpoint {
                        self.warn(peer, &endpoint, &reason, "misbehaved, and is disconnected");
                    }
                }
                self.end(peer, &reason);
            }
            Action::Discourage(peer, reason) => {
                let endpoint = self.pool.peer(peer).map(|peer| peer.endpoint().clone());
                if let Some(endpoint) = endpoint {
                    self.warn(peer, &endpoint, &reason, "misbehaved, and is discouraged");
                    // Everybody who comes through a proxy of this machine has its address.
                    if !endpoint.is_local() {
                        self.pool.bans().discourage(&endpoint);
                        let same = |other: &Endpoint| other.host == endpoint.host;
                        self.pool.disconnect_all(same, reason.to_string());
                    }
                }
                self.end(peer, &reason);
            }
            Action::Note(peer, reason) => {
                debug!(%peer, %reason, "misbehaved");
                if let Some(noted) = self.pool.peer(peer) {
                    self.roster.misbehaved(peer, noted.endpoint(), &reason);
                }
            }
            Action::SubmitHeaders { headers, .. } => {
                // Both takers live as long as this thread does, but after the disk failed: then it ends, too.
                let _ = self.headers.send(headers);
            }
            Action::SubmitBlock { hash, bytes, .. } => {
                let _ = self.blocks.send(PendingBlock { hash, bytes });
            }
            Action::Work(work) => {
                // Only one that panicked has left: who waits for its answers would wait for ever.
                self.cut_off |= self.works.send(work).is_err();
            }
            Action::AddAddresses { from, addresses } => {
                if let Some(source) = self.pool.peer(from) {
                    let now = self.roster.unix_time();
                    let mut book = self.pool.address_book();
                    book.add(&addresses, source.endpoint(), GOSSIP_PENALTY, now);
                }
            }
            Action::FindAddresses { limit, percent } => {
                let now = self.roster.unix_time();
                let mut book = self.pool.address_book();
                let found = book.sample(limit, percent, None, now);
                drop(book);
                self.protocol.addresses_found(found, self.pool.now());
            }
            Action::HeardTransaction { from, transaction } => {
                self.handle.hear_transaction(HeardTransaction {
                    from,
                    txid: transaction.txid,
                    wtxid: transaction.wtxid,
                    bytes: transaction.bytes,
                });
            }
            Action::Useful(peer, useful) => self.pool.note_useful(
                peer,
                match useful {
                    Useful::Block => everett_net::Useful::Block,
                    Useful::Transaction => everett_net::Useful::Transaction,
                },
            ),
            Action::CallOneMore => {
                info!("the best tip is old: calling one more");
                self.pool.call_one_more();
            }
        }
    }

    /// Tells the user and those who listen for peer events of misbehaviour.
    fn warn(&mut self, peer: PeerId, endpoint: &Endpoint, reason: &Reason, what: &str) {
        match self.warnings.pass(self.pool.now()) {
            Some(0) => warn!(%peer, address = %endpoint, %reason, "{what}"),
            Some(left_out) => {
                warn!(%peer, address = %endpoint, %reason, left_out, "{what}");
            }
            None => {}
        }
        self.roster.misbehaved(peer, endpoint, reason);
    }

    fn end(&self, peer: PeerId, reason: &Reason) {
        info!(%peer, %reason, "disconnecting");
        self.pool.disconnect(peer, reason.to_string());
    }

    /// Tells the node how far things have come, and the pool whom to call.
    fn tell(&mut self) {
        let now = self.pool.now();
        let ledger = self.handle.ledger();
        let span = LIMITED_WITHIN * u64::from(ledger.params().target_spacing);
        let near_tip = u64::from(ledger.best().header().time) + span > ledger.clock().now();
        if near_tip != self.near_tip {
            self.near_tip = near_tip;
            let full = ServiceFlags::NETWORK | ServiceFlags::WITNESS;
            let limited = ServiceFlags::NETWORK_LIMITED | ServiceFlags::WITNESS;
            let enough = [full, limited].into_iter().take(1 + usize::from(near_tip));
            self.pool.set_sufficient_services(enough.collect());
        }
        self.compact_meters.update(self.protocol.compact_figures());
        let phase = self.roster.update(&self.protocol, now);
        if self.handle.phase() != phase {
            self.handle.set_phase(phase);
        }
    }
}
