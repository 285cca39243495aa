//! Owns one spend to be verified: a transaction, what it spends, and which input is asked about.
//! Promises a text form that `everett script verify --jsonl` reads.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::{Hash, hash160, sha256};
use bitcoin::{ScriptBuf, Transaction, TxOut, Witness};
use everett_script::assembly::push_data;
use everett_script::instruction::Instructions;
use everett_script::witness::{branch_hash, leaf_hash, tweak_hash};
use everett_script::{Flags, PreparedTransaction, ScriptError, SpentOutput, SpentOutputCount};
use serde_json::{Value, json};

use crate::keys::Keys;

/// What the first byte of an annex is (BIP341).
const ANNEX_TAG: u8 = 0x50;
/// Bytes of a control block without its path, and of each step of the path (BIP341).
const CONTROL_BASE: usize = 33;
const CONTROL_NODE: usize = 32;

/// A case cannot be verified at all.
pub type CaseError = SpentOutputCount;

/// One input of one transaction, with the outputs that all inputs spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The spending transaction; it has at least one input.
    pub tx: Transaction,
    /// What its inputs spend, in their order.
    pub spent: Vec<TxOut>,
    /// The input that is asked about.
    pub input: usize,
}

impl Case {
    /// Everett's verdict.
    pub fn verify(&self, flags: Flags) -> Result<Result<(), ScriptError>, CaseError> {
        let spent: Vec<SpentOutput<'_>> = self.spent.iter().map(SpentOutput::from).collect();
        let prepared = PreparedTransaction::new(&self.tx, &spent)?;
        Ok(prepared.verify_input(self.input, flags))
    }

    /// One line for `everett script verify --jsonl`.
    pub fn to_json(&self, flags: Flags) -> Value {
        let spent = self.spent.iter().map(|output| {
            json!({ "amount_sat": output.value.to_sat(), "script_pubkey": output.script_pubkey.to_hex_string() })
        });
        json!({
            "tx": serialize_hex(&self.tx),
            "input": self.input,
            "spent_outputs": spent.collect::<Vec<_>>(),
            "flags": flags.to_string(),
        })
    }

    /// Makes the spent output commit to the script that the input reveals, so that a changed script is run and not
    /// just found to be another one. Does nothing where there is no such script.
    pub fn recommit(&mut self) {
        let (input, spent) = (&mut self.tx.input[self.input], &mut self.spent[self.input]);
        let program = &spent.script_pubkey;
        if program.is_p2sh() {
            let Some(redeem) = last_push(input.script_sig.as_bytes()) else {
                return;
            };
            let redeem = ScriptBuf::from_bytes(redeem);
            let redeem = match commit_to_witness(&redeem, &mut input.witness) {
                Some(program) => {
                    let mut script_sig = Vec::new();
                    push_data(&mut script_sig, program.as_bytes());
                    input.script_sig = script_sig.into();
                    program
                }
                None => redeem,
            };
            let hash = hash160::Hash::hash(redeem.as_bytes());
            let script = [&[0xa9, 20][..], hash.as_byte_array(), &[0x87]].concat();
            spent.script_pubkey = script.into();
        } else if let Some(program) = commit_to_witness(program, &mut input.witness) {
            spent.script_pubkey = program;
        }
    }
}

/// The data of the last push, if the script can be read to its end.
fn last_push(script: &[u8]) -> Option<Vec<u8>> {
    let last = Instructions::new(script).last()?.ok()?;
    Some(last.data.to_vec())
}

/// The witness program that commits to what the witness reveals; `None` if the script is none that does.
fn commit_to_witness(program: &ScriptBuf, witness: &mut Witness) -> Option<ScriptBuf> {
    if program.is_p2wsh() {
        let hash = sha256::Hash::hash(witness.last()?);
        return Some([&[0, 32][..], hash.as_byte_array()].concat().into());
    }
    if program.is_p2wpkh() {
        let hash = hash160::Hash::hash(witness.last()?);
        return Some([&[0, 20][..], hash.as_byte_array()].concat().into());
    }
    if !program.is_p2tr() {
        return None;
    }
    let mut elements = witness.to_vec();
    let has_annex = elements.len() > 1 && elements.last()?.first() == Some(&ANNEX_TAG);
    let control_at = elements.len().checked_sub(1 + usize::from(has_annex))?;
    let script_at = control_at.checked_sub(1)?;
    let control = elements[control_at].clone();
    let (head, path) = control.split_at_checked(CONTROL_BASE)?;
    if path.len() % CONTROL_NODE != 0 {
        return None;
    }
    let mut root = leaf_hash(head[0] & 0xfe, &elements[script_at]);
    for node in path.chunks_exact(CONTROL_NODE) {
        root = branch_hash(&root, node.try_into().ok()?);
    }
    let internal = head[1..].try_into().ok()?;
    let (output, parity) = Keys::get().tweak(internal, tweak_hash(internal, Some(&root)))?;
    elements[control_at][0] = head[0] & 0xfe | parity;
    *witness = Witness::from_slice(&elements);
    Some([&[0x51, 32][..], &output].concat().into())
}
