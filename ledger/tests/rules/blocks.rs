//! Real blocks of mainnet and testnet3.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use bitcoin::consensus::{Decodable, deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Block, OutPoint, TxOut};
use everett_ledger::coin::{Coin, ScriptPubKey};
use everett_ledger::decode::decode_block;
use everett_ledger::params::{Network, Params};
use everett_ledger::rules::{
    Chain, CoinSource, HeaderFacts, ScriptsAssumedValid, check_block, connect,
};

use crate::naive::OneByOne;

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
        let commitment = everett_ledger::rules::witnesses::witness_commitment_index(&block);
        let has_witness = block.transactions.iter().any(|tx| tx.has_witness());
        assert_eq!(has_witness, commitment.is_some() && has_witness, "{name}");
        if let (Some(position), true) = (commitment, has_witness) {
            let coinbase = &block.transactions[0].tx;
            let nonce = coinbase.input[0].witness.nth(0).unwrap();
            let root = everett_ledger::rules::witnesses::witness_root(&block);
            let computed = bitcoin::hashes::sha256d::Hash::hash(&[&root[..], nonce].concat());
            let committed = &coinbase.output[position].script_pubkey.as_bytes()[6..38];
            assert_eq!(computed.as_byte_array(), committed, "{name}");
        }
    }
}

/// The chain below a real block, as far as connecting it needs to know: its height, and that it is the known one.
struct Below {
    height: u32,
    facts: HeaderFacts,
}

impl Chain for Below {
    fn height(&self) -> u32 {
        self.height
    }

    fn header(&self, _: u32) -> HeaderFacts {
        self.facts
    }
}

/// The coins that a block spends, by outpoint.
struct Spent(HashMap<OutPoint, Coin>);

impl CoinSource for Spent {
    type Error = Infallible;

    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, Infallible> {
        Ok(self.0.get(outpoint).cloned())
    }
}

#[test]
fn real_blocks_connect_to_the_coins_that_they_spent() {
    for (name, bytes) in blocks() {
        let Some((network, height)) = name.split_once('-') else {
            continue;
        };
        let file = find(&format!("vectors/blocks/{name}.block")).unwrap();
        let (Ok(height), Ok(outputs)) = (
            height.parse::<u32>(),
            std::fs::read(file.with_extension("spent-outputs")),
        ) else {
            continue;
        };
        let mut rest = &outputs[..];
        let (block, _) = decode_block(&bytes).unwrap();
        let inputs = || block.transactions[1..].iter().flat_map(|tx| &tx.tx.input);
        let mut coins = HashMap::new();
        for input in inputs() {
            let output = TxOut::consensus_decode(&mut rest).unwrap();
            let script_pubkey = ScriptPubKey::new(output.script_pubkey.as_bytes());
            let coin = Coin {
                amount: output.value,
                script_pubkey,
                height: 0,
                coinbase: false,
            };
            coins.insert(input.previous_output, coin);
        }
        assert!(rest.is_empty(), "{name}");

        let params = Params::new(network.parse().unwrap());
        let facts = HeaderFacts {
            hash: params.bip34_hash.unwrap(),
            version: 4,
            time: block.header.time,
            bits: block.header.bits.to_consensus(),
        };
        let below = Below {
            height: height - 1,
            facts,
        };
        let own: HashSet<_> = block.transactions.iter().map(|tx| tx.txid).collect();
        let earlier = inputs()
            .filter(|input| !own.contains(&input.previous_output.txid))
            .count();
        let connected = connect(&block, &below, &Spent(coins), &params, &OneByOne).expect(&name);
        assert_eq!(connected.delta.spent.len(), earlier, "{name}");
        let paid: u64 = block.transactions[0]
            .tx
            .output
            .iter()
            .map(|out| out.value.to_sat())
            .sum();
        assert_eq!(
            connected.fees + params.subsidy(height),
            Amount::from_sat(paid),
            "{name}"
        );
    }
}
