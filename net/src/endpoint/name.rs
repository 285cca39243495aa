//! Owns the text of hosts that are no IP addresses: onion and I2P names, and bytes of networks without a name.
//! Promises that what it writes it reads, and that a mistyped onion name is told by its checksum.
//! Refuses the onion names of version 2, as the network does since 2021: it writes them, nobody calls them.

use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::p2p::address::AddrV2;
use data_encoding::BASE32_NOPAD;
use sha3::{Digest, Sha3_256};

const ONION: &str = ".onion";
const I2P: &str = ".b32.i2p";
const OTHER: &str = "bip155-";

/// The version of onion names, their last byte.
const ONION_VERSION: u8 = 3;
/// Bytes of an address on a network that is not known: BIP155's limit.
const MAX_OTHER_BYTES: usize = 512;
/// The highest number of a network that is known.
const LAST_KNOWN: u8 = 6;

/// A host as text.
pub(super) fn host_text(host: &AddrV2) -> String {
    match host {
        AddrV2::Ipv4(ip) => ip.to_string(),
        AddrV2::Ipv6(ip) | AddrV2::Cjdns(ip) => ip.to_string(),
        AddrV2::TorV2(id) => base32(id) + ONION,
        AddrV2::TorV3(key) => {
            let [a, b] = checksum(key);
            let mut bytes = key.to_vec();
            bytes.extend([a, b, ONION_VERSION]);
            base32(&bytes) + ONION
        }
        AddrV2::I2p(hash) => base32(hash) + I2P,
        AddrV2::Unknown(network, bytes) => format!("{OTHER}{network}-{}", bytes.as_hex()),
    }
}

/// A host that is no IP address.
pub(super) fn parse_name(name: &str) -> Result<AddrV2, &'static str> {
    let lower = name.to_ascii_lowercase();
    if let Some(name) = lower.strip_suffix(ONION) {
        let bytes = unbase32(name).ok_or("an onion name is base32")?;
        let [key @ .., a, b, version] = bytes.as_slice() else {
            return Err("the onion name is too short");
        };
        let key: &[u8; 32] = key
            .try_into()
            .map_err(|_| "the names of today's onions have 56 characters")?;
        if *version != ONION_VERSION {
            return Err("the onion name is of another version than 3");
        }
        if [*a, *b] != checksum(key) {
            return Err("the checksum of the onion name is wrong; a character is mistyped");
        }
        return Ok(AddrV2::TorV3(*key));
    }
    if let Some(name) = lower.strip_suffix(I2P) {
        let bytes = unbase32(name).ok_or("an I2P name is base32")?;
        let hash = bytes.try_into();
        return hash
            .map(AddrV2::I2p)
            .map_err(|_| "the names of I2P have 52 characters");
    }
    if let Some(rest) = lower.strip_prefix(OTHER) {
        let (network, bytes) = rest
            .split_once('-')
            .ok_or("bip155- is followed by the network's number, -, and hex")?;
        let network: u8 = network
            .parse()
            .map_err(|_| "the network's number is none")?;
        let bytes = Vec::<u8>::from_hex(bytes).map_err(|_| "the bytes are no hex")?;
        if (1..=LAST_KNOWN).contains(&network) {
            return Err("that network's addresses have a text of their own");
        }
        if bytes.len() > MAX_OTHER_BYTES {
            return Err("an address has at most 512 bytes");
        }
        return Ok(AddrV2::Unknown(network, bytes));
    }
    Err("it is neither an IP address nor an onion or I2P name, and names are not looked up here")
}

fn base32(bytes: &[u8]) -> String {
    BASE32_NOPAD.encode(bytes).to_ascii_lowercase()
}

fn unbase32(text: &str) -> Option<Vec<u8>> {
    BASE32_NOPAD
        .decode(text.to_ascii_uppercase().as_bytes())
        .ok()
}

/// The checksum in an onion name (Tor's `rend-spec-v3`).
fn checksum(key: &[u8; 32]) -> [u8; 2] {
    let mut hasher = Sha3_256::new();
    hasher.update(b".onion checksum");
    hasher.update(key);
    hasher.update([ONION_VERSION]);
    let digest = hasher.finalize();
    [digest[0], digest[1]]
}
