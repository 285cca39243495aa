//! Owns what every block of every branch did to the wallet, and the states that follow from it.
//! Promises the state of any world by walking down its chain to the nearest state that is kept; how many are kept is bounded.
//! Refuses to decide which branches count: it answers for the world that it is asked for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Txid};
use everett_ledger::{Ledger, World};
use parking_lot::Mutex;

use super::state::State;
use super::touched::Touched;

/// Every so many blocks of a chain that did something a state is kept for good.
const STRIDE: u32 = 64;
/// States that are kept beside those, for the blocks asked for lately.
const MAX_RECENT: usize = 1_024;
/// Worlds whose state is remembered without a walk.
const MAX_WORLDS: usize = 256;

/// What every block of every branch did to the wallet.
#[derive(Default)]
pub(crate) struct Timeline {
    touched: HashMap<BlockHash, Arc<Touched>>,
    by_height: BTreeMap<u32, Vec<BlockHash>>,
    kept: Mutex<Kept>,
}

/// The last block that did something: its height, and itself.
type Last = (u32, BlockHash);

/// States by the last block that did something.
#[derive(Default)]
struct Kept {
    milestones: BTreeMap<Last, State>,
    recent: BTreeMap<Last, State>,
    /// By the world's tip.
    worlds: HashMap<BlockHash, State>,
}

impl Kept {
    fn find(&self, last: &Last) -> Option<State> {
        let found = self.recent.get(last);
        found.or_else(|| self.milestones.get(last)).cloned()
    }

    /// Forgets the states of a block and of those above it, of every branch.
    fn forget_from(&mut self, last: &Last) {
        for states in [&mut self.milestones, &mut self.recent] {
            // Others of the same height do not build upon it.
            states.remove(last);
            states.split_off(&(last.0 + 1, BlockHash::all_zeros()));
        }
        // Worlds that end above this block may have been empty there until now.
        self.worlds.clear();
    }

    fn keep(&mut self, last: Last, state: &State) {
        if state.blocks().is_multiple_of(STRIDE) {
            self.milestones.insert(last, state.clone());
        }
    }

    fn keep_last(&mut self, world: BlockHash, last: Option<Last>, state: &State) {
        // What goes is found again from the nearest milestone.
        if self.worlds.len() >= MAX_WORLDS {
            self.worlds.clear();
        }
        if self.recent.len() >= MAX_RECENT {
            self.recent.clear();
        }
        self.worlds.insert(world, state.clone());
        if let Some(last) = last {
            self.recent.insert(last, state.clone());
        }
    }
}

impl Timeline {
    /// Enters what a block did, in place of what was known of it.
    ///
    /// States of blocks above it that were already asked for are forgotten.
    pub(crate) fn enter(&mut self, touched: Touched) {
        let (hash, height) = (touched.hash, touched.height);
        if self.touched.insert(hash, Arc::new(touched)).is_none() {
            self.by_height.entry(height).or_default().push(hash);
        }
        self.kept.get_mut().forget_from(&(height, hash));
    }

    /// The blocks of every branch that have a transaction, or spend what it made.
    pub(crate) fn having(&self, txid: &Txid) -> impl Iterator<Item = &Touched> {
        let txid = *txid;
        let has = move |touched: &&Touched| {
            let mut transactions = touched.transactions.iter();
            let mut spent = touched.spent.iter();
            transactions.any(|(_, other)| *other == txid)
                || spent.any(|(outpoint, _)| outpoint.txid == txid)
        };
        self.touched.values().map(|touched| &**touched).filter(has)
    }

    /// The height of the lowest block, of every branch, that has one of some transactions.
    pub(crate) fn first_with(&self, txids: &HashSet<Txid>) -> Option<u32> {
        let has = |hash: &BlockHash| {
            let touched = self.touched.get(hash);
            let mut transactions = touched.iter().flat_map(|touched| &touched.transactions);
            transactions.any(|(_, txid)| txids.contains(txid))
        };
        let mut heights = self.by_height.iter();
        heights
            .find(|(_, hashes)| hashes.iter().any(has))
            .map(|(height, _)| *height)
    }

    /// The blocks of a world's chain up to `height` that did something, the highest first.
    pub(crate) fn down_from<'a>(
        &'a self,
        world: &'a World,
        height: u32,
    ) -> impl Iterator<Item = &'a Arc<Touched>> + 'a {
        self.by_height
            .range(..=height)
            .rev()
            .filter_map(|(height, hashes)| {
                let on_chain = world.block_hash_at(*height)?;
                let hash = hashes.iter().find(|hash| **hash == on_chain)?;
                self.touched.get(hash)
            })
    }

    /// The blocks of the chain up to `tip` above a height that did something; also where that chain is no world any more.
    pub(crate) fn between<'a>(
        &'a self,
        ledger: &'a Ledger,
        tip: &'a BlockHash,
        above: u32,
    ) -> impl Iterator<Item = &'a Arc<Touched>> + 'a {
        self.by_height
            .range(above + 1..)
            .filter_map(move |(height, hashes)| {
                let on_chain = ledger.ancestor(tip, *height)?.hash;
                let hash = hashes.iter().find(|hash| **hash == on_chain)?;
                self.touched.get(hash)
            })
    }

    /// What the wallet has in a world.
    pub(crate) fn at(&self, world: &World) -> State {
        self.at_height(world, world.height())
    }

    /// What the wallet had at a block of a world's chain, also one that is too old to have a world of its own.
    pub(crate) fn at_height(&self, world: &World, height: u32) -> State {
        let Some(tip) = world.block_hash_at(height) else {
            return self.at(world);
        };
        let mut kept = self.kept.lock();
        if let Some(state) = kept.worlds.get(&tip) {
            return state.clone();
        }
        let mut replay: Vec<&Arc<Touched>> = Vec::new();
        let mut state = State::default();
        for touched in self.down_from(world, height) {
            if let Some(found) = kept.find(&(touched.height, touched.hash)) {
                state = found;
                break;
            }
            replay.push(touched);
        }
        let mut last = None;
        for touched in replay.into_iter().rev() {
            state = state.after(touched);
            let block = (touched.height, touched.hash);
            kept.keep(block, &state);
            last = Some(block);
        }
        kept.keep_last(tip, last, &state);
        state
    }
}

#[cfg(test)]
mod tests;
