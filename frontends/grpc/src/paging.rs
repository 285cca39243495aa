//! Owns pages: their sizes, and the tokens between them.
//! Promises that a token only continues the list it came from: same call, same blocks, same filter.
//! Refuses tokens that it did not write, with what is wrong with them.
//!
//! A token is the hexadecimal form of: version, list, block (32 bytes each), filter (8), position, check (4).

use bitcoin::BlockHash;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::hex::{DisplayHex, FromHex};
use everett_proto::v1;
use everett_proto::v1::world_ref::Ref;
use everett_wallet::labels::MAX_LABELLED_LENGTH;

use crate::fault::Fault;
use crate::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE};

/// The form of the tokens; tokens of another form are refused.
const VERSION: u8 = 1;
/// Bytes of a hash that stand for a filter.
const FILTER_BYTES: usize = 8;
/// Bytes of a hash that tell a damaged token.
const CHECK_BYTES: usize = 4;
/// Longest position that a list may ask for, in bytes.
const MAX_POSITION_BYTES: usize = 1 + MAX_LABELLED_LENGTH;
/// Most blocks that a token is bound to.
const MAX_BLOCKS: usize = 2;
/// Longest token that is looked at, in characters.
const MAX_TOKEN_CHARS: usize =
    2 * (2 + MAX_BLOCKS * 32 + FILTER_BYTES + MAX_POSITION_BYTES + CHECK_BYTES);

/// The lists that have pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum List {
    Worlds = 1,
    Conflicts = 2,
    UnspentOutputs = 3,
    Headers = 4,
    MempoolTransactions = 5,
    Addresses = 6,
    Coins = 7,
    Payments = 8,
    Labels = 9,
    Descriptors = 10,
}

impl List {
    /// How many blocks its tokens are bound to.
    fn blocks(self) -> usize {
        match self {
            List::Conflicts => 2,
            // They are the same in every world.
            List::Labels | List::Descriptors => 0,
            _ => 1,
        }
    }
}

/// The number of items that a request asks for.
pub(crate) fn page_size(asked: i32) -> Result<usize, Fault> {
    match usize::try_from(asked) {
        Ok(0) => Ok(DEFAULT_PAGE_SIZE),
        Ok(size) => Ok(size.min(MAX_PAGE_SIZE)),
        Err(_) => Err(Fault::field("page_size", format!("{asked} is negative"))),
    }
}

/// Where the next page of a list starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Token {
    list: List,
    blocks: Vec<BlockHash>,
    filter: [u8; FILTER_BYTES],
    position: Vec<u8>,
}

impl Token {
    /// For the list over `blocks` with everything else that the request says in `filter`.
    pub(crate) fn new(list: List, blocks: &[BlockHash], filter: &[u8], position: Vec<u8>) -> Token {
        debug_assert!(blocks.len() == list.blocks() && position.len() <= MAX_POSITION_BYTES);
        Token {
            list,
            blocks: blocks.to_vec(),
            filter: short_hash(filter),
            position,
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let mut bytes = vec![VERSION, self.list as u8];
        for block in &self.blocks {
            bytes.extend_from_slice(block.as_byte_array());
        }
        bytes.extend_from_slice(&self.filter);
        bytes.extend_from_slice(&self.position);
        let check: [u8; CHECK_BYTES] = short_hash(&bytes);
        bytes.extend_from_slice(&check);
        bytes.to_lower_hex_string()
    }

    /// Reads the token of a request to `list`; `None` for the first page.
    pub(crate) fn parse(list: List, text: &str) -> Result<Option<Token>, Fault> {
        if text.is_empty() {
            return Ok(None);
        }
        let garbage = || Fault::field("page_token", "not a token that this node gave out");
        if text.len() > MAX_TOKEN_CHARS {
            return Err(garbage());
        }
        let bytes = Vec::from_hex(text).map_err(|_| garbage())?;
        let (body, check) = bytes
            .split_last_chunk::<CHECK_BYTES>()
            .ok_or_else(garbage)?;
        if short_hash::<CHECK_BYTES>(body) != *check {
            return Err(garbage());
        }
        let ([version, tag], mut rest) = body.split_first_chunk::<2>().ok_or_else(garbage)?;
        if *version != VERSION {
            return Err(garbage());
        }
        if *tag != list as u8 {
            return Err(Fault::field("page_token", "the token of another list"));
        }
        let mut blocks = Vec::with_capacity(list.blocks());
        for _ in 0..list.blocks() {
            let (block, after) = rest.split_first_chunk::<32>().ok_or_else(garbage)?;
            blocks.push(BlockHash::from_byte_array(*block));
            rest = after;
        }
        let (filter, position) = rest
            .split_first_chunk::<FILTER_BYTES>()
            .ok_or_else(garbage)?;
        Ok(Some(Token {
            list,
            blocks,
            filter: *filter,
            position: position.to_vec(),
        }))
    }

    /// Fails unless the token continues the list over `blocks` with `filter`.
    pub(crate) fn check(&self, blocks: &[BlockHash], filter: &[u8]) -> Result<(), Fault> {
        for (ours, theirs) in self.blocks.iter().zip(blocks) {
            if ours != theirs {
                return Err(Fault::field(
                    "page_token",
                    match self.list {
                        List::Worlds => {
                            "the list has changed since its first page; start again".to_owned()
                        }
                        _ => format!(
                            "the token of block {ours}, the request is about block {theirs}"
                        ),
                    },
                ));
            }
        }
        if self.filter != short_hash(filter) {
            return Err(Fault::field("page_token", "the token of another request"));
        }
        Ok(())
    }

    /// Where the page starts, as the list wrote it.
    pub(crate) fn position<const N: usize>(&self) -> Result<[u8; N], Fault> {
        self.position
            .as_slice()
            .try_into()
            .map_err(|_| Fault::field("page_token", "not a token that this node gave out"))
    }

    /// The same where positions are not all as long.
    pub(crate) fn position_bytes(&self) -> &[u8] {
        &self.position
    }

    /// The block that the list is about, for a reference that would move along with the best world.
    pub(crate) fn pinned(
        &self,
        which: usize,
        reference: Option<v1::WorldRef>,
    ) -> Option<v1::WorldRef> {
        match reference
            .as_ref()
            .and_then(|reference| reference.r#ref.as_ref())
        {
            None | Some(Ref::Best(_)) => self.blocks.get(which).map(|block| v1::WorldRef {
                r#ref: Some(Ref::BlockHash(block.to_string())),
            }),
            Some(_) => reference,
        }
    }
}

/// The reference to resolve for a page: that of the first page where the request leaves it open.
pub(crate) fn pinned(
    token: Option<&Token>,
    which: usize,
    reference: Option<v1::WorldRef>,
) -> Option<v1::WorldRef> {
    match token {
        Some(token) => token.pinned(which, reference),
        None => reference,
    }
}

fn short_hash<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let hash = sha256::Hash::hash(bytes).to_byte_array();
    let mut short = [0; N];
    short.copy_from_slice(&hash[..N]);
    short
}

#[cfg(test)]
mod tests;
