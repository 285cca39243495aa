//! Owns the headers that go to the ledger before their blocks: so it knows every branch, also above a block that
//! breaks a rule, and can take a block for assumed valid, which it does only when it knows the chain on top of it.
//! Promises that nothing but the tree of headers depends on it: what was seen first is decided by blocks.
//! Refuses to report headers that break a rule: their blocks are, later.

use std::collections::HashSet;

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::consensus::encode::deserialize;
use everett_ledger::{Ledger, StoreError};

use super::error::{ImportError, unreadable};
use super::frames::{Frame, HEADER_BYTES};
use super::source::Source;

/// Headers in one commit.
const GROUP_HEADERS: usize = 2_000;
/// How many headers that break a rule are stepped over before the rest is left to come with their blocks.
const MAX_BAD_HEADERS: usize = 1_000;

/// Hands over the headers of these frames, parents first, as far as they follow the rules; until `stopped`.
pub(super) fn submit<'f>(
    ledger: &Ledger,
    sources: &[Source],
    mut frames: impl Iterator<Item = &'f Frame>,
    stopped: impl Fn() -> bool,
) -> Result<Result<(), StoreError>, ImportError> {
    let mut refused: HashSet<BlockHash> = HashSet::new();
    let mut bad = 0;
    while bad <= MAX_BAD_HEADERS && !stopped() {
        let group: Vec<&Frame> = frames.by_ref().take(GROUP_HEADERS).collect();
        if group.is_empty() {
            break;
        }
        let mut headers = Vec::with_capacity(group.len());
        for frame in group {
            // What stands on a refused header is refused too; that makes no further one bad.
            if refused.contains(&frame.previous) {
                refused.insert(frame.hash);
            } else {
                headers.extend(read(sources, frame)?);
            }
        }
        let mut rest = &headers[..];
        while !rest.is_empty() && bad <= MAX_BAD_HEADERS {
            rest = match ledger.submit_headers(rest) {
                Ok(Ok(())) => &[],
                Ok(Err((index, reject))) => {
                    // One of the same group that stands on a bad one is found out here.
                    let header = &rest[index];
                    if !refused.contains(&header.prev_blockhash) {
                        tracing::debug!(%reject, hash = %header.block_hash(), "a header is refused");
                        bad += 1;
                    }
                    refused.insert(header.block_hash());
                    &rest[index + 1..]
                }
                Err(error) => return Ok(Err(error)),
            };
        }
    }
    Ok(Ok(()))
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
