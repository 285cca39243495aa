//! Owns a ledger so simple that it can be seen to be right: a list of blocks, each with a map of all coins at it.
//! Promises the same choices as the real one: status of each block, best tip, which worlds are live.
//! Refuses to be fast.

mod coins;
mod horizon;
mod mutation;
mod street;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf};
use everett_ledger::setinfo::SetInfoBuilder;
use everett_ledger::{ChainStatus, Coin, Params, SetInfo};

use crate::flaw::{Flaw, Mutation};
use crate::mint::Parent;
use coins::changes;

pub use coins::{Coins, apply};
pub use mutation::mutated;

/// The first block of every list.
pub const GENESIS: usize = 0;

/// How far a block came.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Progress {
    Header,
    Stored,
    Connected,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Failure {
    Itself,
    Ancestor,
}

/// A block, and what became of it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The block.
    pub block: Block,
    /// Its hash.
    pub hash: BlockHash,
    /// Where in the list its parent is.
    pub parent: usize,
    /// Its height.
    pub height: u32,
    /// Median of the eleven times up to it.
    pub median_time_past: u32,
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
    /// The coins at it.
    pub coins: Arc<Coins>,
    /// Counts and hashes of them, once somebody asked.
    set_info: Arc<OnceLock<SetInfo>>,
    /// Coins of earlier blocks that it spent and coins that it leaves, each with its script.
    pub changes: Vec<(OutPoint, ScriptBuf)>,
    /// Its place in the order in which headers came in; `None` while it is not in the tree.
    arrival: Option<usize>,
    /// Its place in the order in which blocks' bytes came and were kept.
    delivery: Option<usize>,
    progress: Progress,
    failure: Option<Failure>,
    /// Its place in the order in which blocks became complete down to genesis; 0: it is not.
    sequence: u64,
    live: bool,
    /// Whether what it did is still there: it is not once it was retired and nobody holds a world that needs it.
    kept: bool,
    /// How often it came to life.
    lives: usize,
}

/// One life of the world at a block: a world that comes back after it was retired is another one.
pub type Life = (usize, usize);

impl Entry {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        serialize(&self.block)
    }

    /// Counts and hashes of the coins at it.
    pub fn set_info(&self) -> &SetInfo {
        self.set_info.get_or_init(|| {
            let mut sorted: Vec<(&OutPoint, &Coin)> = self.coins.iter().collect();
            sorted.sort_unstable_by_key(|(at, _)| (at.txid.to_byte_array(), at.vout));
            let mut info = SetInfoBuilder::new();
            for (outpoint, coin) in sorted {
                info.add(outpoint, coin);
            }
            info.finish()
        })
    }
}

/// What becomes of a block that is handed in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It is in the tree: with this status, and as the best tip or not.
    Accepted(ChainStatus, bool),
    /// It is not, for Bitcoin Core's reason.
    Refused(String),
}

impl Answer {
    fn refused(reason: &str) -> Answer {
        Answer::Refused(reason.to_owned())
    }
}

/// What can be read at a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Everything.
    World,
    /// Nothing: it was never heard of.
    Unknown,
    /// Nothing: it is invalid.
    Invalid,
    /// Nothing: it is behind the horizon.
    Retired,
    /// Nothing: it was not validated.
    NotValidated(ChainStatus),
}

/// The naive ledger.
#[derive(Clone, Debug)]
pub struct NaiveLedger {
    entries: Vec<Entry>,
    by_hash: HashMap<BlockHash, usize>,
    best: usize,
    horizon: u32,
    /// How many retired worlds may be held.
    quota: usize,
    /// Blocks whose parents are not in the tree, in order of arrival, and what their bytes have.
    orphans: Vec<(usize, Option<Mutation>)>,
    arrivals: usize,
    deliveries: usize,
    sequence: u64,
    /// Retired worlds that somebody holds, the oldest first.
    held: Vec<Life>,
    /// Those of them that were taken away.
    expired: HashSet<Life>,
}

impl NaiveLedger {
    /// One that knows the genesis block.
    pub fn new(params: &Params, horizon: u32, quota: usize) -> NaiveLedger {
        let genesis = Entry {
            hash: params.genesis_hash(),
            parent: GENESIS,
            height: 0,
            median_time_past: params.genesis.header.time,
            block: params.genesis.clone(),
            flaw: None,
            coins: Arc::default(),
            set_info: Arc::default(),
            changes: Vec::new(),
            arrival: Some(0),
            delivery: Some(0),
            progress: Progress::Connected,
            failure: None,
            sequence: 1,
            live: true,
            kept: true,
            lives: 1,
        };
        NaiveLedger {
            by_hash: HashMap::from([(genesis.hash, GENESIS)]),
            entries: vec![genesis],
            best: GENESIS,
            horizon,
            quota,
            orphans: Vec::new(),
            arrivals: 1,
            deliveries: 1,
            sequence: 2,
            held: Vec::new(),
            expired: HashSet::new(),
        }
    }

    /// Puts a block into the list, to be submitted later; where it is in the list.
    pub fn add(&mut self, block: Block, flaw: Option<Flaw>) -> usize {
        let parent = self.by_hash[&block.header.prev_blockhash];
        let height = self.entries[parent].height + 1;
        let mut coins = (*self.entries[parent].coins).clone();
        for (index, transaction) in block.txdata.iter().enumerate() {
            apply(&mut coins, transaction, height, index == 0);
        }
        let changes = changes(&self.entries[parent].coins, &coins);
        let index = self.entries.len();
        let mut times: Vec<u32> = std::iter::once(block.header.time)
            .chain(
                self.ancestors(parent)
                    .take(10)
                    .map(|at| self.entries[at].block.header.time),
            )
            .collect();
        times.sort_unstable();
        let hash = block.block_hash();
        self.by_hash.insert(hash, index);
        self.entries.push(Entry {
            hash,
            parent,
            height,
            median_time_past: times[times.len() / 2],
            flaw,
            coins: Arc::new(coins),
            set_info: Arc::default(),
            changes,
            arrival: None,
            delivery: None,
            progress: Progress::Header,
            failure: None,
            sequence: 0,
            live: false,
            kept: false,
            lives: 0,
            block,
        });
        index
    }

    /// What a mint needs to build on a block.
    pub fn parent(&self, index: usize) -> Parent {
        let entry = &self.entries[index];
        Parent {
            hash: entry.hash,
            height: entry.height,
            time: entry.block.header.time,
            median_time_past: entry.median_time_past,
            coins: entry.coins.clone(),
        }
    }

    /// A block of the list.
    pub fn entry(&self, index: usize) -> &Entry {
        &self.entries[index]
    }

    /// How long the list is.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never: there is genesis.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The best tip.
    pub fn best(&self) -> usize {
        self.best
    }

    /// A block and all below it, down to genesis.
    pub fn ancestors(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(index), |at| {
            (*at != GENESIS).then(|| self.entries[*at].parent)
        })
    }

    /// The blocks in the tree, in order of arrival.
    pub fn placed(&self) -> Vec<usize> {
        let mut placed: Vec<usize> = (0..self.entries.len())
            .filter(|index| self.entries[*index].arrival.is_some())
            .collect();
        placed.sort_by_key(|index| self.entries[*index].arrival);
        placed
    }

    /// The blocks at which a world can be read, in order of arrival.
    pub fn readable(&self) -> Vec<usize> {
        let mut placed = self.placed();
        placed.retain(|index| self.access(*index) == Access::World);
        placed
    }

    /// The blocks of the best chain by height.
    pub fn best_chain(&self) -> Vec<usize> {
        let mut chain: Vec<usize> = self.ancestors(self.best).collect();
        chain.reverse();
        chain
    }

    /// The last block that a block's chain shares with the best one.
    pub fn fork(&self, index: usize) -> usize {
        self.fork_from(&self.best_chain(), index)
    }

    fn fork_from(&self, chain: &[usize], index: usize) -> usize {
        self.ancestors(index)
            .find(|at| chain.get(self.entries[*at].height as usize) == Some(at))
            .unwrap_or(GENESIS)
    }

    /// Hash and missing parent of each block that waits.
    pub fn orphans(&self) -> Vec<(BlockHash, BlockHash)> {
        let row = |(index, _): &(usize, _)| {
            let entry = &self.entries[*index];
            (entry.hash, entry.block.header.prev_blockhash)
        };
        self.orphans.iter().map(row).collect()
    }

    /// `getchaintips`' word for a block in the tree.
    pub fn status(&self, index: usize) -> ChainStatus {
        let entry = &self.entries[index];
        if self.ancestors(self.best).any(|at| at == index) {
            ChainStatus::Active
        } else if entry.failure.is_some() {
            ChainStatus::Invalid
        } else if entry.progress == Progress::Connected {
            ChainStatus::ValidFork
        } else if entry.sequence == 0 {
            ChainStatus::HeadersOnly
        } else {
            ChainStatus::ValidHeaders
        }
    }

    /// What can be read at a block.
    pub fn access(&self, index: usize) -> Access {
        let entry = &self.entries[index];
        match entry.arrival {
            None => Access::Unknown,
            Some(_) if entry.failure.is_some() => Access::Invalid,
            Some(_) if entry.live => Access::World,
            Some(_) if entry.progress == Progress::Connected => Access::Retired,
            Some(_) => Access::NotValidated(self.status(index)),
        }
    }

    /// Whether what the block did is still there.
    pub fn is_kept(&self, index: usize) -> bool {
        self.entries[index].kept
    }

    /// The present life of the world at a block.
    pub fn life(&self, index: usize) -> Life {
        (index, self.entries[index].lives)
    }

    /// Whether whoever holds a world from this life of it must be told that it is gone.
    pub fn is_expired(&self, life: Life) -> bool {
        self.expired.contains(&life)
    }

    /// How many retired worlds are held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// The leaves of the tree and the best tip: the best one first, then by work, then by arrival.
    pub fn tips(&self) -> Vec<usize> {
        let placed = self.placed();
        let parents: HashSet<usize> = placed
            .iter()
            .filter(|index| **index != GENESIS)
            .map(|index| self.entries[*index].parent)
            .collect();
        let mut tips: Vec<usize> = placed
            .into_iter()
            .filter(|index| *index == self.best || !parents.contains(index))
            .collect();
        tips.sort_by_key(|index| (*index != self.best, Reverse(self.entries[*index].height)));
        tips
    }
}
