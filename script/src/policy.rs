//! What Core's policy asks of scripts and transactions beyond their validity: which ones are standard.
//! Promises Core's names, limits, order of checks and reasons, with its defaults.
//! Refuses fees, conflicts and everything else that needs a mempool or a chain.

mod standard;
mod template;

use bitcoin::{Transaction, TxOut};

pub use standard::{
    NonStandardInput, NonStandardTransaction, StandardRules, is_standard_transaction,
    is_standard_witness, spends_non_anchor_witness_program, validate_inputs_standardness,
};
pub use template::Template;

use crate::interpreter::MAX_SCRIPT_SIZE;
use crate::opcode::OP_RETURN;
use crate::program::WitnessProgram;
use crate::sigops::WITNESS_SCALE_FACTOR;

#[cfg(test)]
mod tests;

/// Heaviest standard transaction, in weight units.
pub const MAX_STANDARD_TX_WEIGHT: u64 = 400_000;
/// Smallest standard transaction without its witnesses, in bytes: one more than a merkle node pair.
pub const MIN_STANDARD_TX_NONWITNESS_SIZE: usize = 65;
/// Lowest and highest standard transaction version, read as unsigned.
pub const STANDARD_TX_VERSIONS: std::ops::RangeInclusive<u32> = 1..=3;
/// Most signature operations in a standard redeem script.
pub const MAX_P2SH_SIGOPS: usize = 15;
/// Highest cost of a standard transaction's signature operations: a fifth of a block's.
pub const MAX_STANDARD_TX_SIGOPS_COST: u64 = 16_000;
/// Most signature operations outside of witnesses that a standard transaction may execute (BIP54).
pub const MAX_TX_LEGACY_SIGOPS: usize = 2_500;
/// Longest scriptSig of a standard transaction, in bytes.
pub const MAX_STANDARD_SCRIPTSIG_SIZE: usize = 1_650;
/// Longest script of a standard P2WSH spend, in bytes.
pub const MAX_STANDARD_P2WSH_SCRIPT_SIZE: usize = 3_600;
/// Most witness elements of a standard P2WSH spend, its script not counted.
pub const MAX_STANDARD_P2WSH_STACK_ITEMS: usize = 100;
/// Longest witness element of a standard P2WSH spend, its script not counted, in bytes.
pub const MAX_STANDARD_P2WSH_STACK_ITEM_SIZE: usize = 80;
/// Longest witness element of a standard tapscript spend, script and control block not counted, in bytes.
pub const MAX_STANDARD_TAPSCRIPT_STACK_ITEM_SIZE: usize = 80;
/// Most outputs of a standard transaction that are dust.
pub const MAX_DUST_OUTPUTS_PER_TX: usize = 1;
/// Most bytes of OP_RETURN scripts in a standard transaction: no limit of their own, as in Core since version 30.
pub const MAX_OP_RETURN_RELAY: usize = (MAX_STANDARD_TX_WEIGHT / WITNESS_SCALE_FACTOR) as usize;
/// The fee rate that defines dust, in satoshis for 1,000 virtual bytes.
pub const DUST_RELAY_TX_FEE: u64 = 3_000;
/// Virtual bytes that a signature operation counts for at least.
pub const DEFAULT_BYTES_PER_SIGOP: u64 = 20;

/// Size of the input that would spend a P2PKH output: outpoint, length, signature and key, sequence number.
const SPENDING_INPUT_SIZE: u64 = 32 + 4 + 1 + 107 + 4;
/// The same for P2WPKH, with signature and key discounted. Used for every witness program.
const SPENDING_WITNESS_INPUT_SIZE: u64 = 32 + 4 + 1 + 107 / WITNESS_SCALE_FACTOR + 4;

/// True when an output can be left out of the set of coins: OP_RETURN first, or longer than any script may be.
pub fn is_unspendable(script_pubkey: &[u8]) -> bool {
    script_pubkey.first() == Some(&OP_RETURN.0) || script_pubkey.len() > MAX_SCRIPT_SIZE
}

/// The smallest amount, in satoshis, at which spending an output is worth its fee at the given rate, in
/// satoshis for 1,000 virtual bytes. 546 for P2PKH, 294 for P2WPKH at [`DUST_RELAY_TX_FEE`]; 0 for what
/// cannot be spent.
pub fn dust_threshold(output: &TxOut, dust_relay_fee: u64) -> u64 {
    let script_pubkey = output.script_pubkey.as_bytes();
    if is_unspendable(script_pubkey) {
        return 0;
    }
    let spending = match WitnessProgram::parse(script_pubkey) {
        Some(_) => SPENDING_WITNESS_INPUT_SIZE,
        None => SPENDING_INPUT_SIZE,
    };
    let size = output.size() as u64 + spending;
    dust_relay_fee.saturating_mul(size).div_ceil(1_000)
}

/// True when an output is worth less than [`dust_threshold`].
pub fn is_dust(output: &TxOut, dust_relay_fee: u64) -> bool {
    output.value.to_sat() < dust_threshold(output, dust_relay_fee)
}

/// Size of a transaction as fees count it: a quarter of its weight, rounded up, or what its signature
/// operations count for, whichever is more. `sigop_cost` is that of [`crate::transaction_sigop_cost`].
pub fn virtual_size(tx: &Transaction, sigop_cost: u64, bytes_per_sigop: u64) -> u64 {
    let weight = tx
        .weight()
        .to_wu()
        .max(sigop_cost.saturating_mul(bytes_per_sigop));
    weight.div_ceil(WITNESS_SCALE_FACTOR)
}
