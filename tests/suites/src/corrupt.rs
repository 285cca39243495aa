//! Owns the making of blocks that are wrong in one way and right in every other.
//! Promises that merkle root, witness commitment and proof of work fit what the block then holds.
//! Refuses networks whose proof of work costs anything.

use bitcoin::hashes::Hash;
use bitcoin::{Block, Script, Witness, WitnessCommitment};

/// What the output begins with that commits to the witnesses (BIP141).
const COMMITMENT: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];

/// Changes one bit of the first signature that stands in a witness, and seals the block again. False, and nothing is
/// changed, when there is none.
///
/// No transaction id changes, so that the rest of the block and what is built on it stays right.
pub fn corrupt_signature(block: &mut Block) -> bool {
    let inputs = block.txdata.iter_mut().skip(1).flat_map(|tx| &mut tx.input);
    for input in inputs {
        let mut items = input.witness.to_vec();
        if let Some(item) = items.iter_mut().find(|item| is_signature(item)) {
            // Inside S, whether a hash type follows it or not, and none of its highest bits.
            let place = item.len() - 3;
            item[place] ^= 1;
            input.witness = Witness::from_slice(&items);
            seal(block);
            return true;
        }
    }
    false
}

/// Schnorr, or DER with its hash type.
fn is_signature(item: &[u8]) -> bool {
    match item {
        [0x30, length, ..] => usize::from(*length) + 3 == item.len(),
        _ => matches!(item.len(), 64 | 65),
    }
}

/// Makes the commitments of a block fit its transactions, and its proof of work its header.
pub fn seal(block: &mut Block) {
    let root = block.witness_root();
    if let (Some(root), Some(coinbase)) = (root, block.txdata.first_mut()) {
        let reserved = coinbase.input[0]
            .witness
            .nth(0)
            .unwrap_or_default()
            .to_vec();
        let commits = |script: &Script| script.as_bytes().starts_with(&COMMITMENT);
        let output = coinbase
            .output
            .iter_mut()
            .rev()
            .find(|output| commits(&output.script_pubkey));
        if let Some(output) = output {
            let commitment: WitnessCommitment = Block::compute_witness_commitment(&root, &reserved);
            let mut script = output.script_pubkey.to_bytes();
            script[COMMITMENT.len()..][..32].copy_from_slice(commitment.as_byte_array());
            output.script_pubkey = script.into();
        }
    }
    if let Some(root) = block.compute_merkle_root() {
        block.header.merkle_root = root;
    }
    mine(block);
}

/// Counts the nonce up until the header meets its target.
pub fn mine(block: &mut Block) {
    while !block.header.target().is_met_by(block.header.block_hash()) {
        block.header.nonce = block.header.nonce.wrapping_add(1);
    }
}
