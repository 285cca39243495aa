//! Owns how a script is shown: in words, as a descriptor, in hexadecimal, as an address, by its type.

use bitcoin::hex::DisplayHex;
use bitcoin::{Network, Script};
use everett_script::assembly::to_asm;
use everett_script::policy::Template;

use super::{address_of, infer};
use crate::json::{Json, object};

/// Core's word for a script's form.
pub(crate) fn script_type(script: &Script) -> &'static str {
    Template::of(script.as_bytes()).name()
}

/// A script pubkey.
pub(crate) fn script_json(script: &Script, network: Network) -> Json {
    let mut json = object! {
        "asm" => to_asm(script),
        "desc" => infer(script, network),
        "hex" => script.as_bytes().to_lower_hex_string(),
    };
    let address = address_of(script, network).map(|address| address.to_string());
    json.push_some("address", address);
    json.push("type", script_type(script));
    json
}
