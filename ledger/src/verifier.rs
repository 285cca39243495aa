//! Owns the running of a block's scripts: every input over all cores, each transaction once over all worlds.
//! Promises that the failure it names is the first in the block's order.
//! Refuses to know the chain: which rules hold is told by the flags.

use std::collections::HashSet;

use bitcoin::Wtxid;
use everett_script::{Flags, PreparedTransaction, SpentOutput};
use parking_lot::Mutex;
use rayon::prelude::*;

use crate::coin::Coin;
use crate::rules::{BlockScripts, ScriptCheck, ScriptFailure};

/// Transactions remembered in each of two generations, about 50 bytes each.
const MAX_REMEMBERED: usize = 500_000;

/// Runs scripts with [`everett_script`], in parallel, and remembers what passed.
///
/// A transaction that passed in one world is not run again in another: its wtxid names its scripts, its witnesses
/// and, through the transactions it spends, all that they are held against.
#[derive(Default)]
pub struct ScriptVerifier {
    passed: Mutex<Passed>,
}

/// What passed, in two generations: when the younger one is full it becomes the older, which is forgotten.
#[derive(Default)]
struct Passed {
    younger: HashSet<(Wtxid, Flags)>,
    older: HashSet<(Wtxid, Flags)>,
}

impl Passed {
    fn contains(&self, key: &(Wtxid, Flags)) -> bool {
        self.younger.contains(key) || self.older.contains(key)
    }

    fn insert(&mut self, key: (Wtxid, Flags)) {
        if self.younger.len() >= MAX_REMEMBERED {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(key);
    }
}

impl ScriptVerifier {
    /// With nothing remembered.
    pub fn new() -> ScriptVerifier {
        ScriptVerifier::default()
    }
}

impl ScriptCheck for ScriptVerifier {
    fn check(&self, block: BlockScripts<'_>) -> Result<(), ScriptFailure> {
        let unknown: Vec<usize> = {
            let passed = self.passed.lock();
            let new =
                |index: &usize| !passed.contains(&(block.transactions[*index].wtxid, block.flags));
            (0..block.transactions.len())
                .filter(|index| !block.spent.of(*index).is_empty())
                .filter(new)
                .collect()
        };
        let spent: Vec<Vec<SpentOutput<'_>>> = unknown
            .iter()
            .map(|index| outputs(block.spent.of(*index)))
            .collect();
        let mut prepared = Vec::with_capacity(unknown.len());
        for (index, spent) in unknown.iter().zip(&spent) {
            let transaction = PreparedTransaction::new(&block.transactions[*index].tx, spent);
            let failure = |error: everett_script::SpentOutputCount| ScriptFailure {
                transaction: *index,
                input: 0,
                text: error.to_string(),
            };
            prepared.push((*index, transaction.map_err(failure)?));
        }
        let failure = prepared
            .par_iter()
            .flat_map(|(index, transaction)| {
                let inputs = (0..transaction.spent_outputs().len()).into_par_iter();
                inputs.map(move |input| (*index, transaction, input))
            })
            .find_map_first(|(index, transaction, input)| {
                let error = transaction.verify_input(input, block.flags).err()?;
                Some(ScriptFailure {
                    transaction: index,
                    input,
                    text: error.to_string(),
                })
            });
        if let Some(failure) = failure {
            return Err(failure);
        }
        let mut passed = self.passed.lock();
        for index in unknown {
            // Also a signet solution: through the transaction it spends, its id names the block and the challenge.
            passed.insert((block.transactions[index].wtxid, block.flags));
        }
        Ok(())
    }
}

fn outputs(coins: &[Coin]) -> Vec<SpentOutput<'_>> {
    coins
        .iter()
        .map(|coin| SpentOutput {
            amount: coin.amount,
            script_pubkey: &coin.script_pubkey,
        })
        .collect()
}
