//! Owns what pages and pictures are told of the sync and of each peer.
//! Promises to change nothing.
//! Refuses to be called for each message: it reads the ledger for each peer.

use std::time::Duration;

use everett_ledger::HeaderInfo;

use super::Protocol;
use super::progress::{PeerSync, Phase, SyncProgress};

impl Protocol {
    /// What is known of each peer, in the order in which they connected.
    pub fn peers(&self) -> Vec<PeerSync> {
        let peers = self.peers.iter().map(|(id, peer)| {
            let common = (peer.best_known)
                .and_then(|known| self.ledger.fork_point(&known.hash, &self.best.hash));
            let (addresses_processed, addresses_rate_limited) = peer.addresses;
            PeerSync {
                id: *id,
                best_known: peer.best_known.map(|known| (known.height, known.hash)),
                common_height: common.map(|common| common.height),
                in_flight: peer.requests.iter().map(|request| request.height).collect(),
                presync_height: (peer.sync.presync.as_ref()).map(|presync| presync.height()),
                compact_from: peer.compact_from,
                compact_to: peer.compact_to,
                prefers_headers: peer.prefers_headers,
                wants_tips: peer.wants_tips,
                last_block: peer.last_block,
                last_transaction: peer.last_transaction,
                addresses_processed,
                addresses_rate_limited,
                blocks: peer.blocks,
                block_bytes: peer.block_bytes,
                noted: peer.noted,
                last_noted: peer.last_noted.clone(),
                fee_filter: peer.fee_filter,
                last_sequence: peer.outgoing.as_ref().map_or(0, |one| one.sequence),
                waiting: peer.outgoing.as_ref().map_or(0, |one| one.waiting().len()),
                permissions: peer.permissions,
            }
        });
        peers.collect()
    }

    /// How far the sync is.
    pub fn progress(&self, now: Duration) -> SyncProgress {
        let header: HeaderInfo = self.ledger.best_header();
        let presync = (self.peers.values())
            .filter_map(|peer| peer.sync.presync.as_ref())
            .max_by_key(|presync| presync.chainwork());
        let clock = self.ledger.clock().now();
        let recent = |time: u32| u64::from(time) + self.config.max_tip_age.as_secs() > clock;
        let reading = self
            .peers
            .values()
            .any(|peer| peer.sync.waiting > 0 || (peer.sync.started && !peer.sync.finished));
        let behind = header.chainwork > self.best.work && self.download.behind();
        let phase = if presync.is_some() && !recent(header.header.time) {
            Phase::Presync
        } else if reading && !recent(header.header.time) {
            Phase::Headers
        } else if behind {
            Phase::Blocks
        } else if self.is_initial_download() {
            Phase::Headers
        } else {
            Phase::Synced
        };
        let blocks_per_second = self.speed.per_second(now);
        let missing = header.height.saturating_sub(self.best.height);
        let left = (blocks_per_second > 0.0 && missing > 0)
            .then(|| Duration::try_from_secs_f64(f64::from(missing) / blocks_per_second).ok())
            .flatten();
        SyncProgress {
            phase,
            headers_height: header.height,
            headers_time: header.header.time,
            presync_height: presync.map(|presync| presync.height()),
            presync_time: presync.map(|presync| presync.time()),
            best_height: self.best.height,
            best_hash: self.best.hash,
            best_time: self.best_header.time,
            blocks_received: self.blocks_received,
            block_bytes: self.block_bytes,
            in_flight: self.download.asked.len(),
            unjudged: self.download.unjudged.len(),
            branches: self.collector.branches,
            blocks_per_second,
            left,
        }
    }
}
