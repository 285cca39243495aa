//! Owns what the rules' tests build their cases from: a list of headers, a map of coins, small blocks.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Mutex;

use bitcoin::block::{Header, Version as BlockVersion};
use bitcoin::hashes::Hash;
use bitcoin::script::Builder;
use bitcoin::transaction::Version;
use bitcoin::{
    Amount, BlockHash, CompactTarget, OutPoint, ScriptBuf, Sequence, Transaction, TxIn,
    TxMerkleNode, TxOut, Txid, Witness, absolute,
};
use everett_script::Flags;

use super::*;
use crate::coin::{Coin, ScriptPubKey};
use crate::decode::{DecodedBlock, DecodedTransaction};
use crate::params::Params;

/// A chain that is a list of headers.
#[derive(Clone)]
pub(crate) struct ListChain(pub(crate) Vec<HeaderFacts>);

impl Chain for ListChain {
    fn height(&self) -> u32 {
        self.0.len() as u32 - 1
    }

    fn header(&self, height: u32) -> HeaderFacts {
        self.0[height as usize]
    }
}

impl ListChain {
    /// Genesis and blocks up to `height`, ten minutes apart, all with the same bits.
    pub(crate) fn regular(params: &Params, height: u32, bits: u32) -> ListChain {
        let genesis = params.genesis.header;
        let header = |height: u32| HeaderFacts {
            hash: match height {
                0 => params.genesis_hash(),
                _ => BlockHash::hash(&height.to_le_bytes()),
            },
            version: 4,
            time: genesis.time + 600 * height,
            bits,
        };
        ListChain((0..=height).map(header).collect())
    }

    pub(crate) fn tip(&mut self) -> &mut HeaderFacts {
        self.0.last_mut().unwrap()
    }
}

/// Coins in a map, which counts how often it is asked.
#[derive(Default)]
pub(crate) struct MapCoins {
    pub(crate) coins: HashMap<OutPoint, Coin>,
    pub(crate) asked: Cell<usize>,
    pub(crate) broken: bool,
}

impl CoinSource for MapCoins {
    type Error = &'static str;

    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, &'static str> {
        self.asked.set(self.asked.get() + 1);
        match self.broken {
            true => Err("the disk is gone"),
            false => Ok(self.coins.get(outpoint).cloned()),
        }
    }
}

impl MapCoins {
    /// Adds a coin that anyone can spend, and returns where it is.
    pub(crate) fn add(&mut self, sat: u64, height: u32, coinbase: bool) -> OutPoint {
        self.add_script(sat, height, coinbase, &[0x51])
    }

    pub(crate) fn add_script(
        &mut self,
        sat: u64,
        height: u32,
        coinbase: bool,
        script: &[u8],
    ) -> OutPoint {
        let outpoint = OutPoint::new(Txid::hash(&self.coins.len().to_le_bytes()), 0);
        let coin = Coin {
            amount: Amount::from_sat(sat),
            script_pubkey: ScriptPubKey::new(script),
            height,
            coinbase,
        };
        self.coins.insert(outpoint, coin);
        outpoint
    }
}

/// What a call of the seam was given.
pub(crate) struct SeamCall {
    pub(crate) transactions: usize,
    pub(crate) spent: SpentCoins,
    pub(crate) flags: Flags,
}

/// A script check that remembers its calls and gives one answer.
#[derive(Default)]
pub(crate) struct SeamSpy {
    pub(crate) calls: Mutex<Vec<SeamCall>>,
    pub(crate) failure: Option<ScriptFailure>,
}

impl ScriptCheck for SeamSpy {
    fn check(&self, scripts: BlockScripts<'_>) -> Result<(), ScriptFailure> {
        self.calls.lock().unwrap().push(SeamCall {
            transactions: scripts.transactions.len(),
            spent: scripts.spent.clone(),
            flags: scripts.flags,
        });
        self.failure.clone().map_or(Ok(()), Err)
    }
}

/// A transaction from `inputs` to outputs of these values, which anyone can spend.
pub(crate) fn transaction(inputs: &[OutPoint], values: &[u64]) -> Transaction {
    let input = |outpoint: &OutPoint| TxIn {
        previous_output: *outpoint,
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    let output = |sat: &u64| TxOut {
        value: Amount::from_sat(*sat),
        script_pubkey: ScriptBuf::from_bytes(vec![0x51]),
    };
    Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: inputs.iter().map(input).collect(),
        output: values.iter().map(output).collect(),
    }
}

/// A coinbase for `height` that pays `sat`.
pub(crate) fn coinbase(height: u32, sat: u64) -> Transaction {
    let mut tx = transaction(&[OutPoint::null()], &[sat]);
    let script = Builder::new()
        .push_int(i64::from(height))
        .push_int(1)
        .push_int(2);
    tx.input[0].script_sig = script.into_script();
    tx
}

/// Where a transaction's output is.
pub(crate) fn outpoint(tx: &Transaction, vout: u32) -> OutPoint {
    OutPoint::new(tx.compute_txid(), vout)
}

/// A block on `parent` with these transactions, a right merkle root and proof of work for regtest.
pub(crate) fn block(parent: &ListChain, transactions: Vec<Transaction>) -> DecodedBlock {
    let tip = parent.header(parent.height());
    let txids = transactions
        .iter()
        .map(|tx| tx.compute_txid().to_byte_array())
        .collect();
    let header = Header {
        version: BlockVersion::from_consensus(4),
        prev_blockhash: tip.hash,
        merkle_root: TxMerkleNode::from_byte_array(merkle::merkle_root(txids).root),
        time: tip.time + 600,
        bits: CompactTarget::from_consensus(tip.bits),
        nonce: 0,
    };
    let transactions = transactions
        .into_iter()
        .map(DecodedTransaction::new)
        .collect();
    mined(DecodedBlock::new(header, transactions))
}

/// The block with a nonce that meets regtest's limit.
pub(crate) fn mined(mut block: DecodedBlock) -> DecodedBlock {
    let params = Params::new(crate::params::Network::Regtest);
    while check_proof_of_work(&block.header, &params).is_err() {
        block.header.nonce += 1;
    }
    block.hash = block.header.block_hash();
    block
}

/// Adds a commitment to the witnesses of `transactions` to the first of them, the coinbase.
pub(crate) fn commit_to_witnesses(transactions: &mut [Transaction]) {
    let nonce = [7; 32];
    transactions[0].input[0].witness = Witness::from_slice(&[nonce]);
    let mut leaves = vec![[0; 32]];
    leaves.extend(
        transactions[1..]
            .iter()
            .map(|tx| tx.compute_wtxid().to_byte_array()),
    );
    let root = merkle::merkle_root(leaves).root;
    let script_pubkey = witnesses::witness_commitment_script(&root, &nonce);
    transactions[0].output.push(TxOut {
        value: Amount::ZERO,
        script_pubkey,
    });
}

/// The reject reason of a verdict.
pub(crate) fn reason(verdict: Result<(), Reject>) -> Option<String> {
    verdict.err().map(|reject| reject.reason.into_owned())
}
