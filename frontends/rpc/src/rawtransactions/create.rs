//! Owns the making of transactions.

use std::collections::HashSet;

use bitcoin::absolute::LockTime;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::Builder;
use bitcoin::script::PushBytesBuf;
use bitcoin::transaction::Version;
use bitcoin::{Amount, Network, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};

use super::network;
use crate::address::destination;
use crate::call::{Call, parse_hex, parse_txid};
use crate::error::{RpcError, TYPE_ERROR};
use crate::json::{Json, parse_fixed_point};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::transaction::encode_hex;

/// All bitcoins there can be, in satoshis.
const MAX_MONEY: i64 = 21_000_000 * 100_000_000;
/// The highest sequence that signals replacement (BIP125).
const SIGNALS: u32 = 0xffff_fffd;

pub(crate) const INPUTS: Argument = Argument::required(
    "inputs",
    Kind::Array,
    "What is spent: txid, vout, and a sequence where it matters",
)
.shown("[{\"txid\":\"hex\",\"vout\":n,\"sequence\":n},...]");
pub(crate) const OUTPUTS: Argument = Argument::required(
    "outputs",
    Kind::Any,
    "What is paid: an amount for each address, and bytes for \"data\"; as an array of objects, or as one",
)
.shown("[{\"address\":amount,...},{\"data\":\"hex\"},...]");
pub(crate) const LOCKTIME: Argument =
    Argument::default("locktime", Kind::Number, "0", "The lock time");
pub(crate) const REPLACEABLE: Argument = Argument::default(
    "replaceable",
    Kind::Bool,
    "true",
    "Whether it signals that it may be replaced (BIP125)",
);
pub(crate) const VERSION: Argument = Argument::default(
    "version",
    Kind::Number,
    "2",
    "The version of the transaction",
);

pub(super) static CREATERAWTRANSACTION: Method = Method {
    name: "createrawtransaction",
    category: Category::Rawtransactions,
    about: "A transaction that spends and pays what is said, without signatures.",
    arguments: &[INPUTS, OUTPUTS, LOCKTIME, REPLACEABLE, VERSION],
    result: "\"hex\"    (string) The transaction",
    at: false,
    run: Run::Read(create_raw_transaction),
};

fn create_raw_transaction(call: &Call) -> Answer {
    Ok(encode_hex(&construct(call)?).into())
}

/// An amount in bitcoins, as a number or a string.
pub(crate) fn parse_amount(value: &Json) -> Result<Amount, RpcError> {
    Ok(Amount::from_sat(parse_money(value, 8, MAX_MONEY)? as u64))
}

/// A number or a string with so many decimals as a whole number of the last one: from 0 to `most`.
pub(crate) fn parse_money(value: &Json, decimals: i32, most: i64) -> Result<i64, RpcError> {
    let text = match value {
        Json::Number(text) | Json::Text(text) => text,
        _ => {
            return Err(RpcError::new(
                TYPE_ERROR,
                "Amount is not a number or string",
            ));
        }
    };
    let amount = parse_fixed_point(text, decimals)
        .ok_or_else(|| RpcError::new(TYPE_ERROR, "Invalid amount"))?;
    match (0..=most).contains(&amount) {
        true => Ok(amount),
        false => Err(RpcError::new(TYPE_ERROR, "Amount out of range")),
    }
}

/// The transaction that the first five arguments describe.
pub(crate) fn construct(call: &Call) -> Result<Transaction, RpcError> {
    let replaceable = call.maybe(3).map(Json::bool).transpose()?;
    let version: u32 = call.int_or(4, 2)?;
    let lock_time: i64 = call.int_or(2, 0)?;
    let lock_time = u32::try_from(lock_time)
        .map_err(|_| RpcError::parameter("Invalid parameter, locktime out of range"))?;
    if !(1..=3).contains(&version) {
        return Err(RpcError::parameter(
            "Invalid parameter, version out of range(1~3)",
        ));
    }
    let default = match (replaceable.unwrap_or(true), lock_time) {
        (true, _) => Sequence(SIGNALS),
        (false, 0) => Sequence::MAX,
        (false, _) => Sequence(0xffff_fffe),
    };
    let inputs = call.arg(0).array()?.iter();
    let transaction = Transaction {
        version: Version(version as i32),
        lock_time: LockTime::from_consensus(lock_time),
        input: inputs
            .map(|value| parse_input(value, default))
            .collect::<Result<_, _>>()?,
        output: parse_outputs(call.arg(1), network(call))?,
    };
    let signals = transaction
        .input
        .iter()
        .any(|input| input.sequence.0 <= SIGNALS);
    if replaceable == Some(true) && !transaction.input.is_empty() && !signals {
        return Err(RpcError::parameter(
            "Invalid parameter combination: Sequence number(s) contradict replaceable option",
        ));
    }
    Ok(transaction)
}

/// An input that is described.
pub(crate) fn parse_input(value: &Json, default: Sequence) -> Result<TxIn, RpcError> {
    value.object()?;
    let txid = parse_txid(value.get("txid"), "txid")?;
    let vout = value.get("vout");
    if !matches!(vout, Json::Number(_)) {
        return Err(RpcError::parameter("Invalid parameter, missing vout key"));
    }
    let vout: i32 = vout.int()?;
    let vout = u32::try_from(vout)
        .map_err(|_| RpcError::parameter("Invalid parameter, vout cannot be negative"))?;
    let sequence = match value.get("sequence") {
        given @ Json::Number(_) => {
            let given: i64 = given.int()?;
            let given = u32::try_from(given).map_err(|_| {
                RpcError::parameter("Invalid parameter, sequence number is out of range")
            })?;
            Sequence(given)
        }
        _ => default,
    };
    Ok(TxIn {
        previous_output: OutPoint::new(txid, vout),
        script_sig: ScriptBuf::new(),
        sequence,
        witness: Witness::new(),
    })
}

/// The outputs that are described.
pub(crate) fn parse_outputs(value: &Json, network: Network) -> Result<Vec<TxOut>, RpcError> {
    if value.is_null() {
        return Err(RpcError::parameter(
            "Invalid parameter, output argument must be non-null",
        ));
    }
    let mut pairs: Vec<&(String, Json)> = Vec::new();
    match value {
        Json::Object(fields) => pairs.extend(fields),
        other => {
            for item in other.array()? {
                match item {
                    Json::Object(fields) if fields.len() == 1 => pairs.extend(fields),
                    Json::Object(_) => {
                        return Err(RpcError::parameter(
                            "Invalid parameter, key-value pair must contain exactly one key",
                        ));
                    }
                    _ => {
                        return Err(RpcError::parameter(
                            "Invalid parameter, key-value pair not an object as expected",
                        ));
                    }
                }
            }
        }
    }
    let mut paid: HashSet<ScriptBuf> = HashSet::new();
    let mut has_data = false;
    let mut outputs = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        if name == "data" {
            if std::mem::replace(&mut has_data, true) {
                return Err(RpcError::parameter(
                    "Invalid parameter, duplicate key: data",
                ));
            }
            outputs.push(TxOut {
                value: Amount::ZERO,
                script_pubkey: data_script(value)?,
            });
            continue;
        }
        let address = destination(name, network);
        let value = parse_amount(value)?;
        let script_pubkey = address?.script_pubkey();
        if !paid.insert(script_pubkey.clone()) {
            return Err(RpcError::parameter(format!(
                "Invalid parameter, duplicated address: {name}"
            )));
        }
        outputs.push(TxOut {
            value,
            script_pubkey,
        });
    }
    Ok(outputs)
}

fn data_script(value: &Json) -> Result<ScriptBuf, RpcError> {
    let text = match value {
        Json::Text(text) | Json::Number(text) => Json::Text(text.clone()),
        _ => Json::Text(String::new()),
    };
    let bytes = parse_hex(&text, "Data")?;
    let bytes =
        PushBytesBuf::try_from(bytes).map_err(|_| RpcError::parameter("Data is too long"))?;
    Ok(Builder::new()
        .push_opcode(OP_RETURN)
        .push_slice(bytes)
        .into_script())
}
