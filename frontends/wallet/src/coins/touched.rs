//! Owns what one block did to a wallet, and the row that keeps it.
//! Promises a row that says by itself when it is damaged.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, Txid};

use super::state::OwnCoin;
use crate::row::{Reader, RowFault, Writer};
use crate::slot::{DescriptorNumber, Slot};

/// What one block did to a wallet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Touched {
    pub(crate) hash: BlockHash,
    pub(crate) height: u32,
    /// Coins of ours that it made, also those that it spent again.
    pub(crate) created: Vec<(OutPoint, OwnCoin)>,
    /// Coins of ours that it spent, and in which transaction.
    pub(crate) spent: Vec<(OutPoint, Txid)>,
    /// The transactions of ours in it, with their places, rising.
    pub(crate) transactions: Vec<(u32, Txid)>,
}

impl Touched {
    /// The row: height u32; created: count u32, then txid 32, vout u32, satoshis u64, descriptor u32, index u32, coinbase
    /// u8 each; spent: count u32, then txid 32, vout u32, txid of the spender 32 each; transactions: count u32, then place
    /// u32, txid 32 each. Integers are little-endian, hashes in internal byte order. The key is the block's hash.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Writer::default();
        row.u32(self.height);
        row.count(self.created.len());
        for (outpoint, coin) in &self.created {
            row.outpoint(outpoint);
            row.u64(coin.amount.to_sat());
            row.u32(coin.slot.descriptor.0);
            row.u32(coin.slot.index);
            row.u8(u8::from(coin.coinbase));
        }
        row.count(self.spent.len());
        for (outpoint, txid) in &self.spent {
            row.outpoint(outpoint);
            row.bytes(txid.as_byte_array());
        }
        row.count(self.transactions.len());
        for (index, txid) in &self.transactions {
            row.u32(*index);
            row.bytes(txid.as_byte_array());
        }
        row.finish()
    }

    /// Reads a row.
    pub(crate) fn decode(hash: BlockHash, row: &[u8]) -> Result<Touched, RowFault> {
        let mut row = Reader::new(row);
        let height = row.u32()?;
        let created = row.list(57, |row| {
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
        let spent = row.list(68, |row| Ok((row.outpoint()?, row.txid()?)))?;
        let transactions = row.list(36, |row| Ok((row.u32()?, row.txid()?)))?;
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
