//! Owns how what visitors write is read: hashes, heights, scripts, page numbers.
//! Promises that what cannot be read is told back with what was wanted; refuses to guess between two things.

use std::str::FromStr;

use bitcoin::address::NetworkUnchecked;
use bitcoin::hex::FromHex;
use bitcoin::{Address, BlockHash, OutPoint, ScriptBuf, Txid};
use everett_ledger::{Network, ScriptHash};
use everett_wallet::read_address;

use crate::fault::Fault;

/// The longest script that can be asked for, in bytes: none that can be spent is longer.
pub(crate) const MAX_SCRIPT_BYTES: usize = 10_000;
/// How much of a foreign text is repeated.
const MAX_REPEATED: usize = 80;

/// Where a block is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BlockName {
    Hash(BlockHash),
    Height(u32),
}

/// A script as it was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ScriptName {
    pub(crate) hash: ScriptHash,
    /// Unknown where only the hash was given.
    pub(crate) script: Option<ScriptBuf>,
}

/// A block's hash, or a height.
pub(crate) fn block(text: &str) -> Result<BlockName, Fault> {
    let text = text.trim();
    if let Some(height) = height(text) {
        return Ok(BlockName::Height(height));
    }
    let hash = BlockHash::from_str(text);
    hash.map(BlockName::Hash)
        .map_err(|_| malformed(text, "a block's hash or a height"))
}

/// A block's hash.
pub(crate) fn block_hash(text: &str) -> Result<BlockHash, Fault> {
    BlockHash::from_str(text.trim()).map_err(|_| malformed(text, "a block's hash"))
}

/// A transaction id.
pub(crate) fn txid(text: &str) -> Result<Txid, Fault> {
    Txid::from_str(text.trim()).map_err(|_| malformed(text, "a transaction id"))
}

/// A coin, as `TXID:NUMBER`.
pub(crate) fn coin(text: &str) -> Result<OutPoint, Fault> {
    OutPoint::from_str(text.trim()).map_err(|_| malformed(text, "a coin (TXID:NUMBER)"))
}

/// The number of a page, from 1.
pub(crate) fn page(text: Option<&str>) -> Result<u64, Fault> {
    match text {
        None | Some("") => Ok(1),
        Some(text) => match text.parse() {
            Ok(page @ 1..) => Ok(page),
            _ => Err(malformed(text, "the number of a page")),
        },
    }
}

/// A height: decimal digits and nothing else, few enough that they are no script.
pub(crate) fn height(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && text.len() < 10)
        .then(|| text.parse().ok())
        .flatten()
}

/// An address of the network, a script in hexadecimal, or the script hash that Electrum uses: 64 characters are a hash,
/// unless `hex:` stands before them.
pub(crate) fn script(text: &str, network: Network) -> Result<ScriptName, Fault> {
    const WANTED: &str = "an address, a script in hexadecimal, or a script hash";
    let text = text.trim();
    let (hex, forced) = match text.strip_prefix("hex:") {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let is_hex = !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex && hex.len() == 64 && !forced {
        let hash = ScriptHash::from_display_hex(hex).ok_or_else(|| malformed(text, WANTED))?;
        return Ok(ScriptName { hash, script: None });
    }
    let script = if is_hex || forced {
        if hex.len() > 2 * MAX_SCRIPT_BYTES {
            return Err(malformed(text, "a script of 10,000 bytes at most"));
        }
        let bytes = Vec::<u8>::from_hex(hex).map_err(|_| malformed(text, WANTED))?;
        ScriptBuf::from_bytes(bytes)
    } else {
        let address: Address<NetworkUnchecked> =
            text.parse().map_err(|_| malformed(text, WANTED))?;
        address
            .require_network(network.to_bitcoin())
            .map_err(|_| malformed(text, "an address of this network"))?
            .script_pubkey()
    };
    Ok(ScriptName {
        hash: ScriptHash::of(&script),
        script: Some(script),
    })
}

/// An address of the network.
pub(crate) fn address(text: &str, network: Network) -> Result<Address, Fault> {
    read_address(text, network.to_bitcoin()).map_err(|error| Fault::NoAddress {
        given: cut(text),
        error,
    })
}

/// A refusal of `given`, cut to a length that can be shown.
pub(crate) fn malformed(given: &str, wanted: &'static str) -> Fault {
    Fault::Malformed {
        given: cut(given),
        wanted,
    }
}

/// As much of a foreign text as is repeated.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_REPEATED) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_height_is_no_hash_and_a_hash_no_height() {
        assert_eq!(block("0").unwrap(), BlockName::Height(0));
        assert_eq!(block(" 420 ").unwrap(), BlockName::Height(420));
        let digits = "1".repeat(64);
        assert!(matches!(block(&digits).unwrap(), BlockName::Hash(_)));
        for wrong in ["", "-1", "1e3", "0x10", "12345678901", &"g".repeat(64)] {
            assert!(
                matches!(block(wrong), Err(Fault::Malformed { .. })),
                "{wrong}"
            );
        }
    }

    #[test]
    fn scripts_are_addresses_hexadecimal_or_hashes() {
        let address = "bcrt1qsmnj2dh2mg2vsugazxwr6puvz39nuhnsd4zmpu";
        let by_address = script(address, Network::Regtest).unwrap();
        let bytes = by_address.script.clone().unwrap();
        let by_hex = script(&bytes.to_hex_string(), Network::Regtest).unwrap();
        assert_eq!(by_address, by_hex);
        let by_hash = script(&by_address.hash.to_string(), Network::Regtest).unwrap();
        assert_eq!((by_hash.hash, by_hash.script), (by_address.hash, None));
        // A script that is as long as a hash.
        let forced = script(&format!("hex:{}", "51".repeat(32)), Network::Regtest).unwrap();
        assert_eq!(forced.script.unwrap().len(), 32);
        assert!(
            script("hex:", Network::Regtest)
                .unwrap()
                .script
                .unwrap()
                .is_empty()
        );
        for wrong in [
            "",
            "abc",
            "<script>",
            "hex:zz",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        ] {
            assert!(
                matches!(
                    script(wrong, Network::Regtest),
                    Err(Fault::Malformed { .. })
                ),
                "{wrong}"
            );
        }
        let long = "51".repeat(MAX_SCRIPT_BYTES + 1);
        assert!(script(&long, Network::Regtest).is_err());
    }

    #[test]
    fn foreign_text_is_repeated_in_part() {
        let Fault::Malformed { given, .. } = malformed(&"ü".repeat(1000), "x") else {
            panic!("not malformed");
        };
        assert_eq!(given.chars().count(), MAX_REPEATED + 1);
    }

    #[test]
    fn pages_are_counted_from_one() {
        assert_eq!(page(None).unwrap(), 1);
        assert_eq!(page(Some("7")).unwrap(), 7);
        for wrong in ["0", "-1", "x", "99999999999999999999999"] {
            assert!(page(Some(wrong)).is_err());
        }
    }
}
