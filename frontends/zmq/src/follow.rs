//! Owns what a change of the mempool tells, and in which order.
//! Promises Core's order: blocks undone, what entered and left, blocks applied, the new best block; a block at a time
//! where Core takes one at a time. What cannot be told leaves a gap in the numbers of its topics.

use std::sync::Arc;

use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Txid};
use bytes::Bytes;
use everett_ledger::Ledger;
use everett_ledger::decode::decode_block;
use everett_mempool::{Change, Happened, Reason};
use everett_node::{CallError, Handle, Steps};
use tracing::{debug, warn};

use crate::config::Topic;
use crate::notifier::{Label, Notifiers};

/// Changes that are taken at once.
const MAX_CHANGES: usize = 64;

/// Follows the mempool's changes.
pub(crate) struct Follower {
    handle: Handle,
    notifiers: Notifiers,
    /// The number of the change that was told last.
    told: u64,
    /// Whether a best block was news before, after which each is.
    begun: bool,
}

/// What is told of a block.
#[derive(Default)]
struct Block {
    bytes: Bytes,
    transactions: Vec<(Txid, Vec<u8>)>,
}

/// Reads a block, and with `parts` its transactions.
fn read(ledger: &Ledger, hash: &BlockHash, parts: bool) -> Result<Block, String> {
    let bytes = ledger
        .block_bytes(hash)
        .map_err(|error| error.to_string())?;
    let mut block = Block::default();
    if parts {
        let (decoded, _) = decode_block(&bytes).map_err(|error| error.to_string())?;
        let transactions = decoded.transactions.iter();
        block.transactions = transactions
            .map(|decoded| (decoded.txid, serialize(&decoded.tx)))
            .collect();
    }
    block.bytes = Bytes::from(bytes.to_vec());
    Ok(block)
}

impl Follower {
    /// One that tells what comes after now.
    pub(crate) fn new(handle: Handle, notifiers: Notifiers) -> Follower {
        let told = *handle.mempool().change_number().borrow();
        Follower {
            handle,
            notifiers,
            told,
            begun: false,
        }
    }

    /// Tells changes until the node stops.
    pub(crate) async fn run(mut self) -> Result<(), CallError> {
        let stop = self.handle.stop_signal().clone();
        let mut latest = self.handle.mempool().change_number();
        while !stop.is_given() {
            // Before the read: what comes during it wakes the next round.
            latest.mark_unchanged();
            let changes = match self.handle.mempool().changes_after(self.told, MAX_CHANGES) {
                Ok(changes) => changes,
                Err(gone) => {
                    warn!(
                        "what changed was told too slowly: messages of {} changes are lost",
                        gone.oldest - gone.wanted - 1
                    );
                    self.notifiers.skip(&Topic::ALL);
                    self.told = gone.oldest - 1;
                    continue;
                }
            };
            for change in &changes {
                self.tell(change).await?;
                self.told = change.number;
            }
            if changes.is_empty() {
                tokio::select! {
                    changed = latest.changed() => if changed.is_err() {
                        break;
                    },
                    () = stop.wait() => break,
                }
            }
        }
        Ok(())
    }

    async fn tell(&mut self, change: &Arc<Change>) -> Result<(), CallError> {
        debug!(number = change.number, "a change is told");
        for hash in &change.undone {
            self.block(hash, Label::Disconnected).await?;
        }
        for happened in &change.happened {
            self.happened(happened);
        }
        if change.applied.is_empty() {
            return Ok(());
        }
        let steps = self.handle.read({
            let change = change.clone();
            move |ledger| Steps::new(ledger, &change.undone, &change.applied)
        });
        for step in steps.await?.applied {
            for hash in &step {
                self.block(hash, Label::Connected).await?;
            }
            if let Some(hash) = step.last() {
                self.best(hash).await?;
            }
        }
        Ok(())
    }

    fn happened(&mut self, happened: &Happened) {
        match happened {
            Happened::Entered { tx, sequence, .. } => {
                let raw = self.notifiers.tell_any(&[Topic::RawTx]);
                let bytes = raw.then(|| serialize(&tx.tx));
                self.notifiers.added(&tx.txid, bytes.as_deref(), *sequence);
            }
            // The block is told, with all that it has.
            Happened::Left {
                reason: Reason::Block,
                ..
            } => {}
            Happened::Left { tx, sequence, .. } => {
                let label = Label::Removed(*sequence);
                self.notifiers.sequence(tx.txid.to_byte_array(), label);
            }
        }
    }

    /// Reads a block; one that cannot be read, as when it was pruned, has nothing to tell.
    async fn read(&self, hash: &BlockHash, parts: bool) -> Result<Option<Block>, CallError> {
        let wanted = *hash;
        let read = self.handle.read(move |ledger| read(ledger, &wanted, parts));
        match read.await? {
            Ok(block) => Ok(Some(block)),
            Err(error) => {
                warn!(%hash, error, "a block cannot be read and its messages are left out");
                Ok(None)
            }
        }
    }

    async fn block(&mut self, hash: &BlockHash, label: Label) -> Result<(), CallError> {
        let topics = [Topic::HashTx, Topic::RawTx];
        if self.notifiers.tell_any(&topics) {
            match self.read(hash, true).await? {
                Some(block) => {
                    for (txid, bytes) in &block.transactions {
                        self.notifiers.transaction(txid, bytes);
                    }
                }
                None => self.notifiers.skip(&topics),
            }
        }
        self.notifiers.sequence(hash.to_byte_array(), label);
        Ok(())
    }

    /// Tells a new best block, unless the node catches up with what others have long had.
    async fn best(&mut self, hash: &BlockHash) -> Result<(), CallError> {
        let news = self.handle.ledger().block_info(hash);
        self.begun = self.begun || news.is_some_and(|block| self.handle.is_news(&block));
        if !self.begun {
            return Ok(());
        }
        let raw = self.notifiers.tell_any(&[Topic::RawBlock]);
        let block = match raw {
            true => self.read(hash, false).await?,
            false => None,
        };
        let bytes = block.as_ref().map(|block| &block.bytes[..]);
        self.notifiers.best_block(hash, bytes);
        if raw && block.is_none() {
            self.notifiers.skip(&[Topic::RawBlock]);
        }
        Ok(())
    }
}
