//! Owns what the blocks of all living branches hold: which transactions, and which coins these spend.
//! Promises to read each block once, only when somebody asks, and to keep no more than [`MAX_NUMBERS`] of it.
//! Refuses to be the answer: what it finds is read again in the block itself.
//!
//! Transactions and coins are kept as 64-bit numbers, hashed with a key of this process: nobody can make two that are
//! mistaken for each other, and two that are by chance cost a look into a block in vain.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use bitcoin::{BlockHash, OutPoint, Txid};
use everett_ledger::decode::{DecodedBlock, DecodedTransaction, decode_block};
use everett_ledger::{BlockError, Ledger, Skeleton};

use crate::fault::Fault;
use crate::reads::Patience;

/// Numbers that are kept at most, of 8 bytes each; the lowest blocks are forgotten first.
const MAX_NUMBERS: usize = 8_000_000;
/// Blocks off the best chain that are looked at, at most.
const MAX_BRANCH_BLOCKS: usize = 50_000;

/// Reads and decodes a block.
pub(crate) fn decoded(ledger: &Ledger, hash: &BlockHash) -> Result<DecodedBlock, BlockError> {
    let bytes = ledger.block_bytes(hash)?;
    match decode_block(&bytes) {
        Ok((block, _)) => Ok(block),
        Err(source) => Err(BlockError::Undecodable {
            hash: *hash,
            source,
        }),
    }
}

/// What one block holds.
struct Contents {
    height: u32,
    /// Its transactions, sorted.
    txids: Box<[u64]>,
    /// The coins it spends, each with the transaction that does, sorted by coin.
    spends: Box<[(u64, u64)]>,
}

impl Contents {
    fn numbers(&self) -> usize {
        self.txids.len() + 2 * self.spends.len()
    }
}

/// A transaction in a block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) block: BlockHash,
    pub(crate) height: u32,
    /// Its place in the block; 0 is the coinbase.
    pub(crate) index: usize,
    pub(crate) transaction: DecodedTransaction,
}

/// What was read so far.
pub(crate) struct Recent {
    /// [`MAX_NUMBERS`], but for tests.
    limit: usize,
    blocks: HashMap<BlockHash, Arc<Contents>>,
    key: RandomState,
    numbers: usize,
    /// Blocks at this height and below were forgotten, or never read.
    forgotten: u32,
}

impl Default for Recent {
    fn default() -> Recent {
        Recent {
            limit: MAX_NUMBERS,
            blocks: HashMap::new(),
            key: RandomState::new(),
            numbers: 0,
            forgotten: 0,
        }
    }
}

impl Recent {
    /// Reads what it has not read yet of the blocks above `floor`, of the best chain and of the branches to the tips of
    /// `skeleton`. Whether all of it is there now; if not, there was no time, or no room.
    pub(crate) fn catch_up(
        &mut self,
        ledger: &Ledger,
        skeleton: &Skeleton,
        floor: u32,
        patience: &Patience,
    ) -> Result<bool, Fault> {
        let floor = floor.max(self.forgotten);
        let best = ledger.best();
        let branches = off_the_best_chain(ledger, skeleton, self.forgotten);
        let trunk = (floor + 1..=best.height()).filter_map(|height| best.block_hash_at(height));
        let mut wanted: Vec<BlockHash> = branches.into_iter().chain(trunk).collect();
        wanted.retain(|hash| !self.blocks.contains_key(hash));
        // The newest ones first: they are asked for most.
        for hash in wanted.into_iter().rev() {
            if !patience.lasts() {
                return Ok(false);
            }
            match decoded(ledger, &hash) {
                Ok(block) => self.keep(ledger, &block),
                // Its header is all there is, or all that is left.
                Err(
                    BlockError::HeaderOnly { .. }
                    | BlockError::Unknown { .. }
                    | BlockError::Pruned { .. },
                ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// Up to which height, from above, blocks of the best chain can have been read.
    pub(crate) fn forgotten(&self) -> u32 {
        self.forgotten
    }

    fn keep(&mut self, ledger: &Ledger, block: &DecodedBlock) {
        let Some(info) = ledger.block_info(&block.hash) else {
            return;
        };
        let mut txids: Vec<u64> = block
            .transactions
            .iter()
            .map(|transaction| self.of_txid(&transaction.txid))
            .collect();
        txids.sort_unstable();
        let spenders = block.transactions.iter().filter(|tx| !tx.is_coinbase());
        let mut spends: Vec<(u64, u64)> = Vec::new();
        for spender in spenders {
            let txid = self.of_txid(&spender.txid);
            let coins = spender.tx.input.iter().map(|input| &input.previous_output);
            spends.extend(coins.map(|coin| (self.of_coin(coin), txid)));
        }
        spends.sort_unstable();
        let contents = Contents {
            height: info.height,
            txids: txids.into(),
            spends: spends.into(),
        };
        self.numbers += contents.numbers();
        self.blocks.insert(block.hash, Arc::new(contents));
        while self.numbers > self.limit {
            self.forget_lowest();
        }
    }

    fn forget_lowest(&mut self) {
        let Some(lowest) = self.blocks.values().map(|block| block.height).min() else {
            return;
        };
        self.forgotten = self.forgotten.max(lowest);
        let numbers = &mut self.numbers;
        self.blocks.retain(|_, block| {
            let stays = block.height > lowest;
            if !stays {
                *numbers -= block.numbers();
            }
            stays
        });
    }

    fn of_txid(&self, txid: &Txid) -> u64 {
        self.key.hash_one(txid)
    }

    fn of_coin(&self, coin: &OutPoint) -> u64 {
        self.key.hash_one(coin)
    }

    /// Every block read that holds a transaction, the highest first.
    pub(crate) fn find(&self, ledger: &Ledger, txid: &Txid) -> Result<Vec<Found>, Fault> {
        let number = self.of_txid(txid);
        let holds = |contents: &Contents| contents.txids.binary_search(&number).is_ok();
        let candidates = self.blocks.iter().filter(|(_, contents)| holds(contents));
        let mut found = Vec::new();
        for (hash, contents) in candidates {
            let transactions = decoded(ledger, hash)?.transactions.into_iter();
            let here = transactions.enumerate().find(|(_, tx)| tx.txid == *txid);
            found.extend(here.map(|(index, transaction)| Found {
                block: *hash,
                height: contents.height,
                index,
                transaction,
            }));
        }
        found.sort_by_key(|found| (std::cmp::Reverse(found.height), found.block));
        Ok(found)
    }

    /// Every other transaction that spends one of `coins`, with the block that holds it, at most `limit` of them.
    pub(crate) fn rivals(
        &self,
        ledger: &Ledger,
        txid: &Txid,
        coins: &[OutPoint],
        limit: usize,
    ) -> Result<Vec<(OutPoint, Found)>, Fault> {
        let wanted: HashMap<u64, OutPoint> = coins
            .iter()
            .map(|coin| (self.of_coin(coin), *coin))
            .collect();
        let own = self.of_txid(txid);
        let mut rivals = Vec::new();
        for (hash, contents) in &self.blocks {
            let spends = |coin: &u64| {
                let at = contents.spends.partition_point(|(spent, _)| spent < coin);
                let spend = contents.spends.get(at);
                spend.is_some_and(|(spent, by)| spent == coin && *by != own)
            };
            if !wanted.keys().any(spends) {
                continue;
            }
            for (index, transaction) in decoded(ledger, hash)?.transactions.into_iter().enumerate()
            {
                let inputs = transaction.tx.input.iter();
                let coin = inputs
                    .map(|input| input.previous_output)
                    .find(|coin| wanted.get(&self.of_coin(coin)) == Some(coin));
                let Some(coin) = coin.filter(|_| transaction.txid != *txid) else {
                    continue;
                };
                rivals.push((
                    coin,
                    Found {
                        block: *hash,
                        height: contents.height,
                        index,
                        transaction,
                    },
                ));
                if rivals.len() >= limit {
                    return Ok(rivals);
                }
            }
        }
        rivals
            .sort_by_key(|(_, found)| (std::cmp::Reverse(found.height), found.block, found.index));
        Ok(rivals)
    }

    /// For each tip of the skeleton off the best chain, how many coins its branch spends in other transactions than
    /// the best chain does. Tips of which a block was not read are left out.
    pub(crate) fn clashes(&self, ledger: &Ledger, skeleton: &Skeleton) -> HashMap<BlockHash, u64> {
        let best = ledger.best();
        let branches = branches(ledger, skeleton);
        // The coins that branches spend, each with every transaction that does and its block.
        let mut spent: HashMap<u64, Vec<(u64, BlockHash)>> = HashMap::new();
        let mut lowest = best.height();
        let mut seen = HashSet::new();
        for (_, fork, blocks) in &branches {
            lowest = lowest.min(*fork);
            for hash in blocks.iter().filter(|hash| seen.insert(**hash)) {
                for (coin, txid) in self.blocks.get(hash).iter().flat_map(|block| &block.spends) {
                    spent.entry(*coin).or_default().push((*txid, *hash));
                }
            }
        }
        let mut clashes: HashMap<BlockHash, u64> = HashMap::new();
        let mut whole_from = lowest;
        for height in lowest + 1..=best.height() {
            let contents = best
                .block_hash_at(height)
                .and_then(|hash| self.blocks.get(&hash));
            let Some(contents) = contents else {
                whole_from = height;
                continue;
            };
            for (coin, txid) in &contents.spends {
                for (other, block) in spent.get(coin).into_iter().flatten() {
                    if other != txid {
                        *clashes.entry(*block).or_default() += 1;
                    }
                }
            }
        }
        let known = branches.iter().filter(|(_, fork, blocks)| {
            *fork >= whole_from && blocks.iter().all(|hash| self.blocks.contains_key(hash))
        });
        known
            .map(|(tip, _, blocks)| {
                let counts = blocks.iter().filter_map(|hash| clashes.get(hash));
                (*tip, counts.sum())
            })
            .collect()
    }
}

/// The blocks between a tip and the best chain, for each tip off it that could be built on: tip, height of the fork,
/// blocks from the tip down.
fn branches(ledger: &Ledger, skeleton: &Skeleton) -> Vec<(BlockHash, u32, Vec<BlockHash>)> {
    let tips = skeleton.blocks.iter().filter(|key| key.tip && !key.best);
    let mut left = MAX_BRANCH_BLOCKS;
    let mut branches = Vec::new();
    for info in tips.map(|key| &key.info).filter(|info| info.tx_count > 0) {
        let length = info.height.saturating_sub(info.fork_height) as usize;
        if length > left {
            continue;
        }
        left -= length;
        let mut blocks = Vec::with_capacity(length);
        let mut at = info.hash;
        while blocks.len() < length {
            blocks.push(at);
            match ledger.block_info(&at) {
                Some(info) => at = info.header.prev_blockhash,
                None => break,
            }
        }
        branches.push((info.hash, info.fork_height, blocks));
    }
    branches
}

/// Every block off the best chain above a height, once.
fn off_the_best_chain(ledger: &Ledger, skeleton: &Skeleton, above: u32) -> Vec<BlockHash> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (_, fork, blocks) in branches(ledger, skeleton) {
        let heights = (fork + 1..).zip(blocks.into_iter().rev());
        let high = heights.filter(|(height, _)| *height > above);
        found.extend(high.map(|(_, hash)| hash).filter(|hash| seen.insert(*hash)));
    }
    found
}

#[cfg(test)]
mod tests;
