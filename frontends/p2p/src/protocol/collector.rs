//! Owns the fork collector: which losing branches are fetched, and what that may cost.
//! Promises every branch that forks off inside the horizon and whose headers carry enough work, within its budgets.
//! Refuses to hold back blocks of the chain of most work for them: those go first.
//!
//! Each header of such a branch cost its maker as much work as one at the tip, so a branch is never free. The budgets
//! bound what a maker with work to spare can have us fetch, store and validate: of one peer, of all, in blocks and in
//! bytes. They fill up again over a day by default ([`ForkLimits`](super::ForkLimits)). A tip that is out of budget, or
//! that nobody delivers, stays known by its header.

use std::collections::HashMap;
use std::time::Duration;

use bitcoin::p2p::address::AddrV2;
use everett_net::{Endpoint, Group, PeerId};

use super::availability::{Told, stands_on};
use super::download::Target;
use super::{ForkLimits, Protocol};

/// Branches that are planned for at a time, those of most work first.
const MAX_TARGETS: usize = 64;
/// Branches that are looked at for somebody who has them.
const MAX_EXAMINED: usize = 4_096;
/// Blocks of one branch that are planned for at a time.
const MAX_BRANCH: usize = 512;
/// How often it is said that the budget is used up.
const WORD_EVERY: Duration = Duration::from_secs(60 * 60);
/// Payers that are remembered before those that owe nothing are forgotten. One that owes has taken some of what all
/// together may in a day, so there are no more of them than a few days' blocks.
const MAX_FREE_PAYERS: usize = 1_000;

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

    /// Whether nothing is missing.
    fn is_full(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.left >= self.full
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

/// Who pays for blocks of branches, by being asked for them: connecting anew, or from the neighbouring address, opens no new account.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Payer {
    /// A network group of the internet.
    Group(Group),
    /// A machine of a private network.
    Host(AddrV2),
    /// A connection from this machine, behind which there may be anybody: an onion service's guests, say.
    Connection(PeerId),
}

impl Payer {
    pub(super) fn new(id: PeerId, endpoint: &Endpoint) -> Payer {
        match endpoint {
            local if local.is_local() => Payer::Connection(id),
            far if far.is_routable() => Payer::Group(far.group()),
            near => Payer::Host(near.host.clone()),
        }
    }
}

/// What is left of the budgets for branches.
pub(super) struct Collector {
    /// Of all peers together.
    pub(super) blocks: Budget,
    pub(super) bytes: Budget,
    /// Of those who took some.
    payers: HashMap<Payer, Budget>,
    /// Branches that are being fetched, by the last plan: somebody has them, and all together have a budget for them. Of
    /// more than are planned for, nobody looks who has them.
    pub(super) branches: usize,
    /// When it may be said again that the budget is used up.
    next_word: Duration,
}

impl Collector {
    pub(super) fn new(limits: &ForkLimits, now: Duration) -> Collector {
        Collector {
            blocks: Budget::new(u64::from(limits.blocks), limits.refill, now),
            bytes: Budget::new(limits.bytes, limits.refill, now),
            payers: HashMap::new(),
            branches: 0,
            next_word: now,
        }
    }

    /// Takes one block from who pays; `false` if nothing is left.
    fn charge(&mut self, payer: &Payer, limits: &ForkLimits, now: Duration) -> bool {
        if self.payers.len() >= MAX_FREE_PAYERS && !self.payers.contains_key(payer) {
            self.payers.retain(|_, budget| !budget.is_full(now));
        }
        let full = || Budget::new(u64::from(limits.peer_blocks), limits.refill, now);
        let budget = self.payers.entry(payer.clone()).or_insert_with(full);
        let has_some = budget.has_some(now);
        if has_some {
            budget.take(1, now);
        }
        has_some
    }
}

impl Protocol {
    /// Whether the budgets of all together have something left.
    fn has_fork_budget(&mut self) -> bool {
        self.collector.blocks.has_some(self.now) && self.collector.bytes.has_some(self.now)
    }

    /// Whether all together may fetch one more block of a branch.
    pub(super) fn may_fetch_fork(&mut self) -> bool {
        self.download.forks_in_flight < self.config.forks.in_flight && self.has_fork_budget()
    }

    /// Takes one block of a branch, to be asked of a peer, from the budgets; `false` if one of them is used up.
    pub(super) fn charge_fork(&mut self, id: PeerId) -> bool {
        let now = self.now;
        if !self.may_fetch_fork() {
            return false;
        }
        let Some(peer) = self.peers.get(&id) else {
            return false;
        };
        let payer = Payer::new(id, &peer.info.endpoint);
        if !self.collector.charge(&payer, &self.config.forks, now) {
            return false;
        }
        self.collector.blocks.take(1, now);
        self.download.forks_in_flight += 1;
        true
    }

    /// Branches to be fetched besides the chains of `main`, as far as somebody can give some of them.
    ///
    /// Blocks that branches share are in the queue of each: who asks first has them.
    pub(super) fn fork_targets(&mut self, main: &[Target], told: &[Told]) -> Vec<Target> {
        let threshold = self.work_threshold();
        let mut targets = Vec::new();
        self.collector.branches = 0;
        let mut beyond = 0;
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
            let missing = self.ledger.missing_blocks(&end.hash, 0, MAX_BRANCH);
            if missing.is_empty() {
                continue;
            }
            if targets.len() >= MAX_TARGETS {
                beyond += 1;
                continue;
            }
            let mut reach = self.reach(&(&end).into(), &missing, told);
            reach.retain(|id, reach| self.can_give(*id, *reach, &missing));
            if !reach.is_empty() {
                targets.push(Target::fork((&end).into(), missing, reach));
            }
        }
        let waiting = targets.len() + beyond;
        if self.has_fork_budget() {
            self.collector.branches = waiting;
        } else if waiting > 0 && self.now >= self.collector.next_word {
            self.collector.next_word = self.now + WORD_EVERY;
            tracing::info!(
                branches = waiting,
                "the budget for losing branches is used up: they wait until it fills again"
            );
        }
        targets
    }
}
