//! Counting signature operations, for the limit that a block has on them.
//! Promises Core's counts for every script, also for those that cannot be executed or read to their end.
//! Refuses to enforce a limit: 80,000 cost units a block is the ledger's rule.

use bitcoin::{Script, Transaction, Witness};

use crate::flags::Flags;
use crate::instruction::{Instructions, last_push};
use crate::opcode::*;
use crate::program::{WitnessProgram, is_p2sh};
use crate::spent_output::SpentOutput;

#[cfg(test)]
mod tests;

/// What an OP_CHECKMULTISIG counts for when its number of keys is unknown; also the most keys it may have.
pub const MAX_PUBKEYS_PER_MULTISIG: usize = 20;

/// Cost of one signature operation outside of a witness, in units of the block's limit (BIP141).
pub const WITNESS_SCALE_FACTOR: u64 = 4;

/// Signature operations that stand in a script, executed or not.
///
/// `accurate` counts an OP_CHECKMULTISIG by the number from 1 to 16 that stands right before it, if there
/// is one; else it counts for [`MAX_PUBKEYS_PER_MULTISIG`]. Counting stops without an error at a push
/// past the end.
pub fn legacy_sigops(script: &Script, accurate: bool) -> usize {
    count(script.as_bytes(), accurate)
}

fn count(script: &[u8], accurate: bool) -> usize {
    let mut sigops = 0;
    let mut previous = OP_INVALIDOPCODE;
    for instruction in Instructions::new(script).map_while(Result::ok) {
        match instruction.opcode {
            OP_CHECKSIG | OP_CHECKSIGVERIFY => sigops += 1,
            OP_CHECKMULTISIG | OP_CHECKMULTISIGVERIFY => {
                sigops += match previous.small_number() {
                    Some(keys @ 1..) if accurate => usize::from(keys),
                    _ => MAX_PUBKEYS_PER_MULTISIG,
                };
            }
            _ => {}
        }
        previous = instruction.opcode;
    }
    sigops
}

/// Signature operations in the redeem script that `script_sig` hands to a P2SH `script_pubkey` (BIP16).
///
/// Zero when `script_pubkey` is not P2SH or `script_sig` is not push-only.
pub fn p2sh_sigops(script_sig: &Script, script_pubkey: &Script) -> usize {
    if !is_p2sh(script_pubkey.as_bytes()) {
        return 0;
    }
    last_push(script_sig.as_bytes()).map_or(0, |redeem_script| count(redeem_script, true))
}

/// Signature operations of an input that spends a witness program, directly or through P2SH (BIP141).
///
/// Zero without [`Flags::WITNESS`], and for every version but 0: taproot limits its signatures by itself.
pub fn witness_sigops(
    script_sig: &Script,
    script_pubkey: &Script,
    witness: &Witness,
    flags: Flags,
) -> usize {
    if !flags.contains(Flags::WITNESS) {
        return 0;
    }
    let script_pubkey = script_pubkey.as_bytes();
    if let Some(program) = WitnessProgram::parse(script_pubkey) {
        return program_sigops(program, witness);
    }
    if !is_p2sh(script_pubkey) {
        return 0;
    }
    let redeem_script = last_push(script_sig.as_bytes());
    let program = redeem_script.and_then(WitnessProgram::parse);
    program.map_or(0, |program| program_sigops(program, witness))
}

fn program_sigops(program: WitnessProgram<'_>, witness: &Witness) -> usize {
    match (program.version, program.program.len()) {
        (0, 20) => 1,
        (0, 32) => witness
            .last()
            .map_or(0, |witness_script| count(witness_script, true)),
        _ => 0,
    }
}

/// The cost of a transaction's signature operations, in units of the block's limit of 80,000: 4 for each
/// in a scriptSig, a new output or a redeem script, 1 for each in a witness (BIP141).
///
/// `spent` holds the spent outputs in the order of the inputs; a coinbase needs none. [`Flags::P2SH`] and
/// [`Flags::WITNESS`] decide which of them are looked into.
pub fn transaction_sigop_cost(tx: &Transaction, spent: &[SpentOutput<'_>], flags: Flags) -> u64 {
    let in_inputs = tx
        .input
        .iter()
        .map(|input| legacy_sigops(&input.script_sig, false));
    let in_outputs = tx
        .output
        .iter()
        .map(|output| legacy_sigops(&output.script_pubkey, false));
    let mut full_cost: usize = in_inputs.chain(in_outputs).sum();
    let mut witness_cost = 0;
    if !tx.is_coinbase() {
        for (input, spent) in tx.input.iter().zip(spent) {
            if flags.contains(Flags::P2SH) {
                full_cost += p2sh_sigops(&input.script_sig, spent.script_pubkey);
            }
            witness_cost += witness_sigops(
                &input.script_sig,
                spent.script_pubkey,
                &input.witness,
                flags,
            );
        }
    }
    full_cost as u64 * WITNESS_SCALE_FACTOR + witness_cost as u64
}
