//! Owns the patience with those who were asked for blocks and do not deliver.
//! Promises that others are asked in time, and that nobody is let go for being slow while nobody waits.
//! Refuses to plan: what is given up is planned for anew.

use std::collections::BTreeMap;
use std::time::Duration;

use bitcoin::BlockHash;
use everett_net::PeerId;

use super::Protocol;
use super::availability::stands_on;
use super::download::{MAX_IN_FLIGHT, MAX_UNJUDGED_BYTES, Target};
use super::misbehaviour::Reason;
use super::peer::{Peer, Request};

/// How long all may wait for one peer, at most.
const MAX_STALLING_TIMEOUT: Duration = Duration::from_secs(64);
/// Blocks that others had to give in a peer's stead before it is let go.
const MAX_LET_DOWN: u32 = 16;
/// For how long such a peer must have given nothing by then.
const LET_DOWN_TIMEOUT: Duration = Duration::from_secs(30);
/// Peers that are asked for one block, one after the other, as long as none of them gives it.
const MAX_ASKED: usize = 4;
/// How long a block of a losing branch is waited for before another peer is asked.
const FORK_TIMEOUT: Duration = Duration::from_secs(60);

impl Protocol {
    /// Looks for those who do not deliver.
    pub(super) fn check_downloads(&mut self) {
        let now = self.now;
        let patience = self.download.stalling_timeout;
        let spacing = Duration::from_secs(u64::from(self.ledger.params().target_spacing));
        let others = self.download.sources.saturating_sub(1) as u32;
        let block_timeout = spacing + spacing / 2 * others;
        let mut leaving: Vec<(PeerId, Reason)> = Vec::new();
        let mut hopeless: Vec<(PeerId, BlockHash)> = Vec::new();
        let mut late: Vec<(PeerId, Request)> = Vec::new();
        for (id, peer) in &self.peers {
            if peer.let_down >= MAX_LET_DOWN && now > peer.progress + LET_DOWN_TIMEOUT {
                let hash = peer.best_known.map_or(self.best.hash, |known| known.hash);
                let seconds = LET_DOWN_TIMEOUT.as_secs();
                leaving.push((*id, Reason::Stalling { hash, seconds }));
                continue;
            }
            let Some(first) = peer.requests.front() else {
                continue;
            };
            let hash = first.hash;
            if (peer.stalling_since).is_some_and(|since| now > since + patience) {
                let seconds = patience.as_secs();
                leaving.push((*id, Reason::Stalling { hash, seconds }));
                continue;
            }
            if now > peer.downloading_since + block_timeout && !first.fork {
                let seconds = block_timeout.as_secs();
                leaving.push((*id, Reason::BlockTimeout { hash, seconds }));
                continue;
            }
            for request in &peer.requests {
                let patience = if request.fork { FORK_TIMEOUT } else { patience };
                if request.fork && now > request.asked + block_timeout {
                    hopeless.push((*id, request.hash));
                } else if now > request.asked.max(peer.progress) + patience {
                    late.push((*id, request.clone()));
                }
            }
        }
        for (id, reason) in leaving {
            if matches!(reason, Reason::Stalling { .. }) {
                self.download.stalling_timeout = (patience * 2).min(MAX_STALLING_TIMEOUT);
            }
            self.punish(id, reason);
        }
        for (id, hash) in hopeless {
            self.give_up(id, &hash);
        }
        late.sort_by_key(|(_, request)| (request.fork, request.height));
        self.ask_others(late);
    }

    /// The peer does not have the block, or does not give it.
    pub(super) fn give_up(&mut self, id: PeerId, hash: &BlockHash) {
        let Some(request) = self.take_request(id, hash) else {
            return;
        };
        if request.fork {
            self.collector.blocks.give_back(1);
        }
        if let Some(peer) = self.peers.get_mut(&id) {
            let _known = peer.lacks.insert(*hash);
            if !request.fork {
                peer.let_down += 1;
            }
        }
        self.plan_stale = true;
    }

    /// Asks peers that have nothing to do for blocks that others have let wait. These may still come.
    fn ask_others(&mut self, late: Vec<(PeerId, Request)>) {
        let now = self.now;
        if late.is_empty() || self.download.unjudged_bytes >= MAX_UNJUDGED_BYTES {
            return;
        }
        let idle = |peer: &&Peer| peer.requests.is_empty() && peer.let_down == 0;
        let mut helpers: Vec<(bool, PeerId)> = (self.peers.iter())
            .filter(|(_, peer)| idle(peer) && self.may_give(peer))
            .map(|(id, peer)| (!peer.is_preferred(), *id))
            .collect();
        if helpers.is_empty() {
            return;
        }
        // Those that we called first: those who call us may all be one.
        helpers.sort();
        let mut found: BTreeMap<PeerId, Vec<Request>> = BTreeMap::new();
        let mut late_ones: BTreeMap<BlockHash, usize> = BTreeMap::new();
        for (_, request) in &late {
            *late_ones.entry(request.hash).or_default() += 1;
        }
        for (_, request) in late {
            let asked = (self.download.asked.get(&request.hash)).map_or(0, Vec::len);
            // Whoever was asked last has to be late too; each block is dealt with once.
            let all_late = late_ones.remove(&request.hash) == Some(asked);
            if !all_late || asked >= MAX_ASKED || self.download.unjudged.contains_key(&request.hash)
            {
                continue;
            }
            // What was asked for as part of the best chain may have come to lose meanwhile, or the other way round.
            let of = |target: &&Target| {
                let (tip, hash) = (&target.tip.hash, &request.hash);
                stands_on(&self.ledger, tip, hash, request.height)
            };
            let targets: Vec<&Target> = self.download.targets.iter().filter(of).collect();
            let fork = targets.iter().all(|target| target.fork);
            let has_it = |id: &PeerId| {
                let lacks = |peer: &Peer| peer.lacks.contains(&request.hash);
                found.get(id).map_or(0, Vec::len) < MAX_IN_FLIGHT
                    && !self.peers.get(id).is_none_or(lacks)
                    && targets.iter().any(|target| {
                        let reach = target.reach.get(id);
                        reach.is_some_and(|reach| *reach >= request.height)
                    })
            };
            let Some(id) = helpers.iter().map(|(_, id)| *id).find(has_it) else {
                continue;
            };
            if fork && !self.charge_fork(id) {
                continue;
            }
            let again = Request {
                asked: now,
                fork,
                ..request
            };
            found.entry(id).or_default().push(again);
        }
        for (id, requests) in found {
            self.request(id, requests);
        }
    }
}
