//! Owns the question whether blocks are about the best chain.
//! Promises an answer from headers alone, in which only what has its proof of work counts.
//! Refuses to judge blocks: that is for the rules.

use std::collections::HashMap;

use bitcoin::{BlockHash, Work};

use crate::decode::decode_header;
use crate::rules::check_proof_of_work;
use crate::shared::Shared;

/// What somebody who waits to write brings. The smaller goes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Urgency {
    /// What can change the best world, or is asked for by hand.
    Best,
    /// Blocks of other branches.
    Side,
}

impl Urgency {
    /// [`Urgency::Best`] if one of the blocks continues the best chain or a chain with more work.
    pub(crate) fn of(shared: &Shared, blocks: &[impl AsRef<[u8]>]) -> Urgency {
        let best = shared.best().id;
        let tree = shared.tree.read();
        let best_work = tree.node(best).chainwork;
        let mut in_group: HashMap<BlockHash, Work> = HashMap::new();
        for block in blocks {
            let Ok((header, hash)) = decode_header(block.as_ref()) else {
                continue;
            };
            let known = || {
                let parent = tree.node(tree.find(&header.prev_blockhash)?);
                (!parent.failed()).then_some(parent.chainwork)
            };
            let parent = in_group.get(&header.prev_blockhash).copied();
            let Some(parent) = parent.or_else(known) else {
                continue;
            };
            if check_proof_of_work(&header, &shared.params).is_err() {
                continue;
            }
            let work = parent + header.work();
            if work > best_work {
                return Urgency::Best;
            }
            in_group.insert(hash, work);
        }
        Urgency::Side
    }
}
