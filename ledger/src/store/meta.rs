//! Owns the rows of table `meta`: what the ledger is, and where it stands.
//! Promises that a ledger of another network or of a later schema is never opened.
//! Refuses nothing else.
//!
//! | key | value |
//! |---|---|
//! | `schema` | u32 |
//! | `network` | magic 4, genesis hash 32, name (UTF-8) |
//! | `base` | BlockId u32, height u32 |
//! | `best` | BlockId u32; absent until there is one |
//! | `next-event` | u64; absent until there is an event |
//! | `outbox-bytes` | u64: bytes of the rows of `outbox` with their keys; absent until an event came under schema 2 |
//! | `number/NAME` | u64 |

use std::path::Path;

use bitcoin::BlockHash;

use super::codec::{Malformed, Source};
use super::environment::data_path;
use super::reader::{Reader, Transaction, Writer};
use super::{Store, StoreConfig, StoreError};
use crate::id::BlockId;

/// The schema that this program writes and reads.
pub(super) const SCHEMA: u32 = 2;

const SCHEMA_KEY: &[u8] = b"schema";
const NETWORK_KEY: &[u8] = b"network";
const BASE_KEY: &[u8] = b"base";
const BEST_KEY: &[u8] = b"best";
const NEXT_EVENT_KEY: &[u8] = b"next-event";
const OUTBOX_BYTES_KEY: &[u8] = b"outbox-bytes";

/// The block whose UTXO set the base holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BasePoint {
    /// The block.
    pub block: BlockId,
    /// Its height.
    pub height: u32,
}

impl BasePoint {
    /// Where a new ledger starts: the genesis block, whose coinbase is no coin.
    pub const GENESIS: BasePoint = BasePoint {
        block: BlockId::GENESIS,
        height: 0,
    };

    fn bytes(self) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&self.block.0.to_le_bytes());
        bytes[4..].copy_from_slice(&self.height.to_le_bytes());
        bytes
    }
}

/// The network a ledger is of.
struct Network<'a> {
    magic: [u8; 4],
    genesis_hash: BlockHash,
    name: &'a str,
}

impl Network<'_> {
    fn bytes(&self) -> Vec<u8> {
        let hash: &[u8] = self.genesis_hash.as_ref();
        [&self.magic, hash, self.name.as_bytes()].concat()
    }

    fn read(bytes: &[u8]) -> Result<Network<'_>, Malformed> {
        let mut source = Source::new(bytes);
        Ok(Network {
            magic: source.array()?,
            genesis_hash: source.block_hash()?,
            name: std::str::from_utf8(source.rest()).map_err(|_| Malformed("not UTF-8"))?,
        })
    }

    fn describe(&self) -> String {
        let [a, b, c, d] = self.magic;
        format!(
            "{} (magic {a:02x}{b:02x}{c:02x}{d:02x}, genesis {})",
            self.name, self.genesis_hash
        )
    }
}

fn wanted(config: &StoreConfig) -> Network<'_> {
    Network {
        magic: config.network_magic,
        genesis_hash: config.genesis_hash,
        name: &config.network_name,
    }
}

/// The rows of a new ledger.
pub(super) fn first_rows(config: &StoreConfig) -> [(&'static [u8], Vec<u8>); 3] {
    [
        (SCHEMA_KEY, SCHEMA.to_le_bytes().to_vec()),
        (NETWORK_KEY, wanted(config).bytes()),
        (BASE_KEY, BasePoint::GENESIS.bytes().to_vec()),
    ]
}

/// What a look at the `meta` table alone says about a directory.
pub(super) enum Found {
    /// Made, but never filled.
    Nothing,
    /// A ledger that can be opened.
    Ledger,
}

/// Checks the schema first: the other rows of a later one may have another shape.
pub(super) fn check(
    config: &StoreConfig,
    directory: &Path,
    get: impl Fn(&[u8]) -> Result<Option<Vec<u8>>, StoreError>,
) -> Result<Found, StoreError> {
    let damaged =
        |key: &[u8], why: Malformed| super::damaged_row(&data_path(directory), "meta", key, why);
    let Some(schema) = get(SCHEMA_KEY)? else {
        return Ok(Found::Nothing);
    };
    let schema = read_u32(&schema).map_err(|why| damaged(SCHEMA_KEY, why))?;
    if schema > SCHEMA {
        return Err(StoreError::NewerSchema {
            path: directory.to_path_buf(),
            found: schema,
            known: SCHEMA,
        });
    }
    if schema != SCHEMA {
        return Err(StoreError::OlderSchema {
            path: directory.to_path_buf(),
            found: schema,
            known: SCHEMA,
        });
    }
    let network = get(NETWORK_KEY)?.ok_or_else(|| damaged(NETWORK_KEY, ABSENT))?;
    let found = Network::read(&network).map_err(|why| damaged(NETWORK_KEY, why))?;
    let wanted = wanted(config);
    if found.magic != wanted.magic || found.genesis_hash != wanted.genesis_hash {
        return Err(StoreError::OtherNetwork {
            path: directory.to_path_buf(),
            found: found.describe(),
            wanted: wanted.describe(),
        });
    }
    Ok(Found::Ledger)
}

const ABSENT: Malformed = Malformed("it is not there");

fn read_u32(bytes: &[u8]) -> Result<u32, Malformed> {
    let mut source = Source::new(bytes);
    let number = source.u32_le()?;
    source.end()?;
    Ok(number)
}

fn read_u64(bytes: &[u8]) -> Result<u64, Malformed> {
    let mut source = Source::new(bytes);
    let number = source.u64_le()?;
    source.end()?;
    Ok(number)
}

fn number_key(name: &str) -> Vec<u8> {
    [b"number/", name.as_bytes()].concat()
}

impl<T: Transaction> Reader<'_, T> {
    /// The block whose UTXO set the base holds.
    pub fn base(&self) -> Result<BasePoint, StoreError> {
        let read = |bytes| {
            let mut source = Source::new(bytes);
            let block = BlockId(source.u32_le()?);
            let height = source.u32_le()?;
            source.end()?;
            Ok(BasePoint { block, height })
        };
        let base = self.get(&self.store.tables.meta, BASE_KEY, read)?;
        base.ok_or_else(|| self.store.damaged_row("meta", BASE_KEY, ABSENT))
    }

    /// The best world's block; `None` in a ledger that no best block was put into.
    pub fn best(&self) -> Result<Option<BlockId>, StoreError> {
        let best = self.get(&self.store.tables.meta, BEST_KEY, read_u32)?;
        Ok(best.map(BlockId))
    }

    /// A number that was put under `name`.
    pub fn meta_u64(&self, name: &str) -> Result<Option<u64>, StoreError> {
        self.get(&self.store.tables.meta, &number_key(name), read_u64)
    }

    /// The schema of the rows.
    pub(super) fn schema(&self) -> Result<u32, StoreError> {
        let schema = self.get(&self.store.tables.meta, SCHEMA_KEY, read_u32)?;
        schema.ok_or_else(|| self.store.damaged_row("meta", SCHEMA_KEY, ABSENT))
    }

    /// Bytes of the outbox, if they were ever counted.
    pub(super) fn counted_outbox_bytes(&self) -> Result<Option<u64>, StoreError> {
        self.get(&self.store.tables.meta, OUTBOX_BYTES_KEY, read_u64)
    }

    /// The sequence that the next event gets; the first event's is 0.
    pub fn next_event_seq(&self) -> Result<u64, StoreError> {
        let next = self.get(&self.store.tables.meta, NEXT_EVENT_KEY, read_u64)?;
        Ok(next.unwrap_or(0))
    }
}

impl Writer<'_> {
    pub(super) fn put_base(&mut self, base: BasePoint) -> Result<(), StoreError> {
        let store: &Store = self.store;
        self.put(&store.tables.meta, BASE_KEY, &base.bytes())
    }

    /// Names the best world's block.
    pub fn put_best(&mut self, block: BlockId) -> Result<(), StoreError> {
        let store: &Store = self.store;
        self.put(&store.tables.meta, BEST_KEY, &block.0.to_le_bytes())
    }

    /// Keeps a number under `name` (at most 400 bytes).
    pub fn put_meta_u64(&mut self, name: &str, value: u64) -> Result<(), StoreError> {
        let store: &Store = self.store;
        self.put(&store.tables.meta, &number_key(name), &value.to_le_bytes())
    }

    /// Makes the schema the present one.
    pub(super) fn put_schema(&mut self) -> Result<(), StoreError> {
        let store: &Store = self.store;
        self.put(&store.tables.meta, SCHEMA_KEY, &SCHEMA.to_le_bytes())
    }

    pub(super) fn put_outbox_bytes(&mut self, bytes: u64) -> Result<(), StoreError> {
        let store: &Store = self.store;
        self.put(&store.tables.meta, OUTBOX_BYTES_KEY, &bytes.to_le_bytes())
    }

    pub(super) fn put_next_event_seq(&mut self, next: u64) -> Result<(), StoreError> {
        let store: &Store = self.store;
        self.put(&store.tables.meta, NEXT_EVENT_KEY, &next.to_le_bytes())
    }
}
