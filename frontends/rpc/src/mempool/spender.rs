//! Owns the question who spends an output.

use std::sync::Arc;

use bitcoin::OutPoint;
use everett_ledger::decode::DecodedTransaction;

use crate::call::{Call, parse_txid};
use crate::error::{RpcError, TYPE_ERROR};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::transaction::encode_hex;

pub(super) static GETTXSPENDINGPREVOUT: Method = Method {
    name: "gettxspendingprevout",
    category: Category::Blockchain,
    about: "Which of the transactions that wait spend these outputs. There is no index of confirmed spends.",
    arguments: &[
        Argument::required("outputs", Kind::Array, "The outputs, each with txid and vout")
            .shown("[{\"txid\":\"hex\",\"vout\":n},...]"),
        Argument::optional("options", Kind::Object, "More").shown("{\"mempool_only\":bool,\"return_spending_tx\":bool,...}").options(&[
            Argument::optional(
                "mempool_only",
                Kind::Bool,
                "false: an output that no waiting transaction spends is an error, as there is no index",
            ),
            Argument::optional(
                "return_spending_tx",
                Kind::Bool,
                "Also the bytes of what spends them",
            ),
        ]),
    ],
    result: "[{\"txid\", \"vout\", \"spendingtxid\", \"spendingtx\"}, ...]    (json array) The outputs, with what spends them",
    at: true,
    run: Run::Read(spending_prevout),
};

/// Checks that an object has these fields, of these types, in the order of their names, and no other.
fn check_fields(value: &Json, fields: &[(&str, &str)], may_miss: bool) -> Result<(), RpcError> {
    let wrong = |message: String| Err(RpcError::new(TYPE_ERROR, message));
    for (name, expected) in fields {
        let field = value.get(name);
        if field.is_null() {
            match may_miss {
                true => continue,
                false => return wrong(format!("Missing {name}")),
            }
        }
        if field.type_name() != *expected {
            return wrong(format!(
                "JSON value of type {} for field {name} is not of expected type {expected}",
                field.type_name()
            ));
        }
    }
    let known = |key: &str| fields.iter().any(|(name, _)| *name == key);
    match value.object()?.iter().find(|(key, _)| !known(key)) {
        Some((key, _)) => wrong(format!("Unexpected key {key}")),
        None => Ok(()),
    }
}

fn spending_prevout(call: &Call) -> Answer {
    let outputs = call.arg(0).array()?;
    if outputs.is_empty() {
        return Err(RpcError::parameter(
            "Invalid parameter, outputs are missing",
        ));
    }
    let none = Json::Object(Vec::new());
    let options = call.maybe(1).unwrap_or(&none);
    check_fields(
        options,
        &[("mempool_only", "bool"), ("return_spending_tx", "bool")],
        true,
    )?;
    let mempool_only = options.find("mempool_only").map_or(Ok(true), Json::bool)?;
    let with_bytes = options
        .find("return_spending_tx")
        .map_or(Ok(false), Json::bool)?;
    let mut outpoints: Vec<(OutPoint, &Json)> = Vec::with_capacity(outputs.len());
    for output in outputs {
        output.object()?;
        check_fields(output, &[("txid", "string"), ("vout", "number")], false)?;
        let txid = parse_txid(output.get("txid"), "txid")?;
        let vout: i32 = output.get("vout").int()?;
        let vout = u32::try_from(vout)
            .map_err(|_| RpcError::parameter("Invalid parameter, vout cannot be negative"))?;
        outpoints.push((OutPoint::new(txid, vout), output));
    }
    let spenders: Vec<Option<Arc<DecodedTransaction>>> = {
        let view = super::view(call)?;
        let spender = |(outpoint, _): &(OutPoint, &Json)| {
            let txid = view.spender(outpoint)?;
            view.transaction(&txid).cloned()
        };
        outpoints.iter().map(spender).collect()
    };
    if !mempool_only && spenders.iter().any(Option::is_none) {
        return Err(RpcError::misc(
            "Mempool lacks a relevant spend, and txospenderindex is unavailable.",
        ));
    }
    let told = outpoints
        .iter()
        .zip(spenders)
        .map(|((_, output), spender)| {
            let mut json = (*output).clone();
            if let Some(tx) = spender {
                json.push("spendingtxid", tx.txid);
                if with_bytes {
                    json.push("spendingtx", encode_hex(&tx.tx));
                }
            }
            json
        });
    Ok(told.collect())
}
