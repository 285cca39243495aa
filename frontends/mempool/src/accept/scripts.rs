//! Owns the running of a transaction's scripts: last, because it costs most.
//! Promises that a block which has the transaction does not run them again: all flags of blocks are among those that
//! they are held to here, so what passes here passes there.

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use everett_ledger::rules::{BlockScripts, SpentCoins};
use everett_script::Flags;
use everett_script::policy::spends_non_anchor_witness_program;

use super::prechecks::outputs;
use super::{Around, Candidate};
use crate::pool::Pool;
use crate::rejection::{Rejection, RejectionKind};

/// Runs all scripts with the flags of policy.
pub(super) fn check(
    around: Around<'_>,
    pool: &Pool,
    candidate: &Candidate,
) -> Result<(), Rejection> {
    let tx = &candidate.entry.tx;
    let mut spent = SpentCoins::with_capacity(1, candidate.spent.len());
    spent.push_transaction(candidate.spent.iter().cloned());
    let result = around.scripts.check(BlockScripts {
        block: pool.world.hash(),
        transactions: std::slice::from_ref(&**tx),
        spent: &spent,
        flags: Flags::STANDARD,
    });
    let Err(failure) = result else { return Ok(()) };
    let stripped =
        !tx.has_witness() && spends_non_anchor_witness_program(&tx.tx, &outputs(&candidate.spent));
    let kind = match stripped {
        true => RejectionKind::WitnessStripped,
        false => RejectionKind::NotStandard,
    };
    let spending = tx
        .tx
        .input
        .get(failure.input)
        .map(|input| input.previous_output);
    let debug = format!(
        "input {} of {} (wtxid {}), spending {}",
        failure.input,
        tx.txid,
        tx.wtxid,
        spending.unwrap_or_default()
    );
    let reason = format!("mempool-script-verify-flag-failed ({})", failure.text);
    Err(Rejection::new(kind, reason, debug))
}

/// Vouches for the scripts under the flags of the next block.
pub(super) fn remember(around: Around<'_>, pool: &Pool, candidate: &Candidate) {
    let next = pool.world.height().saturating_add(1);
    // No block's hash is zero: none of the exceptions for known blocks.
    let flags = around.params.script_flags(next, &BlockHash::all_zeros());
    if Flags::STANDARD.contains(flags) {
        around.scripts.remember(candidate.wtxid(), flags);
    }
}
