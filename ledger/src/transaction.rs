//! Owns the search for a transaction in a world.
//! Promises to find every transaction if there is an index, else those with an unspent output and those of the blocks
//! above the base.
//! Refuses to read the whole chain for one question.

use std::sync::atomic::Ordering;

use bitcoin::{BlockHash, OutPoint, Transaction, Txid};

use crate::decode::decode_block;
use crate::error::{BlockError, ReadError, TransactionError};
use crate::ledger::Ledger;
use crate::world::World;

/// Blocks searched back from a world's tip, at most.
const MAX_BLOCKS_SEARCHED: u32 = 10_000;

/// A transaction and the block that holds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FoundTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// The block that holds it.
    pub block: BlockHash,
    /// Height of that block.
    pub height: u32,
    /// Its place in the block; 0 is the coinbase.
    pub index: usize,
}

impl Ledger {
    /// Finds a transaction in the block `in_block`, or else in `world`'s chain: by an unspent output of it, or going
    /// back through the blocks from the tip to the base.
    pub fn find_transaction(
        &self,
        world: &World,
        txid: &Txid,
        in_block: Option<&BlockHash>,
    ) -> Result<FoundTransaction, TransactionError> {
        if let Some(block) = in_block {
            return self
                .transaction_in(block, txid)?
                .ok_or(TransactionError::NotInBlock {
                    txid: *txid,
                    block: *block,
                });
        }
        if let Some(found) = self.indexed_transaction(world, txid)? {
            return Ok(found);
        }
        if let Some(index) = &self.shared.tx_index
            && index.load(Ordering::Acquire)
        {
            let holders = self.holders(txid)?;
            return Err(TransactionError::NotInWorld {
                txid: *txid,
                world: world.hash(),
                elsewhere: Some(holders),
            });
        }
        if let Some(height) = world.height_of_a_coin(txid)?
            && let Some(block) = world.block_hash_at(height)
            && let Some(found) = self.transaction_in(&block, txid)?
        {
            return Ok(found);
        }
        let base = self.shared.store.read()?.base()?.height;
        let lowest = base.max(world.height().saturating_sub(MAX_BLOCKS_SEARCHED));
        for height in (lowest..=world.height()).rev() {
            if let Some(block) = world.block_hash_at(height)
                && let Some(found) = self.transaction_in(&block, txid)?
            {
                return Ok(found);
            }
        }
        if lowest == 0 {
            return Err(TransactionError::NotInWorld {
                txid: *txid,
                world: world.hash(),
                elsewhere: None,
            });
        }
        let searched = world.height() - lowest + 1;
        Err(TransactionError::NotIndexed {
            txid: *txid,
            world: world.hash(),
            searched,
        })
    }

    fn transaction_in(
        &self,
        hash: &BlockHash,
        txid: &Txid,
    ) -> Result<Option<FoundTransaction>, BlockError> {
        let height = self
            .block_info(hash)
            .ok_or(BlockError::Unknown { hash: *hash })?
            .height;
        let bytes = self.block_bytes(hash)?;
        let (block, _) = decode_block(&bytes).map_err(|source| BlockError::Undecodable {
            hash: *hash,
            source,
        })?;
        let found = block
            .transactions
            .into_iter()
            .enumerate()
            .find(|(_, transaction)| transaction.txid == *txid);
        Ok(found.map(|(index, found)| FoundTransaction {
            transaction: found.tx,
            block: *hash,
            height,
            index,
        }))
    }
}

impl World {
    /// Height of the block that made an unspent output of the transaction: in the base by its prefix, above it by
    /// trying the first outputs. `None` does not mean that the transaction is not in this world.
    pub fn height_of_a_coin(&self, txid: &Txid) -> Result<Option<u32>, ReadError> {
        const OUTPUTS_TRIED: u32 = 16;
        for vout in 0..OUTPUTS_TRIED {
            if let Some(coin) = self.coin(&OutPoint::new(*txid, vout))? {
                return Ok(Some(coin.height));
            }
        }
        self.with_base(
            |reader, _| match reader.coins_of_transaction(txid)?.next() {
                Some(row) => Ok(Some(row?.1.height)),
                None => Ok(None),
            },
        )
    }
}
