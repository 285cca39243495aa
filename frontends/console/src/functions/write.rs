//! Owns the functions that change the ledger: invalidate, reconsider, submit, mine.
//! Promises that each is refused, by name and with what would allow it, before its arguments are looked at.
//! Refuses to mine unless the node is a lab.

use bitcoin::block::Header;
use bitcoin::consensus::deserialize;
use bitcoin::hex::FromHex;
use bitcoin::{BlockHash, ScriptBuf};
use everett_lab::assemble;
use everett_ledger::{Ledger, Outcome};
use everett_proto::v1::ErrorReason;
use rhai::{Array, Dynamic, Engine};

use crate::book::Book;
use crate::context::Ctx;
use crate::fault::{Fault, Given};
use crate::limits::{MAX_MINED_BLOCKS, MAX_TWINS};
use crate::value::{Block, SubmissionValue, WorldValue};

/// The script that anyone can spend: OP_TRUE.
const ANYONE: [u8; 1] = [0x51];

/// Makes the functions known to an engine, also where they are refused: they say why.
pub(super) fn register(engine: &mut Engine, book: &Book, context: &Ctx) {
    book.function(
        "invalidate(at)",
        "takes a block back with all on top of it; gives the best world after (--allow-write)",
    );
    let of = context.clone();
    engine.register_fn("invalidate", move |at: Dynamic| -> Given<WorldValue> {
        of.pen.check("invalidate")?;
        let hash = of.which_block(&at)?;
        of.write("invalidate", move |ledger| ledger.invalidate_block(&hash))?
            .map_err(Fault::from)?;
        Ok(WorldValue::best(&of))
    });
    book.function(
        "reconsider(at)",
        "looks at an invalid block again; gives the best world after (--allow-write)",
    );
    let of = context.clone();
    engine.register_fn("reconsider", move |at: Dynamic| -> Given<WorldValue> {
        of.pen.check("reconsider")?;
        let hash = of.which_block(&at)?;
        of.write("reconsider", move |ledger| ledger.reconsider_block(&hash))?
            .map_err(Fault::from)?;
        Ok(WorldValue::best(&of))
    });
    book.function("submit(hex)", "hands in a block (--allow-write)");
    let of = context.clone();
    engine.register_fn("submit", move |hex: &str| -> Given<SubmissionValue> {
        of.pen.check("submit")?;
        let bytes = Vec::<u8>::from_hex(hex.trim())
            .map_err(|error| Fault::argument(format!("it is not hexadecimal: {error}")))?;
        let submitted = of
            .write("submit", move |ledger| ledger.submit_block(&bytes))?
            .map_err(Fault::from)?;
        Ok(SubmissionValue::of(&of, submitted)?)
    });
    book.function(
        "mine(parent)",
        "mines an empty block on a parent (--allow-write, in a lab)",
    );
    let of = context.clone();
    engine.register_fn("mine", move |parent: Dynamic| -> Given<Array> {
        Ok(mine(&of, &parent, 1)?)
    });
    book.function(
        "mine(parent, count)",
        "mines so many, one on the other (--allow-write, in a lab)",
    );
    let of = context.clone();
    engine.register_fn("mine", move |parent: Dynamic, count: i64| -> Given<Array> {
        Ok(mine(&of, &parent, count)?)
    });
}

fn mine(context: &Ctx, parent: &Dynamic, count: i64) -> Result<Array, Fault> {
    context.pen.check("mine")?;
    if !context.lab {
        return Err(Fault::new(
            ErrorReason::LabDisabled,
            "mine makes history by hand, which only a lab does: start with `everett lab`, or with --lab",
        ));
    }
    if !(1..=MAX_MINED_BLOCKS).contains(&count) {
        return Err(Fault::argument(format!(
            "{count} blocks; one call mines 1 to {MAX_MINED_BLOCKS}"
        )));
    }
    let mut tip = context.which_block(parent)?;
    let mut blocks = Array::new();
    for _ in 0..count {
        context.patience.check()?;
        tip = context.write("mine", move |ledger| mine_one(ledger, &tip))??;
        blocks.push(Dynamic::from(Block::at(context, &tip)?));
    }
    Ok(blocks)
}

/// Mines one block that is not there yet, and hands it in.
fn mine_one(ledger: &Ledger, parent: &BlockHash) -> Result<BlockHash, Fault> {
    let parent = ledger.world(parent)?;
    let payout = ScriptBuf::from_bytes(ANYONE.to_vec());
    let mut time = None;
    for _ in 0..MAX_TWINS {
        let block = assemble::mine(ledger, &parent, Vec::new(), &payout, time)?;
        match ledger.submit_block(&block)?.outcome {
            Outcome::Accepted { hash, .. } => return Ok(hash),
            // The same choices on the same parent make the same block: a second later they do not.
            Outcome::Known { .. } => time = next_second(&block),
            other => {
                return Err(Fault::new(
                    ErrorReason::BlockRejected,
                    format!("the mined block was not taken: {other:?}"),
                ));
            }
        }
    }
    Err(Fault::argument(format!(
        "{MAX_TWINS} such blocks are on this parent already; mine on another one"
    )))
}

/// The second after a block's.
fn next_second(block: &[u8]) -> Option<u32> {
    /// Length of a header in bytes.
    const HEADER_BYTES: usize = 80;
    let header: Header = deserialize(block.get(..HEADER_BYTES)?).ok()?;
    header.time.checked_add(1)
}
