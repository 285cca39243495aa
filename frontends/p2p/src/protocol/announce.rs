//! Owns the announcements: a new best tip to all, in the form that each prefers; other tips to those who want them.
//! Promises that nobody is told of what it told us, and that headers connect to what the peer has.
//! Refuses to announce during the first download.

use std::collections::BTreeSet;

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::Inventory;
use bytes::Bytes;
use everett_ledger::HeaderInfo;
use everett_ledger::decode::decode_header;
use everett_net::PeerId;

use super::Protocol;
use super::peer::{Known, MAX_TOLD_TIPS, Peer};
use crate::serve::MAX_BLOCK_INVENTORY;

/// Blocks that are announced by their headers at a time; more are told of by `inv`.
const MAX_HEADERS_ANNOUNCED: usize = 8;
/// Blocks that are told of by `inv` at a time, as in the answer to `getblocks`; of more, the last alone.
const MAX_BLOCKS_ANNOUNCED: usize = MAX_BLOCK_INVENTORY;
/// Tips that one message tells of.
const MAX_TIPS_TOLD: usize = 1_000;

impl Protocol {
    /// The ledger has committed something.
    pub(super) fn on_best_changed(&mut self) {
        let best = self.ledger.best();
        let (hash, old) = (best.hash(), self.best);
        if hash != old.hash {
            self.best = Known {
                hash,
                height: best.height(),
                work: best.chainwork(),
            };
            self.best_header = best.header();
            self.last_tip = self.now;
            self.speed.reached(best.height(), self.now);
            self.download.relax();
            self.plan_stale = true;
            self.check_initial_download();
            if !self.is_initial_download() {
                self.announce(&old);
            }
        }
        self.tell_tips();
    }

    fn announce(&mut self, old: &Known) {
        let fork = (self.ledger.fork_point(&old.hash, &self.best.hash))
            .map_or(old.height, |fork| fork.height);
        let first = match (self.best.height.saturating_sub(fork)) as usize {
            new if new > MAX_BLOCKS_ANNOUNCED => self.best.height,
            _ => fork + 1,
        };
        let blocks: Vec<HeaderInfo> = (first..=self.best.height)
            .filter_map(|height| self.ledger.ancestor(&self.best.hash, height))
            .collect();
        if blocks.is_empty() {
            return;
        }
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in ids {
            self.announce_to(id, &blocks);
        }
    }

    /// As Bitcoin Core does: headers if the peer wants them and they connect to what it has, else by `inv`. But that tells of
    /// all the blocks, not the tip alone: who wants no headers and hears of tips alone gets blocks without their parents,
    /// and may ask for those in a way that never ends (bcoin does, with `getblocks` for each).
    fn announce_to(&mut self, id: PeerId, blocks: &[HeaderInfo]) {
        self.resolve_unknown(id);
        let (Some(peer), Some(tip)) = (self.peers.get(&id), blocks.last()) else {
            return;
        };
        if self.peer_has_header(peer, &tip.hash, tip.height) {
            return;
        }
        let by_headers = (peer.prefers_headers || (peer.compact_to && blocks.len() == 1))
            && blocks.len() <= MAX_HEADERS_ANNOUNCED;
        let first = (blocks.iter())
            .position(|block| !self.peer_has_header(peer, &block.hash, block.height))
            .unwrap_or(blocks.len() - 1);
        let news: &[HeaderInfo] = match by_headers {
            true => {
                let before = blocks[first].parent;
                let connects = before.is_none_or(|before| {
                    self.peer_has_header(peer, &before, blocks[first].height.saturating_sub(1))
                });
                if connects { &blocks[first..] } else { &[] }
            }
            false => &[],
        };
        let (prefers_headers, compact_to) = (peer.prefers_headers, peer.compact_to);
        let message = match news {
            [block] if compact_to => self.compact_message(&block.hash),
            _ => None,
        };
        if let Some(message) = message {
            self.send_message(id, message);
        } else if prefers_headers && !news.is_empty() {
            let headers: Vec<Header> = news.iter().map(|block| block.header).collect();
            self.send(id, NetworkMessage::Headers(headers));
        } else {
            let unknown = blocks[first..].iter();
            let inventory = unknown.map(|block| Inventory::Block(block.hash)).collect();
            self.send(id, NetworkMessage::Inv(inventory));
            return;
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.best_sent = Some(tip.hash);
        }
    }

    /// Passes a block on that may still turn out to be invalid, to those who want compact blocks right away: they expect
    /// that of one (BIP152). All others hear of it when it is validated.
    pub(super) fn announce_sound(&mut self, hash: &BlockHash) {
        let Some(unjudged) = self.download.unjudged.get(hash) else {
            return;
        };
        let (from, body) = (unjudged.from, unjudged.body.clone());
        let Some(body) = body.filter(|_| !self.is_initial_download()) else {
            return;
        };
        // As Bitcoin Core does, one of each height: blocks that turn out to be invalid are not passed on without end.
        let height = self.best.height + 1;
        if height <= self.highest_sound {
            return;
        }
        // The best tip may have changed meanwhile.
        if !decode_header(&body).is_ok_and(|(header, _)| header.prev_blockhash == self.best.hash) {
            return;
        }
        let takes = |(id, peer): (&PeerId, &Peer)| {
            let wants = *id != from
                && peer.compact_to
                && !peer.tips.contains(hash)
                && self.peer_has_header(peer, &self.best.hash, self.best.height);
            wants.then_some(*id)
        };
        let takers: Vec<PeerId> = self.peers.iter().filter_map(takes).collect();
        if takers.is_empty() {
            return;
        }
        let Some(message) = self.serving.keep_sound(*hash, body) else {
            return;
        };
        self.highest_sound = height;
        for id in takers {
            self.send_message(id, message.clone());
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.best_sent = Some(*hash);
            }
        }
    }

    fn compact_message(&mut self, hash: &BlockHash) -> Option<everett_net::Message> {
        if let Some(message) = self.serving.compact(hash) {
            return Some(message);
        }
        let bytes = self.ledger.block_bytes(hash).ok()?;
        self.serving.keep(*hash, Bytes::from(bytes));
        self.serving.compact(hash)
    }

    /// Tells those who want to hear of every tip of those they may not know. What does not fit into one message follows
    /// with the next tick.
    pub(super) fn tell_tips(&mut self) {
        if self.is_initial_download() {
            return;
        }
        self.tips_left = false;
        let listeners: Vec<PeerId> = (self.peers.iter())
            .filter(|(_, peer)| peer.wants_tips)
            .map(|(id, _)| *id)
            .collect();
        if listeners.is_empty() {
            return;
        }
        let tips: Vec<HeaderInfo> = (self.ledger.validated_tips().into_iter())
            .filter(|tip| !tip.on_best_chain)
            .take(MAX_TOLD_TIPS)
            .collect();
        let hashes: BTreeSet<BlockHash> = tips.iter().map(|tip| tip.hash).collect();
        for id in listeners {
            if let Some(peer) = self.peers.get_mut(&id) {
                // What is no tip any more.
                peer.told_tips.retain(|hash| hashes.contains(hash));
            }
            self.tell_tips_to(id, &tips);
        }
    }

    fn tell_tips_to(&mut self, id: PeerId, tips: &[HeaderInfo]) {
        let mut news = Vec::new();
        for tip in tips {
            let Some(peer) = self.peers.get(&id) else {
                return;
            };
            if peer.told_tips.contains(&tip.hash) {
                continue;
            }
            if news.len() == MAX_TIPS_TOLD {
                self.tips_left = true;
                break;
            }
            if !self.peer_has_header(peer, &tip.hash, tip.height) {
                news.push(Inventory::Block(tip.hash));
            }
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.told_tips.insert(tip.hash);
            }
        }
        if !news.is_empty() {
            self.send(id, NetworkMessage::Inv(news));
        }
    }
}
