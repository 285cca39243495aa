//! Owns how the rows of the wallet's file are put together and read.
//! Promises that a row of any bytes is read or refused, with where it went wrong.

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};
use thiserror::Error;

/// A row that no version of this program wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the row of {length} bytes is damaged at byte {at}")]
pub struct RowFault {
    /// Where reading ended.
    pub at: usize,
    /// The row's length.
    pub length: usize,
}

/// Puts a row together. Integers are little-endian.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    /// How many things of a list follow. Lists are as long as blocks allow at most, which is far below the limit of u32.
    pub(crate) fn count(&mut self, count: usize) {
        self.u32(count as u32);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A length as u32, and the bytes.
    pub(crate) fn long(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes(bytes);
    }

    pub(crate) fn outpoint(&mut self, outpoint: &OutPoint) {
        self.bytes(outpoint.txid.as_byte_array());
        self.u32(outpoint.vout);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a row.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(row: &'a [u8]) -> Reader<'a> {
        Reader {
            rest: row,
            length: row.len(),
        }
    }

    pub(crate) fn fault(&self) -> RowFault {
        RowFault {
            at: self.length - self.rest.len(),
            length: self.length,
        }
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], RowFault> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(|| self.fault())?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], RowFault> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| self.fault())?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, RowFault> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, RowFault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, RowFault> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn long(&mut self) -> Result<&'a [u8], RowFault> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    /// A length as u32, and UTF-8.
    pub(crate) fn text(&mut self) -> Result<String, RowFault> {
        let fault = self.fault();
        let bytes = self.long()?;
        String::from_utf8(bytes.to_owned()).map_err(|_| fault)
    }

    pub(crate) fn txid(&mut self) -> Result<Txid, RowFault> {
        Ok(Txid::from_byte_array(self.array()?))
    }

    pub(crate) fn outpoint(&mut self) -> Result<OutPoint, RowFault> {
        Ok(OutPoint {
            txid: self.txid()?,
            vout: self.u32()?,
        })
    }

    /// A count, and as many things of at least `least` bytes each.
    pub(crate) fn list<T>(
        &mut self,
        least: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, RowFault>,
    ) -> Result<Vec<T>, RowFault> {
        let count = self.u32()? as usize;
        // A false count must not reserve memory.
        if count.saturating_mul(least) > self.rest.len() {
            return Err(self.fault());
        }
        (0..count).map(|_| read(self)).collect()
    }

    pub(crate) fn end(self) -> Result<(), RowFault> {
        match self.rest.is_empty() {
            true => Ok(()),
            false => Err(self.fault()),
        }
    }
}
