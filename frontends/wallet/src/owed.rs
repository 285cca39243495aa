//! Owns the row that says which blocks have still to be looked into again, for keys that may be older than the wallet.
//! Promises that what it has of a scan was looked into; that one was looked into may be forgotten, and costs a second look.

use crate::scanned::Scanned;
use crate::store::Malformed;
use crate::store::codec::Source;

/// The row of the table `cursor` with it; there is none where nothing is owed.
pub(crate) const OWED_KEY: &[u8] = b"owed";

/// A scan that is not done yet: the blocks of every live world from a height on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Owed {
    /// The first height.
    pub(crate) from: u32,
    /// How far it came: each block with all below it down to `from`.
    pub(crate) looked: Scanned,
}

impl Owed {
    /// One that has not begun.
    pub(crate) fn from_height(from: u32) -> Owed {
        Owed {
            from,
            looked: Scanned::default(),
        }
    }

    /// One that stands for an earlier one as well. What that has looked into lacks the newer keys, so it begins anew.
    pub(crate) fn and(self, earlier: Option<&Owed>) -> Owed {
        Owed::from_height(earlier.map_or(self.from, |earlier| earlier.from.min(self.from)))
    }

    /// The row: the height u32, then the blocks' hashes in internal byte order, 32 bytes each.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = self.from.to_le_bytes().to_vec();
        row.extend(self.looked.encode());
        row
    }

    /// Reads a row.
    pub(crate) fn decode(row: &[u8]) -> Result<Owed, Malformed> {
        let mut row = Source::new(row);
        let from = row.u32()?;
        let looked = Scanned::decode(row.rest()).ok_or(Malformed("it is cut"))?;
        Ok(Owed { from, looked })
    }
}
