//! Owns the way back from the block files: blocks that were taken before and are needed again.
//! Promises that a block comes back as it was taken, or that the error names the file and the place in it.
//! Refuses to blame the block: it passed these checks when it came, so it is the disk that changed.

use bitcoin::BlockHash;

use crate::decode::{DecodedBlock, decode_block};
use crate::id::BlockId;
use crate::rules::{Reject, ScriptsAssumedValid, check_block, check_block_in_context};
use crate::shared::Shared;
use crate::store::{BlockPosition, StoreError};

/// A block of the tree.
pub(super) fn read_stored(shared: &Shared, id: BlockId) -> Result<DecodedBlock, StoreError> {
    let tree = shared.tree.read();
    let node = tree.node(id);
    let position = node.position.ok_or_else(|| {
        StoreError::corrupt(
            "headers",
            format!("block {} counts as stored but has no position", node.hash),
        )
    })?;
    let (hash, parent) = (node.hash, node.parent);
    drop(tree);
    let block = read_waiting(shared, hash, position)?;
    if let Some(parent) = parent {
        let tree = shared.tree.read();
        check_block_in_context(&block, &tree.chain(parent), &shared.params)
            .map_err(|reject| damaged(shared, hash, position, reject))?;
    }
    Ok(block)
}

/// A block whose place in the tree is not known yet.
pub(super) fn read_waiting(
    shared: &Shared,
    hash: BlockHash,
    position: BlockPosition,
) -> Result<DecodedBlock, StoreError> {
    let bytes = shared.store.read_block(position)?;
    let (block, _) = decode_block(&bytes).map_err(|error| {
        shared
            .store
            .damaged_block(position, format!("block {hash} does not decode: {error}"))
    })?;
    if block.hash != hash {
        let found = format!("block {hash} was written, {} is there", block.hash);
        return Err(shared.store.damaged_block(position, found));
    }
    check_block(&block, &shared.params, &ScriptsAssumedValid)
        .map_err(|reject| damaged(shared, hash, position, reject))?;
    Ok(block)
}

fn damaged(
    shared: &Shared,
    hash: BlockHash,
    position: BlockPosition,
    reject: Reject,
) -> StoreError {
    let detail = format!("block {hash} is not as it was written: {}", reject.reason);
    shared.store.damaged_block(position, detail)
}
