//! Owns the one writer: the street that every block walks, and the care of the worlds behind it.
//! Promises that what a reader sees was committed, and that a failed commit leaves memory as it was.
//! Refuses to run twice: it sits behind one mutex.
//!
//! ```text
//!   bytes -> decode -> check_block -> place in the tree -> check_in_context -> connect against the parent's world
//!         -> delta -> one transaction (headers, journal, outbox) -> published worlds          engine/group.rs
//!   most work wins, first seen on a tie; branches from behind the horizon                     engine/activate.rs
//!   retirement, held worlds, checkpoints                                                      engine/tidy.rs
//! ```

mod activate;
mod group;
mod open;
mod orphans;
mod tidy;

use std::collections::VecDeque;
use std::sync::Arc;

use bitcoin::BlockHash;
use bitcoin::block::Header;

use crate::error::BlockError;
use crate::id::BlockId;
use crate::path::Path;
use crate::rules::Reject;
use crate::shared::Shared;
use crate::store::StoreError;
use crate::submission::Submitted;
use crate::world::WorldState;

use group::Group;
pub(crate) use open::open;
use orphans::Orphans;
use tidy::{base_limit, rewind};

/// The writer's own state.
pub(crate) struct Engine {
    shared: Arc<Shared>,
    orphans: Orphans,
    /// The next block to become complete gets this; the first seen wins a tie of work.
    sequence: u64,
    /// No live branch forks off the best chain below this height; a lower bound.
    earliest_fork: u32,
    /// Worlds that left the live ones while somebody held them, oldest first.
    held: VecDeque<Arc<WorldState>>,
    /// Most worlds that may be held so.
    held_quota: usize,
    /// Blocks of retired branches whose versions and journal rows still wait to be dropped, each with a path that
    /// goes through it.
    retired: Vec<(BlockId, Path)>,
    /// Blocks that the base may lag behind before it is moved.
    checkpoint_interval: u32,
}

impl Engine {
    pub(crate) fn submit(
        &mut self,
        blocks: &[impl AsRef<[u8]>],
    ) -> Result<Vec<Submitted>, StoreError> {
        let shared = self.shared.clone();
        let mut group = Group::begin(self, &shared)?;
        let mut answers = Vec::with_capacity(blocks.len());
        for block in blocks {
            answers.push(group.submit(block.as_ref())?);
        }
        group.commit()?;
        self.tidy();
        Ok(answers)
    }

    pub(crate) fn submit_headers(
        &mut self,
        headers: &[Header],
    ) -> Result<Result<(), (usize, Reject)>, StoreError> {
        let shared = self.shared.clone();
        let mut group = Group::begin(self, &shared)?;
        let mut verdict = Ok(());
        for (index, header) in headers.iter().enumerate() {
            if let Err(reject) = group.submit_header(header)? {
                verdict = Err((index, reject));
                break;
            }
        }
        group.commit()?;
        self.tidy();
        Ok(verdict)
    }

    pub(crate) fn invalidate(&mut self, hash: &BlockHash) -> Result<(), BlockError> {
        let id = self.find(hash)?;
        if id == BlockId::GENESIS {
            return Err(BlockError::Genesis);
        }
        let shared = self.shared.clone();
        // Before anything changes: a lower base than needed is always right, a higher one never.
        let height = shared.tree.read().node(id).height;
        if shared.best().path.holds(height, id) {
            rewind(&shared, base_limit(shared.window_floor(height - 1)))?;
        }
        let mut group = Group::begin(self, &shared)?;
        group.invalidate(id)?;
        group.commit()?;
        self.tidy();
        Ok(())
    }

    pub(crate) fn reconsider(&mut self, hash: &BlockHash) -> Result<(), BlockError> {
        let id = self.find(hash)?;
        let shared = self.shared.clone();
        let mut group = Group::begin(self, &shared)?;
        group.reconsider(id)?;
        group.commit()?;
        self.tidy();
        Ok(())
    }

    pub(crate) fn orphans(&self) -> impl Iterator<Item = (BlockHash, BlockHash)> + '_ {
        self.orphans.iter()
    }

    /// Makes the best block the best one, if the last run ended while it was on its way there.
    fn resume(&mut self) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        if shared.tree.read().best_candidate() == shared.best().id {
            return Ok(());
        }
        let mut group = Group::begin(self, &shared)?;
        group.choose_best()?;
        group.commit()?;
        self.tidy();
        Ok(())
    }

    fn find(&self, hash: &BlockHash) -> Result<BlockId, BlockError> {
        self.shared
            .tree
            .read()
            .find(hash)
            .ok_or(BlockError::Unknown { hash: *hash })
    }
}
