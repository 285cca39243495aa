//! Owns the method that makes one block of the transactions it is told.

use bitcoin::hex::DisplayHex;
use bitcoin::{ScriptBuf, Txid};
use everett_ledger::decode::DecodedTransaction;
use everett_mining::{DEFAULT_MAX_TRIES, GenerateError, TemplateError};

use super::{invalid, named_world, network, payout};
use crate::address::parse;
use crate::call::Call;
use crate::error::{DESERIALIZATION_ERROR, INVALID_ADDRESS_OR_KEY, RpcError, VERIFY_ERROR};
use crate::json::object;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::transaction::decode_hex;

pub(super) static GENERATEBLOCK: Method = Method {
    name: "generateblock",
    category: Category::Hidden,
    about: "Makes a block of these transactions in this order. Nobody gets their fees.",
    arguments: &[
        Argument::required("output", Kind::Text, "Whom it pays: an address or a descriptor"),
        Argument::required(
            "transactions",
            Kind::Array,
            "Transactions in hexadecimal, or the ids of pending ones; those that spend others after these",
        )
        .shown("[\"rawtx/txid\",...]"),
        Argument::default("submit", Kind::Bool, "true", "Whether to hand it in, rather than to show it"),
    ],
    result: "{\"hash\", \"hex\"}    (json object) Its hash; its bytes where it was not handed in",
    at: true,
    run: Run::Submit(generate_block),
};

fn generate_block(call: &Call) -> Answer {
    let script = output(call, call.text(0)?)?;
    let transactions = call.arg(1).array()?.iter();
    let transactions = transactions
        .map(|item| transaction(call, item.text()?))
        .collect::<Result<Vec<_>, _>>()?;
    let submit = call.bool_or(2, true)?;
    let world = named_world(call)?;
    let made = call.site.miner.generate_block(
        world.as_ref(),
        &script,
        &transactions,
        submit,
        DEFAULT_MAX_TRIES,
        &|| call.goes_on(),
    );
    let made = made.map_err(|error| match error {
        GenerateError::Template(TemplateError::Invalid(reject)) => {
            RpcError::new(VERIFY_ERROR, invalid(&reject))
        }
        other => other.into(),
    })?;
    let made = made.ok_or_else(|| RpcError::misc("Failed to make block."))?;
    let mut json = object! { "hash" => made.hash };
    if !submit {
        json.push("hex", made.bytes.to_lower_hex_string());
    }
    Ok(json)
}

fn output(call: &Call, text: &str) -> Result<ScriptBuf, RpcError> {
    let network = network(call);
    if let Ok(script) = payout(text, network)? {
        return Ok(script);
    }
    match parse(text, network) {
        Ok(address) => Ok(address.script_pubkey()),
        Err(_) => Err(RpcError::new(
            INVALID_ADDRESS_OR_KEY,
            "Error: Invalid address or descriptor",
        )),
    }
}

fn transaction(call: &Call, text: &str) -> Result<DecodedTransaction, RpcError> {
    if let (64, Ok(txid)) = (text.len(), text.parse::<Txid>()) {
        let view = call.handle().mempool().view();
        let view = view?;
        let pending = view.transaction(&txid);
        return pending
            .map(|tx| (**tx).clone())
            .ok_or_else(|| RpcError::not_found(format!("Transaction {text} not in mempool.")));
    }
    let transaction = decode_hex(text, false, true).map(DecodedTransaction::new);
    transaction.ok_or_else(|| {
        RpcError::new(
            DESERIALIZATION_ERROR,
            format!(
                "Transaction decode failed for {text}. Make sure the tx has at least one input."
            ),
        )
    })
}
