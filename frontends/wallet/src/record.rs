//! Owns what a wallet remembers of a transaction of ours, whichever worlds have it, and the row that keeps it.
//! Promises that comments, and who replaced whom, stay with it.
//! Refuses to know whether it is confirmed: that differs from world to world.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{Transaction, Txid};

use crate::row::{Reader, RowFault, Writer};

/// A transaction that pays us, or that spends what is ours.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// The transaction.
    pub tx: Arc<Transaction>,
    /// Its id.
    pub txid: Txid,
    /// Its place in the order in which the wallet came to know of its transactions, from 0.
    pub order: u64,
    /// Unix seconds when the wallet came to know of it.
    pub received: u64,
    /// Whether this wallet made it.
    pub ours: bool,
    /// Whether it was given up: its coins are free again.
    pub abandoned: bool,
    /// The transaction that it was made to replace.
    pub replaces: Option<Txid>,
    /// The transaction that was made to replace it.
    pub replaced_by: Option<Txid>,
    /// What was said of it when it was sent: `comment` and `to`, as Bitcoin Core has them.
    pub notes: BTreeMap<String, String>,
}

const OURS: u8 = 1;
const ABANDONED: u8 = 2;

impl Record {
    /// One that has just been seen.
    pub(crate) fn new(tx: Arc<Transaction>, txid: Txid, order: u64, received: u64) -> Record {
        Record {
            tx,
            txid,
            order,
            received,
            ours: false,
            abandoned: false,
            replaces: None,
            replaced_by: None,
            notes: BTreeMap::new(),
        }
    }

    /// The row: order u64, received u64, flags u8 (1: ours, 2: abandoned), replaces and replaced by, 32 bytes each and zero
    /// for none, notes: count u32 with name and text, each a u32 length and UTF-8; then the transaction as the network has
    /// it, with its length as u32 before. Integers are little-endian. The key is the transaction's id in internal byte order.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Writer::default();
        row.u64(self.order);
        row.u64(self.received);
        let flags = [(self.ours, OURS), (self.abandoned, ABANDONED)];
        row.u8(flags
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, bit)| bit)
            .sum());
        for other in [self.replaces, self.replaced_by] {
            row.bytes(other.unwrap_or(Txid::all_zeros()).as_byte_array());
        }
        row.count(self.notes.len());
        for (name, text) in &self.notes {
            row.long(name.as_bytes());
            row.long(text.as_bytes());
        }
        row.long(&serialize(&*self.tx));
        row.finish()
    }

    /// Reads a row.
    pub(crate) fn decode(txid: Txid, row: &[u8]) -> Result<Record, RowFault> {
        let mut row = Reader::new(row);
        let (order, received, flags) = (row.u64()?, row.u64()?, row.u8()?);
        let mut other = || {
            let other = row.txid()?;
            Ok((other != Txid::all_zeros()).then_some(other))
        };
        let (replaces, replaced_by) = (other()?, other()?);
        let notes = row.list(8, |row| Ok((row.text()?, row.text()?)))?;
        let before = row.fault();
        let tx: Transaction = deserialize(row.long()?).map_err(|_| before)?;
        row.end()?;
        if tx.compute_txid() != txid {
            return Err(before);
        }
        Ok(Record {
            tx: Arc::new(tx),
            txid,
            order,
            received,
            ours: flags & OURS != 0,
            abandoned: flags & ABANDONED != 0,
            replaces,
            replaced_by,
            notes: notes.into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests;
