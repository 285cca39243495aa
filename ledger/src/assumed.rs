//! Owns the question whether a block's scripts may go unrun, because a known later block vouches for them.
//! Promises Bitcoin Core's answer: never above that block, off the best header chain, on a chain with too little
//! work, or with less than two weeks of work on top.
//! Refuses to skip any other rule.

use bitcoin::{BlockHash, Work};

use crate::id::BlockId;
use crate::params::Params;
use crate::tree::BlockTree;

#[cfg(test)]
mod tests;

/// Seconds of work, at the best header's difficulty, that must lie on a block whose scripts are not run: a block that
/// could be pressed upon users with the demand to assume it valid is out of reach for so long.
const MIN_SECONDS_ON_TOP: u64 = 14 * 24 * 60 * 60;

/// Whether the scripts of block `id` may go unrun, where `assumed` is the block that is assumed to be valid.
pub(crate) fn is_assumed_valid(
    tree: &BlockTree,
    id: BlockId,
    assumed: Option<BlockHash>,
    params: &Params,
) -> bool {
    // Not known, it vouches for nothing.
    let Some(assumed) = assumed.and_then(|hash| tree.find(&hash)) else {
        return false;
    };
    let best = tree.best_header();
    let height = tree.node(id).height;
    let below = |tip| tree.node(tip).height >= height && tree.ancestor(tip, height) == id;
    if !below(assumed) || !below(best) {
        return false;
    }
    let best = tree.node(best);
    best.chainwork >= params.minimum_chain_work
        && lies_deep(
            best.chainwork - tree.node(id).chainwork,
            best.header.work(),
            params.target_spacing,
        )
}

/// Whether `on_top` takes longer than [`MIN_SECONDS_ON_TOP`] where every block is `one` of work and takes `spacing`
/// seconds. Core divides and rounds down; so much time has passed when at least one second more has.
fn lies_deep(on_top: Work, one: Work, spacing: u32) -> bool {
    times(on_top, u64::from(spacing)) >= times(one, MIN_SECONDS_ON_TOP + 1)
}

/// The whole product: five limbs, the most significant first, so that they compare as numbers do.
fn times(work: Work, factor: u64) -> [u64; 5] {
    let mut product = [0; 5];
    let mut carry = 0u128;
    let bytes = work.to_le_bytes();
    for (place, chunk) in bytes.as_chunks::<8>().0.iter().enumerate() {
        let sum = u128::from(u64::from_le_bytes(*chunk)) * u128::from(factor) + carry;
        product[4 - place] = sum as u64;
        carry = sum >> 64;
    }
    product[0] = carry as u64;
    product
}
