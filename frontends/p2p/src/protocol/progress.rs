//! Owns how far the sync is and what each peer has part in, in words for people and figures for pages.
//! Promises plain data.
//! Refuses to be exact about the time left: it is an estimate of the last minutes' speed.

use std::collections::VecDeque;
use std::time::Duration;

use bitcoin::BlockHash;
use everett_net::PeerId;

use super::permissions::Permissions;

/// What the sync is at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// Headers of a chain of unproven work are counted, not kept.
    Presync,
    /// Headers are fetched.
    Headers,
    /// Blocks of the best header's chain are fetched.
    Blocks,
    /// The best chain is whole and recent.
    Synced,
}

impl Phase {
    /// `presync`, `headers`, `blocks` or `synced`.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Presync => "presync",
            Phase::Headers => "headers",
            Phase::Blocks => "blocks",
            Phase::Synced => "synced",
        }
    }
}

/// How far the sync is.
#[derive(Clone, PartialEq, Debug)]
pub struct SyncProgress {
    /// What it is at.
    pub phase: Phase,
    /// Height of the header of most work.
    pub headers_height: u32,
    /// That header's time, unix seconds.
    pub headers_time: u32,
    /// Height that the low-work headers of some peer reached, if any are counted.
    pub presync_height: Option<u32>,
    /// That header's time, unix seconds.
    pub presync_time: Option<u32>,
    /// Height of the best world.
    pub best_height: u32,
    /// The best world's block.
    pub best_hash: BlockHash,
    /// The best world's block's time, unix seconds.
    pub best_time: u32,
    /// Blocks received since the start, on whatever branch.
    pub blocks_received: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Blocks asked for and not here yet.
    pub in_flight: usize,
    /// Blocks here and not judged yet.
    pub unjudged: usize,
    /// Losing branches of which blocks are still to be fetched, as far as headers tell.
    pub branches: usize,
    /// Blocks per second of the best chain, over the last minute.
    pub blocks_per_second: f64,
    /// How long until the best chain is whole, at that speed; `None` if nothing can be said.
    pub left: Option<Duration>,
}

/// What the protocol knows of one peer. Times are since the same start as all the protocol's.
#[derive(Clone, PartialEq, Debug)]
pub struct PeerSync {
    /// Which peer.
    pub id: PeerId,
    /// Height of the block of most work that it is known to have, and the block: Bitcoin Core's `synced_headers`.
    pub best_known: Option<(u32, BlockHash)>,
    /// Height of the last block that it and we both have: Bitcoin Core's `synced_blocks`.
    pub common_height: Option<u32>,
    /// Heights of blocks asked of it and not here yet, in the order they were asked for.
    pub in_flight: Vec<u32>,
    /// Height that its low-work headers reached, if they are being counted.
    pub presync_height: Option<u32>,
    /// It announces to us by compact blocks right away.
    pub compact_from: bool,
    /// We announce to it by compact blocks right away.
    pub compact_to: bool,
    /// It wants headers rather than inventories.
    pub prefers_headers: bool,
    /// It wants to hear of every tip, also of those that lose.
    pub wants_tips: bool,
    /// When it last gave a block that was new.
    pub last_block: Option<Duration>,
    /// When it last gave a transaction that was new.
    pub last_transaction: Option<Duration>,
    /// Addresses of its `addr` messages that were looked at.
    pub addresses_processed: u64,
    /// Addresses that were dropped because it sent too many.
    pub addresses_rate_limited: u64,
    /// Blocks that it gave, and their bytes.
    pub blocks: u64,
    /// Bytes of those.
    pub block_bytes: u64,
    /// Things that it did wrong and that were only noted.
    pub noted: u32,
    /// The last of those.
    pub last_noted: Option<String>,
    /// The least fee rate that it wants to hear of, satoshis per 1,000 virtual bytes.
    pub fee_filter: u64,
    /// The mempool's sequence when it was last told of transactions; 0 if it is told of none.
    pub last_sequence: u64,
    /// Transactions that it is to be told of.
    pub waiting: usize,
    /// What it may do beside the usual.
    pub permissions: Permissions,
}

/// How long the speed is measured over.
const SPAN: Duration = Duration::from_secs(60);
/// Points that are kept of it.
const MAX_POINTS: usize = 64;

/// How fast the best chain grows.
#[derive(Debug, Default)]
pub(super) struct Speed {
    /// When which height was reached, oldest first.
    points: VecDeque<(Duration, u32)>,
}

impl Speed {
    pub(super) fn reached(&mut self, height: u32, now: Duration) {
        let close = (self.points.back())
            .is_some_and(|(at, _)| now < *at + SPAN / MAX_POINTS as u32 && self.points.len() > 1);
        if close {
            self.points.pop_back();
        }
        self.points.push_back((now, height));
        while self.points.len() > MAX_POINTS
            || (self.points.len() > 2 && self.points[1].0 + SPAN < now)
        {
            self.points.pop_front();
        }
    }

    /// Blocks per second.
    pub(super) fn per_second(&self, now: Duration) -> f64 {
        let (Some((start, low)), Some((_, high))) = (self.points.front(), self.points.back())
        else {
            return 0.0;
        };
        let seconds = now.saturating_sub(*start).as_secs_f64();
        match seconds > 0.0 {
            true => f64::from(high.saturating_sub(*low)) / seconds,
            false => 0.0,
        }
    }
}
