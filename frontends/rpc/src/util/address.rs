//! Owns what is said of an address.

use bitcoin::hex::DisplayHex;
use everett_script::policy::Template;

use crate::address::parse;
use crate::call::Call;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static VALIDATEADDRESS: Method = Method {
    name: "validateaddress",
    category: Category::Util,
    about: "Whether a text is an address of this network, and what it stands for or what is wrong with it.",
    arguments: &[Argument::required("address", Kind::Text, "The text")],
    result: "{...}    (json object) isvalid, address, scriptPubKey, isscript, iswitness, witness_version, \
             witness_program; or isvalid, error_locations, error",
    at: false,
    run: Run::Read(validate_address),
};

fn validate_address(call: &Call) -> Answer {
    let network = call.ledger().params().network.to_bitcoin();
    let address = match parse(call.text(0)?, network) {
        Ok(address) => address,
        Err(no) => {
            return Ok(object! {
                "isvalid" => false,
                "error_locations" => no.places,
                "error" => no.message,
            });
        }
    };
    let script = address.script_pubkey();
    let mut json = object! {
        "isvalid" => true,
        "address" => address.to_string(),
        "scriptPubKey" => script.to_hex_string(),
    };
    describe(&mut json, &Template::of(script.as_bytes()));
    Ok(json)
}

/// Adds of which kind a script is.
pub(crate) fn describe(json: &mut Json, template: &Template<'_>) {
    let (is_script, is_witness, program) = match template {
        Template::PubKeyHash { .. } => (Some(false), false, None),
        Template::ScriptHash { .. } => (Some(true), false, None),
        Template::WitnessV0KeyHash { hash } => (Some(false), true, Some((0, *hash))),
        Template::WitnessV0ScriptHash { hash } => (Some(true), true, Some((0, *hash))),
        Template::WitnessV1Taproot { key } => (Some(true), true, Some((1, *key))),
        Template::Anchor => (Some(true), true, None),
        Template::WitnessUnknown { version, program } => (None, true, Some((*version, *program))),
        _ => (None, false, None),
    };
    json.push_some("isscript", is_script);
    json.push("iswitness", is_witness);
    if let Some((version, program)) = program {
        json.push("witness_version", version);
        json.push("witness_program", program.to_lower_hex_string());
    }
}
