//! Owns what is said of descriptors.

use bitcoin::Network;

use crate::call::Call;
use crate::descriptor::{Expression, parse_range};
use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::show::address_of;

pub(super) static GETDESCRIPTORINFO: Method = Method {
    name: "getdescriptorinfo",
    category: Category::Util,
    about: "What a descriptor is, without its private keys and with its checksum.",
    arguments: &[Argument::required(
        "descriptor",
        Kind::Text,
        "The descriptor",
    )],
    result: "{...}    (json object) descriptor, multipath_expansion, checksum (of what was given), isrange, issolvable, \
             hasprivatekeys",
    at: false,
    run: Run::Read(descriptor_info),
};

fn network(call: &Call) -> Network {
    call.ledger().params().network.to_bitcoin()
}

fn descriptor_info(call: &Call) -> Answer {
    let expression = Expression::parse(call.text(0)?, network(call), false)?;
    let canonical = expression.canonical();
    let mut json = Json::Object(Vec::new());
    json.push_some("descriptor", canonical.first().cloned());
    if canonical.len() > 1 {
        json.push("multipath_expansion", canonical);
    }
    json.push("checksum", expression.checksum.as_str());
    json.push("isrange", expression.is_range());
    json.push("issolvable", expression.is_solvable());
    json.push("hasprivatekeys", expression.has_private_keys);
    Ok(json)
}

pub(super) static DERIVEADDRESSES: Method = Method {
    name: "deriveaddresses",
    category: Category::Util,
    about: "The addresses that a descriptor stands for.",
    arguments: &[
        Argument::required(
            "descriptor",
            Kind::Text,
            "The descriptor, with its checksum",
        ),
        Argument::optional(
            "range",
            Kind::Any,
            "For one with a wildcard: the last index, or [first, last]",
        ),
    ],
    result: "[\"address\", ...]    (json array) The addresses; for several paths, an array of such arrays",
    at: false,
    run: Run::Read(derive_addresses),
};

fn derive_addresses(call: &Call) -> Answer {
    let range = call.maybe(1).map(parse_range).transpose()?;
    let expression = Expression::parse(call.text(0)?, network(call), true)?;
    let is_range = expression.is_range();
    if !is_range && call.count() > 1 {
        return Err(RpcError::parameter(
            "Range should not be specified for an un-ranged descriptor",
        ));
    }
    if is_range && call.count() == 1 {
        return Err(RpcError::parameter(
            "Range must be specified for a ranged descriptor",
        ));
    }
    let (first, last) = range.unwrap_or((0, 0));
    let mut paths = Vec::with_capacity(expression.paths());
    for path in 0..expression.paths() {
        let mut addresses: Vec<String> = Vec::new();
        for index in first..=last {
            if !call.goes_on() {
                return Err(everett_ledger::ReadError::Cancelled.into());
            }
            let derived = expression.derive(path, index)?;
            let several = derived.len() > 1;
            for one in derived {
                match address_of(&one.script, network(call)) {
                    Some(address) => addresses.push(address.to_string()),
                    // A bare key has none; the others of its kind do.
                    None if several => {}
                    None => {
                        return Err(RpcError::new(
                            INVALID_ADDRESS_OR_KEY,
                            "Descriptor does not have a corresponding address",
                        ));
                    }
                }
            }
        }
        paths.push(Json::from(addresses));
    }
    Ok(match paths.len() {
        1 => paths.remove(0),
        _ => Json::Array(paths),
    })
}
