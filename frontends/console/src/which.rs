//! Owns how an argument names something: a block, a script, an outpoint.
//! Promises that a whole number is a height, 64 hexadecimal characters are a hash, and a value of the console stands
//! for itself; refuses to guess.

use std::str::FromStr;

use bitcoin::address::NetworkUnchecked;
use bitcoin::hex::FromHex;
use bitcoin::{Address, BlockHash, OutPoint, ScriptBuf, Txid};
use everett_ledger::{ScriptHash, WorldError};
use rhai::Dynamic;

use crate::context::Context;
use crate::fault::Fault;
use crate::value::{Block, CoinValue, Output, Tx, WorldValue};

impl Context {
    /// The block that an argument names, on whatever branch.
    pub(crate) fn which_block(&self, which: &Dynamic) -> Result<BlockHash, Fault> {
        if let Some(world) = which.read_lock::<WorldValue>() {
            return Ok(world.hash);
        }
        if let Some(block) = which.read_lock::<Block>() {
            return Ok(block.hash);
        }
        if let Some(tx) = which.read_lock::<Tx>() {
            return match &tx.place {
                Some(place) => Ok(place.block),
                None => Err(Fault::argument("this transaction is in no block")),
            };
        }
        if let Ok(height) = which.as_int() {
            return self.block_at(height);
        }
        let Ok(text) = which.as_immutable_string_ref() else {
            return Err(Fault::argument(format!(
                "a {} names no block; give a world, a block, a hash, a height of the best chain, or \"best\"",
                which.type_name()
            )));
        };
        let text = text.trim();
        if text == "best" {
            return Ok(self.ledger.best().hash());
        }
        if text.len() == 64 {
            return text.parse().map_err(|_| {
                Fault::argument(format!(
                    "`{text}` is no block hash: it is not all hexadecimal"
                ))
            });
        }
        match text.parse() {
            Ok(height) => self.block_at(height),
            Err(_) => Err(Fault::argument(format!(
                "`{text}` names no block; write a hash of 64 characters, a height, or \"best\""
            ))),
        }
    }

    fn block_at(&self, height: i64) -> Result<BlockHash, Fault> {
        let best = self.ledger.best();
        let height = as_height(height)?;
        let unknown = WorldError::HeightUnknown {
            height,
            best: best.height(),
        };
        Ok(best.block_hash_at(height).ok_or(unknown)?)
    }

    /// The script that an argument names, by its hash.
    pub(crate) fn which_script(&self, which: &Dynamic) -> Result<NamedScript, Fault> {
        if let Some(output) = which.read_lock::<Output>() {
            return Ok(NamedScript::of(&output.output.script_pubkey));
        }
        if let Some(coin) = which.read_lock::<CoinValue>() {
            return Ok(NamedScript::of(&coin.coin.script_pubkey));
        }
        let Ok(text) = which.as_immutable_string_ref() else {
            return Err(Fault::argument(format!(
                "a {} names no script; give an address, a script pubkey in hexadecimal, a script hash, an output or a coin",
                which.type_name()
            )));
        };
        self.script_of_text(text.trim())
    }

    fn script_of_text(&self, text: &str) -> Result<NamedScript, Fault> {
        let (hex, forced) = match text.strip_prefix("hex:") {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let hexadecimal = !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let named = |hash| NamedScript {
            hash,
            name: text.to_owned(),
        };
        if hex.len() == 64 && hexadecimal && !forced {
            if let Some(hash) = ScriptHash::from_display_hex(hex) {
                return Ok(named(hash));
            }
        } else if hexadecimal || forced {
            if let Ok(bytes) = Vec::<u8>::from_hex(hex) {
                return Ok(named(ScriptHash::of(&ScriptBuf::from_bytes(bytes))));
            }
        } else if let Ok(address) = Address::<NetworkUnchecked>::from_str(text) {
            let network = self.ledger.params().network;
            return match address.require_network(network.to_bitcoin()) {
                Ok(address) => Ok(named(ScriptHash::of(&address.script_pubkey()))),
                Err(_) => Err(Fault::argument(format!(
                    "the address {text} is not one of {network}"
                ))),
            };
        }
        Err(Fault::argument(format!(
            "`{text}` is no script; write an address, a script pubkey in hexadecimal, or a script hash of 64 characters"
        )))
    }
}

/// A script by its hash, and how it was named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NamedScript {
    pub(crate) hash: ScriptHash,
    pub(crate) name: String,
}

impl NamedScript {
    fn of(script: &bitcoin::Script) -> NamedScript {
        NamedScript {
            hash: ScriptHash::of(script),
            name: script.to_hex_string(),
        }
    }
}

/// A height, which is not negative and fits.
pub(crate) fn as_height(height: i64) -> Result<u32, Fault> {
    u32::try_from(height).map_err(|_| Fault::argument(format!("{height} is no height of a block")))
}

/// A count or an index.
pub(crate) fn as_index(value: &Dynamic, what: &str) -> Result<usize, Fault> {
    let number = value
        .as_int()
        .map_err(|kind| Fault::argument(format!("{what} is a whole number, not a {kind}")))?;
    usize::try_from(number).map_err(|_| Fault::argument(format!("{what} cannot be {number}")))
}

/// A transaction's id, by its text or a transaction.
pub(crate) fn which_transaction(which: &Dynamic) -> Result<Txid, Fault> {
    if let Some(tx) = which.read_lock::<Tx>() {
        return Ok(tx.txid());
    }
    let text = which.as_immutable_string_ref().map_err(|kind| {
        Fault::argument(format!("a transaction is named by its id, not by a {kind}"))
    })?;
    text.trim().parse().map_err(|_| {
        Fault::argument(format!(
            "`{}` is no transaction id: it is 64 hexadecimal characters",
            text.as_str()
        ))
    })
}

/// An outpoint, as `txid:vout`.
pub(crate) fn which_outpoint(which: &Dynamic) -> Result<OutPoint, Fault> {
    if let Some(coin) = which.read_lock::<CoinValue>() {
        return Ok(coin.outpoint);
    }
    let text = which.as_immutable_string_ref().map_err(|kind| {
        Fault::argument(format!("a coin is named as \"txid:vout\", not by a {kind}"))
    })?;
    text.trim().parse().map_err(|error| {
        Fault::argument(format!(
            "`{}` is no outpoint (txid:vout): {error}",
            text.as_str()
        ))
    })
}
