//! Owns the bytes of blocks that are not quite what their headers say. Promises nothing else.

use bitcoin::consensus::serialize;
use bitcoin::{Block, Witness};

use crate::flaw::Mutation;

/// Whether the coinbase commits to witnesses.
pub(super) fn is_committed(block: &Block) -> bool {
    !block.txdata[0].input[0].witness.is_empty()
}

/// The bytes of a block, mutated.
pub fn mutated(block: &Block, mutation: Option<Mutation>) -> Vec<u8> {
    let mut block = block.clone();
    match mutation {
        None | Some(Mutation::Cut) => {}
        Some(Mutation::Repeated) => {
            let last = block.txdata[block.txdata.len() - 1].clone();
            block.txdata.push(last);
        }
        Some(Mutation::Witness) => {
            let committed = is_committed(&block);
            block.txdata[0].input[0].witness = match committed {
                true => Witness::new(),
                false => Witness::from_slice(&[[7; 32]]),
            };
        }
    }
    let mut bytes = serialize(&block);
    if mutation == Some(Mutation::Cut) {
        bytes.pop();
    }
    bytes
}
