//! Owns what one block did to a wallet, and the row that keeps it.
//! Promises a row that says by itself when it is damaged.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, Txid};

use super::state::OwnCoin;
use crate::slot::{DescriptorNumber, Slot};
use crate::store::Malformed;
use crate::store::codec::{Source, put_count, put_outpoint};

/// Bytes of a coin that was made, of one that was spent, and of a transaction, in the row.
const CREATED_BYTES: usize = 32 + 4 + 8 + 4 + 4 + 1;
const SPENT_BYTES: usize = 32 + 4 + 32;
const TRANSACTION_BYTES: usize = 4 + 32;

/// What one block did to a wallet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Touched {
    pub(crate) hash: BlockHash,
    pub(crate) height: u32,
    /// Coins of ours that it made, also those that it spent again.
    pub(crate) created: Vec<(OutPoint, OwnCoin)>,
    /// Coins of ours that it spent, and those of others that a transaction of ours was to spend; and in which transaction.
    pub(crate) spent: Vec<(OutPoint, Txid)>,
    /// The transactions of ours in it, with their places, rising.
    pub(crate) transactions: Vec<(u32, Txid)>,
}

impl Touched {
    /// The same without a transaction and the coins that it made. What it spent of others stays spent: the chain has it so, known
    /// or not.
    pub(crate) fn without(&self, txid: &Txid) -> Touched {
        let mut touched = self.clone();
        touched
            .created
            .retain(|(outpoint, _)| outpoint.txid != *txid);
        touched.spent.retain(|(outpoint, _)| outpoint.txid != *txid);
        touched.transactions.retain(|(_, other)| other != txid);
        touched
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.created.is_empty() && self.spent.is_empty() && self.transactions.is_empty()
    }

    /// The row's key: height u32 big-endian, then the hash in internal byte order.
    pub(crate) fn key(&self) -> Vec<u8> {
        let mut key = self.height.to_be_bytes().to_vec();
        key.extend_from_slice(self.hash.as_byte_array());
        key
    }

    /// The row: created: count u32, then txid 32, vout u32, satoshis u64, descriptor u32, index u32, coinbase u8 each; spent:
    /// count u32, then txid 32, vout u32, txid of the spender 32 each; transactions: count u32, then place u32, txid 32 each.
    /// Integers are little-endian, hashes in internal byte order.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Vec::new();
        put_count(&mut row, self.created.len());
        for (outpoint, coin) in &self.created {
            put_outpoint(&mut row, outpoint);
            row.extend_from_slice(&coin.amount.to_sat().to_le_bytes());
            row.extend_from_slice(&coin.slot.descriptor.0.to_le_bytes());
            row.extend_from_slice(&coin.slot.index.to_le_bytes());
            row.push(u8::from(coin.coinbase));
        }
        put_count(&mut row, self.spent.len());
        for (outpoint, txid) in &self.spent {
            put_outpoint(&mut row, outpoint);
            row.extend_from_slice(txid.as_byte_array());
        }
        put_count(&mut row, self.transactions.len());
        for (index, txid) in &self.transactions {
            row.extend_from_slice(&index.to_le_bytes());
            row.extend_from_slice(txid.as_byte_array());
        }
        row
    }

    /// Reads a row and its key.
    pub(crate) fn decode(key: &[u8], row: &[u8]) -> Result<Touched, Malformed> {
        let mut key = Source::new(key);
        let height = key.u32_be()?;
        let hash = BlockHash::from_byte_array(key.array()?);
        key.end()?;
        let mut row = Source::new(row);
        let created = row.list(CREATED_BYTES, |row| {
            let outpoint = row.outpoint()?;
            let coin = OwnCoin {
                amount: Amount::from_sat(row.u64()?),
                slot: Slot {
                    descriptor: DescriptorNumber(row.u32()?),
                    index: row.u32()?,
                },
                height,
                coinbase: row.u8()? != 0,
            };
            Ok((outpoint, coin))
        })?;
        let spent = row.list(SPENT_BYTES, |row| Ok((row.outpoint()?, row.txid()?)))?;
        let transactions = row.list(TRANSACTION_BYTES, |row| Ok((row.u32()?, row.txid()?)))?;
        row.end()?;
        Ok(Touched {
            hash,
            height,
            created,
            spent,
            transactions,
        })
    }
}

#[cfg(test)]
mod tests;
