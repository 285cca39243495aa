//! Real blocks of mainnet and testnet3.

use bitcoin::Block;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use everett_ledger::decode::decode_block;
use everett_ledger::params::{Network, Params};
use everett_ledger::rules::{ScriptsAssumedValid, check_block};

use crate::vectors::find;

/// The blocks by name.
fn blocks() -> Vec<(String, Vec<u8>)> {
    let Some(folder) = find("vectors/blocks") else {
        return Vec::new();
    };
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let blocks = files.filter(|file| file.extension().is_some_and(|kind| kind == "block"));
    blocks
        .map(|file| {
            (
                file.file_stem().unwrap().display().to_string(),
                std::fs::read(file).unwrap(),
            )
        })
        .collect()
}

#[test]
fn real_blocks_decode_and_encode_byte_for_byte() {
    for (name, bytes) in blocks() {
        let (decoded, used) = decode_block(&bytes).unwrap();
        assert_eq!(used, bytes.len(), "{name}");
        assert_eq!(decoded.size, bytes.len(), "{name}");
        let reference: Block = deserialize(&bytes).unwrap();
        assert_eq!(
            decoded.stripped_size,
            (reference.weight().to_wu() as usize - bytes.len()) / 3,
            "{name}"
        );
        assert_eq!(decoded.hash, reference.block_hash(), "{name}");
        for (ours, theirs) in decoded.transactions.iter().zip(&reference.txdata) {
            assert_eq!(ours.tx, *theirs, "{name}");
            assert_eq!(ours.txid, theirs.compute_txid(), "{name}");
            assert_eq!(ours.wtxid, theirs.compute_wtxid(), "{name}");
            assert_eq!(ours.size, theirs.total_size(), "{name}");
            assert_eq!(ours.stripped_size, theirs.base_size(), "{name}");
            assert_eq!(ours.is_coinbase(), theirs.is_coinbase(), "{name}");
        }
        let txdata = decoded.transactions.into_iter().map(|tx| tx.tx).collect();
        assert_eq!(
            serialize(&Block {
                header: decoded.header,
                txdata
            }),
            bytes,
            "{name}"
        );
    }
}

#[test]
fn real_blocks_pass_the_rules_that_need_no_chain() {
    for (name, bytes) in blocks() {
        let network = if name.starts_with("mainnet") {
            Network::Mainnet
        } else {
            Network::Testnet3
        };
        let (block, _) = decode_block(&bytes).unwrap();
        check_block(&block, &Params::new(network), &ScriptsAssumedValid).expect(&name);
        let commitment = everett_ledger::rules::block::witness_commitment_index(&block);
        let has_witness = block.transactions.iter().any(|tx| tx.has_witness());
        assert_eq!(has_witness, commitment.is_some() && has_witness, "{name}");
        if let (Some(position), true) = (commitment, has_witness) {
            let coinbase = &block.transactions[0].tx;
            let nonce = coinbase.input[0].witness.nth(0).unwrap();
            let root = everett_ledger::rules::block::witness_root(&block);
            let computed = bitcoin::hashes::sha256d::Hash::hash(&[&root[..], nonce].concat());
            let committed = &coinbase.output[position].script_pubkey.as_bytes()[6..38];
            assert_eq!(computed.as_byte_array(), committed, "{name}");
        }
    }
}
