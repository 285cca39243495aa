//! Owns the running of a block's scripts: every input over all cores, each transaction once over all worlds.
//! Promises that the failure it names is the first in the block's order.
//! Refuses to know the chain: which rules hold is told by the flags.

use std::collections::HashSet;
use std::thread::available_parallelism;

use bitcoin::Wtxid;
use everett_script::{Flags, PreparedTransaction, SpentOutput};
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use thiserror::Error;

use crate::coin::Coin;
use crate::rules::{BlockScripts, ScriptCheck, ScriptFailure};

/// Transactions remembered in each of two generations, about 50 bytes each.
const MAX_REMEMBERED: usize = 500_000;
/// Up to so many inputs are run where they are: waking other threads takes as long as a signature.
const FEW_INPUTS: usize = 2;
/// Most threads that scripts are run on, however many are asked for.
pub const MAX_SCRIPT_THREADS: usize = 256;

/// Runs scripts with [`everett_script`], in parallel, and remembers what passed.
///
/// A transaction that passed in one world is not run again in another: its wtxid names its scripts, its witnesses
/// and, through the transactions it spends, all that they are held against.
#[derive(Default)]
pub struct ScriptVerifier {
    passed: Mutex<Passed>,
    /// Threads of its own; without, those that the process shares: one for each core.
    threads: Option<ThreadPool>,
}

/// The threads that scripts were to run on cannot be started.
#[derive(Debug, Error)]
#[error("{threads} threads for scripts cannot be started: {source}; ask for fewer")]
pub struct ThreadsError {
    /// How many were asked for.
    pub threads: usize,
    /// What the system says.
    source: ThreadPoolBuildError,
}

/// What passed, in two generations: when the younger one is full it becomes the older, which is forgotten.
#[derive(Default)]
struct Passed {
    younger: HashSet<(Wtxid, Flags), RandomState>,
    older: HashSet<(Wtxid, Flags), RandomState>,
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
    /// With nothing remembered, on all cores.
    pub fn new() -> ScriptVerifier {
        ScriptVerifier::default()
    }

    /// With nothing remembered, on as many threads as Bitcoin Core's `-par=par`: so many, or all cores for 0, or all
    /// but so many for a negative number; at least one, at most [`MAX_SCRIPT_THREADS`].
    pub fn with_par(par: i32) -> Result<ScriptVerifier, ThreadsError> {
        if par == 0 {
            return Ok(ScriptVerifier::new());
        }
        let cores = available_parallelism().map_or(1, usize::from);
        let threads = threads(par, cores);
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("scripts-{index}"))
            .build()
            .map_err(|source| ThreadsError { threads, source })?;
        Ok(ScriptVerifier {
            passed: Mutex::default(),
            threads: Some(pool),
        })
    }

    fn on_threads<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.threads {
            Some(pool) => pool.install(work),
            None => work(),
        }
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
        if unknown.is_empty() {
            return Ok(());
        }
        let failure = self.on_threads(|| first_failure(&prepared, block.flags));
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

    fn remember(&self, wtxid: Wtxid, flags: Flags) {
        self.passed.lock().insert((wtxid, flags));
    }
}

/// The failure that comes first in the block's order.
fn first_failure(
    prepared: &[(usize, PreparedTransaction<'_>)],
    flags: Flags,
) -> Option<ScriptFailure> {
    let failure = |index: usize, transaction: &PreparedTransaction<'_>, input: usize| {
        let error = transaction.verify_input(input, flags).err()?;
        Some(ScriptFailure {
            transaction: index,
            input,
            text: error.to_string(),
        })
    };
    let inputs = |transaction: &PreparedTransaction<'_>| transaction.spent_outputs().len();
    let total: usize = prepared.iter().map(|(_, tx)| inputs(tx)).sum();
    if total <= FEW_INPUTS {
        return prepared.iter().find_map(|(index, transaction)| {
            (0..inputs(transaction)).find_map(|input| failure(*index, transaction, input))
        });
    }
    prepared
        .par_iter()
        .flat_map(|(index, transaction)| {
            let inputs = (0..inputs(transaction)).into_par_iter();
            inputs.map(move |input| (*index, transaction, input))
        })
        .find_map_first(|(index, transaction, input)| failure(index, transaction, input))
}

/// What `-par` comes to on so many cores.
fn threads(par: i32, cores: usize) -> usize {
    let given = par.unsigned_abs() as usize;
    let threads = if par > 0 {
        given
    } else {
        cores.saturating_sub(given)
    };
    threads.clamp(1, MAX_SCRIPT_THREADS)
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

#[cfg(test)]
mod tests;
