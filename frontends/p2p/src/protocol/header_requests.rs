//! Owns the requests for headers: whom we ask, for what, and how long we wait.
//! Promises one request at a time for each peer, and one peer at a time until one has told all.
//! Refuses to look at answers.

use std::time::Duration;

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::GetHeadersMessage;
use everett_net::PeerId;

use super::misbehaviour::Reason;
use super::{Protocol, USER_PROTOCOL_VERSION};

/// How long a peer has for an answer to `getheaders` before it may be asked again.
pub(super) const RESPONSE_TIME: Duration = Duration::from_secs(2 * 60);
/// And how long before a block that it tells of is a reason to.
const NEWS_TIME: Duration = Duration::from_secs(10);
/// How long the first download of headers may take, at least.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// And how much longer for each header that is to be expected.
const DOWNLOAD_TIMEOUT_PER_HEADER: Duration = Duration::from_millis(1);
/// After how long without a message of headers another peer is asked beside the first.
const SLOW_SYNC: Duration = Duration::from_secs(20);
/// A best header younger than this lets us ask all peers for theirs.
const RECENT: u64 = 24 * 60 * 60;
/// Tips of one peer that wait for their headers to be asked for.
pub(super) const MAX_WANTED: usize = 1_000;

impl Protocol {
    /// The peer told of blocks by `inv` that we do not know.
    pub(super) fn want_headers(&mut self, id: PeerId, hashes: Vec<BlockHash>) {
        let last_trigger = self.last_inv_trigger;
        let once_done = self.headers_once_done;
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(last) = hashes.last().copied() else {
            return;
        };
        let unanswered = |asked: Duration| now >= asked + NEWS_TIME;
        if peer.sync.presync.is_none() && peer.sync.asked.is_some_and(unanswered) {
            // It had nothing to say while it was behind itself, as in a first download of its own. Now it has.
            peer.sync.asked = None;
        }
        if peer.wants_tips {
            // It tells of each tip once, and answers with the branch that was asked for: each is, when its turn comes.
            for hash in hashes {
                if peer.sync.wanted.len() < MAX_WANTED && !peer.sync.wanted.contains(&hash) {
                    peer.sync.wanted.push_back(hash);
                }
            }
            return self.ask_wanted(id);
        }
        if !peer.sync.started && !once_done {
            // While headers come from one peer, each new block brings in one more, in case the first does not answer.
            if peer.sync.asked_by_inv || last_trigger == Some(last) {
                return;
            }
            peer.sync.asked_by_inv = true;
            self.last_inv_trigger = Some(last);
        }
        let locator = self.ledger.locator(&self.ledger.best_header().hash);
        self.get_headers(id, locator, None);
    }

    /// Asks for the headers of the next tip that waits, once the peer may be asked for headers at all.
    pub(super) fn ask_wanted(&mut self, id: PeerId) {
        let once_done = self.headers_once_done;
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if !peer.sync.started && !once_done {
            return;
        }
        let busy = (peer.sync.asked).is_some_and(|asked| now < asked + RESPONSE_TIME);
        if busy || peer.sync.presync.is_some() || peer.sync.waiting > 0 {
            return;
        }
        while let Some(hash) = peer.sync.wanted.pop_front() {
            if self.ledger.header(&hash).is_none() && !self.pending_headers.contains_key(&hash) {
                peer.sync.stop = Some(hash);
                let locator = self.ledger.locator(&self.ledger.best_header().hash);
                self.get_headers(id, locator, Some(hash));
                return;
            }
        }
    }

    /// Asks for headers, unless an answer is awaited. Says whether it did.
    pub(super) fn get_headers(
        &mut self,
        id: PeerId,
        locator: Vec<BlockHash>,
        stop: Option<BlockHash>,
    ) -> bool {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&id) else {
            return false;
        };
        if (peer.sync.asked).is_some_and(|asked| now < asked + RESPONSE_TIME) {
            return false;
        }
        peer.sync.asked = Some(now);
        let message = GetHeadersMessage {
            version: USER_PROTOCOL_VERSION,
            locator_hashes: locator,
            stop_hash: stop.unwrap_or_else(BlockHash::all_zeros),
        };
        self.send(id, NetworkMessage::GetHeaders(message));
        true
    }

    /// Asks those for their headers whose turn it is: one at first, all once headers are recent or one has told all.
    pub(super) fn start_header_syncs(&mut self) {
        let now = self.now;
        let best = self.ledger.best_header();
        let clock = self.ledger.clock().now();
        let all = self.headers_once_done || u64::from(best.header.time) + RECENT > clock;
        let mut busy = (self.peers.values())
            .filter(|peer| peer.sync.started && !peer.sync.finished)
            .filter(|peer| now < peer.sync.progress + SLOW_SYNC)
            .count();
        let preferred = self.peers.values().any(|peer| peer.is_preferred());
        let candidates: Vec<PeerId> = (self.peers.iter())
            .filter(|(_, peer)| !peer.sync.started && peer.serves_blocks())
            .filter(|(_, peer)| all || !preferred || peer.is_preferred())
            .map(|(id, _)| *id)
            .collect();
        for id in candidates {
            if !all && busy > 0 {
                break;
            }
            let locator = self.first_locator();
            if !self.get_headers(id, locator, None) {
                continue;
            }
            let age = clock.saturating_sub(u64::from(best.header.time));
            let expected = age / u64::from(self.ledger.params().target_spacing.max(1));
            let extra = DOWNLOAD_TIMEOUT_PER_HEADER
                .saturating_mul(u32::try_from(expected).unwrap_or(u32::MAX));
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.sync.started = true;
                peer.sync.progress = now;
                peer.sync.deadline = Some(now + DOWNLOAD_TIMEOUT + extra);
            }
            busy += 1;
        }
    }

    /// Lets go of peers whose first download of headers takes too long, where there are others.
    pub(super) fn check_header_deadlines(&mut self) {
        let now = self.now;
        if self.peers.values().all(|peer| peer.sync.deadline.is_none()) {
            return;
        }
        let best = self.ledger.best_header().header.time;
        if u64::from(best) + RECENT > self.ledger.clock().now() {
            // Somebody has told; the others may be slow.
            for peer in self.peers.values_mut() {
                peer.sync.deadline = None;
            }
            return;
        }
        let preferred = self
            .peers
            .values()
            .filter(|peer| peer.is_preferred())
            .count();
        let late: Vec<PeerId> = (self.peers.iter())
            .filter(|(_, peer)| peer.sync.deadline.is_some_and(|deadline| now > deadline))
            .filter(|(_, peer)| preferred > usize::from(peer.is_preferred()))
            .map(|(id, _)| *id)
            .collect();
        for id in late {
            let seconds = DOWNLOAD_TIMEOUT.as_secs();
            self.punish(id, Reason::HeadersTimeout { seconds });
        }
    }

    /// What `getheaders` that nobody answers held up: the sync itself, or tips that wait for their turn.
    pub(super) fn ask_again(&mut self) {
        let now = self.now;
        let expired = |asked: Option<Duration>| asked.is_some_and(|at| now >= at + RESPONSE_TIME);
        let stuck: Vec<PeerId> = (self.peers.iter())
            .filter(|(_, peer)| peer.sync.started && !peer.sync.finished)
            .filter(|(_, peer)| expired(peer.sync.asked) && peer.sync.waiting == 0)
            .map(|(id, _)| *id)
            .collect();
        for id in stuck {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.sync.presync = None;
                peer.sync.stop = None;
            }
            let locator = self.first_locator();
            self.get_headers(id, locator, None);
        }
        let waiting: Vec<PeerId> = (self.peers.iter())
            .filter(|(_, peer)| !peer.sync.wanted.is_empty())
            .filter(|(_, peer)| peer.sync.asked.is_none() || expired(peer.sync.asked))
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            self.ask_wanted(id);
        }
    }

    /// From the header before the best one: so that the answer of who has that is not empty, and tells what it has.
    fn first_locator(&self) -> Vec<BlockHash> {
        let best = self.ledger.best_header();
        self.ledger.locator(&best.parent.unwrap_or(best.hash))
    }
}
