//! Owns the joining of what several signed of one transaction.

use bitcoin::key::Secp256k1;
use bitcoin::{ScriptBuf, Transaction, Witness};

use super::outputs_at;
use crate::call::Call;
use crate::error::{DESERIALIZATION_ERROR, RpcError, VERIFY_ERROR};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::signing::{Keys, Signatures, Signing, known_signatures, produce, verify};
use crate::transaction::{decode_hex, encode_hex};

pub(super) static COMBINERAWTRANSACTION: Method = Method {
    name: "combinerawtransaction",
    category: Category::Rawtransactions,
    about: "One transaction with the signatures of several copies of it. What it spends is looked up in the world that \
            is asked.",
    arguments: &[Argument::required("txs", Kind::Array, "The copies").shown("[\"hexstring\",...]")],
    result: "\"hex\"    (string) The transaction",
    at: true,
    run: Run::Read(combine),
};

fn combine(call: &Call) -> Answer {
    let texts = call.arg(0).array()?;
    if texts.len() < 2 {
        return Err(RpcError::new(
            DESERIALIZATION_ERROR,
            "Missing transactions. At least two transactions required.",
        ));
    }
    let mut copies = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let copy = decode_hex(text.text()?, true, true).ok_or_else(|| {
            RpcError::new(
                DESERIALIZATION_ERROR,
                format!(
                    "TX decode failed for tx {index}. Make sure the tx has at least one input."
                ),
            )
        })?;
        copies.push(copy);
    }
    let id = |copy: &Transaction| {
        let mut bare = copy.clone();
        for input in &mut bare.input {
            input.script_sig = ScriptBuf::new();
            input.witness = Witness::new();
        }
        bare.compute_txid()
    };
    let first = id(&copies[0]);
    if let Some(other) = copies.iter().position(|copy| id(copy) != first) {
        return Err(RpcError::parameter(format!(
            "Transaction number {} not compatible with first transaction",
            other + 1
        )));
    }
    let mut merged = copies[0].clone();
    let outpoints = merged.input.iter().map(|input| input.previous_output);
    let spent = outputs_at(call, outpoints)?;
    let secp = Secp256k1::new();
    for index in 0..merged.input.len() {
        if spent.get(index).is_none_or(Option::is_none) {
            return Err(RpcError::new(
                VERIFY_ERROR,
                "Input not found or already spent",
            ));
        }
        let mut keys = Keys::default();
        let mut known = Signatures::new();
        let mut whole = None;
        for copy in &copies {
            if verify(copy, &spent, index).is_ok() {
                whole = copy.input.get(index).cloned();
                break;
            }
            let signing = Signing {
                transaction: copy,
                spent: &spent,
                hash_type: 1,
                secp: &secp,
            };
            known.extend(known_signatures(&signing, index, &mut keys));
        }
        let original = merged.clone();
        let signing = Signing {
            transaction: &original,
            spent: &spent,
            hash_type: 1,
            secp: &secp,
        };
        let Some(input) = merged.input.get_mut(index) else {
            continue;
        };
        if let Some(whole) = whole {
            *input = whole;
        } else if let Some(produced) = produce(&signing, &keys, index, known) {
            input.script_sig = produced.script_sig;
            input.witness = produced.witness;
        }
    }
    Ok(encode_hex(&merged).into())
}
