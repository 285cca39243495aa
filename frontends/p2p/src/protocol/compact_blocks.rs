//! Owns the use of compact blocks (BIP152): who sends them to us right away, what is made of them.
//! Promises that a block is asked for whole as soon as its compact form does not help.
//! Refuses those of chains with too little work, and those nobody asked for.

use std::collections::VecDeque;

use bitcoin::BlockHash;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::p2p::message_compact_blocks::SendCmpct;
use bytes::Bytes;
use everett_ledger::HeaderStatus;
use everett_ledger::rules::difficulty::is_met;
use everett_net::PeerId;

use super::Protocol;
use super::compact_figures::AtHand;
use super::download::MAX_IN_FLIGHT;
use super::misbehaviour::Reason;
use super::peer::Request;
use crate::compact::{
    BlockTransactions, COMPACT_VERSION, CompactBlock, CompactError, PartialBlock, Turn,
};
use crate::transactions::TransactionId;

/// Peers that send compact blocks right away: as BIP152 says.
const MAX_COMPACT_PEERS: usize = 3;
/// How far above our tip a compact block is of use.
const MAX_AHEAD: u32 = 2;

impl Protocol {
    /// `sendcmpct` came.
    pub(super) fn on_sendcmpct(&mut self, id: PeerId, message: &SendCmpct) {
        if message.version != COMPACT_VERSION {
            return;
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.provides_compact = true;
            peer.compact_to = message.send_compact;
        }
    }

    /// Whether one block is better asked for as a compact one.
    pub(super) fn asks_for_compact(&self, id: PeerId, found: &[Request]) -> bool {
        let Some(peer) = self.peers.get(&id) else {
            return false;
        };
        let [request] = found else {
            return false;
        };
        peer.provides_compact
            && !request.fork
            && !self.whole_only.contains(&request.hash)
            && self.has_candidates()
            && self.download.asked.is_empty()
            && self.is_near_tip()
            && request.height <= self.best.height + 1
    }

    /// There is anything that compact blocks could be put together from.
    fn has_candidates(&self) -> bool {
        !self.recent.is_empty() || !self.pending.is_empty()
    }

    /// A peer was the first to give a new block: from now on it sends the next ones right away.
    pub(super) fn choose_for_compact(&mut self, id: PeerId) {
        let inbound =
            |id: &PeerId| (self.peers.get(id)).is_none_or(|peer| peer.info.purpose.is_inbound());
        if !self
            .peers
            .get(&id)
            .is_some_and(|peer| peer.provides_compact)
        {
            return;
        }
        if let Some(place) = self.compact_peers.iter().position(|other| *other == id) {
            self.compact_peers.remove(place);
            self.compact_peers.push_back(id);
            return;
        }
        // One that we called stays: those who call us may all be one.
        let outbound = self
            .compact_peers
            .iter()
            .filter(|other| !inbound(other))
            .count();
        if inbound(&id)
            && self.compact_peers.len() >= MAX_COMPACT_PEERS
            && outbound == 1
            && self
                .compact_peers
                .front()
                .is_some_and(|first| !inbound(first))
        {
            self.compact_peers.swap(0, 1);
        }
        self.compact_peers.push_back(id);
        self.send_compact(id, true);
        while self.compact_peers.len() > MAX_COMPACT_PEERS {
            if let Some(oldest) = self.compact_peers.pop_front() {
                self.send_compact(oldest, false);
            }
        }
    }

    pub(super) fn send_compact(&mut self, id: PeerId, at_once: bool) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.compact_from = at_once;
            let message = SendCmpct {
                send_compact: at_once,
                version: COMPACT_VERSION,
            };
            self.send(id, NetworkMessage::SendCmpct(message));
        }
    }

    /// `cmpctblock` came.
    pub(super) fn on_compact_block(&mut self, id: PeerId, payload: &Bytes) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        if !peer.provides_compact {
            return self.note(id, Reason::NotWanted("cmpctblock"));
        }
        let compact = match CompactBlock::decode(payload) {
            Ok(compact) => compact,
            Err(error) => return self.compact_failed(id, None, error),
        };
        let (header, hash) = (compact.header, compact.hash);
        if !is_met(&hash, header.bits.to_consensus(), self.ledger.params()) {
            return self.punish(id, Reason::NoProofOfWork(hash));
        }
        let Some(parent) = self.ledger.header(&header.prev_blockhash) else {
            if !self.is_initial_download() {
                let locator = self.ledger.locator(&self.ledger.best_header().hash);
                self.get_headers(id, locator, None);
            }
            return;
        };
        let work = parent.chainwork + header.work();
        if work < self.work_threshold() {
            return self.not_needed(id, &hash);
        }
        self.on_headers(id, vec![header], true);
        let status = self.ledger.header(&hash).map(|info| info.status);
        let here = matches!(status, Some(HeaderStatus::Stored | HeaderStatus::Validated));
        if here
            || status == Some(HeaderStatus::Invalid)
            || self.download.unjudged.contains_key(&hash)
        {
            return self.not_needed(id, &hash);
        }
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let requested = peer.requested(&hash);
        if self.whole_only.contains(&hash) {
            // What can be put together of it is not the block.
            if requested {
                self.ask_whole(id, hash);
            }
            return;
        }
        if !requested && !peer.compact_from {
            return;
        }
        let height = parent.height + 1;
        let near = height <= self.best.height + MAX_AHEAD && work > self.best.work;
        if !near {
            if requested {
                self.ask_whole(id, hash);
            }
            return;
        }
        if !self.download.asked.contains_key(&hash) && !self.is_near_tip() {
            return;
        }
        self.reconstruct(id, compact, height);
    }

    /// What a peer was asked for came, in a form that is of no use any more.
    fn not_needed(&mut self, id: PeerId, hash: &BlockHash) {
        if self.take_request(id, hash).is_some() {
            self.plan_stale = true;
        }
    }

    fn reconstruct(&mut self, id: PeerId, compact: CompactBlock, height: u32) {
        let hash = compact.hash;
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        let requested = peer.requested(&hash);
        let outbound = !peer.info.purpose.is_inbound();
        let room = requested || peer.requests.len() < MAX_IN_FLIGHT;
        let first = (self.download.asked.get(&hash))
            .and_then(|peers| peers.first())
            .is_none_or(|first| *first == id);
        let turn = match room {
            true => self.reconstructions.may_begin(&hash, id, outbound).ok(),
            false => None,
        };
        let (pending, prefilled) = (&self.pending, compact.prefilled.len());
        let waiting = pending.iter().map(|one| AtHand::Pending(&one.tx));
        let candidates = waiting.chain(self.recent.iter().map(AtHand::Aside));
        let partial = match PartialBlock::begin_with(compact, candidates) {
            Ok(partial) => partial,
            Err(error @ CompactError::Invalid(_)) => {
                return self.compact_failed(id, Some(hash), error);
            }
            Err(_) => {
                if first && turn.is_some() {
                    self.ask_for(id, hash, height);
                    self.ask_whole(id, hash);
                } else if requested {
                    self.ask_whole(id, hash);
                }
                return;
            }
        };
        self.compact_figures.began(&partial, prefilled, |wtxid| {
            pending.contains(&TransactionId::Wtxid(*wtxid))
        });
        let Some(request) = partial.request() else {
            return self.fill(id, partial, Vec::new(), height, first && turn.is_some());
        };
        if turn.is_none() {
            if requested {
                self.ask_whole(id, hash);
            }
            return;
        }
        self.ask_for(id, hash, height);
        if self.reconstructions.begin(id, outbound, partial).is_ok() {
            self.send_message(id, request);
        }
    }

    fn ask_for(&mut self, id: PeerId, hash: BlockHash, height: u32) {
        if self
            .peers
            .get(&id)
            .is_some_and(|peer| !peer.requested(&hash))
        {
            let request = Request {
                hash,
                height,
                asked: self.now,
                fork: false,
            };
            self.remember_request(id, request);
        }
    }

    fn ask_whole(&mut self, id: PeerId, hash: BlockHash) {
        let whole = vec![Inventory::WitnessBlock(hash)];
        self.send(id, NetworkMessage::GetData(whole));
    }

    /// `blocktxn` came.
    pub(super) fn on_block_transactions(&mut self, id: PeerId, payload: &Bytes) {
        let answer = match BlockTransactions::decode(payload) {
            Ok(answer) => answer,
            Err(error) => return self.compact_failed(id, None, error),
        };
        // Another peer may have been faster with the block.
        let Some((partial, turn)) = self.reconstructions.take(&answer.hash, id) else {
            return;
        };
        let height = (self.ledger.header(&partial.header().prev_blockhash))
            .map_or(0, |parent| parent.height + 1);
        self.fill(
            id,
            partial,
            answer.transactions,
            height,
            turn == Turn::First,
        );
    }

    /// Puts a block together. Where that fails by chance, it is asked for whole.
    fn fill(
        &mut self,
        id: PeerId,
        partial: PartialBlock,
        missing: Vec<crate::recent_transactions::RecentTransaction>,
        height: u32,
        may_ask: bool,
    ) {
        let hash = partial.hash();
        let segwit = height >= self.ledger.params().segwit_height;
        match partial.fill(missing, segwit) {
            Ok(bytes) => {
                self.take_request(id, &hash);
                let now = self.now;
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.let_down = 0;
                    peer.progress = now;
                    peer.blocks += 1;
                    peer.block_bytes += bytes.len() as u64;
                }
                self.blocks_received += 1;
                self.block_bytes += bytes.len() as u64;
                if !self.download.unjudged.contains_key(&hash) {
                    self.submit(id, hash, bytes, true);
                }
            }
            Err(error @ CompactError::Invalid(_)) => self.compact_failed(id, Some(hash), error),
            Err(_) if may_ask => {
                self.ask_for(id, hash, height);
                self.ask_whole(id, hash);
            }
            Err(_) => {
                self.take_request(id, &hash);
                self.plan_stale = true;
            }
        }
    }

    fn compact_failed(&mut self, id: PeerId, hash: Option<BlockHash>, error: CompactError) {
        if let Some(hash) = hash {
            self.take_request(id, &hash);
        }
        let what = error.to_string();
        match (error.is_misbehaviour(), hash) {
            (true, Some(hash)) => self.punish(id, Reason::CompactBlock { hash, what }),
            (true, None) => self.punish(id, Reason::Senseless(what)),
            (false, _) => self.note(id, Reason::Undecodable(what)),
        }
    }

    /// A peer's answer for a block is not waited for any more.
    pub(super) fn reconstructions_forget(&mut self, id: PeerId, hash: &BlockHash) {
        let _partial = self.reconstructions.take(hash, id);
    }

    pub(super) fn forget_compact_peer(&mut self, id: PeerId) {
        let kept: VecDeque<PeerId> = self
            .compact_peers
            .iter()
            .copied()
            .filter(|other| *other != id)
            .collect();
        self.compact_peers = kept;
        self.reconstructions.forget_peer(id);
    }
}
