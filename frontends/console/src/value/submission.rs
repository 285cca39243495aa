//! Owns what became of a block that a script handed in, and failures that a script caught.

use bitcoin::BlockHash;
use everett_ledger::{Outcome, Submitted};
use everett_proto::v1::ErrorReason;
use rhai::{Dynamic, Engine};
use serde_json::{Value, json};

use super::Block;
use crate::book::Book;
use crate::context::Ctx;
use crate::fault::Fault;
use crate::show::{Align, Shown, facts};

/// A block that was taken, or waits for its parent.
#[derive(Clone)]
pub(crate) struct SubmissionValue {
    context: Ctx,
    hash: BlockHash,
    word: &'static str,
    /// Blocks that had waited for it.
    joined: usize,
}

impl SubmissionValue {
    /// # Errors
    ///
    /// `BLOCK_REJECTED`, with Bitcoin Core's reason in the message.
    pub(crate) fn of(context: &Ctx, submitted: Submitted) -> Result<SubmissionValue, Fault> {
        let joined = submitted.joined.len();
        let (hash, word) = match submitted.outcome {
            Outcome::Accepted { hash, .. } => (hash, "accepted"),
            Outcome::Known { hash, .. } => (hash, "known before"),
            Outcome::Orphan { hash, .. } => (hash, "waits for its parent"),
            Outcome::Rejected { hash, reject, .. } => {
                let message = format!("block {hash} is rejected: {reject}");
                return Err(Fault::new(ErrorReason::BlockRejected, message));
            }
            Outcome::Undecodable(error) => {
                return Err(Fault::argument(format!("it is no block: {error}")));
            }
        };
        Ok(SubmissionValue {
            context: context.clone(),
            hash,
            word,
            joined,
        })
    }
}

impl Shown for SubmissionValue {
    const KIND: &'static str = "Submission";

    fn line(&self) -> String {
        format!("{}: block {}", self.word, self.hash)
    }

    fn text(&self) -> Result<String, Fault> {
        let mut lines = vec![("submitted", self.word.to_owned())];
        if self.joined > 0 {
            lines.push((
                "joined",
                format!("{} blocks that had waited for it", self.joined),
            ));
        }
        // An orphan is not in the tree.
        let block = match Block::at(&self.context, &self.hash) {
            Ok(block) => block.text()?,
            Err(_) => facts([("block", self.hash.to_string())]),
        };
        Ok(facts(lines) + block.as_str())
    }

    fn json(&self) -> Result<Value, Fault> {
        let block = Block::at(&self.context, &self.hash).ok();
        Ok(json!({
            "outcome": self.word,
            "hash": self.hash.to_string(),
            "joined": self.joined,
            "block": block.map(|block| block.json()).transpose()?,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![("OUTCOME", Align::Left), ("BLOCK", Align::Left)]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![self.word.to_owned(), self.hash.to_string()])
    }
}

impl Shown for Fault {
    const KIND: &'static str = "Error";

    fn line(&self) -> String {
        format!("{}: {}", self.reason, self.message)
    }

    fn text(&self) -> Result<String, Fault> {
        Ok(self.line())
    }

    fn json(&self) -> Result<Value, Fault> {
        Ok(json!({ "reason": self.reason, "message": self.message }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![("REASON", Align::Left), ("MESSAGE", Align::Left)]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        Ok(vec![self.reason.to_owned(), self.message.clone()])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<SubmissionValue>(engine, "what became of a block that was handed in")
        .get(
            "outcome",
            "accepted, known before, or waits for its parent",
            |submission| Ok(submission.word),
        )
        .get("hash", "the block's hash", |submission| {
            Ok(submission.hash.to_string())
        })
        .get(
            "block",
            "the block; fails while it waits for its parent",
            |submission| {
                Ok(Dynamic::from(Block::at(
                    &submission.context,
                    &submission.hash,
                )?))
            },
        )
        .get(
            "joined",
            "how many blocks had waited for it",
            |submission| Ok(submission.joined as i64),
        );
    book.kind::<Fault>(engine, "a failure, as catch (error) gives it")
        .get(
            "reason",
            "a word for programs, such as WORLD_UNKNOWN",
            |fault| Ok(fault.reason),
        )
        .get(
            "message",
            "what went wrong, where, and what to do",
            |fault| Ok(fault.message.clone()),
        );
}
