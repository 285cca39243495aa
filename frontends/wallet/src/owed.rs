//! Owns the rows that say which blocks have still to be looked into again, for keys that may be older than the wallet, and
//! which of them are not here.
//! Promises that what it has of a scan was looked into for every key; that a block was looked into may be forgotten, and costs
//! a second look.

use std::ops::Range;

use everett_ledger::Ledger;

use crate::book::Book;
use crate::error::WalletError;
use crate::scanned::Scanned;
use crate::store::codec::Source;
use crate::store::{Malformed, Step, Table};

/// The row of the table `cursor` with it; there is none where nothing is owed.
pub(crate) const OWED_KEY: &[u8] = b"owed";
/// The row of the table `cursor` with the heights whose blocks were owed, and were not here: the first u32, the one behind the
/// last u32.
pub(crate) const MISSED_KEY: &[u8] = b"missed";

/// A scan that is not done yet: the blocks of every live world from a height on, up to the tips. It has no end below those,
/// for blocks above may spend what is found.
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

    /// One that stands for an earlier one as well. What that has looked into lacks the newer keys, which cannot be paid below
    /// `from`: there it counts on.
    pub(crate) fn and(self, earlier: Option<&Owed>, ledger: &Ledger) -> Owed {
        match earlier {
            Some(earlier) if earlier.from < self.from => Owed {
                from: earlier.from,
                looked: earlier.looked.below(ledger, self.from),
            },
            _ => self,
        }
    }

    /// Whether blocks below a height are left that were not looked into.
    pub(crate) fn has_left_below(&self, ledger: &Ledger, height: u32) -> bool {
        let to = height.checked_sub(1);
        to.is_some_and(|to| {
            let mut left = self.looked.stretches(ledger, self.from.max(1), Some(to));
            left.next().is_some()
        })
    }

    /// The heights whose blocks are left, up to the first one from which on all of them are here; none where none is missing.
    pub(crate) fn missing(&self, ledger: &Ledger) -> Option<Range<u32>> {
        let checked = self.looked.check_blocks(ledger, self.from, None);
        let Err(WalletError::BlocksMissing { first, .. }) = checked else {
            return None;
        };
        let left = self.looked.stretches(ledger, self.from.max(1), None);
        let begin = left.map(|stretch| stretch.from).min();
        Some(begin.unwrap_or(self.from)..first)
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

/// Reads the row of those that were not here.
pub(crate) fn decode_missed(row: &[u8]) -> Result<Range<u32>, Malformed> {
    let mut row = Source::new(row);
    let missed = row.u32()?..row.u32()?;
    row.end()?;
    Ok(missed)
}

/// Writes which scan is owed.
pub(crate) fn put_owed(step: &mut Step<'_>, owed: Option<&Owed>) -> Result<(), WalletError> {
    put(step, OWED_KEY, owed.map(Owed::encode))
}

fn put(step: &mut Step<'_>, key: &[u8], row: Option<Vec<u8>>) -> Result<(), WalletError> {
    match row {
        Some(row) => step.put(Table::Cursor, key, &row)?,
        None => {
            step.delete(Table::Cursor, key)?;
        }
    }
    Ok(())
}

impl Book {
    /// Notes which scan is owed from now on, if any.
    pub(crate) fn owe(&mut self, owed: Option<Owed>) -> Result<(), WalletError> {
        let missed = self.missed.clone();
        self.owe_and_miss(owed, missed)
    }

    /// The same, and which blocks it would have needed that are not here.
    pub(crate) fn owe_and_miss(
        &mut self,
        owed: Option<Owed>,
        missed: Option<Range<u32>>,
    ) -> Result<(), WalletError> {
        if owed == self.owed && missed == self.missed {
            return Ok(());
        }
        let row = missed
            .as_ref()
            .map(|missed| [missed.start.to_le_bytes(), missed.end.to_le_bytes()].concat());
        self.file.write(|step| {
            put_owed(step, owed.as_ref())?;
            put(step, MISSED_KEY, row)
        })?;
        self.owed = owed;
        self.missed = missed;
        Ok(())
    }

    /// Sets those blocks apart that are owed and not here, so that the rest can be looked into; which they are.
    pub(crate) fn miss_what_is_gone(
        &mut self,
        ledger: &Ledger,
    ) -> Result<Option<Range<u32>>, WalletError> {
        let Some(gone) = self.owed.as_ref().and_then(|owed| owed.missing(ledger)) else {
            return Ok(None);
        };
        let missed = match &self.missed {
            Some(earlier) => earlier.start.min(gone.start)..earlier.end.max(gone.end),
            None => gone.clone(),
        };
        self.owe_and_miss(Some(Owed::from_height(gone.end)), Some(missed))?;
        Ok(Some(gone))
    }

    /// Owes what was missed, where its blocks are here again.
    pub(crate) fn owe_what_came_back(&mut self, ledger: &Ledger) -> Result<(), WalletError> {
        let Some(from) = self.missed.as_ref().map(|missed| missed.start) else {
            return Ok(());
        };
        match Scanned::default().check_blocks(ledger, from, None) {
            Ok(()) => {
                let owed = Owed::from_height(from).and(self.owed.as_ref(), ledger);
                self.owe_and_miss(Some(owed), None)
            }
            Err(_) => Ok(()),
        }
    }
}
