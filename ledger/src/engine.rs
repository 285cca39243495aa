//! Owns the one writer: the street that every block walks, and the care of the worlds behind it.
//! Promises that what a reader sees was committed, and that a failed commit leaves memory as it was.
//! Refuses to run twice: it sits behind one mutex.
//!
//! ```text
//!   bytes -> decode -> check_block -> place in the tree -> check_in_context -> connect against the parent's world
//!         -> delta -> one transaction (headers, journal, outbox) -> published worlds          engine/street.rs, group.rs
//!   most work wins, first seen on a tie; branches from behind the horizon                     engine/activate.rs
//!   blocks that came before an ancestor's                                                     engine/waiting.rs
//!   coins that two branches spend in different transactions                                   engine/conflicts.rs, rivals.rs
//!   what of the outbox is kept, and who has acknowledged what                                 engine/outbox.rs
//!   block files that are not needed any more                                                  engine/prune.rs
//!   retirement, held worlds, checkpoints                                                      engine/tidy.rs, base.rs
//! ```

mod activate;
mod base;
mod conflicts;
mod group;
mod index;
mod open;
mod orphans;
mod outbox;
mod prune;
mod rivals;
mod staged;
mod stored;
mod street;
mod tidy;
mod waiting;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bitcoin::BlockHash;
use bitcoin::block::Header;

use crate::error::BlockError;
use crate::events::Retention;
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
use rivals::Rivals;

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
    /// What each block with versions in the overlay made and spent itself.
    rivals: Rivals,
    /// What is kept of the outbox.
    retention: Retention,
    /// Blocks that the base may lag behind before it is moved.
    checkpoint_interval: u32,
    /// Coin changes after which a long reorganisation commits a part.
    staged_changes: usize,
    /// Blocks before this one are in the transaction index.
    index_next: u32,
    /// Bytes of block files above which old ones are deleted; `None`: all stay.
    prune_target: Option<u64>,
    /// The highest limit that files were looked at for.
    prune_limit: u32,
    /// Whether such a part is all that was committed: the best world may not be the one with the most work, and
    /// complete blocks may wait for their worlds.
    unfinished: bool,
}

impl Engine {
    fn begin<'g>(&'g mut self, shared: &'g Shared) -> Result<Group<'g>, StoreError> {
        let unfinished = self.unfinished;
        let mut group = Group::begin(self, shared)?;
        if unfinished {
            group.choose_best()?;
            group.connect_left_over()?;
        }
        Ok(group)
    }

    pub(crate) fn submit(
        &mut self,
        blocks: &[impl AsRef<[u8]>],
        sound: Option<&mut dyn FnMut(BlockHash)>,
    ) -> Result<Vec<Submitted>, StoreError> {
        let shared = self.shared.clone();
        let mut group = self.begin(&shared)?;
        if let Some(sound) = sound {
            group.sound = Some(sound);
        }
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
        let mut group = self.begin(&shared)?;
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

    /// The block that is to be taken back, if it can be.
    pub(crate) fn may_invalidate(&self, hash: &BlockHash) -> Result<BlockId, BlockError> {
        let id = self.find(hash)?;
        if id == BlockId::GENESIS {
            return Err(BlockError::Genesis);
        }
        self.must_find_the_way_below(id)?;
        Ok(id)
    }

    pub(crate) fn invalidate(&mut self, hash: &BlockHash) -> Result<(), BlockError> {
        let id = self.may_invalidate(hash)?;
        let shared = self.shared.clone();
        let mut group = self.begin(&shared)?;
        group.invalidate(id)?;
        group.commit()?;
        self.tidy();
        Ok(())
    }

    pub(crate) fn reconsider(&mut self, hash: &BlockHash) -> Result<(), BlockError> {
        let id = self.find(hash)?;
        let shared = self.shared.clone();
        let mut group = self.begin(&shared)?;
        group.reconsider(id)?;
        group.commit()?;
        self.tidy();
        Ok(())
    }

    pub(crate) fn prefer(&mut self, hash: &BlockHash) -> Result<(), BlockError> {
        let id = self.find(hash)?;
        let shared = self.shared.clone();
        {
            let mut tree = shared.tree.write();
            let best = shared.best().chainwork;
            if tree.node(id).chainwork < best {
                return Ok(());
            }
            tree.prefer(id, best);
        }
        let mut group = self.begin(&shared)?;
        group.choose_best()?;
        group.commit()?;
        self.tidy();
        Ok(())
    }

    /// Where a block of the best chain is to be taken back, what it did to the base must be known.
    fn must_find_the_way_below(&self, id: BlockId) -> Result<(), BlockError> {
        let tree = self.shared.tree.read();
        let worlds = self.shared.worlds.read();
        let node = tree.node(id);
        let on_best = worlds.best.path.holds(node.height, id);
        let parent = node.parent.unwrap_or(BlockId::GENESIS);
        let pruned_below = self.shared.pruned_below.load(Ordering::Acquire);
        if !on_best || worlds.live.contains_key(&parent) || node.height > self.shared.pruned_floor()
        {
            return Ok(());
        }
        Err(BlockError::PrunedAbove {
            hash: node.hash,
            height: node.height,
            pruned_below,
        })
    }

    pub(crate) fn orphans(&self) -> impl Iterator<Item = (BlockHash, BlockHash)> + '_ {
        self.orphans.iter()
    }

    fn find(&self, hash: &BlockHash) -> Result<BlockId, BlockError> {
        self.shared
            .tree
            .read()
            .find(hash)
            .ok_or(BlockError::Unknown { hash: *hash })
    }
}

#[cfg(test)]
mod tests;
