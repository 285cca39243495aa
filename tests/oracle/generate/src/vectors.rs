//! Owns the reading of other implementations' test vectors, to start from.
//! Promises to take what it can read and to leave out the rest: vectors that are not there make no failure.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bitcoin::consensus::{Decodable, deserialize};
use bitcoin::hex::FromHex;
use bitcoin::{
    Amount, Block, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness, absolute,
    transaction,
};
use everett_script::assembly::parse;
use serde_json::Value;

use crate::case::Case;

/// Real blocks that stand beside the outputs that they spend.
const BLOCKS: [&str; 3] = ["testnet3-928828", "mainnet-300025", "testnet3-1087400"];
/// Inputs of a real transaction up to which it is taken, and how many of them.
const MAX_INPUTS: usize = 8;
const TAKEN_INPUTS: usize = 3;

/// Where the vectors are: at `$EVERETT_VECTORS`, or in `shared` beside the repository; `None` if at neither place.
pub fn directory() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared");
    let given = std::env::var_os("EVERETT_VECTORS").map(PathBuf::from);
    let root = given.unwrap_or(beside);
    let vectors = root.join("vectors");
    vectors.is_dir().then_some(vectors)
}

/// All cases that can be read there.
pub fn load(vectors: &Path) -> Vec<Case> {
    let mut cases = Vec::new();
    let text = |name: &str| std::fs::read_to_string(vectors.join("core").join(name));
    if let Ok(text) = text("script_assets.jsonl") {
        for line in text.lines() {
            cases.extend(asset(line).unwrap_or_default());
        }
    }
    for name in ["tx_valid.json", "tx_invalid.json"] {
        for vector in list(text(name)) {
            cases.extend(transaction(&vector).unwrap_or_default());
        }
    }
    cases.extend(
        list(text("script_tests.json"))
            .iter()
            .filter_map(script_test),
    );
    if let Ok(text) = text("bip341_wallet_vectors.json") {
        cases.extend(wallet_vectors(&text).unwrap_or_default());
    }
    for name in BLOCKS {
        cases.extend(block(&vectors.join("blocks"), name).unwrap_or_default());
    }
    cases
}

fn list(text: std::io::Result<String>) -> Vec<Value> {
    text.ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    Vec::from_hex(value.as_str()?).ok()
}

fn witness(value: &Value) -> Option<Witness> {
    let elements: Option<Vec<Vec<u8>>> = value.as_array()?.iter().map(bytes).collect();
    Some(Witness::from_slice(&elements?))
}

/// A line of `script_assets.jsonl`: one way to succeed, often one to fail.
fn asset(line: &str) -> Option<Vec<Case>> {
    let vector: Value = serde_json::from_str(line).ok()?;
    let tx: Transaction = deserialize(&bytes(&vector["tx"])?).ok()?;
    let outputs = vector["prevouts"].as_array()?.iter();
    let spent: Option<Vec<TxOut>> = outputs
        .map(|output| deserialize(&bytes(output)?).ok())
        .collect();
    let spent = spent?;
    let input = vector["index"].as_u64()? as usize;
    let mut cases = Vec::new();
    for key in ["success", "failure"] {
        let way = &vector[key];
        if way.is_null() {
            continue;
        }
        let mut tx = tx.clone();
        tx.input[input].script_sig = bytes(&way["scriptSig"])?.into();
        tx.input[input].witness = witness(&way["witness"])?;
        cases.push(Case {
            tx,
            spent: spent.clone(),
            input,
        });
    }
    Some(cases)
}

/// `[[[txid, vout, script, amount?]…], tx, flags]`
fn transaction(vector: &Value) -> Option<Vec<Case>> {
    let mut coins = HashMap::new();
    for coin in vector[0].as_array()? {
        let outpoint = OutPoint {
            txid: coin[0].as_str()?.parse().ok()?,
            vout: coin[1].as_i64()? as u32,
        };
        let output = TxOut {
            value: Amount::from_sat(coin.get(3).and_then(Value::as_u64).unwrap_or(0)),
            script_pubkey: parse(coin[2].as_str()?).ok()?,
        };
        coins.insert(outpoint, output);
    }
    let tx: Transaction = deserialize(&bytes(&vector[1])?).ok()?;
    let spent: Option<Vec<TxOut>> = tx
        .input
        .iter()
        .map(|input| coins.get(&input.previous_output).cloned())
        .collect();
    Some(every_input(&tx, &spent?, usize::MAX))
}

/// `[[witness…, amount]?, scriptSig, scriptPubKey, flags, error, comment?]`
fn script_test(vector: &Value) -> Option<Case> {
    let mut fields = vector.as_array()?.as_slice();
    let (mut elements, mut value) = (Witness::new(), Amount::ZERO);
    if let [Value::Array(first), rest @ ..] = fields {
        let (amount, pushed) = first.split_last()?;
        elements = witness(&Value::Array(pushed.to_vec()))?;
        value = Amount::from_btc(amount.as_f64()?).ok()?;
        fields = rest;
    }
    let spent = TxOut {
        value,
        script_pubkey: parse(fields.get(1)?.as_str()?).ok()?,
    };
    let credit = one_to_one(
        TxIn {
            script_sig: vec![0u8, 0].into(),
            ..TxIn::default()
        },
        spent.clone(),
    );
    let input = TxIn {
        previous_output: OutPoint::new(credit.compute_txid(), 0),
        script_sig: parse(fields.first()?.as_str()?).ok()?,
        sequence: Sequence::MAX,
        witness: elements,
    };
    let output = TxOut {
        value,
        script_pubkey: ScriptBuf::new(),
    };
    Some(Case {
        tx: one_to_one(input, output),
        spent: vec![spent],
        input: 0,
    })
}

fn one_to_one(input: TxIn, output: TxOut) -> Transaction {
    Transaction {
        version: transaction::Version::ONE,
        lock_time: absolute::LockTime::ZERO,
        input: vec![input],
        output: vec![output],
    }
}

/// The key path spends of BIP341's wallet vectors, signed.
fn wallet_vectors(text: &str) -> Option<Vec<Case>> {
    let vectors: Value = serde_json::from_str(text).ok()?;
    let mut cases = Vec::new();
    for vector in vectors["keyPathSpending"].as_array()? {
        let tx = &vector["auxiliary"]["fullySignedTx"];
        let tx: Transaction = deserialize(&bytes(tx)?).ok()?;
        let spent: Option<Vec<TxOut>> = vector["given"]["utxosSpent"]
            .as_array()?
            .iter()
            .map(|output| {
                Some(TxOut {
                    value: Amount::from_sat(output["amountSats"].as_u64()?),
                    script_pubkey: bytes(&output["scriptPubKey"])?.into(),
                })
            })
            .collect();
        cases.extend(every_input(&tx, &spent?, usize::MAX));
    }
    Some(cases)
}

/// Inputs of a real block.
fn block(directory: &Path, name: &str) -> Option<Vec<Case>> {
    let block = std::fs::read(directory.join(format!("{name}.block"))).ok()?;
    let block: Block = deserialize(&block).ok()?;
    let outputs = std::fs::read(directory.join(format!("{name}.spent-outputs"))).ok()?;
    let mut outputs = outputs.as_slice();
    let mut cases = Vec::new();
    for tx in block.txdata.iter().skip(1) {
        let spent: Result<Vec<TxOut>, _> = tx
            .input
            .iter()
            .map(|_| TxOut::consensus_decode(&mut outputs))
            .collect();
        let spent = spent.ok()?;
        if tx.input.len() <= MAX_INPUTS {
            cases.extend(every_input(tx, &spent, TAKEN_INPUTS));
        }
    }
    Some(cases)
}

fn every_input(tx: &Transaction, spent: &[TxOut], most: usize) -> Vec<Case> {
    let inputs = 0..tx.input.len().min(most);
    inputs
        .map(|input| Case {
            tx: tx.clone(),
            spent: spent.to_vec(),
            input,
        })
        .collect()
}
