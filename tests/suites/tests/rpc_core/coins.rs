//! Owns coins that a script guards which is true, and transactions that spend them.

use bitcoin::consensus::encode::deserialize;
use bitcoin::hex::FromHex;
use bitcoin::{Amount, Block, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use serde_json::{Value, json};

use crate::both::Both;

/// A witness script that is true, and its output.
pub(crate) const TRUE: &str = "51";
pub(crate) const TRUE_OUTPUT: &str =
    "00204ae81572f06e1b88fd5ced7a1a000945432e83e1551e6f721ee9c00b8cc33260";

/// What a block pays.
pub(crate) const COIN: u64 = 50 * 100_000_000;

pub(crate) fn true_output(sat: u64) -> TxOut {
    TxOut {
        value: Amount::from_sat(sat),
        script_pubkey: ScriptBuf::from_hex(TRUE_OUTPUT).expect("hexadecimal"),
    }
}

/// Spends outputs of the script that is true.
pub(crate) fn spend(outpoints: &[OutPoint], outputs: &[u64]) -> Transaction {
    let input = |outpoint: &OutPoint| TxIn {
        previous_output: *outpoint,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[Vec::<u8>::from_hex(TRUE).expect("hexadecimal")]),
    };
    Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: outpoints.iter().map(input).collect(),
        output: outputs.iter().map(|sat| true_output(*sat)).collect(),
    }
}

pub(crate) fn coinbase_of(both: &Both, hash: &Value) -> OutPoint {
    let block = both.same("getblock", json!([hash, 0]));
    let bytes = Vec::<u8>::from_hex(block.as_str().expect("a block")).expect("hexadecimal");
    let block: Block = deserialize(&bytes).expect("a block");
    OutPoint::new(block.txdata[0].compute_txid(), 0)
}
