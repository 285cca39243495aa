//! Owns the labels of addresses.

use everett_wallet::{Purpose, View};

use crate::address::parse;
use crate::call::Call;
use crate::error::{RpcError, WALLET_INVALID_LABEL_NAME};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// A label, as a caller writes it; none is the empty one.
pub(crate) fn parse_label(value: &Json) -> Result<String, RpcError> {
    let label = match value {
        Json::Null => "",
        value => value.text()?,
    };
    match label {
        "*" => Err(RpcError::new(
            WALLET_INVALID_LABEL_NAME,
            "Invalid label name",
        )),
        label => Ok(label.to_owned()),
    }
}

/// What an address with a label is for.
pub(super) fn purpose_of(view: &View<'_>, address: &bitcoin::Address) -> Purpose {
    let ours = view.keyring().slot_of(&address.script_pubkey()).is_some();
    match ours {
        true => Purpose::Receive,
        false => Purpose::Send,
    }
}

pub(super) static SETLABEL: Method = Method {
    name: "setlabel",
    category: Category::Wallet,
    about: "Puts a label on an address, ours or another's.",
    arguments: &[
        Argument::required("address", Kind::Text, "The address"),
        Argument::required("label", Kind::Text, "Its label from now on"),
    ],
    result: "null    (json null)",
    at: false,
    run: Run::Read(set_label),
};

/// Puts a label on the address that is the first argument.
pub(super) fn set_label(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let network = call.ledger().params().network.to_bitcoin();
    let address = parse(call.text(0)?, network)
        .map_err(|_| RpcError::not_found("Invalid Bitcoin address"))?;
    let label = parse_label(call.arg(1))?;
    let purpose = purpose_of(&wallet.view()?, &address);
    wallet.change_keys(|keyring| {
        let labels = keyring.labels_mut();
        Ok::<(), RpcError>(labels.set_address(&address.to_string(), &label, purpose)?)
    })?;
    Ok(Json::Null)
}

pub(super) static LISTLABELS: Method = Method {
    name: "listlabels",
    category: Category::Wallet,
    about: "The labels that addresses have.",
    arguments: &[Argument::optional(
        "purpose",
        Kind::Text,
        "receive: of ours alone; send: of others' alone",
    )],
    result: "[\"label\", ...]    (json array) The labels, in order",
    at: false,
    run: Run::Read(list_labels),
};

fn list_labels(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let purpose = match call.maybe(0).map(Json::text).transpose()? {
        None | Some("") => None,
        Some("receive") => Some(Purpose::Receive),
        Some("send") => Some(Purpose::Send),
        // Core knows it, and has nothing that is for it.
        Some("refund") => return Ok(Json::Array(Vec::new())),
        Some(_) => {
            return Err(RpcError::parameter(
                "Invalid 'purpose' argument, must be a known purpose string, typically 'send', or 'receive'.",
            ));
        }
    };
    let view = wallet.view()?;
    Ok(view.keyring().labels().names(purpose).into_iter().collect())
}

pub(super) static GETADDRESSESBYLABEL: Method = Method {
    name: "getaddressesbylabel",
    category: Category::Wallet,
    about: "The addresses that have a label.",
    arguments: &[Argument::required("label", Kind::Text, "The label")],
    result: "{\"address\": {\"purpose\"}, ...}    (json object) The addresses, each with what it is for",
    at: false,
    run: Run::Read(addresses_by_label),
};

fn addresses_by_label(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let label = parse_label(call.arg(0))?;
    let view = wallet.view()?;
    let mut json = Json::Object(Vec::new());
    for (address, known) in view.keyring().labels().addresses_of(&label) {
        let purpose = known.purpose.map_or("unknown", Purpose::name);
        json.push(address, object! { "purpose" => purpose });
    }
    match json.object() {
        Ok([]) => Err(RpcError::new(
            WALLET_INVALID_LABEL_NAME,
            format!("No addresses with label {label}"),
        )),
        _ => Ok(json),
    }
}
