//! Owns messages that are signed with the key of an address.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::secp256k1::{Message, Secp256k1};
use bitcoin::sign_message::{MessageSignature, signed_msg_hash};
use bitcoin::{Address, AddressType, Script};

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
    let hash = signed_msg_hash(call.text(1)?);
    let message = Message::from_digest(*AsRef::<[u8; 32]>::as_ref(&hash));
    let signature = Secp256k1::new().sign_ecdsa_recoverable(&message, &key.inner);
    let signature = MessageSignature::new(signature, key.compressed);
    Ok(STANDARD.encode(signature.serialize()).into())
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
    if address.address_type() != Some(AddressType::P2pkh) {
        return Err(RpcError::new(TYPE_ERROR, "Address does not refer to key"));
    }
    let bytes = STANDARD
        .decode(call.text(1)?)
        .map_err(|_| RpcError::new(TYPE_ERROR, "Malformed base64 encoding"))?;
    let hash = signed_msg_hash(call.text(2)?);
    let recovered = MessageSignature::from_slice(&bytes)
        .ok()
        .and_then(|signature| signature.recover_pubkey(&Secp256k1::new(), hash).ok());
    let same = recovered.is_some_and(|key| {
        let paid = address.script_pubkey();
        let paid: &Script = &paid;
        bitcoin::ScriptBuf::new_p2pkh(&key.pubkey_hash()).as_script() == paid
    });
    Ok(Json::Bool(same))
}
