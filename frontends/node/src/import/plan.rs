//! Owns the order in which frames go to the ledger.
//! Promises file order, but for blocks that lie before their parent: those go right after it.
//! Refuses to drop any: blocks whose parent is nowhere come last.

use std::collections::{HashMap, HashSet};

use bitcoin::BlockHash;

use super::frames::Frame;

#[cfg(test)]
mod tests;

/// Indices of frames, in the order in which they go to the ledger.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Plan {
    /// Each one's parent is known when it comes.
    pub(super) ready: Vec<u32>,
    /// Each one's parent, or some ancestor, is neither in the files nor in the ledger.
    pub(super) strays: Vec<u32>,
}

/// Orders `frames`; `known` says which blocks the ledger has.
pub(super) fn plan(frames: &[Frame], known: impl Fn(&BlockHash) -> bool) -> Plan {
    let mut plan = Plan::default();
    let mut placed: HashSet<BlockHash> = HashSet::with_capacity(frames.len());
    let mut waiting: HashMap<BlockHash, Vec<u32>> = HashMap::new();
    for (index, frame) in (0u32..).zip(frames) {
        let parent_there = placed.contains(&frame.previous) || known(&frame.previous);
        if !parent_there && !known(&frame.hash) {
            waiting.entry(frame.previous).or_default().push(index);
            continue;
        }
        let mut next = vec![index];
        while let Some(index) = next.pop() {
            plan.ready.push(index);
            let hash = frames[index as usize].hash;
            if placed.insert(hash)
                && let Some(children) = waiting.remove(&hash)
            {
                // The stack turns them around: the first in the file comes first.
                next.extend(children.into_iter().rev());
            }
        }
    }
    plan.strays = waiting.into_values().flatten().collect();
    plan.strays.sort_unstable();
    plan
}
