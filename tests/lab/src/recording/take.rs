//! Owns the way from a ledger's blocks to a recording.
//! Promises the order in which their bytes came, which is the order of the block files, on all branches.
//! Refuses to guess: a block that waits for its parent, or was refused before it was kept, is not in the ledger's tree.

use bitcoin::BlockHash;
use everett_ledger::{INVALIDATED_BY_HAND, Ledger};

use super::{Entry, Happening, Moment, RecordingError, RecordingWriter};

/// A block of the tree, by when it came.
struct Arrived {
    arrival: u64,
    hash: BlockHash,
    seen: u64,
}

/// Records every block at height `from` and above, on all branches, in the order in which they came; then what was
/// invalidated by hand. `watch` is told of each entry, and how many there will be.
///
/// A moment is that at which the block's header was first seen, to the second: more the ledger does not keep. From height
/// 1 on, a recording can be replayed on a new ledger; above, on one that has the blocks below.
///
/// # Errors
///
/// [`RecordingError`].
pub fn record_ledger(
    ledger: &Ledger,
    from: u32,
    writer: &mut RecordingWriter,
    watch: &mut dyn FnMut(u64, u64),
) -> Result<(), RecordingError> {
    let mut arrived = Vec::new();
    let mut by_hand = Vec::new();
    for height in from.max(1).. {
        let blocks = ledger.blocks_at_height(height);
        if blocks.is_empty() {
            break;
        }
        for block in blocks {
            if block.reject_reason.as_deref() == Some(INVALIDATED_BY_HAND) {
                by_hand.push(block.hash);
            }
            if let Some(arrival) = block.arrival {
                arrived.push(Arrived {
                    arrival,
                    hash: block.hash,
                    seen: block.first_seen,
                });
            }
        }
    }
    arrived.sort_unstable_by_key(|block| block.arrival);
    let all = (arrived.len() + by_hand.len()) as u64;
    let mut done = 0;
    let mut last = Moment::default();
    let mut append = |at, what| {
        last = last.max(at);
        writer.append(&Entry { at: last, what })?;
        done += 1;
        watch(done, all);
        Ok::<_, RecordingError>(last)
    };
    let mut latest = Moment::default();
    for block in arrived {
        let bytes = ledger.block_bytes(&block.hash)?;
        latest = append(Moment::of_second(block.seen), Happening::Block(bytes))?;
    }
    for hash in by_hand {
        append(latest, Happening::Invalidated(hash))?;
    }
    Ok(())
}
