//! Owns the reading of addresses: what one stands for, or what is wrong with it and where.

mod bech32;

use std::str::FromStr;

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Network, base58};

use crate::error::{INVALID_ADDRESS_OR_KEY, RpcError};

/// Why a text is no address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NoAddress {
    pub(crate) message: String,
    /// The characters that are probably wrong.
    pub(crate) places: Vec<usize>,
}

impl NoAddress {
    fn new(message: impl Into<String>) -> NoAddress {
        NoAddress {
            message: message.into(),
            places: Vec::new(),
        }
    }
}

/// Reads an address of this network.
pub(crate) fn parse(text: &str, network: Network) -> Result<Address, NoAddress> {
    let prefix = match network {
        Network::Bitcoin => "bc",
        Network::Regtest => "bcrt",
        _ => "tb",
    };
    let start = text.get(..prefix.len()).unwrap_or_default();
    if !start.eq_ignore_ascii_case(prefix) {
        return base58_address(text, network);
    }
    if let Some(no) = bech32::find_errors(text, prefix) {
        return Err(no);
    }
    let parsed = Address::<NetworkUnchecked>::from_str(text);
    parsed
        .ok()
        .and_then(|address| address.require_network(network).ok())
        .ok_or_else(|| NoAddress::new("Invalid padding in Bech32 data section"))
}

fn base58_address(text: &str, network: Network) -> Result<Address, NoAddress> {
    /// Version and hash.
    const LENGTH: usize = 21;
    let (keys, scripts) = match network {
        Network::Bitcoin => (0, 5),
        _ => (111, 196),
    };
    match base58::decode_check(text) {
        Ok(data) if data.len() <= LENGTH => {
            let known = data
                .first()
                .is_some_and(|version| [keys, scripts].contains(version));
            if known && data.len() == LENGTH {
                let parsed = Address::<NetworkUnchecked>::from_str(text);
                let address = parsed
                    .ok()
                    .and_then(|address| address.require_network(network).ok());
                return address.ok_or_else(|| {
                    NoAddress::new("Invalid or unsupported Base58-encoded address.")
                });
            }
            Err(NoAddress::new(match known {
                true => "Invalid length for Base58 address (P2PKH or P2SH)",
                false => "Invalid or unsupported Base58-encoded address.",
            }))
        }
        _ => Err(NoAddress::new(match base58::decode(text) {
            Ok(data) if data.len() <= 100 => {
                "Invalid checksum or length of Base58 address (P2PKH or P2SH)"
            }
            _ => "Invalid or unsupported Segwit (Bech32) or Base58 encoding.",
        })),
    }
}

/// Reads an address that a transaction is to pay.
pub(crate) fn destination(text: &str, network: Network) -> Result<Address, RpcError> {
    parse(text, network).map_err(|_| {
        RpcError::new(
            INVALID_ADDRESS_OR_KEY,
            format!("Invalid Bitcoin address: {text}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (String, Vec<usize>) {
        let no = parse(text, Network::Regtest).unwrap_err();
        (no.message, no.places)
    }

    #[test]
    fn addresses_of_all_kinds_are_read() {
        for text in [
            "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
            "BCRT1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KYGT080",
            "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r",
            "2NAUYAHhujozruyzpsFRP63mbrdaU5wnEpN",
            "bcrt1pfeesnyr2tx",
        ] {
            assert!(parse(text, Network::Regtest).is_ok(), "{text}");
        }
    }

    #[test]
    fn wrong_characters_are_pointed_at() {
        assert_eq!(
            error("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt08q"),
            ("Invalid Bech32 checksum".to_owned(), vec![43])
        );
        assert_eq!(
            error("bcrt1qw508d6qejxtqg4y5r3zarvary0c5xw7kygtq80"),
            ("Invalid Bech32 checksum".to_owned(), vec![17, 41])
        );
        assert_eq!(
            error("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt081"),
            ("Invalid separator position".to_owned(), vec![43])
        );
        assert_eq!(
            error("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygtb80"),
            ("Invalid Base 32 character".to_owned(), vec![41])
        );
    }

    #[test]
    fn what_is_of_another_kind_is_named() {
        for (text, message) in [
            (
                "foo",
                "Invalid checksum or length of Base58 address (P2PKH or P2SH)",
            ),
            (
                "",
                "Invalid checksum or length of Base58 address (P2PKH or P2SH)",
            ),
            (
                "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
                "Invalid or unsupported Base58-encoded address.",
            ),
            (
                "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
                "Invalid or unsupported Segwit (Bech32) or Base58 encoding.",
            ),
        ] {
            assert_eq!(error(text), (message.to_owned(), vec![]), "{text}");
        }
    }
}
