//! Owns the joining of PSBTs: several of one transaction, or of several into one.

use std::collections::HashSet;

use bitcoin::absolute::LockTime;
use bitcoin::secp256k1::rand::seq::SliceRandom;
use bitcoin::secp256k1::rand::thread_rng;
use bitcoin::transaction::Version;
use bitcoin::{Psbt, Transaction};

use crate::call::Call;
use crate::error::{DESERIALIZATION_ERROR, RpcError};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::psbt::Partial;

pub(in crate::rawtransactions) static COMBINEPSBT: Method = Method {
    name: "combinepsbt",
    category: Category::Rawtransactions,
    about: "One PSBT with what several of the same transaction hold.",
    arguments: &[
        Argument::required("txs", Kind::Array, "The PSBTs in base 64").shown("[\"psbt\",...]"),
    ],
    result: "\"str\"    (string) The PSBT in base 64",
    at: false,
    run: Run::Read(combine),
};

fn parse_all(call: &Call) -> Result<Vec<Partial>, RpcError> {
    let texts = call.arg(0).array()?;
    texts
        .iter()
        .map(|text| Partial::parse(text.text()?))
        .collect()
}

fn combine(call: &Call) -> Answer {
    if call.arg(0).array()?.is_empty() {
        return Err(RpcError::parameter("Parameter 'txs' cannot be empty"));
    }
    let mut all = parse_all(call)?.into_iter();
    let Some(mut merged) = all.next() else {
        return Err(RpcError::parameter("Parameter 'txs' cannot be empty"));
    };
    for other in all {
        let differ = || RpcError::parameter("PSBTs not compatible (different transactions)");
        if other.version != merged.version {
            return Err(differ());
        }
        let whole: Vec<_> = merged
            .psbt
            .inputs
            .iter()
            .zip(&other.psbt.inputs)
            .map(|(a, b)| a.non_witness_utxo.clone().or(b.non_witness_utxo.clone()))
            .collect();
        merged.psbt.combine(other.psbt).map_err(|_| differ())?;
        // The library drops what is spent where one of them has the output alone.
        for (input, whole) in merged.psbt.inputs.iter_mut().zip(whole) {
            input.non_witness_utxo = whole;
        }
    }
    Ok(merged.text().into())
}

pub(in crate::rawtransactions) static JOINPSBTS: Method = Method {
    name: "joinpsbts",
    category: Category::Rawtransactions,
    about: "One PSBT of version 0 with the inputs and outputs of several, in random order.",
    arguments: &[
        Argument::required("txs", Kind::Array, "The PSBTs in base 64").shown("[\"psbt\",...]"),
    ],
    result: "\"str\"    (string) The PSBT in base 64",
    at: false,
    run: Run::Read(join),
};

fn join(call: &Call) -> Answer {
    if call.arg(0).array()?.len() <= 1 {
        return Err(RpcError::parameter(
            "At least two PSBTs are required to join PSBTs.",
        ));
    }
    let all = parse_all(call)?;
    if all.iter().any(|partial| partial.version != 0) {
        return Err(RpcError::parameter(
            "joinpsbts only operates on version 0 PSBTs",
        ));
    }
    let version = all.iter().map(|partial| partial.psbt.unsigned_tx.version.0);
    let lock_time = all.iter().map(|partial| partial.psbt.unsigned_tx.lock_time);
    let lock_time = lock_time.map(|lock| lock.to_consensus_u32()).min();
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    let mut joined = Psbt::from_unsigned_tx(Transaction {
        version: Version(version.max().unwrap_or(1).max(1)),
        lock_time: LockTime::from_consensus(lock_time.unwrap_or(0)),
        input: Vec::new(),
        output: Vec::new(),
    })
    .map_err(|error| RpcError::new(DESERIALIZATION_ERROR, error.to_string()))?;
    for partial in all {
        let psbt = partial.psbt;
        for (input, extra) in psbt.unsigned_tx.input.into_iter().zip(psbt.inputs) {
            let outpoint = input.previous_output;
            if !seen.insert(outpoint) {
                return Err(RpcError::parameter(format!(
                    "Input {}:{} exists in multiple PSBTs",
                    outpoint.txid, outpoint.vout
                )));
            }
            inputs.push((input, extra));
        }
        outputs.extend(psbt.unsigned_tx.output.into_iter().zip(psbt.outputs));
        joined.xpub.extend(psbt.xpub);
        joined.unknown.extend(psbt.unknown);
    }
    inputs.shuffle(&mut thread_rng());
    outputs.shuffle(&mut thread_rng());
    for (input, extra) in inputs {
        joined.unsigned_tx.input.push(input);
        joined.inputs.push(extra);
    }
    for (output, extra) in outputs {
        joined.unsigned_tx.output.push(output);
        joined.outputs.push(extra);
    }
    let mut partial = Partial::new(joined.unsigned_tx.clone(), 0)?;
    partial.psbt = joined;
    Ok(partial.text().into())
}
