//! Owns the question what stands against a transaction: others that spend one of its coins on another branch.
//! Promises the conflicts that [`Ledger::conflicts`] finds between the branches, for one transaction and over all of
//! them at once.
//! Refuses to read chains: the overlay and the transaction index say which blocks to look into.

use std::collections::{HashMap, HashSet};

use bitcoin::{Amount, BlockHash, OutPoint, Txid};

use crate::coin::ScriptPubKey;
use crate::conflict::{Conflict, ConflictKind};
use crate::decode::{DecodedBlock, DecodedTransaction};
use crate::error::BlockError;
use crate::id::BlockId;
use crate::ledger::Ledger;
use crate::overlay::OtherSpend;
use crate::tree::Progress;
use crate::tx_index::TransactionPlace;

impl Ledger {
    /// The conflicts of a confirmed transaction with others on other branches, at most `limit` of them: `txid_a` is the
    /// transaction itself, `txid_b` the other one. By the other's block, in the order of their headers, and then by
    /// coin; a rival that several branches confirm is there once for each of their blocks. `None` without an index
    /// ([`LedgerConfig::tx_index`](crate::LedgerConfig::tx_index)), or if it has the transaction in no block.
    ///
    /// Branches that were retired are forgotten, and so are conflicts with them. Reads the blocks of the rivals: some
    /// milliseconds each if they are full.
    ///
    /// # Errors
    ///
    /// What the disk does.
    pub fn transaction_conflicts(
        &self,
        txid: &Txid,
        limit: usize,
    ) -> Result<Option<Vec<Conflict>>, BlockError> {
        let Some(places) = self.transaction_places(txid)? else {
            return Ok(None);
        };
        // Of a block on the best chain, or else of one that could be connected.
        let Some(place) = places.iter().min_by_key(|place| place.status) else {
            return Ok(None);
        };
        let of_this = self.decoded(&place.block)?;
        let Some(this) = of_this.transactions.get(place.index as usize) else {
            return Ok(None);
        };
        if this.is_coinbase() {
            return Ok(Some(Vec::new()));
        }
        let mut conflicts = Vec::new();
        let spends = self.other_spends(this, &places)?;
        for spends in spends.chunk_by(|a, b| a.block == b.block) {
            if conflicts.len() >= limit {
                break;
            }
            let (block, _) = self.position(spends[0].block);
            let rivals = Rivals::new(self.decoded(&block)?, spends);
            let coins = rivals.coins(self)?;
            for spend in spends {
                if let (Some(rival), Some((amount, script_pubkey))) = (
                    rivals.spender(&spend.outpoint),
                    coins.get(&spend.outpoint).cloned(),
                ) && rival.txid != *txid
                {
                    conflicts.push(Conflict {
                        outpoint: spend.outpoint,
                        amount,
                        script_pubkey,
                        txid_a: *txid,
                        txid_b: rival.txid,
                        block_a: place.block,
                        block_b: block,
                        kind: ConflictKind::between(&this.tx, &rival.tx),
                    });
                }
            }
        }
        conflicts.truncate(limit);
        Ok(Some(conflicts))
    }

    /// Where else the transaction's coins are spent, by block: in validated blocks that do not hold it themselves.
    fn other_spends(
        &self,
        this: &DecodedTransaction,
        own: &[TransactionPlace],
    ) -> Result<Vec<OtherSpend>, BlockError> {
        let mut spends = Vec::new();
        let mut makers = HashMap::new();
        for input in &this.tx.input {
            let outpoint = input.previous_output;
            self.shared.overlay.coins.spends(&outpoint, &mut spends);
            // A coin that a block makes and spends itself leaves nothing there: that block holds its maker.
            let holders = match makers.entry(outpoint.txid) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    let rows = self.shared.store.read()?.transaction_rows(&outpoint.txid)?;
                    entry.insert(rows)
                }
            };
            spends.extend(holders.iter().map(|row| OtherSpend {
                outpoint,
                block: row.block,
                height: 0,
            }));
        }
        let own: HashSet<BlockHash> = own.iter().map(|place| place.block).collect();
        let tree = self.shared.tree.read();
        let known = tree.ids().len();
        let validated = |id: BlockId| {
            // Neither a block that the tree does not show yet, nor one that breaks a rule.
            id.index() < known && tree.committed_node(id).progress == Progress::Connected
        };
        spends.retain(|spend| {
            validated(spend.block) && !own.contains(&tree.committed_node(spend.block).hash)
        });
        spends.sort_unstable_by_key(|spend| (spend.block, spend.outpoint));
        spends.dedup_by_key(|spend| (spend.block, spend.outpoint));
        Ok(spends)
    }
}

/// A block, and who in it spends some coins.
struct Rivals {
    block: DecodedBlock,
    /// For each coin the spender's place in the block.
    spenders: HashMap<OutPoint, usize>,
}

impl Rivals {
    fn new(block: DecodedBlock, spends: &[OtherSpend]) -> Rivals {
        let wanted: HashSet<OutPoint> = spends.iter().map(|spend| spend.outpoint).collect();
        let mut spenders = HashMap::new();
        for (index, transaction) in block.transactions.iter().enumerate().skip(1) {
            for input in &transaction.tx.input {
                if wanted.contains(&input.previous_output) {
                    spenders.insert(input.previous_output, index);
                }
            }
        }
        Rivals { block, spenders }
    }

    fn spender(&self, outpoint: &OutPoint) -> Option<&DecodedTransaction> {
        self.spenders
            .get(outpoint)
            .map(|index| &self.block.transactions[*index])
    }

    /// Amount and script of the coins that are spent.
    fn coins(
        &self,
        ledger: &Ledger,
    ) -> Result<HashMap<OutPoint, (Amount, ScriptPubKey)>, BlockError> {
        let mut coins = HashMap::new();
        if self.spenders.is_empty() {
            return Ok(coins);
        }
        let earlier = ledger.coins_spent_by(&self.block.hash)?;
        for (outpoint, coin) in earlier.into_iter().flatten() {
            if self.spenders.contains_key(&outpoint) {
                coins.insert(outpoint, (coin.amount, coin.script_pubkey));
            }
        }
        for transaction in &self.block.transactions {
            for (vout, output) in (0..).zip(&transaction.tx.output) {
                let outpoint = OutPoint::new(transaction.txid, vout);
                if self.spenders.contains_key(&outpoint) {
                    let script = ScriptPubKey::new(output.script_pubkey.as_bytes());
                    coins.insert(outpoint, (output.value, script));
                }
            }
        }
        Ok(coins)
    }
}
