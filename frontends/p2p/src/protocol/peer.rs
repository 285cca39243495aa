//! Owns all that the protocol remembers of one peer.
//! Promises bounded memory: each list has its limit beside it.
//! Refuses to decide anything: that is for those who own the decisions.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bitcoin::p2p::ServiceFlags;
use bitcoin::{BlockHash, Work};
use everett_ledger::HeaderInfo;
use everett_net::{PeerInfo, Purpose};

use super::TIPS_FEATURE;
use super::bounded::BoundedSet;
use super::header_sync::HeaderSync;
use super::permissions::Permissions;
use super::transactions::Judged;
use crate::serve::Requests;
use crate::transactions::fee_filter::FeeTold;
use crate::transactions::outgoing::Outgoing;

/// Tips that a peer is remembered to know, beside the one of most work.
pub(super) const MAX_KNOWN_TIPS: usize = 1_000;
/// Blocks that a peer is remembered not to have.
pub(super) const MAX_LACKING: usize = 1_000;
/// Blocks that are remembered to have been given by others first: two rounds of requests.
const MAX_OUTRUN: usize = 32;
/// Tips that a peer is told of at a time, those of most work.
pub(super) const MAX_TOLD_TIPS: usize = 20_000;

/// A block and how much work stands behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub(super) hash: BlockHash,
    pub(super) height: u32,
    pub(super) work: Work,
}

impl From<&HeaderInfo> for Known {
    fn from(info: &HeaderInfo) -> Known {
        Known {
            hash: info.hash,
            height: info.height,
            work: info.chainwork,
        }
    }
}

/// A block that was asked of a peer.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) hash: BlockHash,
    pub(super) height: u32,
    pub(super) asked: Duration,
    /// It belongs to a losing branch.
    pub(super) fork: bool,
}

/// How outbound peers are checked for chains of less work than ours, as in Bitcoin Core.
#[derive(Clone, Debug, Default)]
pub(super) struct ChainSync {
    /// It is one of those that are kept in any case.
    pub(super) protected: bool,
    /// Until when it may catch up, the block it has to reach, and whether it was asked once more.
    pub(super) pending: Option<(Duration, Known, bool)>,
}

/// What the protocol remembers of one peer.
pub(super) struct Peer {
    pub(super) info: PeerInfo,
    pub(super) since: Duration,
    pub(super) sync: HeaderSync,
    /// The block of most work that it is known to have.
    pub(super) best_known: Option<Known>,
    /// The last block that it told of and that we do not know.
    pub(super) last_unknown: Option<BlockHash>,
    /// Other tips that it told of.
    pub(super) tips: BoundedSet<BlockHash>,
    /// Blocks that it was asked for in vain.
    pub(super) lacks: BoundedSet<BlockHash>,
    /// Blocks that it was asked for and that others gave first: they may still come.
    pub(super) outrun: BoundedSet<BlockHash>,
    /// The block of most work that we told it of.
    pub(super) best_sent: Option<BlockHash>,
    /// Blocks asked of it, in that order.
    pub(super) requests: VecDeque<Request>,
    /// Since when the first of `requests` is awaited.
    pub(super) downloading_since: Duration,
    /// Since when all others wait for it.
    pub(super) stalling_since: Option<Duration>,
    /// Blocks that others gave after it had kept us waiting, since it last gave one.
    pub(super) let_down: u32,
    /// When it last gave a block that we had asked it for, new or not.
    pub(super) progress: Duration,
    pub(super) chain_sync: ChainSync,
    /// When it last told first of a block with more work than our tip.
    pub(super) last_announcement: Option<Duration>,
    /// `sendheaders` came, or went out.
    pub(super) prefers_headers: bool,
    pub(super) sendheaders_sent: bool,
    pub(super) wants_tips: bool,
    /// Those of the present tips that it was told of.
    pub(super) told_tips: BTreeSet<BlockHash>,
    /// It offers compact blocks of version 2.
    pub(super) provides_compact: bool,
    /// It wants compact blocks right away.
    pub(super) compact_to: bool,
    /// We want them right away.
    pub(super) compact_from: bool,
    /// What it asked for and has not got yet.
    pub(super) asked_of_us: Requests,
    pub(super) unrequested: u32,
    pub(super) last_block: Option<Duration>,
    pub(super) last_transaction: Option<Duration>,
    pub(super) blocks: u64,
    pub(super) block_bytes: u64,
    pub(super) noted: u32,
    pub(super) last_noted: Option<String>,
    /// Addresses looked at, and left out because there were too many.
    pub(super) addresses: (u64, u64),
    /// Below this rate it wants no transactions, satoshis for 1,000 virtual bytes.
    pub(super) fee_filter: u64,
    pub(super) fee_told: FeeTold,
    /// What it is told of transactions; `None` if it wants none, or is not to have any.
    pub(super) outgoing: Option<Outgoing>,
    /// Its transactions that are being judged.
    pub(super) judged: Judged,
    pub(super) permissions: Permissions,
}

impl Peer {
    pub(super) fn new(
        info: PeerInfo,
        outgoing: Option<Outgoing>,
        permissions: Permissions,
        now: Duration,
    ) -> Peer {
        let wants_tips = info.features.iter().any(|name| name == TIPS_FEATURE);
        Peer {
            info,
            since: now,
            sync: HeaderSync::default(),
            best_known: None,
            last_unknown: None,
            tips: BoundedSet::new(MAX_KNOWN_TIPS),
            lacks: BoundedSet::new(MAX_LACKING),
            outrun: BoundedSet::new(MAX_OUTRUN),
            best_sent: None,
            requests: VecDeque::new(),
            downloading_since: now,
            stalling_since: None,
            let_down: 0,
            progress: now,
            chain_sync: ChainSync::default(),
            last_announcement: None,
            prefers_headers: false,
            sendheaders_sent: false,
            wants_tips,
            told_tips: BTreeSet::new(),
            provides_compact: false,
            compact_to: false,
            compact_from: false,
            asked_of_us: Requests::new(),
            unrequested: 0,
            last_block: None,
            last_transaction: None,
            blocks: 0,
            block_bytes: 0,
            noted: 0,
            last_noted: None,
            addresses: (0, 0),
            fee_filter: 0,
            fee_told: FeeTold::default(),
            outgoing,
            judged: Judged::default(),
            permissions,
        }
    }

    /// It keeps blocks, at least the recent ones, and gives them with witnesses.
    pub(super) fn serves_blocks(&self) -> bool {
        let services = self.info.services;
        services.has(ServiceFlags::WITNESS)
            && (services.has(ServiceFlags::NETWORK) || services.has(ServiceFlags::NETWORK_LIMITED))
            && !matches!(self.info.purpose, Purpose::AddrFetch | Purpose::Feeler)
    }

    /// It keeps recent blocks only.
    pub(super) fn is_limited(&self) -> bool {
        !self.info.services.has(ServiceFlags::NETWORK)
    }

    /// We chose it, so it is asked first.
    pub(super) fn is_preferred(&self) -> bool {
        !self.info.purpose.is_inbound() && self.serves_blocks()
    }

    /// It may be let go for having a poor chain: the user did not ask for it, and it did not call.
    pub(super) fn is_chosen(&self) -> bool {
        matches!(
            self.info.purpose,
            Purpose::OutboundFullRelay | Purpose::BlockRelayOnly
        )
    }

    pub(super) fn requested(&self, hash: &BlockHash) -> bool {
        self.requests.iter().any(|request| request.hash == *hash)
    }
}
