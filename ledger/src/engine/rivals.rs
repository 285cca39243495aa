//! Owns what no version of a coin tells: which coins each block both made and spent, and how blocks spent what they did.
//! Promises to cost an ordinary block one entry in a table; the rest is done only once there is another branch.
//! Refuses to keep transactions in memory: a rival's block is read again, and a few stay at hand.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bitcoin::{Amount, OutPoint, Txid};
use smallvec::SmallVec;

use super::stored::read_stored;
use crate::conflict::recipients;
use crate::decode::DecodedBlock;
use crate::id::{BlockId, ById};
use crate::overlay::OtherSpend;
use crate::rules::connect::passing_outpoints;
use crate::shared::Shared;
use crate::store::StoreError;

/// Inputs of rivals' blocks that stay at hand, together: some tens of megabytes. The latest block stays, whatever it has.
const MAX_INPUTS_AT_HAND: usize = 100_000;

/// Who is paid what by a transaction, in an order of its own.
pub(super) type Recipients = Arc<[(Vec<u8>, Amount)]>;

/// The blocks that have versions in the overlay.
#[derive(Default)]
pub(super) struct Rivals {
    blocks: ById<Block>,
    /// Who made and spent a coin in one block, for those blocks that were looked at.
    passing: HashMap<OutPoint, SmallVec<[BlockId; 1]>>,
    /// Blocks that may have something for `passing` that is not there yet, by height.
    waiting: BTreeSet<(u32, BlockId)>,
    /// Rivals that were read, the latest last.
    at_hand: VecDeque<Arc<Spends>>,
}

struct Block {
    height: u32,
    /// What it made and spent itself; `None` after a restart, when only its bytes would tell.
    passing: Option<Vec<OutPoint>>,
}

impl Rivals {
    /// A block's versions are in the overlay now.
    pub(super) fn enter(&mut self, id: BlockId, height: u32, passing: Option<Vec<OutPoint>>) {
        if passing.as_ref().is_none_or(|passing| !passing.is_empty()) {
            self.waiting.insert((height, id));
        }
        self.blocks.insert(id, Block { height, passing });
    }

    /// A block's versions are out of the overlay again.
    pub(super) fn leave(&mut self, id: BlockId) {
        let Some(block) = self.blocks.remove(&id) else {
            return;
        };
        self.at_hand.retain(|spends| spends.id != id);
        if self.waiting.remove(&(block.height, id)) {
            return;
        }
        for outpoint in block.passing.unwrap_or_default() {
            if let Some(blocks) = self.passing.get_mut(&outpoint) {
                blocks.retain(|block| *block != id);
                if blocks.is_empty() {
                    self.passing.remove(&outpoint);
                }
            }
        }
    }

    /// How many blocks there are, of all branches.
    pub(super) fn count(&self) -> usize {
        self.blocks.len()
    }

    /// Looks at all blocks above a height for coins that they made and spent; reads those that came before a restart.
    pub(super) fn look_above(&mut self, height: u32, shared: &Shared) -> Result<(), StoreError> {
        while let Some(&(at, id)) = self.waiting.range((height + 1, BlockId(0))..).next() {
            let Some(block) = self.blocks.get_mut(&id) else {
                self.waiting.remove(&(at, id));
                continue;
            };
            let passing = match block.passing.take() {
                Some(passing) => passing,
                None => passing_outpoints(&read_stored(shared, id)?),
            };
            for outpoint in &passing {
                self.passing.entry(*outpoint).or_default().push(id);
            }
            block.passing = Some(passing);
            self.waiting.remove(&(at, id));
        }
        Ok(())
    }

    /// Adds the blocks that made and spent this coin, as far as blocks were looked at.
    pub(super) fn passing_spends(&self, outpoint: &OutPoint, spends: &mut Vec<OtherSpend>) {
        let blocks = self.passing.get(outpoint).into_iter().flatten();
        spends.extend(blocks.filter_map(|id| {
            Some(OtherSpend {
                block: *id,
                outpoint: *outpoint,
                height: self.blocks.get(id)?.height,
            })
        }));
    }

    /// What a block made and spent itself, if that is known.
    pub(super) fn passing_of(&self, id: BlockId) -> &[OutPoint] {
        let block = self.blocks.get(&id);
        block
            .and_then(|block| block.passing.as_deref())
            .unwrap_or_default()
    }

    /// How a block spends coins; read from its bytes, unless they are at hand.
    pub(super) fn spends(
        &mut self,
        id: BlockId,
        shared: &Shared,
    ) -> Result<Arc<Spends>, StoreError> {
        if let Some(at) = self.at_hand.iter().position(|spends| spends.id == id) {
            return Ok(self.at_hand[at].clone());
        }
        let spends = Arc::new(Spends::of(id, read_stored(shared, id)?));
        self.at_hand.push_back(spends.clone());
        let inputs = |at_hand: &VecDeque<Arc<Spends>>| -> usize {
            at_hand.iter().map(|spends| spends.by_outpoint.len()).sum()
        };
        while self.at_hand.len() > 1 && inputs(&self.at_hand) > MAX_INPUTS_AT_HAND {
            self.at_hand.pop_front();
        }
        Ok(spends)
    }
}

/// Which transaction of a block spends which coin.
pub(super) struct Spends {
    id: BlockId,
    block: DecodedBlock,
    by_outpoint: HashMap<OutPoint, u32>,
}

impl Spends {
    fn of(id: BlockId, block: DecodedBlock) -> Spends {
        let mut by_outpoint = HashMap::new();
        for (index, transaction) in block.transactions.iter().enumerate().skip(1) {
            for input in &transaction.tx.input {
                by_outpoint.insert(input.previous_output, index as u32);
            }
        }
        Spends {
            id,
            block,
            by_outpoint,
        }
    }

    /// The transaction that spends a coin: its place in the block, and its id.
    pub(super) fn spender(&self, outpoint: &OutPoint) -> Option<(usize, Txid)> {
        let index = *self.by_outpoint.get(outpoint)? as usize;
        Some((index, self.block.transactions.get(index)?.txid))
    }

    /// Who is paid by the transaction at a place.
    pub(super) fn recipients(&self, index: usize) -> Recipients {
        recipients(&self.block.transactions[index].tx).into()
    }
}
