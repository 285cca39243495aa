//! Owns what the maker of blocks knows: every block that was taken, with the coins at it and the locks on them.
//! Promises choices that follow from the seed alone: maps are ordered.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf, Transaction, TxOut};
use everett_generate::Lock;

/// Blocks whose median the time of the next one must exceed.
const MEDIAN_SPAN: usize = 11;

/// Locks remembered; beyond it the coins of new ones are not spent.
const MAX_LOCKS: usize = 50_000;

/// A coin that can be spent.
#[derive(Clone, Debug)]
pub struct Coin {
    /// What it holds, and for whom.
    pub output: TxOut,
    /// Height of the block that made it.
    pub height: u32,
    /// Whether a coinbase did.
    pub coinbase: bool,
}

/// The coins at a block.
pub type Coins = BTreeMap<OutPoint, Coin>;

/// A block that was taken.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// The times of up to eleven blocks up to it, the newest last.
    pub times: Vec<u32>,
    /// The coins at it.
    pub coins: Arc<Coins>,
    /// Whether it holds, as far as is known.
    pub valid: bool,
}

impl Place {
    /// The median of its times.
    pub fn median_time_past(&self) -> u32 {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() / 2]
    }
}

/// All blocks that were taken, and what is known of their coins.
#[derive(Debug)]
pub struct Forest {
    /// In the order in which they came; the first is genesis.
    pub places: Vec<Place>,
    at: BTreeMap<BlockHash, usize>,
    locks: BTreeMap<ScriptBuf, Lock>,
}

impl Forest {
    /// Regtest's genesis alone.
    pub fn new() -> Forest {
        let genesis = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
        let hash = genesis.block_hash();
        Forest {
            places: vec![Place {
                hash,
                height: 0,
                times: vec![genesis.header.time],
                coins: Arc::default(),
                valid: true,
            }],
            at: BTreeMap::from([(hash, 0)]),
            locks: BTreeMap::new(),
        }
    }

    /// Where a block is in [`Forest::places`].
    pub fn find(&self, hash: &BlockHash) -> Option<usize> {
        self.at.get(hash).copied()
    }

    /// Takes a block, if its parent is here. Blocks that do not hold are taken too, to be built on.
    pub fn grow(&mut self, block: &Block, valid: bool) {
        let hash = block.block_hash();
        let Some(parent) = self.find(&block.header.prev_blockhash) else {
            return;
        };
        if let Some(known) = self.find(&hash) {
            self.places[known].valid = valid;
            return;
        }
        let parent = &self.places[parent];
        let height = parent.height + 1;
        let mut coins = (*parent.coins).clone();
        for (index, tx) in block.txdata.iter().enumerate() {
            apply(&mut coins, tx, height, index == 0);
        }
        let mut times = parent.times.clone();
        times.push(block.header.time);
        if times.len() > MEDIAN_SPAN {
            times.remove(0);
        }
        self.at.insert(hash, self.places.len());
        self.places.push(Place {
            hash,
            height,
            times,
            coins: Arc::new(coins),
            valid,
        });
    }

    /// Remembers how to open a lock, and gives the script that it is put on coins with.
    pub fn remember(&mut self, lock: Lock) -> ScriptBuf {
        let script = lock.script_pubkey();
        if self.locks.len() < MAX_LOCKS {
            self.locks.insert(script.clone(), lock);
        }
        script
    }

    /// How to open a coin of this script.
    pub fn lock(&self, script: &ScriptBuf) -> Option<&Lock> {
        self.locks.get(script)
    }
}

/// Takes away what the transaction spends and adds what it makes.
pub fn apply(coins: &mut Coins, tx: &Transaction, height: u32, coinbase: bool) {
    for input in &tx.input {
        coins.remove(&input.previous_output);
    }
    let txid = tx.compute_txid();
    for (vout, output) in (0..).zip(&tx.output) {
        if !output.script_pubkey.is_op_return() {
            let coin = Coin {
                output: output.clone(),
                height,
                coinbase,
            };
            coins.insert(OutPoint { txid, vout }, coin);
        }
    }
}
