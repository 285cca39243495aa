//! Owns the question by how much what scripts own differs between two blocks.
//! Promises an answer also where the worlds at them cannot be read any more: after a block was invalidated by hand, and
//! below the base.
//! Refuses to guess once a branch was dropped.

use std::collections::{HashMap, HashSet};

use bitcoin::{BlockHash, OutPoint};

use crate::coin::{Coin, ScriptPubKey};
use crate::compare::{Branch, differing};
use crate::delta::Delta;
use crate::error::BlockError;
use crate::id::{BlockId, ScriptHash};
use crate::ledger::Ledger;
use crate::store::Reader;

/// By how much what a script owns differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScriptChange {
    /// Satoshis more, or less.
    pub sat: i64,
    /// Coins more, or less.
    pub coins: i64,
}

impl Ledger {
    /// By how much what scripts own differs between the worlds at two blocks, for those whose coins differ; a coin
    /// that was made at another height differs, too. `None` if what one of the blocks between them did is not kept
    /// any more: its branch was dropped, or it was never validated. Reads what each of those blocks did.
    ///
    /// # Errors
    ///
    /// [`BlockError::Unknown`], and what the disk does.
    pub fn script_changes(
        &self,
        from: &BlockHash,
        to: &BlockHash,
    ) -> Result<Option<HashMap<ScriptHash, ScriptChange>>, BlockError> {
        let [undone, applied] = self.branches(from, to)?;
        // One transaction for all: a checkpoint moves rows from one table to the other.
        let reader = self.shared.store.read()?;
        let (Some(undone), Some(applied)) = (
            self.deltas(&reader, &undone)?,
            self.deltas(&reader, &applied)?,
        ) else {
            return Ok(None);
        };
        let mut changes: HashMap<ScriptHash, ScriptChange> = HashMap::new();
        for [before, after] in differing(&Branch::of(undone), &Branch::of(applied)).values() {
            for (coin, sign) in [(before, -1), (after, 1)] {
                let Some(coin) = coin else { continue };
                let script = ScriptHash::of(&coin.script_pubkey);
                let change = changes.entry(script).or_default();
                // Whatever is on a chain is less than 21 million bitcoin.
                change.sat += sign * coin.amount.to_sat() as i64;
                change.coins += sign;
            }
        }
        Ok(Some(changes))
    }

    /// The blocks from the fork point up to each of two blocks, lowest first.
    fn branches(
        &self,
        from: &BlockHash,
        to: &BlockHash,
    ) -> Result<[Vec<(BlockId, u32)>; 2], BlockError> {
        let tree = self.shared.tree.read();
        let find = |hash: &BlockHash| {
            tree.find_committed(hash)
                .ok_or(BlockError::Unknown { hash: *hash })
        };
        let (from, to) = (find(from)?, find(to)?);
        let fork = tree.fork_point(from, to);
        let up_to = |tip: BlockId| {
            let mut blocks = Vec::new();
            let mut at = Some(tip);
            while let Some(id) = at.filter(|id| *id != fork) {
                let node = tree.node(id);
                blocks.push((id, node.height));
                at = node.parent;
            }
            blocks.reverse();
            blocks
        };
        Ok([up_to(from), up_to(to)])
    }

    /// What these blocks did: as the journal has it or, below the base, from their bytes and the coins that they spent.
    fn deltas(
        &self,
        reader: &Reader<'_>,
        blocks: &[(BlockId, u32)],
    ) -> Result<Option<Vec<Delta>>, BlockError> {
        let mut deltas = Vec::with_capacity(blocks.len());
        for &(id, height) in blocks {
            let delta = match reader.delta(height, id)? {
                Some(delta) => Some(delta),
                None => match reader.undo(id)? {
                    Some(spent) => Some(Delta {
                        spent,
                        created: self.created_by(id, height)?,
                    }),
                    None => None,
                },
            };
            match delta {
                Some(delta) => deltas.push(delta),
                None => return Ok(None),
            }
        }
        Ok(Some(deltas))
    }

    /// The coins that a block made and did not spend itself.
    fn created_by(&self, id: BlockId, height: u32) -> Result<Vec<(OutPoint, Coin)>, BlockError> {
        let (hash, _) = self.position(id);
        let block = self.decoded(&hash)?;
        let inputs = block.transactions.iter().flat_map(|tx| &tx.tx.input);
        let spent: HashSet<OutPoint> = inputs.map(|input| input.previous_output).collect();
        let mut created = Vec::new();
        for transaction in &block.transactions {
            for (vout, output) in (0..).zip(&transaction.tx.output) {
                let outpoint = OutPoint::new(transaction.txid, vout);
                if Coin::is_unspendable(&output.script_pubkey) || spent.contains(&outpoint) {
                    continue;
                }
                let coin = Coin {
                    amount: output.value,
                    script_pubkey: ScriptPubKey::new(output.script_pubkey.as_bytes()),
                    height,
                    coinbase: transaction.is_coinbase(),
                };
                created.push((outpoint, coin));
            }
        }
        Ok(created)
    }
}
