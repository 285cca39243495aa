//! Owns the headers' way from peers to the ledger: what of them is worth keeping.
//! Promises that no header of a chain without enough work is kept, and that few batches wait for the ledger at a time.
//! Refuses to check rules that need the tree: the ledger does.

use bitcoin::block::Header;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::{BlockHash, Work};
use everett_ledger::rules::difficulty::is_met;
use everett_ledger::{ANTI_DOS_BLOCKS, HeaderStatus, Reject, RejectKind};
use everett_net::{MAX_HEADERS, PeerId};

use super::Protocol;
use super::action::Action;
use super::header_requests::MAX_WANTED;
use super::misbehaviour::Reason;
use super::peer::{ChainSync, Known};
use crate::presync::{ChainStart, End, Presync, PresyncPhase, Step};

/// Batches of one peer that may wait for the ledger, and of those that fill a message.
pub(super) const MAX_BATCHES: usize = 64;
const MAX_FULL_BATCHES: usize = 8;
/// Beyond so many, the next is asked for only when one is judged.
const PIPELINED_BATCHES: usize = 4;
/// Peers that are kept although their chain may fall behind.
const MAX_PROTECTED: usize = 4;

/// How some headers end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ending {
    /// The message held as many as it may: the peer may have more.
    Full,
    /// The peer has no more.
    Last,
    /// More of them follow, and are asked for by others.
    Part,
}

/// Headers at the ledger.
pub(super) struct Batch {
    from: PeerId,
    first: BlockHash,
    hashes_from: Vec<BlockHash>,
    last: Known,
    end: Ending,
    compact: bool,
    /// Others that sent the same; each peer once.
    also: Vec<(PeerId, Ending)>,
}

impl Protocol {
    /// Headers came, by `headers` or, one, by a compact block.
    pub(super) fn on_headers(&mut self, id: PeerId, headers: Vec<Header>, compact: bool) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if headers.is_empty() {
            peer.sync.presync = None;
            peer.sync.asked = None;
            peer.sync.progress = now;
            let silent = peer.best_known.is_none() && !peer.sync.asked_lower;
            if silent && self.ledger.best_header().chainwork > self.best.work {
                // Its tip lies below our best header; it may have blocks that we lack all the same.
                peer.sync.asked_lower = true;
                let parent = (self.ledger.header(&self.best.hash)).and_then(|info| info.parent);
                let locator = self.ledger.locator(&parent.unwrap_or(self.best.hash));
                self.get_headers(id, locator, None);
                return;
            }
            peer.sync.told = true;
            self.headers_end(id);
            return;
        }
        let params = self.ledger.params();
        let mut hashes: Vec<BlockHash> = Vec::with_capacity(headers.len());
        for header in &headers {
            let hash = header.block_hash();
            if !is_met(&hash, header.bits.to_consensus(), params) {
                return self.punish(id, Reason::NoProofOfWork(hash));
            }
            if hashes
                .last()
                .is_some_and(|last| *last != header.prev_blockhash)
            {
                return self.punish(id, Reason::HeadersNotContinuous(hash));
            }
            hashes.push(hash);
        }
        let full = headers.len() >= MAX_HEADERS;
        if full || peer.sync.presync.is_some() {
            // New blocks that it tells of are no answer.
            peer.sync.progress = now;
        }
        if let Some(presync) = &mut peer.sync.presync {
            let step = presync.receive(&headers, full, params);
            match step {
                Step::Failed(failure) if !failure.is_misbehaviour() => {
                    // It may have changed to another chain, which these headers are of.
                    peer.sync.presync = None;
                    peer.sync.asked = None;
                    self.note(id, Reason::Presync(failure.to_string()));
                }
                step => return self.presync_step(id, step, full, hashes.last().copied()),
            }
        }
        let end = if full { Ending::Full } else { Ending::Last };
        self.take_headers(id, headers, hashes, end, compact, false);
    }

    /// What follows from headers of a chain whose work is not known yet.
    fn presync_step(&mut self, id: PeerId, step: Step, full: bool, last: Option<BlockHash>) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.sync.asked = None;
        match step {
            Step::More { locator } => {
                self.get_headers(id, locator, None);
            }
            Step::Ready { headers, next } => {
                let more = match next {
                    Ok(locator) => Some(locator),
                    Err(_) => {
                        peer.sync.presync = None;
                        None
                    }
                };
                let mut rest = &headers[..];
                while !rest.is_empty() {
                    let (part, after) = rest.split_at(rest.len().min(MAX_HEADERS));
                    rest = after;
                    let hashes = part.iter().map(Header::block_hash).collect();
                    // What follows is asked for by the sync, but after its end.
                    let end = match rest.is_empty() && more.is_none() {
                        true if full => Ending::Full,
                        true => Ending::Last,
                        false => Ending::Part,
                    };
                    self.take_headers(id, part.to_vec(), hashes, end, false, true);
                }
                if let Some(locator) = more {
                    self.get_headers(id, locator, None);
                }
            }
            Step::Done(end) => {
                peer.sync.presync = None;
                if end == End::TooLittleWork {
                    let chosen = peer.is_chosen();
                    if chosen && self.is_initial_download() {
                        return self.punish(id, Reason::ChainTooShort);
                    }
                    if let Some(last) = last {
                        self.note(id, Reason::LittleWork(last));
                    }
                }
                self.headers_end(id);
            }
            Step::Failed(failure) => {
                peer.sync.presync = None;
                self.punish(id, Reason::Presync(failure.to_string()));
                self.headers_end(id);
            }
        }
    }

    /// Headers with proof of work that follow each other: to the ledger, if their chain is worth it.
    fn take_headers(
        &mut self,
        id: PeerId,
        headers: Vec<Header>,
        hashes: Vec<BlockHash>,
        end: Ending,
        compact: bool,
        enough_work: bool,
    ) {
        let (Some(first), Some(last)) = (headers.first(), hashes.last().copied()) else {
            return;
        };
        let before = first.prev_blockhash;
        let in_tree = self.ledger.header(&before);
        let parent = match &in_tree {
            Some(info) => Known::from(info),
            None => match self.pending_headers.get(&before) {
                Some(pending) => *pending,
                None => return self.unconnecting(id, last),
            },
        };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.sync.asked = None;
        if let Some(known) = self.ledger.header(&last) {
            if known.status == HeaderStatus::Invalid {
                let reason = Reason::BuildsOnInvalid(last);
                // As Bitcoin Core does: who called us may not know better.
                let by_hand = self.ledger.is_invalidated_by_hand(&last);
                match peer.info.purpose.is_inbound() || compact || by_hand {
                    true => self.note(id, reason),
                    false => self.punish(id, reason),
                }
                return;
            }
            return self.after_headers(id, last, false, end);
        }
        let work = headers
            .iter()
            .fold(parent.work, |sum, header| sum + header.work());
        if !enough_work && work < self.work_threshold() {
            match (end, in_tree) {
                (Ending::Full, Some(start)) => {
                    let start = ChainStart::new(&start, self.ledger.locator(&before));
                    let mut seed = [0; 32];
                    for eight in seed.chunks_exact_mut(8) {
                        eight.copy_from_slice(&self.chance.number().to_le_bytes());
                    }
                    let minimum = self.work_threshold();
                    let clock = self.ledger.clock().now();
                    let params = self.ledger.params();
                    let mut presync = Presync::new(params, start, minimum, clock, seed);
                    let step = presync.receive(&headers, true, params);
                    if presync.phase() != PresyncPhase::Ended
                        && let Some(peer) = self.peers.get_mut(&id)
                    {
                        peer.sync.presync = Some(presync);
                    }
                    self.presync_step(id, step, true, Some(last));
                }
                _ => {
                    self.note(id, Reason::LittleWork(last));
                    self.headers_end(id);
                }
            }
            return;
        }
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let most = match end {
            Ending::Full => MAX_FULL_BATCHES,
            Ending::Last | Ending::Part => MAX_BATCHES,
        };
        if peer.sync.waiting >= most && !enough_work {
            // They are asked for again when the ledger has caught up.
            if peer.sync.wanted.len() < MAX_WANTED {
                peer.sync.wanted.push_back(last);
            }
            return self.note(id, Reason::TooManyRequests(most));
        }
        if self.pending_headers.contains_key(&last) {
            // Somebody else was faster; the ledger's answer is for both.
            let batch = self
                .batches
                .iter_mut()
                .find(|batch| batch.last.hash == last);
            if let Some(batch) = batch
                && !batch.also.iter().any(|(other, _)| *other == id)
            {
                batch.also.push((id, end));
            }
            return self.peer_has(id, last);
        }
        // What is known already costs the ledger a commit for nothing.
        let known = hashes
            .iter()
            .take_while(|hash| self.ledger.header(hash).is_some())
            .count();
        peer.sync.waiting += 1;
        let waiting = peer.sync.waiting;
        let last = Known {
            hash: last,
            height: parent.height + headers.len() as u32,
            work,
        };
        self.pending_headers.insert(last.hash, last);
        self.batches.push_back(Batch {
            from: id,
            first: known.checked_sub(1).map_or(before, |at| hashes[at]),
            hashes_from: hashes[known..].to_vec(),
            last,
            end,
            compact,
            also: Vec::new(),
        });
        self.act(Action::SubmitHeaders {
            from: id,
            headers: headers[known..].to_vec(),
        });
        let in_presync = (self.peers.get(&id)).is_some_and(|peer| peer.sync.presync.is_some());
        if end == Ending::Full && waiting < PIPELINED_BATCHES && !in_presync {
            let mut locator = vec![last.hash];
            locator.extend(self.ledger.locator(&self.ledger.best_header().hash));
            self.ask_further(id, locator);
        }
    }

    fn ask_further(&mut self, id: PeerId, mut locator: Vec<BlockHash>) {
        locator.truncate(everett_ledger::MAX_LOCATOR_HASHES);
        let stop = self.peers.get(&id).and_then(|peer| peer.sync.stop);
        self.get_headers(id, locator, stop);
    }

    /// The ledger's answer to the oldest batch.
    pub(super) fn on_headers_taken(&mut self, answer: Result<(), (usize, Reject)>) {
        let Some(batch) = self.batches.pop_front() else {
            return;
        };
        self.pending_headers.remove(&batch.last.hash);
        for (id, end) in batch.also {
            match answer {
                Ok(()) => self.after_headers(id, batch.last.hash, false, end),
                Err(_) => self.headers_end(id),
            }
        }
        let Some(peer) = self.peers.get_mut(&batch.from) else {
            // What comes now is others' to ask for.
            self.plan_stale = true;
            return;
        };
        peer.sync.waiting = peer.sync.waiting.saturating_sub(1);
        match answer {
            Ok(()) => self.after_headers(batch.from, batch.last.hash, true, batch.end),
            Err((index, reject)) => {
                let hash = batch.hashes_from.get(index).copied().unwrap_or(batch.first);
                self.plan_stale = true;
                let reason = Reason::Invalid {
                    what: "header",
                    hash,
                    reason: reject.to_string(),
                };
                let inbound = peer.info.purpose.is_inbound();
                let by_hand = self.ledger.is_invalidated_by_hand(&hash)
                    || self.ledger.is_invalidated_by_hand(&batch.first);
                match reject.kind {
                    RejectKind::Consensus | RejectKind::Mutated if batch.compact => {
                        self.note(batch.from, reason);
                    }
                    RejectKind::CachedInvalid | RejectKind::InvalidPrevious
                        if inbound || batch.compact || by_hand =>
                    {
                        self.note(batch.from, reason);
                    }
                    // The batch before it was refused, and its sender dealt with; or the clocks differ.
                    RejectKind::MissingPrevious
                    | RejectKind::TimeFuture
                    | RejectKind::HeaderLowWork => self.note(batch.from, reason),
                    _ => self.punish(batch.from, reason),
                }
                self.headers_end(batch.from);
            }
        }
    }

    /// The ledger has the peer's headers up to `last`.
    fn after_headers(&mut self, id: PeerId, last: BlockHash, new: bool, end: Ending) {
        self.peer_has(id, last);
        self.plan_stale |= new;
        let best = self.best;
        let minimum = self.minimum_chain_work();
        let work = self.ledger.header(&last).map(|info| info.chainwork);
        let initial = self.is_initial_download();
        let protected = (self.peers.values())
            .filter(|peer| peer.chain_sync.protected)
            .count();
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if new && work.is_some_and(|work| work > best.work) {
            peer.last_announcement = Some(now);
        }
        peer.sync.told |= end == Ending::Last;
        let known_work = peer.best_known.map(|known| known.work);
        if end == Ending::Last
            && initial
            && peer.is_chosen()
            && known_work.is_some_and(|work| work < minimum)
        {
            return self.punish(id, Reason::ChainTooShort);
        }
        let full_relay = peer.info.purpose == everett_net::Purpose::OutboundFullRelay;
        if full_relay
            && protected < MAX_PROTECTED
            && known_work.is_some_and(|work| work >= best.work)
        {
            peer.chain_sync = ChainSync {
                protected: true,
                pending: None,
            };
        }
        if !peer.sendheaders_sent && known_work.is_some_and(|work| work > minimum) {
            peer.sendheaders_sent = true;
            self.send(id, NetworkMessage::SendHeaders);
        }
        match end {
            Ending::Last => return self.headers_end(id),
            Ending::Part => return,
            Ending::Full => {}
        }
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        if peer.sync.asked.is_none() && peer.sync.presync.is_none() && peer.sync.waiting == 0 {
            let locator = self.ledger.locator(&last);
            self.ask_further(id, locator);
        }
    }

    /// The peer has told of all it has of one chain.
    fn headers_end(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.sync.presync.is_none() && peer.sync.asked.is_none() && peer.sync.waiting == 0 {
            peer.sync.stop = None;
            if peer.sync.started {
                self.plan_stale |= !peer.sync.finished || !self.headers_once_done;
                peer.sync.finished = true;
                peer.sync.deadline = None;
                self.headers_once_done = true;
            }
            self.ask_wanted(id);
        }
    }

    /// Headers that stand on nothing we know: a new block after some that we missed, perhaps.
    fn unconnecting(&mut self, id: PeerId, last: BlockHash) {
        let best = self.ledger.best_header().hash;
        let locator = self.ledger.locator(&best);
        self.get_headers(id, locator, None);
        self.peer_has(id, last);
    }

    /// Work that a chain must have for its headers to be kept: as much as the best less what a branch may lag behind,
    /// where each header still costs as much as one at the tip.
    pub(super) fn work_threshold(&self) -> Work {
        // Bitcoin Core's distance, or all the way to where a branch is no world any more.
        let lag = self.ledger.horizon().max(ANTI_DOS_BLOCKS);
        self.minimum_chain_work().max(self.ledger.work_behind(lag))
    }
}
