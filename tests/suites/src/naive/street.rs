//! Owns what becomes of blocks, headers and the best tip.
//! Promises the real ledger's order of checks, spelled out. Refuses to look at coins: a block's flaw says what is wrong.

use std::cmp::Reverse;
use std::collections::{HashSet, VecDeque};

use bitcoin::BlockHash;
use everett_ledger::ChainStatus;

use super::mutation::is_committed;
use super::{Answer, Failure, GENESIS, NaiveLedger, Progress};
use crate::flaw::{Flaw, Mutation, Stage};

impl NaiveLedger {
    /// Hands a block in, its bytes mutated or not; then [`NaiveLedger::commit`]. Answers for the block itself and for
    /// those that waited for it.
    pub fn submit(
        &mut self,
        index: usize,
        mutation: Option<Mutation>,
    ) -> (Answer, Vec<(BlockHash, Answer)>) {
        let answer = self.accept(index, mutation);
        (answer, self.join(index))
    }

    /// Hands a header in; `Err` is Bitcoin Core's reason why not.
    pub fn submit_header(&mut self, index: usize) -> Result<(), &'static str> {
        if self.entries[index].arrival.is_some() {
            return Ok(());
        }
        if self.entries[self.entries[index].parent].arrival.is_none() {
            return Err("prev-blk-not-found");
        }
        self.place(index)?;
        self.join(index);
        Ok(())
    }

    fn join(&mut self, parent: usize) -> Vec<(BlockHash, Answer)> {
        let mut joined = Vec::new();
        let mut parents = VecDeque::from([parent]);
        while let Some(parent) = parents.pop_front() {
            if self.entries[parent].arrival.is_none() {
                continue;
            }
            let entries = &self.entries;
            let (waiting, others) = self
                .orphans
                .iter()
                .partition(|(orphan, _)| entries[*orphan].parent == parent);
            self.orphans = others;
            let waiting: Vec<(usize, Option<Mutation>)> = waiting;
            for (orphan, mutation) in waiting {
                joined.push((self.entries[orphan].hash, self.accept(orphan, mutation)));
                parents.push_back(orphan);
            }
        }
        joined
    }

    /// What is wrong with a copy of the block that has other witnesses.
    fn witness_fault(&self, index: usize) -> &'static str {
        match is_committed(&self.entries[index].block) {
            true => "bad-witness-nonce-size",
            false => "unexpected-witness",
        }
    }

    fn accept(&mut self, index: usize, mutation: Option<Mutation>) -> Answer {
        if mutation == Some(Mutation::Cut) {
            return Answer::refused("Block decode failed");
        }
        let entry = &self.entries[index];
        let (parent, flaw) = (entry.parent, entry.flaw);
        if entry.arrival.is_some()
            && (entry.progress >= Progress::Stored || entry.failure.is_some())
        {
            return match self.status(index) {
                ChainStatus::Invalid => Answer::refused("duplicate-invalid"),
                _ => Answer::refused("duplicate"),
            };
        }
        if mutation == Some(Mutation::Repeated) {
            let count = entry.block.txdata.len();
            // The last of an odd number of leaves counts twice anyway, but for the only one.
            return match count > 1 && count % 2 == 1 {
                true => Answer::refused("bad-txns-duplicate"),
                false => Answer::refused("bad-txnmrklroot"),
            };
        }
        if self.entries[parent].arrival.is_none() {
            // A copy with other witnesses must not take the place of the block itself.
            let kept = mutation != Some(Mutation::Witness);
            if kept && !self.orphans.iter().any(|(orphan, _)| *orphan == index) {
                self.orphans.push((index, mutation));
                self.deliver(index);
            }
            return Answer::refused("prev-blk-not-found");
        }
        if self.entries[index].arrival.is_none()
            && let Err(reason) = self.place(index)
        {
            return Answer::refused(reason);
        }
        if let Some(flaw) = flaw.filter(|flaw| flaw.stage() == Stage::Context) {
            self.condemn(index);
            return Answer::refused(flaw.reason());
        }
        if mutation == Some(Mutation::Witness) {
            return Answer::refused(self.witness_fault(index));
        }
        self.entries[index].progress = Progress::Stored;
        self.deliver(index);
        if self.entries[parent].sequence == 0 {
            return self.accepted(index);
        }
        self.complete(index);
        if self.entries[parent].live && !self.connect(index) {
            return Answer::refused(self.failure_of(index));
        }
        self.connect_waiting_children(index);
        self.choose_best();
        match self.entries[index].failure {
            Some(_) => Answer::refused(self.failure_of(index)),
            None => self.accepted(index),
        }
    }

    /// The block's bytes are kept from now on, if they were not before.
    fn deliver(&mut self, index: usize) {
        if self.entries[index].delivery.is_none() {
            self.entries[index].delivery = Some(self.deliveries);
            self.deliveries += 1;
        }
    }

    fn accepted(&self, index: usize) -> Answer {
        Answer::Accepted(self.status(index), index == self.best)
    }

    fn failure_of(&self, index: usize) -> &'static str {
        let failed = self
            .ancestors(index)
            .find(|at| self.entries[*at].failure == Some(Failure::Itself));
        failed
            .and_then(|at| self.entries[at].flaw)
            .map_or("", Flaw::reason)
    }

    fn place(&mut self, index: usize) -> Result<(), &'static str> {
        let parent = self.entries[index].parent;
        if self.entries[parent].failure.is_some() {
            return Err("bad-prevblk");
        }
        match self.entries[index].flaw {
            Some(flaw) if flaw.stage() == Stage::Header => Err(flaw.reason()),
            _ => {
                self.entries[index].arrival = Some(self.arrivals);
                self.arrivals += 1;
                Ok(())
            }
        }
    }

    fn complete(&mut self, index: usize) {
        self.entries[index].sequence = self.sequence;
        self.sequence += 1;
    }

    /// Children in the tree, in order of arrival.
    fn children(&self, index: usize) -> Vec<usize> {
        let mut placed = self.placed();
        placed.retain(|child| *child != GENESIS && self.entries[*child].parent == index);
        placed
    }

    fn descendants(&self, index: usize) -> Vec<usize> {
        let mut found = self.children(index);
        let mut next = 0;
        while let Some(&at) = found.get(next) {
            found.extend(self.children(at));
            next += 1;
        }
        found
    }

    fn connect_waiting_children(&mut self, index: usize) {
        let mut parents = VecDeque::from([index]);
        while let Some(parent) = parents.pop_front() {
            // First seen is the block that came first, whatever header did: so Bitcoin Core.
            let mut children = self.children(parent);
            children.sort_by_key(|child| self.entries[*child].delivery);
            for child in children {
                let entry = &self.entries[child];
                if entry.progress != Progress::Stored
                    || entry.sequence != 0
                    || entry.failure.is_some()
                {
                    continue;
                }
                self.complete(child);
                if !self.entries[parent].live || self.connect(child) {
                    parents.push_back(child);
                }
            }
        }
    }

    /// Whether the block holds against the coins at its parent; if so it has a world now.
    fn connect(&mut self, index: usize) -> bool {
        let flawed = |flaw: Flaw| flaw.stage() == Stage::Connect;
        if self.entries[index].flaw.is_some_and(flawed) {
            self.condemn(index);
            return false;
        }
        self.entries[index].progress = Progress::Connected;
        self.entries[index].kept = true;
        self.come_to_life(index);
        if self.entries[index].height > self.entries[self.best].height {
            self.best = index;
        }
        true
    }

    fn condemn(&mut self, index: usize) {
        for descendant in self.descendants(index) {
            self.entries[descendant]
                .failure
                .get_or_insert(Failure::Ancestor);
        }
        self.entries[index].failure = Some(Failure::Itself);
    }

    /// Most work, first seen; on regtest every block has the same work.
    fn choose_best(&mut self) {
        loop {
            let complete = (0..self.entries.len()).filter(|index| {
                let entry = &self.entries[*index];
                entry.sequence != 0 && entry.failure.is_none()
            });
            let candidate = complete
                .max_by_key(|index| {
                    let entry = &self.entries[*index];
                    (entry.height, Reverse(entry.sequence))
                })
                .unwrap_or(GENESIS);
            if candidate == self.best {
                return;
            }
            let chain: HashSet<usize> = self.ancestors(self.best).collect();
            let mut missing: Vec<usize> = self
                .ancestors(candidate)
                .take_while(|at| !self.entries[*at].live && !chain.contains(at))
                .collect();
            missing.reverse();
            if missing.into_iter().all(|at| self.connect(at)) {
                self.best = candidate;
                return;
            }
        }
    }

    pub(super) fn come_to_life(&mut self, index: usize) {
        let entry = &mut self.entries[index];
        if !entry.live {
            entry.live = true;
            entry.lives += 1;
        }
    }

    /// Takes a block back, with all that is built on it; then [`NaiveLedger::commit`].
    pub fn invalidate(&mut self, index: usize) {
        self.condemn(index);
        self.choose_best();
    }

    /// Forgets that a block, its ancestors and descendants failed; then [`NaiveLedger::commit`].
    pub fn reconsider(&mut self, index: usize) {
        let mut family: Vec<usize> = self
            .ancestors(index)
            .filter(|at| *at == index || self.entries[*at].failure.is_some())
            .collect();
        family.reverse();
        family.extend(self.descendants(index));
        for member in &family {
            self.entries[*member].failure = None;
        }
        for member in family {
            let entry = &self.entries[member];
            let parent = &self.entries[entry.parent];
            if entry.progress != Progress::Stored || entry.failure.is_some() {
                continue;
            }
            let (parent_complete, parent_live) = (parent.sequence != 0, parent.live);
            if entry.sequence == 0 && parent_complete {
                self.complete(member);
            }
            if parent_live {
                self.connect(member);
            }
        }
        self.choose_best();
    }
}
