//! Owns pruning: which block files may go, and how they do.
//! Promises that no block goes that could still be needed to validate a branch inside the horizon, to go back to one, or
//! to go forward to one with more work than the best; and that rows go first and the file after, so that a crash leaves
//! at most a file too many, which the next start removes.
//! Refuses to touch anything that is no block file but the undo rows of blocks that went.
//!
//! ```text
//!   height  0 ........ pruned_below ....... limit .... base ........ floor ......... best
//!           |  gone    |  in files that stay   |  288 blocks or more: all of them stay  |
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use super::Engine;
use crate::id::BlockId;
use crate::shared::Shared;
use crate::store::{StoreError, failpoint};
use crate::tree::{BlockTree, Progress};
use crate::world::WorldState;

/// Blocks below the best tip that always stay: two days of them, which every node is expected to serve (BIP159).
pub(super) const MIN_BLOCKS_KEPT: u32 = 288;

/// Row of `meta` with [`Shared::pruned_below`].
pub(super) const PRUNED_BELOW: &str = "pruned-below";

impl Engine {
    /// Deletes the oldest block files that are not needed, while all of them together are above the target.
    pub(super) fn prune(&mut self) -> Result<(), StoreError> {
        let Some(target) = self.prune_target else {
            return Ok(());
        };
        let shared = self.shared.clone();
        let best = shared.best();
        let base = shared.store.read()?.base()?;
        let limit = base
            .height
            .min(best.height().saturating_sub(MIN_BLOCKS_KEPT));
        // Only a higher limit can make more files ready to go.
        if limit <= self.prune_limit {
            return Ok(());
        }
        let mut files = shared.store.read()?.block_files()?;
        let mut total: u64 = files.iter().map(|(_, length)| length).sum();
        // The last one is being written.
        files.pop();
        if total <= target || files.is_empty() {
            return Ok(());
        }
        let contents = self.contents(&best, limit);
        for (file, length) in files {
            if total <= target {
                return Ok(());
            }
            if contents.needed.contains(&file) {
                continue;
            }
            let blocks = contents.blocks.get(&file).map_or(&[][..], Vec::as_slice);
            prune_file(&shared, &best, file, blocks)?;
            total -= length;
        }
        self.prune_limit = limit;
        Ok(())
    }

    /// What lies in which file. Looks at every block.
    fn contents(&self, best: &WorldState, limit: u32) -> Contents {
        let mut contents = Contents::default();
        for position in self.orphans.positions() {
            contents.needed.insert(position.file);
        }
        let tree = self.shared.tree.read();
        // Ends of branches that would become the best one, if only they were validated.
        let heavier: Vec<BlockId> = tree
            .leaves()
            .filter(|leaf| {
                let node = tree.node(*leaf);
                !node.failed() && node.chainwork > best.chainwork
            })
            .collect();
        let holds = |leaf: &BlockId, height: u32, id: BlockId| {
            tree.node(*leaf).height >= height && tree.ancestor(*leaf, height) == id
        };
        for id in tree.ids() {
            let node = tree.node(id);
            let Some(position) = node.position else {
                continue;
            };
            let sound_rival = !node.failed() && !best.path.holds(node.height, id);
            let needed = node.height > limit
                || sound_rival && heavier.iter().any(|leaf| holds(leaf, node.height, id));
            match needed {
                true => drop(contents.needed.insert(position.file)),
                false => contents.blocks.entry(position.file).or_default().push(id),
            }
        }
        contents
    }
}

/// Blocks by file.
#[derive(Default)]
struct Contents {
    /// Files with a block that must stay.
    needed: HashSet<u32>,
    /// The others' blocks.
    blocks: HashMap<u32, Vec<BlockId>>,
}

fn prune_file(
    shared: &Shared,
    best: &WorldState,
    file: u32,
    blocks: &[BlockId],
) -> Result<(), StoreError> {
    let mut writer = shared.store.write()?;
    let below = {
        let mut tree = shared.tree.write();
        let on_best = blocks.iter().filter_map(|id| {
            let height = tree.node(*id).height;
            best.path.holds(height, *id).then_some(height + 1)
        });
        let below = on_best.fold(shared.pruned_below.load(Ordering::Acquire), u32::max);
        for id in blocks {
            forget_bytes(&mut tree, *id);
        }
        below
    };
    let written = {
        let tree = shared.tree.read();
        let mut changed: Vec<BlockId> = tree.changed().collect();
        changed.sort_unstable();
        let mut rows = changed.into_iter();
        rows.try_for_each(|id| writer.put_header(&tree.node(id).row(id)))
    };
    let committed = written.and_then(|()| {
        for id in blocks {
            writer.delete_undo(*id)?;
        }
        writer.put_meta_u64(PRUNED_BELOW, u64::from(below))?;
        writer.delete_block_file(file)?;
        writer.commit()
    });
    if let Err(error) = committed {
        shared.tree.write().rollback();
        return Err(error);
    }
    shared.tree.write().publish();
    shared.pruned_below.store(below, Ordering::Release);
    failpoint::reach(failpoint::PRUNE_POINT);
    tracing::info!(file, blocks = blocks.len(), below, "a block file is pruned");
    if let Err(error) = shared.store.remove_block_file(file) {
        tracing::warn!(%error, "a pruned block file could not be removed; the next start does it");
    }
    Ok(())
}

/// What a block is without its bytes: as it was, if it was validated; else only a header, and so it can come again.
fn forget_bytes(tree: &mut BlockTree, id: BlockId) {
    let validated = tree.node(id).progress == Progress::Connected;
    tree.update(id, |node| {
        node.position = None;
        if !validated {
            node.progress = Progress::Header;
            node.sequence = 0;
            node.tx_count = 0;
        }
    });
    if validated {
        return;
    }
    for above in tree.descendants(id) {
        if tree.node(above).sequence != 0 {
            tree.update(above, |node| node.sequence = 0);
        }
    }
}

#[cfg(test)]
mod tests;
