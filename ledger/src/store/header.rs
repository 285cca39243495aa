//! Owns the rows of table `headers`: the block tree on disk.
//! Promises that rows come back in the order of their ids, parents before children.
//! Refuses rows whose checksum is wrong.
//!
//! Key: BlockId (u32 big-endian). Value, sealed:
//! `hash 32 | header 80 | height u32 | flags u8 | state u8 | sequence u64 | first seen u64 |
//! transactions u32 | [parent u32] | [file u32, offset u32, length u32] |
//! length of reason u16 | reason (UTF-8) | debug (UTF-8, the rest)`;
//! flag 1: there is a parent, flag 2: there is a position.

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::consensus::encode::deserialize;

use super::StoreError;
use super::blocks::BlockPosition;
use super::codec::{Malformed, Source, seal, unseal, unsealed};
use super::reader::{Reader, Transaction, Writer};
use crate::id::BlockId;
use crate::sha256d::header_bytes;

/// A block of the tree as it is kept on disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderRow {
    /// Its id; the row's key.
    pub id: BlockId,
    /// Its hash. Kept so that nobody must hash the header again.
    pub hash: BlockHash,
    /// The header.
    pub header: Header,
    /// Its height.
    pub height: u32,
    /// Its parent; `None` for the genesis block.
    pub parent: Option<BlockId>,
    /// Where the block's bytes are, if they are here.
    pub position: Option<BlockPosition>,
    /// Its validity, as the engine writes it.
    pub state: u8,
    /// Why it was rejected; empty if it was not.
    pub reason: String,
    /// What exactly was wrong; empty if it was not rejected, or nothing more is known.
    pub debug: String,
    /// When its bytes came, in the order of arrival: decides ties of work.
    pub sequence: u64,
    /// Unix time in seconds at which its header was first accepted.
    pub first_seen: u64,
    /// How many transactions it has; 0 as long as its bytes are not here.
    pub tx_count: u32,
}

const HAS_PARENT: u8 = 1;
const HAS_POSITION: u8 = 2;

/// Bytes of the row of a block that has both and no reason.
const ROW_LENGTH: usize = 160;

impl HeaderRow {
    fn key(id: BlockId) -> [u8; 4] {
        id.0.to_be_bytes()
    }

    fn write(&self) -> Vec<u8> {
        let mut row = unsealed();
        row.reserve(ROW_LENGTH);
        row.extend_from_slice(self.hash.as_ref());
        row.extend_from_slice(&header_bytes(&self.header));
        row.extend_from_slice(&self.height.to_le_bytes());
        let parent = self.parent.map_or(0, |_| HAS_PARENT);
        let position = self.position.map_or(0, |_| HAS_POSITION);
        row.push(parent | position);
        row.push(self.state);
        row.extend_from_slice(&self.sequence.to_le_bytes());
        row.extend_from_slice(&self.first_seen.to_le_bytes());
        row.extend_from_slice(&self.tx_count.to_le_bytes());
        if let Some(parent) = self.parent {
            row.extend_from_slice(&parent.0.to_le_bytes());
        }
        if let Some(position) = self.position {
            position.write(&mut row);
        }
        // Core's reasons are words; where one were not, its end would be read as the beginning of `debug`.
        let length = u16::try_from(self.reason.len()).unwrap_or(u16::MAX);
        row.extend_from_slice(&length.to_le_bytes());
        row.extend_from_slice(self.reason.as_bytes());
        row.extend_from_slice(self.debug.as_bytes());
        seal(&Self::key(self.id), row)
    }

    fn read(key: &[u8], sealed: &[u8]) -> Result<HeaderRow, Malformed> {
        let mut source = unseal(key, sealed)?;
        let id = BlockId(u32::from_be_bytes(Source::new(key).array()?));
        let hash = source.block_hash()?;
        let header = deserialize(source.take(Header::SIZE)?)
            .map_err(|_| Malformed("it holds no block header"))?;
        let height = source.u32_le()?;
        let flags = source.u8()?;
        let state = source.u8()?;
        let sequence = source.u64_le()?;
        let first_seen = source.u64_le()?;
        let tx_count = source.u32_le()?;
        let parent = match flags & HAS_PARENT {
            0 => None,
            _ => Some(BlockId(source.u32_le()?)),
        };
        let position = match flags & HAS_POSITION {
            0 => None,
            _ => Some(BlockPosition::read(&mut source)?),
        };
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .map_err(|_| Malformed("its reject reason is not UTF-8"))
        };
        let length = u16::from_le_bytes(source.array()?);
        let reason = text(source.take(length.into())?)?;
        let debug = text(source.rest())?;
        Ok(HeaderRow {
            id,
            hash,
            header,
            height,
            parent,
            position,
            state,
            reason,
            debug,
            sequence,
            first_seen,
            tx_count,
        })
    }
}

impl<T: Transaction> Reader<'_, T> {
    /// All headers in the order of their ids.
    pub fn headers(
        &self,
    ) -> Result<impl Iterator<Item = Result<HeaderRow, StoreError>>, StoreError> {
        self.all_rows(&self.store.tables.headers, HeaderRow::read)
    }

    /// One block's header.
    pub fn header(&self, block: BlockId) -> Result<Option<HeaderRow>, StoreError> {
        let key = HeaderRow::key(block);
        let read = |value| HeaderRow::read(&key, value);
        self.get(&self.store.tables.headers, &key, read)
    }
}

impl Writer<'_> {
    /// Puts or replaces the row of `row.id`.
    pub fn put_header(&mut self, row: &HeaderRow) -> Result<(), StoreError> {
        let store = self.store;
        self.put(&store.tables.headers, &HeaderRow::key(row.id), &row.write())
    }

    /// Puts a row behind all others, which is quicker; where its id is not the highest, as [`Writer::put_header`].
    pub fn append_header(&mut self, row: &HeaderRow) -> Result<(), StoreError> {
        let (table, key) = (&self.store.tables.headers, HeaderRow::key(row.id));
        let row = row.write();
        match self.put_new(table, &key, &row, true)? {
            true => Ok(()),
            false => self.put(table, &key, &row),
        }
    }
}
