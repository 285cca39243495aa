//! Owns how a user names a script: as an address, as the hex of the script pubkey, or as its hash.
//! Promises to refuse an address of another network; refuses to guess where a text could be two
//! things: 64 hexadecimal characters are a hash, unless `hex:` says otherwise.

use std::str::FromStr;

use bitcoin::address::NetworkUnchecked;
use bitcoin::hex::FromHex;
use bitcoin::{Address, ScriptBuf};
use everett_ledger::{Network, ScriptHash};

use crate::failure::Failure;

/// A script, as the command line names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ScriptArg {
    /// What the user wrote.
    pub(crate) text: String,
    pub(crate) kind: ScriptKind,
}

/// What the text turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum ScriptKind {
    Address(Address<NetworkUnchecked>),
    Script(ScriptBuf),
    Hash(ScriptHash),
}

impl FromStr for ScriptArg {
    type Err = String;

    fn from_str(text: &str) -> Result<ScriptArg, String> {
        let (hex, forced) = match text.strip_prefix("hex:") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let hexadecimal = !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let kind = if hex.len() == 64 && hexadecimal && !forced {
            ScriptHash::from_display_hex(hex).map(ScriptKind::Hash)
        } else if hexadecimal || forced {
            let bytes = Vec::<u8>::from_hex(hex).ok();
            bytes.map(|bytes| ScriptKind::Script(ScriptBuf::from_bytes(bytes)))
        } else {
            text.parse().ok().map(ScriptKind::Address)
        };
        match kind {
            Some(kind) => Ok(ScriptArg {
                text: text.to_owned(),
                kind,
            }),
            None => Err(format!(
                "`{text}` is no script; write an address, a script pubkey in hex, or a script hash \
                 of 64 characters"
            )),
        }
    }
}

impl ScriptArg {
    /// Its hash on `network`.
    ///
    /// # Errors
    ///
    /// An address of another network is wrong usage.
    pub(crate) fn hash(&self, network: Network) -> Result<ScriptHash, Failure> {
        match &self.kind {
            ScriptKind::Hash(hash) => Ok(*hash),
            ScriptKind::Script(script) => Ok(ScriptHash::of(script)),
            ScriptKind::Address(address) => {
                let address = address
                    .clone()
                    .require_network(network.to_bitcoin())
                    .map_err(|_| {
                        Failure::usage(format!(
                            "the address {} is not one of {network}; set --network, or take an \
                             address of that network",
                            self.text
                        ))
                    })?;
                Ok(ScriptHash::of(&address.script_pubkey()))
            }
        }
    }
}

#[cfg(test)]
mod tests;
