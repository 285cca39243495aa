//! Owns messages that are signed with the key of an address.

use bitcoin::Address;

use super::private_key;
use crate::address::parse;
use crate::call::Call;
use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError, TYPE_ERROR};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static SIGNMESSAGEWITHPRIVKEY: Method = Method {
    name: "signmessagewithprivkey",
    category: Category::Util,
    about: "Signs a message with a private key.",
    arguments: &[
        Argument::required("privkey", Kind::Text, "The private key"),
        Argument::required("message", Kind::Text, "The message"),
    ],
    result: "\"str\"    (string) The signature in base 64",
    at: false,
    run: Run::Read(sign_message),
};

fn sign_message(call: &Call) -> Answer {
    let network = call.ledger().params().network.to_bitcoin();
    let key = private_key(call.text(0)?, network)?;
    Ok(everett_wallet::keys::sign_message(&key, call.text(1)?).into())
}

pub(super) static VERIFYMESSAGE: Method = Method {
    name: "verifymessage",
    category: Category::Util,
    about: "Whether a message was signed with the key of an address.",
    arguments: &[
        Argument::required("address", Kind::Text, "The address"),
        Argument::required("signature", Kind::Text, "The signature in base 64"),
        Argument::required("message", Kind::Text, "The message"),
    ],
    result: "true|false    (boolean) Whether it was",
    at: false,
    run: Run::Read(verify_message),
};

fn verify_message(call: &Call) -> Answer {
    let network = call.ledger().params().network.to_bitcoin();
    let address: Address = parse(call.text(0)?, network)
        .map_err(|_| RpcError::new(INVALID_ADDRESS_OR_KEY, "Invalid address"))?;
    match everett_wallet::keys::verify_message(&address, call.text(1)?, call.text(2)?) {
        Ok(same) => Ok(Json::Bool(same)),
        Err(error) => Err(RpcError::new(TYPE_ERROR, error.to_string())),
    }
}
