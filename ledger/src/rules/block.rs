//! Owns the rules for blocks that need no coins: by themselves, and against their parent's chain.
//! Promises Bitcoin Core's order of checks, on which the answer to a block with two faults depends.
//! Refuses to trust: a block that was never checked cannot make it panic.

use bitcoin::hashes::Hash;
use bitcoin::script::Builder;

use super::chain::{Chain, median_time_past};
use super::header::check_hash;
use super::merkle::merkle_root;
use super::reject::Reject;
use super::script_check::ScriptCheck;
use super::signet;
use super::transaction::{MAX_BLOCK_WEIGHT, WITNESS_SCALE_FACTOR, check_transaction, is_final};
use super::witnesses::check_witnesses;
use crate::decode::{DecodedBlock, DecodedTransaction};
use crate::params::Params;

#[cfg(test)]
mod tests;

/// The most that the signature operations of a block may cost (BIP141): 4 each, 1 in a witness.
pub const MAX_BLOCK_SIGOPS_COST: u64 = 80_000;

/// Checks what can be said about a block by itself; `scripts` runs a signet block's solution.
///
/// A failure says nothing about the header: another block may have the same. Reasons, in this order:
/// `high-hash`, `bad-signet-blksig`, `bad-txnmrklroot`, `bad-txns-duplicate`, `bad-blk-length`,
/// `bad-cb-missing`, `bad-cb-multiple`, those of [`check_transaction`], `bad-blk-sigops`.
pub fn check_block(
    block: &DecodedBlock,
    params: &Params,
    scripts: &dyn ScriptCheck,
) -> Result<(), Reject> {
    check_hash(&block.hash, &block.header, params)?;
    signet::check_solution(block, params, scripts)?;
    check_merkle_root(block)?;
    check_transactions(block)
}

/// [`check_block`] for a block that is not finished: without proof of work and a signet's solution, and without the merkle
/// root unless `with_merkle_root`.
pub(crate) fn check_draft(block: &DecodedBlock, with_merkle_root: bool) -> Result<(), Reject> {
    if with_merkle_root {
        check_merkle_root(block)?;
    }
    check_transactions(block)
}

/// What [`check_block`] says of the transactions.
fn check_transactions(block: &DecodedBlock) -> Result<(), Reject> {
    let transactions = &block.transactions;
    let too_long = transactions.len() * WITNESS_SCALE_FACTOR > MAX_BLOCK_WEIGHT
        || block.stripped_size * WITNESS_SCALE_FACTOR > MAX_BLOCK_WEIGHT;
    if transactions.is_empty() || too_long {
        let debug = format!(
            "{} transactions in {} bytes without witnesses",
            transactions.len(),
            block.stripped_size
        );
        return Err(Reject::consensus("bad-blk-length", debug));
    }

    if !transactions[0].is_coinbase() {
        return Err(Reject::consensus(
            "bad-cb-missing",
            "the first transaction is no coinbase",
        ));
    }
    if let Some(second) = transactions[1..]
        .iter()
        .position(DecodedTransaction::is_coinbase)
    {
        let debug = format!("transaction {} is a coinbase too", second + 1);
        return Err(Reject::consensus("bad-cb-multiple", debug));
    }

    for transaction in transactions {
        check_transaction(transaction).map_err(|mut reject| {
            // Bitcoin Core's words, here and below wherever a text names what was wrong.
            reject.debug = format!("Transaction check failed (tx hash {}) ", transaction.txid);
            reject
        })?;
    }

    // Fewer than there are: those in witnesses and P2SH scripts are counted where the coins are known.
    let sigops: u64 = transactions
        .iter()
        .map(|tx| u64::from(tx.legacy_sigops))
        .sum();
    if sigops * WITNESS_SCALE_FACTOR as u64 > MAX_BLOCK_SIGOPS_COST {
        return Err(Reject::consensus(
            "bad-blk-sigops",
            "out-of-bounds SigOpCount",
        ));
    }
    Ok(())
}

fn check_merkle_root(block: &DecodedBlock) -> Result<(), Reject> {
    let leaves = block
        .transactions
        .iter()
        .map(|tx| tx.txid.to_byte_array())
        .collect();
    let computed = merkle_root(leaves);
    if computed.root != block.header.merkle_root.to_byte_array() {
        return Err(Reject::mutated(
            "bad-txnmrklroot",
            "the merkle root is not the header's",
        ));
    }
    if computed.mutated {
        let debug = "transactions are repeated without changing the merkle root";
        return Err(Reject::mutated("bad-txns-duplicate", debug));
    }
    Ok(())
}

/// Checks a block that passed [`check_block`] against the chain that ends at its parent.
///
/// Reasons, in this order: `bad-txns-nonfinal`, `bad-cb-height`, then of kind `Mutated`
/// `bad-witness-nonce-size`, `bad-witness-merkle-match`, `unexpected-witness`, then `bad-blk-weight`.
pub fn check_block_in_context(
    block: &DecodedBlock,
    parent: &impl Chain,
    params: &Params,
) -> Result<(), Reject> {
    let height = parent.height() + 1;
    let lock_time_limit = match height >= params.csv_height {
        true => median_time_past(parent, parent.height()),
        false => block.header.time,
    };
    for transaction in &block.transactions {
        if !is_final(&transaction.tx, height, lock_time_limit) {
            let debug = format!("transaction {} is not final", transaction.txid);
            return Err(Reject::consensus("bad-txns-nonfinal", debug));
        }
    }

    if height >= params.bip34_height && !starts_with_height(block, height) {
        let debug = format!("the coinbase does not start with height {height}");
        return Err(Reject::consensus("bad-cb-height", debug));
    }

    check_witnesses(block, height >= params.segwit_height)?;

    if block.weight() > MAX_BLOCK_WEIGHT {
        let debug = format!("weight {} is above {MAX_BLOCK_WEIGHT}", block.weight());
        return Err(Reject::consensus("bad-blk-weight", debug));
    }
    Ok(())
}

/// Whether the coinbase's script starts with the height, as a script would push it (BIP34).
fn starts_with_height(block: &DecodedBlock, height: u32) -> bool {
    let expected = Builder::new().push_int(i64::from(height)).into_script();
    let input = block
        .transactions
        .first()
        .and_then(|coinbase| coinbase.tx.input.first());
    input.is_some_and(|input| input.script_sig.as_bytes().starts_with(expected.as_bytes()))
}

/// The height that the coinbase's script starts with (BIP34), if it starts with one.
fn claimed_height(block: &DecodedBlock) -> Option<u32> {
    let input = block.transactions.first()?.tx.input.first()?;
    let (first, rest) = input.script_sig.as_bytes().split_first()?;
    let height = match first {
        0x51..=0x60 => u32::from(first - 0x50),
        length @ 1..=4 => {
            let pushed = rest.get(..usize::from(*length))?;
            let add = |height: u32, byte: &u8| height << 8 | u32::from(*byte);
            pushed.iter().rev().fold(0, add)
        }
        _ => return None,
    };
    Some(height).filter(|height| starts_with_height(block, *height))
}

/// Checks the witnesses of a block that passed [`check_block`] and whose parent is not known, as far as they can be
/// judged: by the height that its coinbase claims.
///
/// Without it, anyone could put a copy with other witnesses, which has the same hash, into the place that is kept for
/// the block. Reasons, all of kind `Mutated`: see [`check_block_in_context`].
pub fn check_orphan_witnesses(block: &DecodedBlock, params: &Params) -> Result<(), Reject> {
    if params.segwit_height <= 1 {
        return check_witnesses(block, true);
    }
    // Where BIP34 holds before witnesses are committed to, a wrong claim makes the block invalid anyway.
    match claimed_height(block) {
        Some(height) if params.bip34_height <= params.segwit_height => {
            check_witnesses(block, height >= params.segwit_height)
        }
        _ => Ok(()),
    }
}
