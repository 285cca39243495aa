//! Owns the choice of the best world, and the way to it where it has no world yet.
//! Promises that a branch that fails on the way is condemned and the next best one is tried.

use std::collections::HashSet;

use super::base::base_limit;
use super::group::Group;
use crate::chain_status::INVALIDATED_BY_HAND;
use crate::delta::Delta;
use crate::id::BlockId;
use crate::rules::reject::Reject;
use crate::store::StoreError;
use crate::tree::{Failure, Progress};
use crate::world::WorldState;

impl Group<'_> {
    /// Gives the block a world and, when it has the most work, makes it the best one. It must be complete down to
    /// genesis; the branch may leave the best chain behind the horizon or below the base.
    pub(super) fn activate(&mut self, target: BlockId) -> Result<Result<(), Reject>, StoreError> {
        let mut missing = Vec::new();
        let mut fork = target;
        while self.world(fork).is_none() && !self.best.path.holds(self.node(fork).height, fork) {
            missing.push(fork);
            fork = self.node(fork).parent.unwrap_or(BlockId::GENESIS);
        }
        let fork_height = self.node(fork).height;
        if self.world(fork).is_none() {
            self.lower_base(base_limit(fork_height))?;
        }
        tracing::info!(
            blocks = missing.len(),
            fork_height,
            "validating a branch from behind the horizon"
        );
        if let Err(reject) = self.connect_all(missing)? {
            return Ok(Err(reject));
        }
        if self.world(target).is_none() {
            let path = self.best.path.truncated(fork_height);
            let node = self.node(target);
            self.stage(
                WorldState::new(target, node.hash, node.chainwork, path),
                Delta::default(),
            );
        }
        Ok(Ok(()))
    }

    /// Whether there is no way to the block, because blocks that it takes are pruned: then the first block on that way
    /// that cannot be had, with all that is built on it.
    pub(super) fn out_of_reach(&mut self, target: BlockId) -> Result<Option<BlockId>, StoreError> {
        let pruned_floor = self.shared.pruned_floor();
        if pruned_floor == 0 {
            return Ok(None);
        }
        let (mut first, mut fork) = (target, target);
        let mut missing = None;
        while self.world(fork).is_none()
            && !self
                .best
                .path
                .holds(self.look(fork, |node| node.height), fork)
        {
            let node = self.node(fork);
            if node.position.is_none() && self.writer().delta(node.height, fork)?.is_none() {
                missing = Some(fork);
            }
            first = fork;
            fork = node.parent.unwrap_or(BlockId::GENESIS);
        }
        let height = self.look(fork, |node| node.height);
        let too_deep = self.world(fork).is_none() && height < pruned_floor;
        let barred = if too_deep { Some(first) } else { missing };
        if let Some(first) = barred {
            let hash = self.shared.hash(first);
            tracing::error!(
                %hash,
                height = height + 1,
                "a branch with more work than the best chain cannot be followed: blocks that it takes are pruned; \
                 import all blocks into a new data directory"
            );
        }
        Ok(barred)
    }

    /// Connects blocks from the last of the list to the first.
    fn connect_all(&mut self, mut blocks: Vec<BlockId>) -> Result<Result<(), Reject>, StoreError> {
        while let Some(id) = blocks.pop() {
            if self.take_back(id)? {
                continue;
            }
            let block = self.read_block(id)?;
            if let Err(reject) = self.connect(id, &block)? {
                self.condemn(id, Failure::Rule, &reject)?;
                return Ok(Err(reject));
            }
            if self.is_long() {
                self.flush()?;
            }
        }
        Ok(Ok(()))
    }

    /// Takes a block back by hand, with all that is built on it.
    pub(super) fn invalidate(&mut self, id: BlockId) -> Result<(), StoreError> {
        let by_hand = Reject::consensus(INVALIDATED_BY_HAND, "");
        self.condemn(id, Failure::ByHand, &by_hand)?;
        self.choose_best()
    }

    /// Forgets that a block, its ancestors and its descendants failed, and checks again those that were never
    /// connected.
    pub(super) fn reconsider(&mut self, id: BlockId) -> Result<(), StoreError> {
        let family = {
            let mut tree = self.shared.tree.write();
            let mut ancestors = vec![id];
            while let Some(parent) = ancestors.last().and_then(|last| tree.node(*last).parent) {
                ancestors.push(parent);
            }
            ancestors.reverse();
            let mut family: Vec<BlockId> = ancestors
                .into_iter()
                .filter(|ancestor| *ancestor == id || tree.node(*ancestor).failed())
                .collect();
            family.extend(tree.descendants(id));
            for member in &family {
                if tree.node(*member).failed() {
                    tree.update(*member, |node| {
                        node.failure = None;
                        node.rejection = None;
                    });
                }
            }
            tree.find_best_header();
            family
        };
        for member in family {
            let node = self.node(member);
            let Some(parent) = node.parent else { continue };
            if node.progress != Progress::Stored || node.failed() {
                continue;
            }
            // It may have been invalid when the last of its ancestors' blocks came.
            if node.sequence == 0 && self.node(parent).sequence != 0 {
                self.complete(member);
            }
            if self.world(parent).is_some() {
                let block = self.read_block(member)?;
                if let Err(reject) = self.connect(member, &block)? {
                    self.condemn(member, Failure::Rule, &reject)?;
                }
            }
        }
        self.choose_best()
    }

    /// Makes the block with the most work the best world, the first seen among equals.
    pub(super) fn choose_best(&mut self) -> Result<(), StoreError> {
        let mut out_of_reach: HashSet<BlockId> = HashSet::new();
        loop {
            let passes = |id| !out_of_reach.contains(&id);
            let candidate = self.shared.tree.read().best_candidate(passes);
            let candidate = candidate.ok_or_else(|| {
                StoreError::corrupt("headers", "every branch needs blocks that are pruned")
            })?;
            if candidate == self.best.id {
                return Ok(());
            }
            if let Some(first) = self.out_of_reach(candidate)? {
                out_of_reach.insert(first);
                out_of_reach.extend(self.shared.tree.read().descendants(first));
                continue;
            }
            // A failure condemns the block, so the next round finds another candidate: this ends.
            if self.world(candidate).is_none() && self.activate(candidate)?.is_err() {
                continue;
            }
            if let Some(world) = self.world(candidate) {
                self.make_best(world)?;
            }
            return Ok(());
        }
    }
}
