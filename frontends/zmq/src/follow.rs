//! Owns what a change of the mempool tells, and in which order.
//! Promises Core's order: blocks undone, what entered and left, blocks applied, the new best block; a block at a time
//! where Core takes one at a time.

use std::sync::Arc;

use bitcoin::consensus::encode::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Txid, Work};
use bytes::Bytes;
use everett_ledger::decode::decode_block;
use everett_ledger::{ChainStatus, Ledger};
use everett_mempool::{Change, Happened, Reason};
use everett_node::{CallError, Handle};
use tracing::{debug, warn};

use crate::config::Topic;
use crate::notifier::{Label, Notifiers};

/// Changes that are taken at once.
const MAX_CHANGES: usize = 64;
/// A best block older than this is not news to anybody, as in Core.
const MAX_TIP_AGE: u64 = 24 * 3600;

/// Follows the mempool's changes.
pub(crate) struct Follower {
    handle: Handle,
    notifiers: Notifiers,
    /// The number of the change that was told last.
    told: u64,
    /// Whether the node was never up to date yet: until then no new best block is told.
    catching_up: bool,
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

/// The blocks of a change, up to each one that Core tells as a new best block.
///
/// Core applies blocks until it has more work than it had, and then one by one. Where the old branch was taken back by hand,
/// it had gone down to where the branches part before.
fn steps(ledger: &Ledger, change: &Change) -> Vec<Vec<BlockHash>> {
    let info = |hash: &BlockHash| ledger.block_info(hash);
    let lowest = change.undone.last().and_then(info);
    let by_hand = lowest.is_some_and(|lowest| lowest.status == ChainStatus::Invalid);
    let highest = change.undone.first().filter(|_| !by_hand).and_then(info);
    let before: Option<Work> = highest.map(|highest| highest.chainwork);
    let mut steps: Vec<Vec<BlockHash>> = Vec::new();
    let mut open = false;
    for hash in &change.applied {
        match steps.last_mut().filter(|_| open) {
            Some(step) => step.push(*hash),
            None => steps.push(vec![*hash]),
        }
        let work = info(hash).map(|info| info.chainwork);
        open = before
            .zip(work)
            .is_some_and(|(before, work)| work <= before);
    }
    steps
}

impl Follower {
    /// One that tells what comes after now.
    pub(crate) fn new(handle: Handle, notifiers: Notifiers) -> Follower {
        let told = *handle.mempool().change_number().borrow();
        Follower {
            handle,
            notifiers,
            told,
            catching_up: true,
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
            move |ledger| steps(ledger, &change)
        });
        for step in steps.await? {
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
                self.notifiers
                    .added(&tx.txid, &serialize(&tx.tx), *sequence);
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
        if self.notifiers.tell_any(&[Topic::HashTx, Topic::RawTx])
            && let Some(block) = self.read(hash, true).await?
        {
            for (txid, bytes) in &block.transactions {
                self.notifiers.transaction(txid, bytes);
            }
        }
        self.notifiers.sequence(hash.to_byte_array(), label);
        Ok(())
    }

    /// Tells a new best block, unless the node catches up with what others have long had.
    async fn best(&mut self, hash: &BlockHash) -> Result<(), CallError> {
        if self.catching_up {
            let ledger = self.handle.ledger();
            let recent = ledger.block_info(hash).is_some_and(|info| {
                let recent = u64::from(info.header.time) + MAX_TIP_AGE >= ledger.clock().now();
                recent && info.chainwork >= ledger.params().minimum_chain_work
            });
            if !recent {
                return Ok(());
            }
            self.catching_up = false;
        }
        let block = match self.notifiers.tell_any(&[Topic::RawBlock]) {
            true => self.read(hash, false).await?,
            false => None,
        };
        let bytes = block.as_ref().map(|block| &block.bytes[..]);
        self.notifiers.best_block(hash, bytes);
        Ok(())
    }
}
