//! Owns the commitment of a block to its witnesses (BIP141).
//! Promises Bitcoin Core's reasons. Refuses to say from which height on there is one.

use bitcoin::ScriptBuf;
use bitcoin::hashes::Hash;

use super::merkle::merkle_root;
use super::reject::Reject;
use crate::decode::{DecodedBlock, DecodedTransaction};
use crate::sha256d::sha256d;

/// What a witness commitment's script starts with: OP_RETURN, a push of 36 bytes, BIP141's mark.
pub(super) const COMMITMENT_PREFIX: [u8; 6] = [0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed];
/// Bytes of the shortest script that holds a witness commitment.
const COMMITMENT_LENGTH: usize = 38;

/// Where the coinbase commits to the witnesses: the last output that looks like it (BIP141).
pub fn witness_commitment_index(block: &DecodedBlock) -> Option<usize> {
    let outputs = &block.transactions.first()?.tx.output;
    outputs.iter().rposition(|output| {
        let script = output.script_pubkey.as_bytes();
        script.len() >= COMMITMENT_LENGTH && script.starts_with(&COMMITMENT_PREFIX)
    })
}

/// The root of the tree of witness transaction ids, in which the coinbase's counts as zero (BIP141).
pub fn witness_root(block: &DecodedBlock) -> [u8; 32] {
    let leaf = |(index, tx): (usize, &DecodedTransaction)| match index {
        0 => [0; 32],
        _ => tx.wtxid.to_byte_array(),
    };
    merkle_root(block.transactions.iter().enumerate().map(leaf).collect()).root
}

/// The script of an output that commits to witnesses with this root; `nonce` is what the coinbase's witness
/// must then be (BIP141).
pub fn witness_commitment_script(witness_root: &[u8; 32], nonce: &[u8; 32]) -> ScriptBuf {
    let commitment = sha256d(&[witness_root, nonce]);
    ScriptBuf::from_bytes([&COMMITMENT_PREFIX[..], &commitment].concat())
}

/// Checks the commitment to the witnesses, or that there are none where nothing commits to them.
pub(super) fn check_witnesses(block: &DecodedBlock, segwit: bool) -> Result<(), Reject> {
    let commitment = if segwit {
        witness_commitment_index(block)
    } else {
        None
    };
    let Some(position) = commitment else {
        return match block.transactions.iter().find(|tx| tx.has_witness()) {
            None => Ok(()),
            Some(transaction) => {
                let debug = format!("transaction {} has a witness", transaction.txid);
                Err(Reject::mutated("unexpected-witness", debug))
            }
        };
    };
    let coinbase = &block.transactions[0].tx;
    let witness = coinbase.input.first().map(|input| &input.witness);
    let nonce = witness
        .filter(|witness| witness.len() == 1)
        .and_then(|witness| witness.nth(0));
    let Some(nonce) = nonce.filter(|nonce| nonce.len() == 32) else {
        let debug = "the coinbase's witness is not one element of 32 bytes";
        return Err(Reject::mutated("bad-witness-nonce-size", debug));
    };
    let committed = &coinbase.output[position].script_pubkey.as_bytes()[6..COMMITMENT_LENGTH];
    if sha256d(&[&witness_root(block), nonce]) != committed {
        let debug = "the witnesses are not those that the coinbase commits to";
        return Err(Reject::mutated("bad-witness-merkle-match", debug));
    }
    Ok(())
}
