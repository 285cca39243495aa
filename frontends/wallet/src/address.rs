//! Owns the reading of addresses that people type: what one pays, or which kind of mistake it has.
//! Promises that what looks like an address of one kind is judged as one of that kind.

use bitcoin::address::{NetworkUnchecked, ParseError};
use bitcoin::bech32::segwit;
use bitcoin::{Address, Network, base58};
use thiserror::Error;

/// The networks whose addresses differ, each with what its addresses begin with: of the kind with a checksum of letters
/// (bech32), and of the older kinds (base58).
const KINDS: [(Network, &str, &[char]); 3] = [
    (Network::Bitcoin, "bc1", &['1', '3']),
    (Network::Regtest, "bcrt1", &['m', 'n', '2']),
    (Network::Testnet, "tb1", &['m', 'n', '2']),
];

/// Why a text is no address of a network.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is nothing.
    #[error("there is nothing")]
    Empty,
    /// It begins like no address of any network.
    #[error("it begins like no address; those of {network} begin with {}", beginnings(.network))]
    Beginning {
        /// The network that is asked for.
        network: Network,
    },
    /// It is, or would be, an address of another network.
    #[error("it is an address of another network; those of {network} begin with {}", beginnings(.network))]
    OtherNetwork {
        /// The network that is asked for.
        network: Network,
    },
    /// Its checksum says that it was changed.
    #[error("its checksum is wrong: some character of it was mistyped, left out or added")]
    Checksum,
    /// A character that no address of its kind has.
    #[error("no address of its kind has the character {0:?}")]
    Character(char),
    /// Capitals and small letters, where it is one or the other.
    #[error("it mixes capitals and small letters")]
    MixedCase,
    /// The checksum is right, but it stands for nothing.
    #[error("it stands for nothing that can be paid: {0}")]
    Meaningless(String),
}

/// What addresses of a network begin with.
fn beginnings(network: &Network) -> String {
    let (_, bech32, base58) = kind(*network);
    let others: Vec<String> = base58.iter().map(char::to_string).collect();
    format!("{bech32}, {}", others.join(", "))
}

fn kind(network: Network) -> (Network, &'static str, &'static [char]) {
    let same = |known: &Network| known == &network;
    // Those of the other test networks are testnet's.
    let found = KINDS.iter().find(|(known, _, _)| same(known));
    *found.unwrap_or(&KINDS[2])
}

/// Reads an address of a network; blanks around it do not matter.
///
/// # Errors
///
/// [`AddressError`]: what is wrong with it.
pub fn read_address(text: &str, network: Network) -> Result<Address, AddressError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(AddressError::Empty);
    }
    let begins = |with: &str| {
        text.get(..with.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(with))
    };
    let address: Address<NetworkUnchecked> =
        match KINDS.iter().find(|(_, bech32, _)| begins(bech32)) {
            Some(_) => {
                segwit::decode(text).map_err(|error| of_bech32(error.0))?;
                text.parse()
                    .map_err(|error: ParseError| meaningless(&error))?
            }
            None => {
                let known = |(_, _, base58): &(Network, &str, &[char])| text.starts_with(*base58);
                if !KINDS.iter().any(known) {
                    return Err(AddressError::Beginning { network });
                }
                base58::decode_check(text).map_err(of_base58)?;
                text.parse()
                    .map_err(|error: ParseError| meaningless(&error))?
            }
        };
    address
        .require_network(network)
        .map_err(|_| AddressError::OtherNetwork { network })
}

fn meaningless(error: &dyn std::error::Error) -> AddressError {
    // The first error says no more than where it was noticed.
    let why = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    AddressError::Meaningless(why)
}

fn of_bech32(error: bitcoin::bech32::primitives::decode::SegwitHrpstringError) -> AddressError {
    use bitcoin::bech32::primitives::decode::{
        CharError, SegwitHrpstringError as Why, UncheckedHrpstringError as Unchecked,
    };
    match error {
        Why::Checksum(_) | Why::TooLong(_) | Why::NoData => AddressError::Checksum,
        Why::Unchecked(Unchecked::Char(CharError::InvalidChar(wrong))) => {
            AddressError::Character(wrong)
        }
        Why::Unchecked(Unchecked::Char(CharError::MixedCase)) => AddressError::MixedCase,
        Why::Unchecked(_) => AddressError::Checksum,
        other => AddressError::Meaningless(other.to_string()),
    }
}

fn of_base58(error: base58::Error) -> AddressError {
    match error {
        base58::Error::Decode(error) => {
            AddressError::Character(char::from(error.invalid_base58_character()))
        }
        _ => AddressError::Checksum,
    }
}

#[cfg(test)]
mod tests;
