//! Owns the way from one block to another through the block tree: what to take back, the fork, what to put on.
//! Promises steps that chain; a way longer than [`MAX_STEP_BLOCKS`] is cut into several.

use bitcoin::BlockHash;

use super::event::{Event, EventKind};
use crate::id::BlockId;
use crate::tree::BlockTree;

/// Most blocks that one made step takes back or puts on: 320 KB of hashes.
pub const MAX_STEP_BLOCKS: u32 = 10_000;

/// The first step of the way from one block to another; `None` if they are the same.
pub(super) fn step(tree: &BlockTree, from: BlockId, to: BlockId, time: u64) -> Option<Event> {
    if from == to {
        return None;
    }
    let height = |id: BlockId| tree.node(id).height;
    let hash = |id: BlockId| tree.node(id).hash;
    let fork = tree.fork_point(from, to);
    let mut room = MAX_STEP_BLOCKS;
    // Down from where we stand as far as there is room, then up as far as there is room left.
    let lowest = height(fork).max(height(from).saturating_sub(room));
    let undone = down(tree, from, lowest);
    room -= undone.len() as u32;
    let (turn, end) = match lowest == height(fork) {
        true => {
            let highest = height(to).min(height(fork) + room);
            (fork, tree.ancestor(to, highest))
        }
        false => {
            let turn = tree.ancestor(from, lowest);
            (turn, turn)
        }
    };
    let mut applied = down(tree, end, height(turn));
    applied.reverse();
    Some(Event {
        undone,
        applied,
        fork: hash(turn),
        ..Event::step(EventKind::BestChanged, hash(from), hash(end), time)
    })
}

/// The blocks from `id` down to above `height`.
fn down(tree: &BlockTree, id: BlockId, height: u32) -> Vec<BlockHash> {
    let mut hashes = Vec::with_capacity((tree.node(id).height - height) as usize);
    let mut at = id;
    while tree.node(at).height > height {
        hashes.push(tree.node(at).hash);
        at = tree.node(at).parent.unwrap_or(BlockId::GENESIS);
    }
    hashes
}

#[cfg(test)]
mod tests;
