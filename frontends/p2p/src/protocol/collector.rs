//! Owns the fork collector: which losing branches are fetched, and what that may cost.
//! Promises every branch that forks off inside the horizon and whose headers carry enough work, within its budgets.
//! Refuses to hold back blocks of the chain of most work for them: those go first.
//!
//! Each header of such a branch cost its maker as much work as one at the tip, so a branch is never free. The budgets
//! bound what a maker with work to spare can have us fetch, store and validate: of one peer, of all, in blocks and in
//! bytes. They fill up again over a day by default ([`ForkLimits`](super::ForkLimits)). A tip that is out of budget, or
//! that nobody delivers, stays known by its header.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use bitcoin::BlockHash;
use everett_net::PeerId;

use super::Protocol;
use super::availability::stands_on;
use super::download::Target;

/// Branches that are planned for at a time, those of most work first.
const MAX_TARGETS: usize = 64;
/// Branches that are looked at for somebody who has them.
const MAX_EXAMINED: usize = 4_096;
/// Blocks of one branch that are planned for at a time.
const MAX_BRANCH: usize = 512;

/// Something that is used up and fills again over time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    full: f64,
    left: f64,
    refill: Duration,
    at: Duration,
}

impl Budget {
    /// A full one; empty, it takes `refill` to be full again.
    pub(crate) fn new(full: u64, refill: Duration, now: Duration) -> Budget {
        Budget {
            full: full as f64,
            left: full as f64,
            refill,
            at: now,
        }
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        let whole = self.refill.as_secs_f64().max(f64::MIN_POSITIVE);
        self.left = (self.left + self.full * passed / whole).min(self.full);
        self.at = self.at.max(now);
    }

    /// Whether there is at least one left.
    pub(crate) fn has_some(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.left >= 1.0
    }

    /// Uses some up, if need be more than there is: the rest is waited for.
    pub(crate) fn take(&mut self, amount: u64, now: Duration) {
        self.fill(now);
        self.left -= amount as f64;
    }

    /// Gives back what was not used after all.
    pub(crate) fn give_back(&mut self, amount: u64) {
        self.left = (self.left + amount as f64).min(self.full);
    }
}

/// What is left of the budgets of all peers together.
pub(super) struct Collector {
    pub(super) blocks: Budget,
    pub(super) bytes: Budget,
    /// Branches of which blocks are still to come, by the last plan.
    pub(super) branches: usize,
}

impl Protocol {
    /// Branches to be fetched besides the chains of `main`, as far as somebody has them.
    pub(super) fn fork_targets(&mut self, main: &[Target]) -> Vec<Target> {
        let threshold = self.work_threshold();
        let mut targets = Vec::new();
        let mut planned: HashSet<BlockHash> = HashSet::new();
        self.collector.branches = 0;
        for tip in self.ledger.fork_tips().into_iter().take(MAX_EXAMINED) {
            let end = tip.tip;
            if tip.stored || end.chainwork < threshold {
                continue;
            }
            let below_main =
                |target: &Target| stands_on(&self.ledger, &target.tip.hash, &end.hash, end.height);
            if main.iter().any(below_main) {
                continue;
            }
            let mut missing = self.ledger.missing_blocks(&end.hash, 0, MAX_BRANCH);
            missing.retain(|(_, hash)| planned.insert(*hash));
            self.collector.branches += usize::from(!missing.is_empty());
            if targets.len() >= MAX_TARGETS {
                continue;
            }
            let reach = self.reach_of_branch(&end.hash, &missing);
            if !reach.is_empty() {
                targets.push(Target::fork((&end).into(), missing, reach));
            }
        }
        targets
    }

    /// Up to which height each peer has a branch, for those that have some of it.
    fn reach_of_branch(
        &self,
        tip: &BlockHash,
        missing: &[(u32, BlockHash)],
    ) -> BTreeMap<PeerId, u32> {
        let mut reach = BTreeMap::new();
        let Some((lowest, _)) = missing.first() else {
            return reach;
        };
        for (height, hash) in missing {
            for peer in self.knowers.of(hash) {
                reach.insert(peer, *height);
            }
        }
        // Those whose best chain goes by here.
        for (id, peer) in &self.peers {
            let Some(known) = peer.best_known else {
                continue;
            };
            let shared = match known.hash == *tip {
                true => Some(known.height),
                false => (self.ledger.fork_point(&known.hash, tip)).map(|fork| fork.height),
            };
            if let Some(height) = shared.filter(|height| height >= lowest) {
                let most = reach.entry(*id).or_insert(height);
                *most = height.max(*most);
            }
        }
        reach
    }
}
