//! Owns the descriptors that are inferred from scripts of which nothing else is known, and the addresses of scripts.
//! Promises Core's choice of function.

use bitcoin::hex::DisplayHex;
use bitcoin::{Address, Network, Script, XOnlyPublicKey};
use everett_script::policy::Template;

use super::checksum;
use super::text::CHECKSUM_CHARS;

/// Whether a key has the length that its first byte says, and is not of the hybrid kind.
fn is_plain_key(key: &[u8]) -> bool {
    matches!((key.first(), key.len()), (Some(2 | 3), 33) | (Some(4), 65))
}

/// The address that stands for a script, if one does.
pub fn address_of(script: &Script, network: Network) -> Option<Address> {
    match Template::of(script.as_bytes()) {
        Template::NonStandard
        | Template::PubKey { .. }
        | Template::Multisig { .. }
        | Template::NullData => None,
        _ => Address::from_script(script, network).ok(),
    }
}

/// A descriptor with its checksum behind it; as it is where it has characters that no descriptor has. It is one allocation:
/// who wipes it leaves no part of a private text behind.
pub fn with_checksum(descriptor: &str) -> String {
    let mut text = String::with_capacity(descriptor.len() + 1 + CHECKSUM_CHARS);
    text.push_str(descriptor);
    if let Some(checksum) = checksum(descriptor) {
        text.push('#');
        text.push_str(&checksum);
    }
    text
}

/// What a script pubkey is as a descriptor, without its checksum.
fn bare(script: &Script, network: Network) -> String {
    match Template::of(script.as_bytes()) {
        Template::PubKey { key } if is_plain_key(key) => return format!("pk({})", key.as_hex()),
        Template::Multisig { required, keys } if keys.iter().all(|key| is_plain_key(key)) => {
            let keys: Vec<String> = keys.iter().map(|key| key.to_lower_hex_string()).collect();
            return format!("multi({required},{})", keys.join(","));
        }
        Template::WitnessV1Taproot { key } if XOnlyPublicKey::from_slice(key).is_ok() => {
            return format!("rawtr({})", key.as_hex());
        }
        _ => {}
    }
    match address_of(script, network) {
        Some(address) => format!("addr({address})"),
        None => format!("raw({})", script.as_bytes().as_hex()),
    }
}

/// What a script pubkey is as a descriptor, with its checksum.
pub fn infer(script: &Script, network: Network) -> String {
    with_checksum(&bare(script, network))
}
