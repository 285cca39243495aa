//! Owns the account of what the protocol holds in memory for its peers, each count with its limit.
//! Promises that what is remembered on two sides is held against the other side, so that a leak shows.
//! Refuses to count what grows with the chain: that is the ledger's.

use super::Protocol;
use super::download::{MAX_IN_FLIGHT, MAX_UNJUDGED_BYTES};
use super::header_requests::MAX_WANTED;
use super::headers::MAX_BATCHES;
use super::peer::{MAX_KNOWN_TIPS, MAX_LACKING, MAX_TOLD_TIPS, Peer};
use super::sources::MAX_SOURCES;
use super::transactions::{MAX_ALL_JUDGED_BYTES, MAX_JUDGED};
use crate::addr_relay::MAX_ADDRESSES;
use crate::compact::{MAX_RECONSTRUCTIONS_PER_BLOCK, MAX_RECONSTRUCTIONS_PER_PEER};
use crate::recent_transactions::RecentLimits;
use crate::serve::MAX_WAITING_REQUESTS;
use crate::transactions::outgoing::MAX_GONE;

/// The longest message's worth of block: one more may come when the bytes of unjudged ones are nearly used up.
const ONE_BLOCK: usize = 4_000_000;
/// Requests beyond those of the download: compact blocks that came unasked are put together at once.
const MAX_COMPACT_REQUESTS: usize = MAX_RECONSTRUCTIONS_PER_PEER;

/// A low-work sync: a bit for each 600th header or so that a chain can have by now, and the window of the second download.
const MAX_PRESYNC_BYTES: usize = 4 << 20;

/// How much there is of something, and how much there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holding {
    /// What is counted.
    pub what: &'static str,
    /// How much there is.
    pub count: usize,
    /// The most that there may be with the present peers.
    pub limit: usize,
}

impl Protocol {
    /// What is held in memory for peers. Cheap enough for a page of figures, not for every message.
    pub fn holdings(&self) -> Vec<Holding> {
        let peers = self.peers.len();
        let sum = |of: &dyn Fn(&Peer) -> usize| self.peers.values().map(of).sum::<usize>();
        let most = |of: &dyn Fn(&Peer) -> usize| self.peers.values().map(of).max().unwrap_or(0);
        let asked: usize = self.download.asked.values().map(Vec::len).sum();
        let requests = sum(&|peer| peer.requests.len());
        let forks = sum(&|peer| peer.requests.iter().filter(|one| one.fork).count());
        let busy = sum(&|peer| usize::from(!peer.requests.is_empty()));
        let presync = most(&|peer| peer.sync.presync.as_ref().map_or(0, |one| one.bytes()));
        let recent = 2 * RecentLimits::default().bytes;
        let waiting = |id| self.gossip.waiting(id);
        let addresses = self.peers.keys().map(|id| waiting(*id)).max().unwrap_or(0);
        let of = |what, count, limit| Holding { what, count, limit };
        vec![
            of(
                "batches of headers",
                self.batches.len(),
                peers * MAX_BATCHES,
            ),
            of(
                "ends of batches",
                self.pending_headers.len(),
                self.batches.len(),
            ),
            of(
                "a peer's batches",
                most(&|peer| peer.sync.waiting),
                MAX_BATCHES,
            ),
            of(
                "a peer's tips to ask for",
                most(&|peer| peer.sync.wanted.len()),
                MAX_WANTED,
            ),
            of("a peer's low-work sync, bytes", presync, MAX_PRESYNC_BYTES),
            of(
                "a peer's tips",
                most(&|peer| peer.tips.len()),
                MAX_KNOWN_TIPS,
            ),
            of(
                "tips by peer",
                self.knowers.len(),
                sum(&|peer| peer.tips.len()),
            ),
            of(
                "blocks a peer lacks",
                most(&|peer| peer.lacks.len()),
                MAX_LACKING,
            ),
            of(
                "tips told a peer",
                most(&|peer| peer.told_tips.len()),
                MAX_TOLD_TIPS,
            ),
            of(
                "blocks asked of a peer",
                most(&|peer| peer.requests.len()),
                MAX_IN_FLIGHT + MAX_COMPACT_REQUESTS,
            ),
            of("blocks asked for", asked, requests),
            of(
                "blocks of branches asked for",
                self.download.forks_in_flight,
                forks,
            ),
            of("peers that are to give blocks", self.download.sources, busy),
            of(
                "blocks not judged, bytes",
                self.download.unjudged_bytes,
                MAX_UNJUDGED_BYTES + ONE_BLOCK,
            ),
            of("givers of blocks", self.sources.len(), MAX_SOURCES),
            of("blocks put together", self.reconstructions.len(), requests),
            of(
                "attempts to put blocks together",
                self.reconstructions.attempts(),
                (self.reconstructions.len() * MAX_RECONSTRUCTIONS_PER_BLOCK)
                    .min(peers * MAX_RECONSTRUCTIONS_PER_PEER),
            ),
            of("recent transactions, bytes", self.recent.bytes(), recent),
            of(
                "transactions told of",
                self.incoming.requests.announcements(),
                peers * self.incoming.most_announced(),
            ),
            of(
                "transactions wanted",
                self.incoming.requests.len(),
                self.incoming.requests.announcements(),
            ),
            of(
                "ids of refused and confirmed transactions",
                self.incoming.remembered().0,
                self.incoming.remembered().1,
            ),
            of(
                "orphans",
                self.incoming.orphans.len(),
                everett_mempool::orphans::MAX_LATENCY as usize,
            ),
            of(
                "a peer's transactions that are judged",
                most(&|peer| peer.judged.count),
                2 * MAX_JUDGED,
            ),
            of(
                "transactions that are judged, bytes",
                self.judged_bytes,
                MAX_ALL_JUDGED_BYTES + 2 * ONE_BLOCK,
            ),
            of(
                "transactions a peer is to be told",
                most(&|peer| peer.outgoing.as_ref().map_or(0, |one| one.waiting().len())),
                self.pending.len() + MAX_GONE,
            ),
            of(
                "ids of transactions a peer knows",
                most(&|peer| peer.outgoing.as_ref().map_or(0, |one| one.remembered().0)),
                most(&|peer| peer.outgoing.as_ref().map_or(0, |one| one.remembered().1)),
            ),
            of(
                "a peer's requests",
                most(&|peer| peer.asked_of_us.len()),
                MAX_WAITING_REQUESTS + 2,
            ),
            of("addresses to tell a peer", addresses, MAX_ADDRESSES),
        ]
    }
}
