//! Owns the filling of the transaction index: with each block as it is stored, and with those that came before the
//! index was switched on.
//! Promises that a block is in the index as a whole or not at all, on whatever branch it lies.
//! Refuses to hold up blocks: old ones are indexed a bounded number at a time, between others' turns.

use std::sync::atomic::Ordering;

use bitcoin::VarInt;

use super::Engine;
use super::group::Group;
use super::stored::read_stored;
use crate::decode::{DecodedBlock, HEADER_SIZE};
use crate::id::BlockId;
use crate::store::{StoreError, TxRow, Writer};

/// Old blocks indexed in one commit, at most.
const BLOCKS_A_STEP: usize = 200;
/// Bytes of old blocks after which a commit ends.
const BYTES_A_STEP: usize = 16 << 20;

impl Group<'_> {
    /// Indexes a block that is stored by this group, if there is an index.
    pub(super) fn index(&mut self, id: BlockId, block: &DecodedBlock) -> Result<(), StoreError> {
        if self.shared.tx_index.is_none() {
            return Ok(());
        }
        put(self.writer(), id, block)
    }
}

impl Engine {
    /// Indexes some of the blocks that were stored without an index; says whether none is left.
    pub(crate) fn index_some(&mut self) -> Result<bool, StoreError> {
        let shared = self.shared.clone();
        let Some(complete) = &shared.tx_index else {
            return Ok(true);
        };
        if complete.load(Ordering::Acquire) {
            return Ok(true);
        }
        let last = shared.tree.read().ids().len() as u32;
        let mut writer = shared.store.write()?;
        let (mut blocks, mut bytes) = (0, 0);
        let mut next = self.index_next;
        while next < last && blocks < BLOCKS_A_STEP && bytes < BYTES_A_STEP {
            let id = BlockId(next);
            next += 1;
            let stored = shared.tree.read().node(id).position.is_some();
            if !stored || writer.is_indexed(id)? {
                continue;
            }
            let block = read_stored(&shared, id)?;
            put(&mut writer, id, &block)?;
            blocks += 1;
            bytes += block.size;
        }
        writer.commit()?;
        self.index_next = next;
        // From here on every block is indexed as it is stored.
        complete.store(next == last, Ordering::Release);
        Ok(next == last)
    }
}

fn put(writer: &mut Writer<'_>, id: BlockId, block: &DecodedBlock) -> Result<(), StoreError> {
    let mut offset = HEADER_SIZE + VarInt::from(block.transactions.len()).size();
    let rows = block.transactions.iter().enumerate().map(|(index, tx)| {
        let row = TxRow {
            block: id,
            index: index as u32,
            offset: offset as u32,
            length: tx.size as u32,
        };
        offset += tx.size;
        (tx.txid, row)
    });
    writer.put_transactions(id, rows)
}
