//! Owns what lies above the base: every version of every coin and script balance that a live block made.
//! Promises that a version is seen from exactly the worlds on whose path its block lies, and that a reader waits for
//! the writer no longer than one change to one shard takes.
//! Refuses to know blocks or rules: it is a fat-node persistent map (Driscoll, Sarnak, Sleator, Tarjan 1989).
//!
//! ```text
//!   outpoint -> [(block, created | spent)]            overlay/coins.rs
//!   script   -> [(block, outpoint, running totals)]   overlay/scripts.rs
//!   visible from a world  <=>  world.path[height of block] == block
//! ```

mod coins;
mod scripts;
mod shards;
mod slab;
mod touched;

pub(crate) use coins::{CoinOverlay, OtherSpend, Seen};
pub(crate) use scripts::ScriptOverlay;

use crate::delta::Delta;
use crate::id::{BlockId, ScriptHash};
use crate::path::Path;

/// The two tables of versions.
pub(crate) struct Overlay {
    pub(crate) coins: CoinOverlay,
    pub(crate) scripts: ScriptOverlay,
}

impl Overlay {
    pub(crate) fn new() -> Overlay {
        Overlay {
            coins: CoinOverlay::new(),
            scripts: ScriptOverlay::new(),
        }
    }

    /// Enters the versions of one block, whose path is `path` and which is the last on it.
    /// No world sees them before a path with this block is handed out. Answers with the spends of the same coins by
    /// other blocks: of other branches, or of this one where a coin was made twice.
    pub(crate) fn apply(&self, block: BlockId, path: &Path, delta: &Delta) -> Vec<OtherSpend> {
        let others = self.coins.apply(block, path.height(), delta);
        self.scripts.apply(block, path, delta);
        others
    }

    /// Takes out the versions of a block that no world will see again.
    pub(crate) fn forget(&self, block: BlockId, delta: &Delta) {
        self.forget_coins(block, delta);
        for script in scripts_of(delta) {
            self.scripts.forget(&script, block);
        }
    }

    /// Takes out the versions of a block that the base now holds; the lowest block first.
    pub(crate) fn settle(&self, block: BlockId, delta: &Delta) {
        self.forget_coins(block, delta);
        for script in scripts_of(delta) {
            self.scripts.settle(&script, block);
        }
    }

    fn forget_coins(&self, block: BlockId, delta: &Delta) {
        for (outpoint, _) in delta.spent.iter().chain(&delta.created) {
            self.coins.forget(*outpoint, block);
        }
    }

    /// Enters the versions of blocks that the base is about to give back, before everything above them.
    /// `undone` goes from the highest block down.
    pub(crate) fn unsettle(&self, block: BlockId, height: u32, delta: &Delta) {
        // The inverse of `apply`: later entries of the delta are entered first, since each goes to the front.
        for (outpoint, coin) in delta.created.iter().rev() {
            self.coins.uncreate(*outpoint, coin, block);
        }
        for (outpoint, _) in delta.spent.iter().rev() {
            self.coins.unspend(*outpoint, block, height);
        }
        self.scripts.unsettle(block, height, delta);
    }
}

/// The scripts a delta touches, each once: one with a thousand changes in a block is gone through once.
fn scripts_of(delta: &Delta) -> Vec<ScriptHash> {
    let touched = delta.spent.iter().chain(&delta.created);
    let mut scripts: Vec<ScriptHash> = touched
        .map(|(_, coin)| ScriptHash::of(&coin.script_pubkey))
        .collect();
    scripts.sort_unstable();
    scripts.dedup();
    scripts
}

#[cfg(test)]
mod tests;
