//! Owns how fields stand in a value: fixed numbers little-endian, texts and bytes behind their length (u32).
//! Promises that what was put is taken in the same order, and that nothing is left over.
//! Refuses values that end early.

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};

use super::error::Malformed;

/// Puts bytes behind their length.
pub(crate) fn put_bytes(row: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("what a wallet stores is far below 4 GiB");
    row.extend_from_slice(&length.to_le_bytes());
    row.extend_from_slice(bytes);
}

/// Puts how many things of a list follow.
pub(crate) fn put_count(row: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("what a wallet stores is far below 4 Gi things");
    row.extend_from_slice(&count.to_le_bytes());
}

/// Puts an outpoint: txid 32 in internal byte order, output u32.
pub(crate) fn put_outpoint(row: &mut Vec<u8>, outpoint: &OutPoint) {
    row.extend_from_slice(outpoint.txid.as_byte_array());
    row.extend_from_slice(&outpoint.vout.to_le_bytes());
}

/// What is left of a value.
pub(crate) struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    pub(crate) fn new(value: &'a [u8]) -> Source<'a> {
        Source(value)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, left) = self
            .0
            .split_at_checked(count)
            .ok_or(Malformed("it ends early"))?;
        self.0 = left;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32_be(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Bytes behind their length.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    /// A text behind its length.
    pub(crate) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed("a text that is not UTF-8"))
    }

    pub(crate) fn txid(&mut self) -> Result<Txid, Malformed> {
        Ok(Txid::from_byte_array(self.array()?))
    }

    pub(crate) fn outpoint(&mut self) -> Result<OutPoint, Malformed> {
        Ok(OutPoint {
            txid: self.txid()?,
            vout: self.u32()?,
        })
    }

    /// A count, and as many things of at least `least` bytes each.
    pub(crate) fn list<T>(
        &mut self,
        least: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.u32()? as usize;
        // A false count must not reserve memory.
        if count.saturating_mul(least) > self.0.len() {
            return Err(Malformed("a list that ends early"));
        }
        (0..count).map(|_| read(self)).collect()
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub(crate) fn end(self) -> Result<(), Malformed> {
        match self.0 {
            [] => Ok(()),
            _ => Err(Malformed("there is something behind it")),
        }
    }
}
