//! Owns the blocks that came before an ancestor's: how they are let in once that one is here.
//! Promises Bitcoin Core's order: first seen is who was complete first, and of those that one block completes, who came
//! first. Promises bounded memory: where they change many coins, they are committed in parts.

use std::collections::VecDeque;

use super::group::Group;
use crate::id::BlockId;
use crate::store::StoreError;
use crate::submission::Outcome;
use crate::tree::{Failure, Progress};

impl Group<'_> {
    /// Lets in blocks whose headers came first and whose parents' blocks came late, now that `id` is complete. Answers
    /// with the block of most work among them and `id` that is complete and not known to be invalid.
    pub(super) fn let_in_waiting(&mut self, id: BlockId) -> Result<BlockId, StoreError> {
        let mut heaviest = id;
        // All of them are complete before the first is connected: if a part of them is committed and the rest is not,
        // the next start finds the rest.
        for child in self.complete_waiting(id) {
            if self.look(child, |node| node.failed()) {
                continue;
            }
            let outcome = self.connect_complete(child)?;
            self.completed.push((self.shared.hash(child), outcome));
            if !self.look(child, |node| node.failed())
                && self.look(child, |node| node.chainwork)
                    > self.look(heaviest, |node| node.chainwork)
            {
                heaviest = child;
            }
            if self.is_long() {
                self.flush()?;
            }
        }
        Ok(heaviest)
    }

    /// Marks as complete what stands on `id` and has its bytes here; each after its parent.
    fn complete_waiting(&mut self, id: BlockId) -> Vec<BlockId> {
        let mut parents = VecDeque::from([id]);
        let mut completed = Vec::new();
        while let Some(parent) = parents.pop_front() {
            let mut children: Vec<(_, BlockId)> = {
                let tree = self.shared.tree.read();
                let waiting = tree.node(parent).children().iter().copied();
                waiting
                    .filter(|child| {
                        let node = tree.node(*child);
                        node.progress == Progress::Stored && node.sequence == 0 && !node.failed()
                    })
                    .map(|child| (tree.node(child).position, child))
                    .collect()
            };
            // Those stand in the order of their headers; what counts as first seen is the block.
            children.sort_unstable();
            for (_, child) in children {
                self.complete(child);
                completed.push(child);
                parents.push_back(child);
            }
        }
        completed
    }

    /// Connects a complete block from its file, if its parent has a world.
    fn connect_complete(&mut self, id: BlockId) -> Result<Outcome, StoreError> {
        let parent = self.look(id, |node| node.parent.unwrap_or(BlockId::GENESIS));
        if self.world(parent).is_some() {
            let block = self.read_block(id)?;
            if let Err(reject) = self.connect(id, &block)? {
                self.condemn(id, Failure::Rule, &reject)?;
                return Ok(Outcome::Rejected {
                    hash: block.hash,
                    height: Some(self.look(id, |node| node.height)),
                    reject,
                });
            }
        }
        self.accepted(id)
    }

    /// Connects what was complete when a commit in parts was cut short, on every branch inside the horizon. Looks at
    /// every block.
    pub(super) fn connect_left_over(&mut self) -> Result<(), StoreError> {
        let mut left: Vec<(u64, BlockId)> = {
            let tree = self.shared.tree.read();
            tree.all_ids()
                .filter_map(|id| {
                    let node = tree.node(id);
                    let stored = node.progress == Progress::Stored && node.sequence != 0;
                    (stored && !node.failed()).then_some((node.sequence, id))
                })
                .collect()
        };
        // So parents come before their children.
        left.sort_unstable();
        for (_, id) in left {
            if self.look(id, |node| {
                node.failed() || node.progress != Progress::Stored
            }) {
                continue;
            }
            self.connect_complete(id)?;
            if self.is_long() {
                self.flush()?;
            }
        }
        Ok(())
    }
}
