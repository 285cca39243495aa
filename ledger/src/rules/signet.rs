//! Owns signet's block solutions (BIP325): a block is signed by a transaction that spends the challenge.
//! Promises to build that pair of transactions from the block alone.
//! Refuses to run the solution's script: that is behind the same seam as all scripts.

use bitcoin::block::Header;
use bitcoin::hashes::Hash;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::{Builder, PushBytesBuf};
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute};
use everett_script::Flags;
use everett_script::instruction::Instructions;

use super::merkle::merkle_root;
use super::reject::Reject;
use super::script_check::{BlockScripts, ScriptCheck, SpentCoins};
use super::witnesses::witness_commitment_index;
use crate::coin::{Coin, ScriptPubKey};
use crate::decode::{DecodedBlock, DecodedTransaction, decode_solution};
use crate::params::Params;

#[cfg(test)]
mod tests;

/// What a push in the witness commitment starts with when it holds the solution.
const SOLUTION_HEADER: [u8; 4] = [0xec, 0xc7, 0xda, 0xa2];

/// The two transactions that prove a block's solution.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SolutionTransactions {
    /// Pays to the challenge; its input commits to the block.
    pub to_spend: Transaction,
    /// Spends that with the solution.
    pub to_sign: Transaction,
}

/// The flags that a solution's script is held to, whatever the block's height.
pub fn solution_flags() -> Flags {
    Flags::P2SH | Flags::WITNESS | Flags::DERSIG | Flags::NULLDUMMY
}

/// Checks a signet block's solution: `bad-signet-blksig`. Other networks and the genesis block need none.
pub fn check_solution(
    block: &DecodedBlock,
    params: &Params,
    scripts: &dyn ScriptCheck,
) -> Result<(), Reject> {
    let Some(challenge) = &params.signet_challenge else {
        return Ok(());
    };
    if block.hash == params.genesis_hash() {
        return Ok(());
    }
    let fail = |debug: String| Err(Reject::consensus("bad-signet-blksig", debug));
    let Some(transactions) = solution_transactions(block, challenge) else {
        return fail("the block has no witness commitment or its solution is malformed".into());
    };
    let mut spent = SpentCoins::with_capacity(1, 1);
    spent.push_transaction([Coin {
        amount: Amount::ZERO,
        script_pubkey: ScriptPubKey::new(challenge),
        height: 0,
        coinbase: false,
    }]);
    let verdict = scripts.check(BlockScripts {
        block: block.hash,
        transactions: &[DecodedTransaction::new(transactions.to_sign)],
        spent: &spent,
        flags: solution_flags(),
    });
    match verdict {
        Ok(()) => Ok(()),
        Err(failure) => fail(format!("the solution fails: {}", failure.text)),
    }
}

/// Builds the transactions that prove a block's solution to `challenge`.
///
/// `None` when the coinbase has no witness commitment or the solution in it cannot be read. A commitment
/// without a solution is an empty one: a trivial challenge may accept it.
pub fn solution_transactions(
    block: &DecodedBlock,
    challenge: &[u8],
) -> Option<SolutionTransactions> {
    let position = witness_commitment_index(block)?;
    let mut coinbase = block.transactions.first()?.tx.clone();
    let commitment = &mut coinbase.output.get_mut(position)?.script_pubkey;
    let (script_sig, witness) = match take_solution(commitment) {
        None => (ScriptBuf::new(), Witness::new()),
        Some(solution) => decode_solution(&solution)?,
    };

    let mut leaves = vec![DecodedTransaction::new(coinbase).txid.to_byte_array()];
    leaves.extend(
        block.transactions[1..]
            .iter()
            .map(|tx| tx.txid.to_byte_array()),
    );
    let signed_root = merkle_root(leaves).root;
    let message = PushBytesBuf::try_from(message(&block.header, signed_root)).ok()?;

    let to_spend = transaction(
        OutPoint::null(),
        Builder::new().push_int(0).push_slice(message).into_script(),
        Witness::new(),
        ScriptBuf::from_bytes(challenge.to_vec()),
    );
    let to_sign = transaction(
        OutPoint::new(to_spend.compute_txid(), 0),
        script_sig,
        witness,
        Builder::new().push_opcode(OP_RETURN).into_script(),
    );
    Some(SolutionTransactions { to_spend, to_sign })
}

/// The part of the header that is signed, with the merkle root as it was before the solution was put in.
fn message(header: &Header, merkle_root: [u8; 32]) -> Vec<u8> {
    let mut message = Vec::with_capacity(72);
    message.extend_from_slice(&header.version.to_consensus().to_le_bytes());
    message.extend_from_slice(&header.prev_blockhash.to_byte_array());
    message.extend_from_slice(&merkle_root);
    message.extend_from_slice(&header.time.to_le_bytes());
    message
}

fn transaction(
    previous_output: OutPoint,
    script_sig: ScriptBuf,
    witness: Witness,
    script_pubkey: ScriptBuf,
) -> Transaction {
    let input = TxIn {
        previous_output,
        script_sig,
        sequence: Sequence::ZERO,
        witness,
    };
    let output = TxOut {
        value: Amount::ZERO,
        script_pubkey,
    };
    Transaction {
        version: Version(0),
        lock_time: absolute::LockTime::ZERO,
        input: vec![input],
        output: vec![output],
    }
}

/// Takes the solution out of a commitment's script, leaving its header; `None` if there is none.
///
/// The script is written anew up to where it can be read, each push in its shortest form.
fn take_solution(script: &mut ScriptBuf) -> Option<Vec<u8>> {
    let mut solution = None;
    let mut rewritten = Vec::with_capacity(script.len());
    for instruction in Instructions::new(script.as_bytes()).map_while(Result::ok) {
        let mut data = instruction.data;
        if data.is_empty() {
            rewritten.push(instruction.opcode.0);
            continue;
        }
        let header = SOLUTION_HEADER.len();
        if solution.is_none() && data.len() > header && data.starts_with(&SOLUTION_HEADER) {
            solution = Some(data[header..].to_vec());
            data = &data[..header];
        }
        push(&mut rewritten, data);
    }
    if solution.is_some() {
        *script = ScriptBuf::from_bytes(rewritten);
    }
    solution
}

/// Appends a push of `data` with the shortest length prefix; small numbers get no opcode of their own.
fn push(script: &mut Vec<u8>, data: &[u8]) {
    let length = data.len();
    match length {
        0..=0x4b => script.push(length as u8),
        0x4c..=0xff => script.extend_from_slice(&[0x4c, length as u8]),
        0x100..=0xffff => {
            script.push(0x4d);
            script.extend_from_slice(&(length as u16).to_le_bytes());
        }
        _ => {
            script.push(0x4e);
            script.extend_from_slice(&(length as u32).to_le_bytes());
        }
    }
    script.extend_from_slice(data);
}
