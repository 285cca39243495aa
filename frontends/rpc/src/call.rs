//! Owns one call of a method: its arguments, the world it asks, and what it may ask.
//! Promises arguments with Core's messages where they are wrong.

use std::str::FromStr;
use std::sync::Arc;

use bitcoin::hex::FromHex;
use bitcoin::{BlockHash, Txid};
use everett_ledger::{Ledger, World};
use everett_node::{Handle, Peers};

use crate::error::{CLIENT_P2P_DISABLED, RpcError};
use crate::json::Json;
use crate::method::Given;
use crate::site::Site;

/// A world, as a caller names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum At {
    /// The best one.
    #[default]
    Best,
    /// The one at a height of the best chain.
    Height(u32),
    /// The one at a block, on any branch.
    Block(BlockHash),
}

impl At {
    fn none_of_these(text: &str) -> RpcError {
        RpcError::parameter(format!(
            "at must be the hash of a block, a height of the best chain or \"best\" (not '{text}')"
        ))
    }

    /// A block's hash, a height of the best chain, or `best`.
    pub(crate) fn parse(value: &Json) -> Result<At, RpcError> {
        match value {
            Json::Null => Ok(At::Best),
            Json::Number(_) => value.int().map(At::Height),
            _ => match value.text()? {
                "best" => Ok(At::Best),
                text if text.len() < 64 && text.bytes().all(|byte| byte.is_ascii_digit()) => text
                    .parse()
                    .map(At::Height)
                    .map_err(|_| At::none_of_these(text)),
                text => parse_block_hash(value, "at")
                    .map(At::Block)
                    .map_err(|_| At::none_of_these(text)),
            },
        }
    }
}

/// Thirty-two bytes in hexadecimal, as hashes are displayed.
fn check_hash<'a>(value: &'a Json, name: &str) -> Result<&'a str, RpcError> {
    let text = value.text()?;
    if text.len() != 64 {
        return Err(RpcError::parameter(format!(
            "{name} must be of length 64 (not {}, for '{text}')",
            text.len()
        )));
    }
    match text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => Ok(text),
        false => Err(RpcError::parameter(format!(
            "{name} must be hexadecimal string (not '{text}')"
        ))),
    }
}

/// A block's hash.
pub(crate) fn parse_block_hash(value: &Json, name: &str) -> Result<BlockHash, RpcError> {
    let text = check_hash(value, name)?;
    BlockHash::from_str(text).map_err(|error| RpcError::parameter(error.to_string()))
}

/// A transaction's id.
pub(crate) fn parse_txid(value: &Json, name: &str) -> Result<Txid, RpcError> {
    let text = check_hash(value, name)?;
    Txid::from_str(text).map_err(|error| RpcError::parameter(error.to_string()))
}

/// Bytes in hexadecimal.
pub(crate) fn parse_hex(value: &Json, name: &str) -> Result<Vec<u8>, RpcError> {
    let text = match value {
        Json::Text(text) => text.as_str(),
        _ => "",
    };
    let bytes = Vec::<u8>::from_hex(text).ok().filter(|_| !text.is_empty());
    bytes.ok_or_else(|| {
        RpcError::parameter(format!("{name} must be hexadecimal string (not '{text}')"))
    })
}

/// One call.
pub(crate) struct Call {
    pub(crate) site: Arc<Site>,
    given: Given,
    /// The wallet that the path of the request names.
    wallet: Option<String>,
}

impl Call {
    pub(crate) fn new(site: Arc<Site>, given: Given) -> Call {
        Call {
            site,
            given,
            wallet: None,
        }
    }

    /// The same, asked of a wallet by name.
    pub(crate) fn of_wallet(mut self, name: Option<String>) -> Call {
        self.wallet = name;
        self
    }

    /// The wallet that the path of the request names.
    pub(crate) fn wallet_name(&self) -> Option<&str> {
        self.wallet.as_deref()
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.site.handle
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        self.site.handle.ledger()
    }

    /// The world that is asked.
    pub(crate) fn world(&self) -> Result<World, RpcError> {
        match self.given.at.unwrap_or_default() {
            At::Best => Ok(self.ledger().best()),
            At::Height(height) => Ok(self.ledger().world_at_height(height)?),
            At::Block(hash) => Ok(self.ledger().world(&hash)?),
        }
    }

    /// Whether a world other than simply the best one was named.
    pub(crate) fn names_world(&self) -> bool {
        !matches!(self.given.at, None | Some(At::Best))
    }

    /// The node's connections.
    pub(crate) fn peers(&self) -> Result<Arc<dyn Peers>, RpcError> {
        self.handle().peers().ok_or_else(|| {
            RpcError::new(
                CLIENT_P2P_DISABLED,
                "Error: Peer-to-peer functionality missing or disabled",
            )
        })
    }

    /// The argument at a place; `null` if there is none.
    pub(crate) fn arg(&self, place: usize) -> &Json {
        self.given.places.get(place).unwrap_or(&Json::Null)
    }

    /// The argument at a place, unless it was left out.
    pub(crate) fn maybe(&self, place: usize) -> Option<&Json> {
        Some(self.arg(place)).filter(|value| !value.is_null())
    }

    /// How many arguments there are.
    pub(crate) fn count(&self) -> usize {
        self.given.places.len()
    }

    pub(crate) fn text(&self, place: usize) -> Result<&str, RpcError> {
        self.arg(place).text()
    }

    pub(crate) fn bool_or(&self, place: usize, default: bool) -> Result<bool, RpcError> {
        self.maybe(place).map_or(Ok(default), Json::bool)
    }

    pub(crate) fn int<T: FromStr>(&self, place: usize) -> Result<T, RpcError> {
        self.arg(place).int()
    }

    pub(crate) fn int_or<T: FromStr>(&self, place: usize, default: T) -> Result<T, RpcError> {
        self.maybe(place).map_or(Ok(default), Json::int)
    }

    pub(crate) fn block_hash(&self, place: usize, name: &str) -> Result<BlockHash, RpcError> {
        parse_block_hash(self.arg(place), name)
    }

    pub(crate) fn txid(&self, place: usize, name: &str) -> Result<Txid, RpcError> {
        parse_txid(self.arg(place), name)
    }

    /// Whether work should go on.
    pub(crate) fn goes_on(&self) -> bool {
        !self.handle().stop_signal().is_given() && !self.handle().shutdown().is_given()
    }
}
