//! Owns how a transaction is shown.

use std::collections::HashMap;

use bitcoin::hex::DisplayHex;
use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Transaction};
use everett_ledger::Coin;
use everett_script::assembly::to_asm_with_hash_types;

use super::script::script_json;
use crate::json::{Json, amount, object};
use crate::transaction::{encode_hex, sizes};

/// How much is told of inputs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
pub(crate) enum Verbosity {
    /// What the transaction says.
    Details,
    /// What is spent as well.
    Previous,
}

/// A coin that an input spends.
#[derive(Clone, Debug)]
pub(crate) struct Spent {
    pub(crate) coinbase: bool,
    pub(crate) height: u32,
    pub(crate) amount: Amount,
    pub(crate) script: ScriptBuf,
}

/// What each transaction of a block spends, in the order of inputs; nothing for the coinbase, and `None` for one of
/// which a coin is not known.
pub(crate) fn spent_by_transaction(
    transactions: &[Transaction],
    height: u32,
    before: Vec<(OutPoint, Coin)>,
) -> Vec<Option<Vec<Spent>>> {
    let before: HashMap<OutPoint, Coin> = before.into_iter().collect();
    let within: HashMap<_, usize> = transactions
        .iter()
        .enumerate()
        .map(|(index, transaction)| (transaction.compute_txid(), index))
        .collect();
    let spent = |outpoint: &OutPoint| {
        if let Some(coin) = before.get(outpoint) {
            return Some(Spent {
                coinbase: coin.coinbase,
                height: coin.height,
                amount: coin.amount,
                script: (*coin.script_pubkey).to_owned(),
            });
        }
        let index = *within.get(&outpoint.txid)?;
        let output = transactions
            .get(index)?
            .output
            .get(outpoint.vout as usize)?;
        Some(Spent {
            coinbase: index == 0,
            height,
            amount: output.value,
            script: output.script_pubkey.clone(),
        })
    };
    let of = |transaction: &Transaction| {
        let inputs = transaction.input.iter();
        inputs.map(|input| spent(&input.previous_output)).collect()
    };
    transactions
        .iter()
        .enumerate()
        .map(|(index, transaction)| match index {
            0 => None,
            _ => of(transaction),
        })
        .collect()
}

/// A transaction; `spent` are the coins of its inputs, where they are known.
pub(crate) fn transaction_json(
    transaction: &Transaction,
    network: Network,
    spent: Option<&[Spent]>,
    verbosity: Verbosity,
    with_hex: bool,
) -> Json {
    let (size, weight) = sizes(transaction);
    let whole = match size * 4 == weight {
        true => transaction.compute_txid().to_string(),
        false => transaction.compute_wtxid().to_string(),
    };
    let mut json = object! {
        "txid" => transaction.compute_txid(),
        "hash" => whole,
        "version" => transaction.version.0 as u32,
        "size" => size,
        "vsize" => weight.div_ceil(4),
        "weight" => weight,
        "locktime" => transaction.lock_time.to_consensus_u32(),
    };
    let coinbase = transaction.is_coinbase();
    let mut inputs = Vec::with_capacity(transaction.input.len());
    for (index, input) in transaction.input.iter().enumerate() {
        let script = input.script_sig.as_bytes().to_lower_hex_string();
        let mut shown = match coinbase {
            true => object! { "coinbase" => script },
            false => object! {
                "txid" => input.previous_output.txid,
                "vout" => input.previous_output.vout,
                "scriptSig" => object! {
                    "asm" => to_asm_with_hash_types(&input.script_sig),
                    "hex" => script,
                },
            },
        };
        if !input.witness.is_empty() {
            let stack: Json = input
                .witness
                .iter()
                .map(|item| item.to_lower_hex_string())
                .collect();
            shown.push("txinwitness", stack);
        }
        let coin = spent.and_then(|spent| spent.get(index));
        if let (Verbosity::Previous, Some(coin)) = (verbosity, coin) {
            shown.push(
                "prevout",
                object! {
                    "generated" => coin.coinbase,
                    "height" => coin.height,
                    "value" => coin.amount,
                    "scriptPubKey" => script_json(&coin.script, network),
                },
            );
        }
        shown.push("sequence", input.sequence.to_consensus_u32());
        inputs.push(shown);
    }
    json.push("vin", inputs);
    let output = |(index, output): (usize, &bitcoin::TxOut)| {
        object! {
            "value" => output.value,
            "n" => index,
            "scriptPubKey" => script_json(&output.script_pubkey, network),
        }
    };
    let outputs: Json = transaction.output.iter().enumerate().map(output).collect();
    json.push("vout", outputs);
    if let Some(spent) = spent {
        let sat = |value: Amount| i64::try_from(value.to_sat()).unwrap_or(i64::MAX);
        let taken: i64 = spent.iter().map(|coin| sat(coin.amount)).sum();
        let given: i64 = transaction
            .output
            .iter()
            .map(|output| sat(output.value))
            .sum();
        json.push("fee", amount(taken - given));
    }
    if with_hex {
        json.push("hex", encode_hex(transaction));
    }
    json
}
