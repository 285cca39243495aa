//! Owns what two worlds have in common and what not: fork point, coins, balances, conflicts.
//! Promises to look only at the blocks since the fork.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bitcoin::{Amount, BlockHash, OutPoint, Txid};

use crate::coin::{Coin, ScriptPubKey};
use crate::conflict::{Conflict, classify, recipients};
use crate::decode::{DecodedBlock, decode_block};
use crate::delta::Delta;
use crate::error::{BlockError, CompareError, ReadError};
use crate::id::{BlockId, ScriptHash};
use crate::ledger::Ledger;
use crate::world::World;

/// How one world becomes another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison {
    /// The last block that both share.
    pub fork_hash: BlockHash,
    /// Its height.
    pub fork_height: u32,
    /// Blocks of the first world to take back, highest first.
    pub undone: Vec<BlockHash>,
    /// Blocks of the second world to put on, lowest first.
    pub applied: Vec<BlockHash>,
}

/// Which of two worlds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// A coin that is unspent in only one of two worlds, or was made at another height there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoinChange {
    /// Its outpoint.
    pub outpoint: OutPoint,
    /// The coin as that world has it.
    pub coin: Coin,
    /// The world that has it.
    pub side: Side,
}

/// A script whose balance differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BalanceChange {
    /// The script.
    pub script_pubkey: ScriptPubKey,
    /// What it owns in the first world.
    pub sat_a: u64,
    /// What it owns in the second.
    pub sat_b: u64,
}

/// All that differs between two worlds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diff {
    /// The blocks between them.
    pub comparison: Comparison,
    /// Coins that only one has, by outpoint; where both have one that was made at different heights, A's comes first.
    pub coins: Vec<CoinChange>,
    /// Scripts whose balances differ, by script hash.
    pub balances: Vec<BalanceChange>,
}

impl Ledger {
    /// Fork point and blocks between two worlds.
    pub fn compare(&self, a: &World, b: &World) -> Comparison {
        let fork_height = a.state.path.fork_height(&b.state.path);
        let tree = self.shared.tree.read();
        let hashes = |world: &World| -> Vec<BlockHash> {
            let above = fork_height + 1..=world.height();
            above
                .filter_map(|height| world.state.path.at(height))
                .map(|id| tree.node(id).hash)
                .collect()
        };
        let mut undone = hashes(a);
        undone.reverse();
        let fork = a.state.path.at(fork_height).unwrap_or(BlockId::GENESIS);
        Comparison {
            fork_hash: tree.node(fork).hash,
            fork_height,
            undone,
            applied: hashes(b),
        }
    }

    /// Coins and balances that differ between two worlds.
    pub fn diff(&self, a: &World, b: &World) -> Result<Diff, CompareError> {
        let comparison = self.compare(a, b);
        let of_a = Branch::of(deltas_since(a, comparison.fork_height)?);
        let of_b = Branch::of(deltas_since(b, comparison.fork_height)?);
        let coins = differing(&of_a, &of_b);
        let balances = balance_changes(a, b, coins.values())?;
        let coins = coins
            .into_iter()
            .flat_map(|(outpoint, [a, b])| {
                let change = |coin: Option<Coin>, side| {
                    coin.map(|coin| CoinChange {
                        outpoint,
                        coin,
                        side,
                    })
                };
                [change(a, Side::A), change(b, Side::B)]
            })
            .flatten()
            .collect();
        Ok(Diff {
            comparison,
            coins,
            balances,
        })
    }

    /// Coins that the two worlds' branches spend in different transactions, by outpoint.
    pub fn conflicts(&self, a: &World, b: &World) -> Result<Vec<Conflict>, CompareError> {
        let comparison = self.compare(a, b);
        if comparison.undone.is_empty() || comparison.applied.is_empty() {
            return Ok(Vec::new());
        }
        let spends_a = self.spends(&comparison.undone)?;
        let spends_b = self.spends(&comparison.applied)?;
        let mut found: Vec<(OutPoint, &Spend, &Spend)> = Vec::new();
        for (outpoint, in_a) in &spends_a {
            if let Some(in_b) = spends_b.get(outpoint)
                && in_a.txid != in_b.txid
            {
                found.push((*outpoint, in_a, in_b));
            }
        }
        found.sort_by_key(|(outpoint, _, _)| *outpoint);
        let mut branches = Vec::with_capacity(found.len());
        if !found.is_empty() {
            let coins = self.coins_spent(a, &comparison)?;
            for (outpoint, in_a, in_b) in found {
                let (amount, script_pubkey) = coins.get(&outpoint).cloned().ok_or_else(|| {
                    let detail = format!(
                        "the coin {outpoint} that a block since the fork spends is not to be found"
                    );
                    ReadError::Store(crate::store::StoreError::corrupt("journal", detail))
                })?;
                branches.push(Conflict {
                    outpoint,
                    amount,
                    script_pubkey,
                    txid_a: in_a.txid,
                    txid_b: in_b.txid,
                    block_a: in_a.block,
                    block_b: in_b.block,
                    kind: classify(&in_a.recipients, &in_b.recipients),
                });
            }
        }
        Ok(branches)
    }

    pub(crate) fn decoded(&self, hash: &BlockHash) -> Result<DecodedBlock, BlockError> {
        let bytes = self.block_bytes(hash)?;
        decode_block(&bytes)
            .map(|(block, _)| block)
            .map_err(|source| BlockError::Undecodable {
                hash: *hash,
                source,
            })
    }

    fn spends(&self, blocks: &[BlockHash]) -> Result<HashMap<OutPoint, Spend>, BlockError> {
        let mut spends = HashMap::new();
        for hash in blocks {
            for transaction in self
                .decoded(hash)?
                .transactions
                .iter()
                .filter(|tx| !tx.is_coinbase())
            {
                // Once for all inputs: a block may hold a transaction with thousands of inputs and of outputs.
                let recipients: Arc<[_]> = recipients(&transaction.tx).into();
                for input in &transaction.tx.input {
                    let recipients = Arc::clone(&recipients);
                    let spend = Spend {
                        txid: transaction.txid,
                        block: *hash,
                        recipients,
                    };
                    spends.insert(input.previous_output, spend);
                }
            }
        }
        Ok(spends)
    }

    /// Amount and script of every coin that the first world's blocks since the fork spend.
    fn coins_spent(
        &self,
        a: &World,
        comparison: &Comparison,
    ) -> Result<HashMap<OutPoint, (Amount, ScriptPubKey)>, CompareError> {
        let mut coins = HashMap::new();
        for delta in deltas_since(a, comparison.fork_height)? {
            coins.extend(
                delta
                    .spent
                    .into_iter()
                    .map(|(at, coin)| (at, (coin.amount, coin.script_pubkey))),
            );
        }
        // Coins made and spent within one block are in no delta.
        for hash in &comparison.undone {
            for transaction in &self.decoded(hash)?.transactions {
                for (vout, output) in transaction.tx.output.iter().enumerate() {
                    let outpoint = OutPoint::new(transaction.txid, vout as u32);
                    let script = ScriptPubKey::new(output.script_pubkey.as_bytes());
                    coins.entry(outpoint).or_insert((output.value, script));
                }
            }
        }
        Ok(coins)
    }
}

/// A transaction that spends a coin.
struct Spend {
    txid: Txid,
    block: BlockHash,
    recipients: Arc<[(Vec<u8>, Amount)]>,
}

/// What a branch did since the fork, netted out.
#[derive(Default)]
pub(crate) struct Branch {
    /// Coins of the common past that it spent.
    spent: HashMap<OutPoint, Coin>,
    /// Coins that it made and still has.
    created: HashMap<OutPoint, Coin>,
}

impl Branch {
    /// What these deltas did, lowest first.
    pub(crate) fn of(deltas: impl IntoIterator<Item = Delta>) -> Branch {
        let mut branch = Branch::default();
        for delta in deltas {
            for (outpoint, coin) in delta.spent {
                if branch.created.remove(&outpoint).is_none() {
                    branch.spent.insert(outpoint, coin);
                }
            }
            branch.created.extend(delta.created);
        }
        branch
    }
}

/// The coins that two branches have otherwise, each as the one and the other has it.
pub(crate) fn differing(a: &Branch, b: &Branch) -> BTreeMap<OutPoint, [Option<Coin>; 2]> {
    let mut coins: BTreeMap<OutPoint, [Option<Coin>; 2]> = BTreeMap::new();
    for (side, mine, theirs) in [(0, a, b), (1, b, a)] {
        for (outpoint, coin) in &mine.created {
            coins.entry(*outpoint).or_default()[side] = Some(coin.clone());
        }
        // What the other branch spent of the common past and this one did not is still here.
        for (outpoint, coin) in &theirs.spent {
            if !mine.spent.contains_key(outpoint) {
                coins.entry(*outpoint).or_default()[side] = Some(coin.clone());
            }
        }
    }
    coins.retain(|_, [a, b]| a != b);
    coins
}

/// The deltas of a world's blocks above the fork, lowest first.
fn deltas_since(world: &World, fork_height: u32) -> Result<Vec<Delta>, CompareError> {
    Ok(world.with_base(|reader, _| {
        (fork_height + 1..=world.height())
            .map(|height| {
                let block = world.state.path.at(height).ok_or_else(|| world.gone())?;
                reader.delta(height, block)?.ok_or_else(|| world.gone())
            })
            .collect()
    })?)
}

fn balance_changes<'c>(
    a: &World,
    b: &World,
    changes: impl Iterator<Item = &'c [Option<Coin>; 2]>,
) -> Result<Vec<BalanceChange>, CompareError> {
    let mut scripts: BTreeMap<ScriptHash, &ScriptPubKey> = BTreeMap::new();
    for coin in changes.flatten().flatten() {
        scripts
            .entry(ScriptHash::of(&coin.script_pubkey))
            .or_insert(&coin.script_pubkey);
    }
    let mut differing = Vec::new();
    for (hash, script_pubkey) in scripts {
        let (sat_a, sat_b) = (
            a.balance(&hash)?.confirmed.to_sat(),
            b.balance(&hash)?.confirmed.to_sat(),
        );
        if sat_a != sat_b {
            differing.push(BalanceChange {
                script_pubkey: script_pubkey.clone(),
                sat_a,
                sat_b,
            });
        }
    }
    Ok(differing)
}
