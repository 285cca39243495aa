//! Owns the seam behind which scripts are run.
//! Promises one call per block, after every other rule has passed, with all that a script can look at.
//! Refuses to know how scripts are run, on how many threads, or what is cached.

use std::ops::Range;

use bitcoin::{BlockHash, Wtxid};
use everett_script::Flags;

use crate::coin::Coin;
use crate::decode::DecodedTransaction;

/// The coins that a block's inputs spend, in the order of the inputs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SpentCoins {
    coins: Vec<Coin>,
    ends: Vec<usize>,
}

impl SpentCoins {
    /// With room for as many transactions and inputs.
    pub fn with_capacity(transactions: usize, inputs: usize) -> SpentCoins {
        SpentCoins {
            coins: Vec::with_capacity(inputs),
            ends: Vec::with_capacity(transactions),
        }
    }

    /// Adds the coins of the next transaction, one for each of its inputs (none for a coinbase).
    pub fn push_transaction(&mut self, coins: impl IntoIterator<Item = Coin>) {
        self.coins.extend(coins);
        self.ends.push(self.coins.len());
    }

    /// The coins of the transaction at `index`; empty for a coinbase. Panics if there is no such transaction.
    pub fn of(&self, index: usize) -> &[Coin] {
        &self.coins[self.range(index)]
    }

    /// All coins, in the order of the inputs.
    pub fn all(&self) -> &[Coin] {
        &self.coins
    }

    fn range(&self, index: usize) -> Range<usize> {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[index]
    }
}

/// The scripts of one block.
#[derive(Clone, Copy, Debug)]
pub struct BlockScripts<'a> {
    /// The block that they are in.
    pub block: BlockHash,
    /// Its transactions; inputs of those without spent coins (the coinbase) have no script to run.
    pub transactions: &'a [DecodedTransaction],
    /// What each input spends.
    pub spent: &'a SpentCoins,
    /// The rules to hold them to.
    pub flags: Flags,
}

/// A script that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptFailure {
    /// Index of the transaction in [`BlockScripts::transactions`].
    pub transaction: usize,
    /// Index of the input in the transaction.
    pub input: usize,
    /// Bitcoin Core's words for the script error, such as `Non-canonical DER signature`.
    pub text: String,
}

/// Runs scripts.
///
/// Also a signet block's solution is given to it, as a transaction by itself ([`super::signet`]).
pub trait ScriptCheck: Send + Sync {
    /// Runs all scripts of the block. Where several fail, any of them may be named.
    fn check(&self, scripts: BlockScripts<'_>) -> Result<(), ScriptFailure>;

    /// Takes somebody's word that the scripts of a transaction pass under `flags`, because they passed under these and
    /// more: every flag only forbids. Who keeps results need not run them again when a block has the transaction.
    ///
    /// `wtxid` names the scripts, the witnesses and, through the transactions it spends, all they are held against. It
    /// must not be said of a transaction whose scripts were not run: blocks would be accepted that are invalid.
    fn remember(&self, wtxid: Wtxid, flags: Flags) {
        let _ = (wtxid, flags);
    }
}

/// Runs no script: for blocks below one that is known to be valid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScriptsAssumedValid;

impl ScriptCheck for ScriptsAssumedValid {
    fn check(&self, _: BlockScripts<'_>) -> Result<(), ScriptFailure> {
        Ok(())
    }
}
