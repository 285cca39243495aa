//! Owns a place in a slice of bytes.
//! Promises never to read beyond its end, and to say where something was wrong.
//! Refuses sizes that are not in their shortest form or above the limit.

use super::{DecodeError, DecodeFault, MAX_SIZE};

/// Reads little-endian numbers and sized byte strings from a slice.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, offset: 0 }
    }

    /// How many bytes have been read.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// The bytes read since `start`.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.offset]
    }

    /// An error at this place.
    pub(super) fn fault(&self, what: DecodeFault) -> DecodeError {
        DecodeError {
            offset: self.offset,
            what,
        }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.bytes[self.offset..].get(..count) {
            Some(taken) => {
                self.offset += count;
                Ok(taken)
            }
            None => Err(self.fault(DecodeFault::EndOfData)),
        }
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.bytes[self.offset..].first_chunk::<N>() {
            Some(taken) => {
                self.offset += N;
                Ok(*taken)
            }
            None => Err(self.fault(DecodeFault::EndOfData)),
        }
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A CompactSize that counts something.
    pub(super) fn size(&mut self) -> Result<usize, DecodeError> {
        let start = self.offset;
        let (value, least) = match self.u8()? {
            0xfd => (u64::from(u16::from_le_bytes(self.array()?)), 0xfd),
            0xfe => (u64::from(self.u32()?), 0x1_0000),
            0xff => (self.u64()?, 0x1_0000_0000),
            small => return Ok(usize::from(small)),
        };
        if value < least {
            return Err(DecodeError {
                offset: start,
                what: DecodeFault::NonCanonicalSize,
            });
        }
        if value > MAX_SIZE {
            return Err(DecodeError {
                offset: start,
                what: DecodeFault::SizeTooLarge,
            });
        }
        Ok(value as usize)
    }

    /// A byte string behind its length.
    pub(super) fn sized(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.size()?;
        self.take(length)
    }
}
