//! Owns the download of blocks: which are wanted, who is asked for which, who keeps us waiting.
//! Promises that a block is asked for once at a time, but where the first who was asked lets it wait; that what is on the
//! way and not judged is bounded; that one slow peer does not hold up the others.
//! Refuses to look into blocks.
//!
//! ```text
//! targets (chains of more work than ours that peers have; then branches)
//!    -> queue of missing blocks, at most a window above the lowest -> peers with room -> getdata
//!    -> block -> SubmitBlock -> judged -> next plan
//! ```

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bitcoin::BlockHash;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bytes::Bytes;
use everett_net::PeerId;

use super::Protocol;
use super::availability::{Told, stands_on};
use super::peer::{Known, Peer, Request};

/// How far above the lowest missing block others are asked for: Bitcoin Core's `BLOCK_DOWNLOAD_WINDOW`.
pub(super) const WINDOW: u32 = 1_024;
/// Blocks asked of one peer at a time.
pub(super) const MAX_IN_FLIGHT: usize = 16;
/// A peer is given more to do once so few are left, so that requests go out in some number.
const REFILL_AT: usize = 12;
/// How many blocks below its tip a peer with recent blocks only is asked for.
const LIMITED_DEPTH: u32 = 288 - 2;
/// How long all may wait for one peer, at first. Doubles with each peer let go for it.
const STALLING_TIMEOUT: Duration = Duration::from_secs(2);
/// Bytes of blocks that wait to be judged: beyond it no more are asked for.
pub(super) const MAX_UNJUDGED_BYTES: usize = 96 << 20;
/// Chains of more work than ours that are fetched at a time.
const MAX_MAIN_TARGETS: usize = 8;

/// A chain to be fetched.
pub(super) struct Target {
    pub(super) tip: Known,
    pub(super) fork: bool,
    /// Missing blocks that nobody was asked for, lowest first.
    queue: VecDeque<(u32, BlockHash)>,
    /// The lowest missing block, asked for or not.
    lowest: Option<(u32, BlockHash)>,
    /// More is missing above the window.
    beyond_window: bool,
    /// Up to which height each peer has it.
    pub(super) reach: BTreeMap<PeerId, u32>,
}

impl Target {
    pub(super) fn fork(
        tip: Known,
        missing: Vec<(u32, BlockHash)>,
        reach: BTreeMap<PeerId, u32>,
    ) -> Target {
        Target {
            tip,
            fork: true,
            lowest: missing.first().copied(),
            queue: missing.into(),
            beyond_window: false,
            reach,
        }
    }
}

/// A block that came and is not judged.
pub(super) struct Unjudged {
    pub(super) from: PeerId,
    pub(super) bytes: usize,
    /// It was put together from a compact block.
    pub(super) compact: bool,
    /// To be kept for others if it is sound. Not during the first download.
    pub(super) body: Option<Bytes>,
}

/// What is asked for, on the way, and here.
pub(super) struct Download {
    /// Who was asked for a block, first to last. No list is empty.
    pub(super) asked: HashMap<BlockHash, Vec<PeerId>>,
    pub(super) unjudged: HashMap<BlockHash, Unjudged>,
    pub(super) unjudged_bytes: usize,
    pub(super) forks_in_flight: usize,
    pub(super) targets: Vec<Target>,
    pub(super) stalling_timeout: Duration,
    /// Peers from which blocks are on the way.
    pub(super) sources: usize,
}

impl Download {
    pub(super) fn new() -> Download {
        Download {
            asked: HashMap::new(),
            unjudged: HashMap::new(),
            unjudged_bytes: 0,
            forks_in_flight: 0,
            targets: Vec::new(),
            stalling_timeout: STALLING_TIMEOUT,
            sources: 0,
        }
    }

    /// Whether chains of more work than ours are known whose blocks are not all here.
    pub(super) fn behind(&self) -> bool {
        self.targets.iter().any(|target| !target.fork)
    }

    /// As Bitcoin Core does when blocks come in: patience shrinks back to what it was.
    pub(super) fn relax(&mut self) {
        if self.stalling_timeout > STALLING_TIMEOUT {
            self.stalling_timeout = STALLING_TIMEOUT.max(self.stalling_timeout.mul_f64(0.85));
        }
    }

    fn wanted(&self, hash: &BlockHash) -> bool {
        !self.asked.contains_key(hash) && !self.unjudged.contains_key(hash)
    }
}

impl Protocol {
    /// Finds out anew what is missing, and asks for it.
    pub(super) fn plan(&mut self) {
        if !std::mem::take(&mut self.plan_stale) {
            return;
        }
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in &ids {
            self.resolve_unknown(*id);
        }
        self.plan_stale = false;
        self.plan_soon = false;
        self.planned = self.now;
        let told = self.told_tips();
        let mut targets = self.main_targets(&told);
        // A window that nobody can fill does not hold back the branches.
        let filling = |target: &Target| {
            let lowest: Vec<_> = target.lowest.into_iter().collect();
            target.beyond_window
                && (target.reach.iter()).any(|(id, reach)| self.can_give(*id, *reach, &lowest))
        };
        if !targets.iter().any(filling) {
            let forks = self.fork_targets(&targets, &told);
            targets.extend(forks);
        }
        for target in &mut targets {
            let download = &self.download;
            target.queue.retain(|(_, hash)| download.wanted(hash));
        }
        self.download.targets = targets;
        // Those with the least to do first, so that the lowest blocks go to those who are fastest done with them.
        let mut ids: Vec<(usize, PeerId)> = (self.peers.iter())
            .map(|(id, peer)| (peer.requests.len(), *id))
            .collect();
        ids.sort();
        for (_, id) in ids {
            self.ask_for_blocks(id);
        }
    }

    /// The chains of more work than ours that peers have.
    fn main_targets(&self, told: &[Told]) -> Vec<Target> {
        let minimum = self.minimum_chain_work();
        let mut tips: Vec<Known> = Vec::new();
        for known in self.peers.values().filter_map(|peer| peer.best_known) {
            if known.work > self.best.work && known.work >= minimum && !tips.contains(&known) {
                tips.push(known);
            }
        }
        tips.sort_by(|a, b| b.work.cmp(&a.work).then(a.hash.cmp(&b.hash)));
        let mut targets: Vec<Target> = Vec::new();
        for tip in tips {
            if targets.len() >= MAX_MAIN_TARGETS {
                break;
            }
            let below =
                |end: &Target| stands_on(&self.ledger, &end.tip.hash, &tip.hash, tip.height);
            if !targets.iter().any(below) {
                targets.extend(self.main_target(tip, told));
            }
        }
        targets
    }

    /// `None` if nothing is missing of it, or it is invalid.
    fn main_target(&self, tip: Known, told: &[Told]) -> Option<Target> {
        let mut missing = self
            .ledger
            .missing_blocks(&tip.hash, 0, WINDOW as usize + 1);
        let lowest = *missing.first()?;
        let end = lowest.0 + WINDOW;
        let within = missing.partition_point(|(height, _)| *height < end);
        let beyond_window = tip.height >= end;
        missing.truncate(within);
        let reach = self.reach(&tip, &missing, told);
        Some(Target {
            tip,
            fork: false,
            queue: missing.into(),
            lowest: Some(lowest),
            beyond_window,
            reach,
        })
    }

    /// Whether a peer may be asked for blocks now.
    pub(super) fn may_give(&self, peer: &Peer) -> bool {
        if !peer.serves_blocks() {
            return false;
        }
        if !self.is_initial_download() {
            return true;
        }
        // Who called us is spared while there are others.
        let others = || {
            self.peers
                .values()
                .any(|other| other.is_preferred() && !other.is_limited())
        };
        (peer.is_preferred() || self.download.asked.is_empty() || !others())
            && (!peer.is_limited() || !others())
    }

    /// Asks a peer for what is next, as far as it has room.
    pub(super) fn ask_for_blocks(&mut self, id: PeerId) {
        let now = self.now;
        let full = self.download.unjudged_bytes >= MAX_UNJUDGED_BYTES;
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        if full || peer.requests.len() > REFILL_AT || !self.may_give(peer) {
            return;
        }
        // Who kept us waiting shows first that it can do better.
        let most = if peer.let_down > 0 { 1 } else { MAX_IN_FLIGHT };
        let mut room = most.saturating_sub(peer.requests.len());
        let mut found: Vec<Request> = Vec::new();
        let mut staller = None;
        let limited = peer.is_limited();
        let best_known = peer.best_known.map_or(0, |known| known.height);
        for index in 0..self.download.targets.len() {
            let Some(reach) = self.download.targets[index].reach.get(&id).copied() else {
                continue;
            };
            let mut place = 0;
            while room > 0 && place < self.download.targets[index].queue.len() {
                let Some(peer) = self.peers.get(&id) else {
                    return;
                };
                let target = &mut self.download.targets[index];
                let (height, hash) = target.queue[place];
                if height > reach {
                    break;
                }
                let taken = self.download.asked.contains_key(&hash)
                    || self.download.unjudged.contains_key(&hash);
                if taken || found.iter().any(|request| request.hash == hash) {
                    target.queue.remove(place);
                    continue;
                }
                let too_old = limited && best_known.saturating_sub(height) >= LIMITED_DEPTH;
                if too_old || peer.lacks.contains(&hash) {
                    place += 1;
                    continue;
                }
                let fork = target.fork;
                if fork && !self.charge_fork(id) {
                    room = 0;
                    break;
                }
                let target = &mut self.download.targets[index];
                target.queue.remove(place);
                room -= 1;
                found.push(Request {
                    hash,
                    height,
                    asked: now,
                    fork,
                });
            }
            let target = &self.download.targets[index];
            if !target.fork {
                let end = target.lowest.map_or(0, |(height, _)| height + WINDOW);
                if found.is_empty() && room > 0 && target.beyond_window && reach >= end {
                    staller = staller.or(target.lowest);
                }
            }
        }
        let idle = (self.peers.get(&id)).is_some_and(|peer| peer.requests.is_empty());
        if found.is_empty() && idle {
            if let Some((_, hash)) = staller {
                self.blame(id, &hash);
            }
            return;
        }
        self.request(id, found);
    }

    /// The window cannot move for want of one block, and this peer has nothing to do for it.
    fn blame(&mut self, waiting: PeerId, hash: &BlockHash) {
        let now = self.now;
        let Some(first) = (self.download.asked.get(hash)).and_then(|peers| peers.first()) else {
            return;
        };
        if *first != waiting
            && let Some(peer) = self.peers.get_mut(first)
            && peer.stalling_since.is_none()
        {
            peer.stalling_since = Some(now);
        }
    }

    /// Asks for blocks, and remembers it.
    pub(super) fn request(&mut self, id: PeerId, found: Vec<Request>) {
        if found.is_empty() {
            return;
        }
        let compact = self.asks_for_compact(id, &found);
        let inventory = found
            .iter()
            .map(|request| match compact {
                true => Inventory::CompactBlock(request.hash),
                false => Inventory::WitnessBlock(request.hash),
            })
            .collect();
        for request in found {
            self.remember_request(id, request);
        }
        self.send(id, NetworkMessage::GetData(inventory));
    }

    pub(super) fn remember_request(&mut self, id: PeerId, request: Request) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.requests.is_empty() {
            peer.downloading_since = now;
            // Who let us down before has to give something first.
            if peer.let_down == 0 {
                peer.progress = now;
            }
            self.download.sources += 1;
        }
        let asked = self.download.asked.entry(request.hash).or_default();
        if !asked.contains(&id) {
            asked.push(id);
        }
        peer.requests.push_back(request);
    }

    /// A peer is not waited for any more with a block. Gives what it was asked.
    pub(super) fn take_request(&mut self, id: PeerId, hash: &BlockHash) -> Option<Request> {
        let now = self.now;
        let peer = self.peers.get_mut(&id)?;
        let place = peer
            .requests
            .iter()
            .position(|request| request.hash == *hash)?;
        let request = peer.requests.remove(place)?;
        if place == 0 {
            peer.downloading_since = now.max(peer.downloading_since);
        }
        peer.stalling_since = None;
        if peer.requests.is_empty() {
            self.download.sources = self.download.sources.saturating_sub(1);
        }
        self.forget_asked(id, &request);
        Some(request)
    }

    fn forget_asked(&mut self, id: PeerId, request: &Request) {
        if let Some(asked) = self.download.asked.get_mut(&request.hash) {
            asked.retain(|other| *other != id);
            if asked.is_empty() {
                self.download.asked.remove(&request.hash);
            }
        }
        if request.fork {
            self.download.forks_in_flight = self.download.forks_in_flight.saturating_sub(1);
        }
        self.reconstructions_forget(id, &request.hash);
    }

    /// The peer is gone: what it was asked for is asked of others.
    pub(super) fn forget_requests(&mut self, id: PeerId, peer: &Peer) {
        if !peer.requests.is_empty() {
            self.download.sources = self.download.sources.saturating_sub(1);
            self.plan_stale = true;
        }
        for request in &peer.requests {
            self.forget_asked(id, request);
            if request.fork {
                self.collector.blocks.give_back(1);
            }
        }
    }

    /// A block is here and sound: nobody is waited for with it any more. Those who were asked first let us down.
    pub(super) fn stop_waiting_for(&mut self, hash: &BlockHash) {
        let now = self.now;
        for id in self.download.asked.get(hash).cloned().unwrap_or_default() {
            let Some(request) = self.take_request(id, hash) else {
                continue;
            };
            if request.fork {
                self.collector.blocks.give_back(1);
            }
            if let Some(peer) = self.peers.get_mut(&id)
                && !request.fork
                && now > request.asked.max(peer.progress) + STALLING_TIMEOUT
            {
                peer.let_down += 1;
                let _known = peer.outrun.insert(*hash);
            }
            self.ask_for_blocks(id);
        }
    }
}
