//! Owns messages that are signed with a key of the wallet.

use crate::address::parse;
use crate::call::Call;
use crate::error::RpcError;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static SIGNMESSAGE: Method = Method {
    name: "signmessage",
    category: Category::Wallet,
    about: "Signs a message with the private key of an address; verifymessage looks at it.",
    arguments: &[
        Argument::required("address", Kind::Text, "The address, of one key's hash"),
        Argument::required("message", Kind::Text, "The message"),
    ],
    result: "\"str\"    (string) The signature in base 64",
    at: false,
    run: Run::Read(sign_message),
};

fn sign_message(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    super::unlocked(&wallet)?;
    let network = call.ledger().params().network.to_bitcoin();
    let address =
        parse(call.text(0)?, network).map_err(|_| RpcError::not_found("Invalid address"))?;
    let view = wallet.view()?;
    Ok(view.keyring().sign_message(&address, call.text(1)?)?.into())
}
