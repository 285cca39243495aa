//! Owns the way of a block from a peer to the ledger, and what its verdict means for the peer.
//! Promises that what nobody asked for is not stored unless it may become the best, and that a body which is not its
//! header's costs its sender, not the block.
//! Refuses to decode: a block's header says which it is, the rest is the ledger's.

use bitcoin::BlockHash;
use bytes::Bytes;
use everett_ledger::decode::{decode_block, decode_header};
use everett_ledger::rules::difficulty::is_met;
use everett_ledger::{HeaderStatus, Outcome, Reject, RejectKind, Submitted};
use everett_net::PeerId;

use super::Protocol;
use super::action::{Action, Useful};
use super::download::{MAX_UNJUDGED_BYTES, Unjudged};
use super::misbehaviour::Reason;

/// How far above our tip an unrequested block may be: Bitcoin Core's `MIN_BLOCKS_TO_KEEP`.
const MAX_AHEAD: u32 = 288;
/// Blocks that a peer may send without being asked and without use before it is let go.
const MAX_UNREQUESTED: u32 = 16;

impl Protocol {
    /// A `block` came.
    pub(super) fn on_block(&mut self, id: PeerId, bytes: Bytes) {
        let now = self.now;
        let Ok((header, hash)) = decode_header(&bytes) else {
            return self.note(id, Reason::Undecodable("a block without a header".into()));
        };
        let request = self.take_request(id, &hash);
        let mut awaited = request.is_some();
        if let Some(peer) = self.peers.get_mut(&id) {
            awaited |= peer.outrun.contains(&hash) || peer.lacks.contains(&hash);
            if awaited {
                // Slow, but it does what it was asked for. What nobody asked for shows nothing.
                peer.outrun.remove(&hash);
                peer.let_down = 0;
                peer.progress = now;
            }
            peer.blocks += 1;
            peer.block_bytes += bytes.len() as u64;
        }
        self.blocks_received += 1;
        self.block_bytes += bytes.len() as u64;
        if let Some(request) = request {
            if request.fork {
                self.collector.bytes.take(bytes.len() as u64, now);
            }
            let status = self.ledger.header(&hash).map(|info| info.status);
            let wanted = status.is_none_or(|status| status == HeaderStatus::HeaderOnly);
            if request.fork && !self.is_initial_download() {
                // The next block of the winner will hold the same transactions.
                self.recent.insert_block(&bytes);
            }
            if wanted && !self.download.unjudged.contains_key(&hash) {
                self.submit(id, hash, bytes, false);
            }
            return self.ask_for_blocks(id);
        }
        if !is_met(&hash, header.bits.to_consensus(), self.ledger.params()) {
            return self.punish(id, Reason::NoProofOfWork(hash));
        }
        if self.download.unjudged.contains_key(&hash) {
            return;
        }
        if let Some(info) = self.ledger.header(&hash) {
            if info.status != HeaderStatus::HeaderOnly {
                // It was asked for elsewhere meanwhile, or it is an old acquaintance.
                self.peer_has(id, hash);
                if !awaited {
                    self.unrequested(id, hash);
                }
                return;
            }
            let given_up = (self.peers.get(&id)).is_some_and(|peer| peer.lacks.contains(&hash));
            if given_up && self.download.unjudged_bytes < MAX_UNJUDGED_BYTES {
                // It was asked for it, and comes late.
                self.collector.blocks.take(1, now);
                self.collector.bytes.take(bytes.len() as u64, now);
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.lacks.remove(&hash);
                }
                return self.submit(id, hash, bytes, false);
            }
        }
        let Some(parent) = self.ledger.header(&header.prev_blockhash) else {
            // Bitcoin Core lets such peers go at once; they may as well be ahead of our headers.
            self.peer_has(id, hash);
            let locator = self.ledger.locator(&self.ledger.best_header().hash);
            self.get_headers(id, locator, None);
            return self.unrequested(id, hash);
        };
        let work = parent.chainwork + header.work();
        if work < self.work_threshold() || parent.status == HeaderStatus::Invalid {
            return self.unrequested(id, hash);
        }
        let waited_for = self.download.asked.contains_key(&hash);
        let best = self.best.work < work && parent.height < self.best.height + MAX_AHEAD;
        let room = self.download.unjudged_bytes < MAX_UNJUDGED_BYTES;
        if room && (waited_for || best) {
            return self.submit(id, hash, bytes, false);
        }
        // It loses, and so is worth its header: the collector asks for it, within its budgets.
        self.on_headers(id, vec![header], false);
        self.unrequested(id, hash);
    }

    fn unrequested(&mut self, id: PeerId, hash: BlockHash) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.unrequested += 1;
        match peer.unrequested > MAX_UNREQUESTED {
            true => self.let_go(id, Reason::Unrequested(hash)),
            false => self.note(id, Reason::Unrequested(hash)),
        }
    }

    /// To the ledger with it.
    pub(super) fn submit(&mut self, from: PeerId, hash: BlockHash, bytes: Bytes, compact: bool) {
        // Others will ask for it soon.
        let body = (!self.is_initial_download()).then(|| bytes.clone());
        let unjudged = Unjudged {
            from,
            bytes: bytes.len(),
            compact,
            body,
        };
        self.download.unjudged_bytes += bytes.len();
        self.download.unjudged.insert(hash, unjudged);
        self.act(Action::SubmitBlock { from, hash, bytes });
    }

    /// The ledger's verdicts.
    pub(super) fn on_blocks_taken(&mut self, verdicts: Vec<(BlockHash, Submitted)>) {
        for (hash, submitted) in verdicts {
            let Some(unjudged) = self.download.unjudged.remove(&hash) else {
                continue;
            };
            self.download.unjudged_bytes =
                (self.download.unjudged_bytes).saturating_sub(unjudged.bytes);
            self.sources.insert(hash, unjudged.from, unjudged.compact);
            self.judged(hash, submitted.outcome, Some(unjudged));
            for (hash, outcome) in submitted.joined {
                self.judged(hash, outcome, None);
            }
            for (hash, outcome) in submitted.completed {
                self.judged(hash, outcome, None);
            }
        }
        self.plan_stale = true;
    }

    /// `submitted` is what was judged now, as opposed to what had waited for an ancestor.
    fn judged(&mut self, hash: BlockHash, outcome: Outcome, submitted: Option<Unjudged>) {
        let source = self.sources.get(&hash);
        self.serving.judged(&hash);
        match outcome {
            Outcome::Accepted { .. } | Outcome::Known { .. } => {
                let new = matches!(outcome, Outcome::Accepted { .. });
                self.stop_waiting_for(&hash);
                let waits = self.ledger.header(&hash).is_some_and(|info| {
                    matches!(info.status, HeaderStatus::Stored | HeaderStatus::HeaderOnly)
                });
                if !waits {
                    self.sources.remove(&hash);
                }
                let Some(submitted) = submitted else {
                    return;
                };
                if !new {
                    return self.peer_has(submitted.from, hash);
                }
                if let Some(body) = submitted.body
                    && let Ok((_, length)) = decode_block(&body)
                {
                    // Without what a peer may have put behind it.
                    self.serving.keep(hash, body.slice(..length));
                }
                self.gave_block(submitted.from, &hash);
            }
            Outcome::Rejected { reject, .. } => {
                self.serving.forget(&hash);
                self.sources.remove(&hash);
                if let Some((from, compact)) = source {
                    self.block_refused(from, hash, reject, compact);
                }
            }
            Outcome::Undecodable(error) => {
                self.serving.forget(&hash);
                self.sources.remove(&hash);
                if let Some((from, _)) = source {
                    let reason = error.to_string();
                    self.punish(from, Reason::Mutated { hash, reason });
                }
            }
            Outcome::Orphan { .. } => self.sources.remove(&hash),
        }
    }

    fn gave_block(&mut self, from: PeerId, hash: &BlockHash) {
        let now = self.now;
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.last_block = Some(now);
            self.act(Action::Useful(from, Useful::Block));
            self.peer_has(from, *hash);
            if !self.is_initial_download() && self.download.asked.is_empty() {
                self.choose_for_compact(from);
            }
        }
    }

    /// What a refused block means for who sent it: Bitcoin Core's `MaybePunishNodeForBlock`.
    fn block_refused(&mut self, from: PeerId, hash: BlockHash, reject: Reject, compact: bool) {
        let inbound = (self.peers.get(&from)).is_none_or(|peer| peer.info.purpose.is_inbound());
        let reason = reject.to_string();
        let invalid = Reason::Invalid {
            what: "block",
            hash,
            reason: reason.clone(),
        };
        match reject.kind {
            // Compact blocks may be passed on before they are validated.
            RejectKind::Consensus | RejectKind::Mutated if compact => {
                let _forgotten = self.whole_only.insert(hash);
                self.note(from, invalid);
            }
            RejectKind::Mutated => self.punish(from, Reason::Mutated { hash, reason }),
            RejectKind::CachedInvalid if inbound || compact => self.note(from, invalid),
            RejectKind::TimeFuture | RejectKind::HeaderLowWork | RejectKind::MissingPrevious => {
                self.note(from, invalid);
            }
            RejectKind::Consensus
            | RejectKind::CachedInvalid
            | RejectKind::InvalidHeader
            | RejectKind::InvalidPrevious => self.punish(from, invalid),
        }
    }
}
