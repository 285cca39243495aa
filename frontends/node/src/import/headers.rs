//! Owns the headers that go to the ledger before their blocks: it can take a block for assumed valid only when it
//! knows the chain on top of it.
//! Promises to do nothing where no block is assumed valid, or that block is not in the files.
//! Refuses to report headers that break a rule: their blocks are, later.

use bitcoin::block::Header;
use bitcoin::consensus::encode::deserialize;
use everett_ledger::{Ledger, StoreError};

use super::frames::{Frame, HEADER_BYTES};
use super::run::{ImportError, unreadable};
use super::source::Source;

/// Headers in one commit.
const GROUP_HEADERS: usize = 2_000;
/// How many headers that break a rule are stepped over before the rest is left to come with their blocks.
const MAX_BAD_HEADERS: usize = 1_000;

/// Whether the ledger assumes a block to be valid that is among these frames, and does not know it yet.
pub(super) fn are_wanted(ledger: &Ledger, frames: &[Frame]) -> bool {
    ledger.assume_valid().is_some_and(|assumed| {
        let known = ledger.block_info(&assumed).is_some();
        !known && frames.iter().any(|frame| frame.hash == assumed)
    })
}

/// Hands over the headers of these frames, parents first, as far as they follow the rules.
pub(super) fn submit<'f>(
    ledger: &Ledger,
    sources: &[Source],
    mut frames: impl Iterator<Item = &'f Frame>,
) -> Result<Result<(), StoreError>, ImportError> {
    let mut bad = 0;
    loop {
        let group = frames.by_ref().take(GROUP_HEADERS);
        let headers = group.filter_map(|frame| read(sources, frame).transpose());
        let headers: Vec<Header> = headers.collect::<Result<_, _>>()?;
        if headers.is_empty() {
            return Ok(Ok(()));
        }
        let mut rest = &headers[..];
        while !rest.is_empty() && bad <= MAX_BAD_HEADERS {
            rest = match ledger.submit_headers(rest) {
                Ok(Ok(())) => &[],
                Ok(Err((index, _))) => {
                    bad += 1;
                    &rest[index + 1..]
                }
                Err(error) => return Ok(Err(error)),
            };
        }
        if bad > MAX_BAD_HEADERS {
            return Ok(Ok(()));
        }
    }
}

/// The header of a frame; `None` if the frame is too short for one.
fn read(sources: &[Source], frame: &Frame) -> Result<Option<Header>, ImportError> {
    let source = &sources[frame.file as usize];
    let mut bytes = [0; HEADER_BYTES];
    source
        .read_exact(frame.block_offset(), &mut bytes)
        .map_err(|error| unreadable(source, frame.offset, error))?;
    Ok(deserialize(&bytes).ok())
}
