//! Owns which worlds are live, held, expired, and what is kept of them.
//! Promises the real ledger's choices, by looking at every block. Refuses to be fast.

use std::collections::HashSet;

use everett_ledger::COINBASE_MATURITY;

use super::{Life, NaiveLedger};

impl NaiveLedger {
    /// How high the base may be.
    pub fn base_limit(&self) -> u32 {
        let forks = self
            .held
            .iter()
            .map(|(index, _)| self.entries[self.fork(*index)].height);
        let lowest = forks.fold(self.floor(), u32::min);
        // What is immature at any world must lie above the base.
        lowest.saturating_sub(COINBASE_MATURITY)
    }

    /// Ends a commit: retires what fell behind the horizon and tidies up; `handles` are the worlds that somebody holds.
    pub fn commit(&mut self, handles: &HashSet<Life>) {
        self.retire(handles);
        self.tidy(handles);
    }

    /// Retires what fell behind the horizon, and brings back what is inside it again.
    fn retire(&mut self, handles: &HashSet<Life>) {
        let floor = self.floor();
        let chain = self.best_chain();
        let mut gone: Vec<usize> = Vec::new();
        for index in self.placed() {
            let fork = self.fork_from(&chain, index);
            if fork == index || !self.entries[index].kept {
                continue;
            }
            if self.entries[fork].height >= floor {
                self.come_to_life(index);
            } else if self.entries[index].live {
                gone.push(index);
            }
        }
        gone.sort_by_key(|index| self.entries[*index].height);
        for index in chain.into_iter().rev() {
            self.entries[index].kept = true;
            if self.entries[index].height >= floor {
                self.come_to_life(index);
            } else if self.entries[index].live {
                gone.push(index);
            }
        }
        for index in gone {
            self.entries[index].live = false;
            let life = self.life(index);
            if handles.contains(&life) {
                self.held.push(life);
            }
        }
    }

    /// Lets go of held worlds beyond the quota or too deep, and of what nobody needs.
    pub fn tidy(&mut self, handles: &HashSet<Life>) {
        let deepest = self
            .floor()
            .saturating_sub(self.horizon.max(COINBASE_MATURITY));
        let held: Vec<Life> = std::mem::take(&mut self.held);
        let held: Vec<Life> = held
            .into_iter()
            .filter(|life| handles.contains(life))
            .collect();
        let surplus = held.len().saturating_sub(self.quota);
        for (age, life) in held.into_iter().enumerate() {
            let fork = self.entries[self.fork(life.0)].height;
            if age < surplus || fork < deepest {
                self.expired.insert(life);
            } else {
                self.held.push(life);
            }
        }
        let mut needed: HashSet<usize> = self.ancestors(self.best).collect();
        for (index, _) in &self.held {
            needed.extend(self.ancestors(*index));
        }
        for (index, entry) in self.entries.iter_mut().enumerate() {
            entry.kept &= entry.live || needed.contains(&index);
        }
    }

    /// The lowest height at which a branch may leave the best chain and stay live.
    pub fn floor(&self) -> u32 {
        self.entries[self.best].height.saturating_sub(self.horizon)
    }

    /// Opens it again, with other settings, when nobody holds a world.
    pub fn reopen(&mut self, horizon: u32, quota: usize) {
        (self.horizon, self.quota) = (horizon, quota);
        self.held.clear();
        self.retire(&HashSet::new());
    }
}
