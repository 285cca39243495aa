//! Owns what a wallet remembers of a transaction of ours, whichever worlds have it, and the row that keeps it.
//! Promises that comments, and who replaced whom, stay with it.
//! Refuses to know whether it is confirmed: that differs from world to world.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{Transaction, Txid};

use crate::request_id::RequestId;
use crate::store::Malformed;
use crate::store::codec::{Source, put_bytes, put_count};

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
    /// Unix seconds when it was made, as far as can be told: those of its block where it was found in an old one.
    pub time: u64,
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
    /// The names that were given it when it was asked for, the first one first.
    pub requests: Vec<RequestId>,
}

/// Names that one transaction is known by, at most: the first one, and the newest others. Those others came with the transaction
/// itself: whoever comes with it again by one that was forgotten pays nothing twice.
const MAX_REQUESTS: usize = 16;

const OURS: u8 = 1;
const ABANDONED: u8 = 2;
const REQUESTED: u8 = 4;
const REQUESTED_AGAIN: u8 = 8;

impl Record {
    /// One that has just been seen.
    pub(crate) fn new(tx: Arc<Transaction>, order: u64, received: u64, time: u64) -> Record {
        Record {
            txid: tx.compute_txid(),
            tx,
            order,
            received,
            time,
            ours: false,
            abandoned: false,
            replaces: None,
            replaced_by: None,
            notes: BTreeMap::new(),
            requests: Vec::new(),
        }
    }

    /// Notes a name by which it was asked for.
    pub(crate) fn name(&mut self, id: RequestId) {
        if self.requests.contains(&id) {
            return;
        }
        if self.requests.len() >= MAX_REQUESTS {
            self.requests.remove(1);
        }
        self.requests.push(id);
    }

    /// The row: order u64, received u64, time u64, flags u8 (1: ours, 2: abandoned, 4: it has a request id, 8: it has further ones),
    /// replaces and replaced by, 32 bytes each and zero for none, notes: count u32 with name and text, each a u32 length and UTF-8;
    /// then the transaction as the network has it, with its length as u32 before; then the request id, if there is one, likewise;
    /// then the further ones, if there are some, behind their count u32. Integers are little-endian. The key is the transaction's
    /// id in internal byte order.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Vec::new();
        for number in [self.order, self.received, self.time] {
            row.extend_from_slice(&number.to_le_bytes());
        }
        let flags = [
            (self.ours, OURS),
            (self.abandoned, ABANDONED),
            (!self.requests.is_empty(), REQUESTED),
            (self.requests.len() > 1, REQUESTED_AGAIN),
        ];
        row.push(
            flags
                .iter()
                .filter(|(set, _)| *set)
                .map(|(_, bit)| bit)
                .sum(),
        );
        for other in [self.replaces, self.replaced_by] {
            row.extend_from_slice(other.unwrap_or(Txid::all_zeros()).as_byte_array());
        }
        put_count(&mut row, self.notes.len());
        for (name, text) in &self.notes {
            put_bytes(&mut row, name.as_bytes());
            put_bytes(&mut row, text.as_bytes());
        }
        put_bytes(&mut row, &serialize(&*self.tx));
        if let Some((first, others)) = self.requests.split_first() {
            put_bytes(&mut row, first.as_str().as_bytes());
            if !others.is_empty() {
                put_count(&mut row, others.len());
            }
            for other in others {
                put_bytes(&mut row, other.as_str().as_bytes());
            }
        }
        row
    }

    /// Reads a row.
    pub(crate) fn decode(txid: Txid, row: &[u8]) -> Result<Record, Malformed> {
        let mut row = Source::new(row);
        let (order, received, time, flags) = (row.u64()?, row.u64()?, row.u64()?, row.u8()?);
        let mut other = || {
            let other = row.txid()?;
            Ok((other != Txid::all_zeros()).then_some(other))
        };
        let (replaces, replaced_by) = (other()?, other()?);
        let notes = row.list(8, |row| {
            Ok((row.text()?.to_owned(), row.text()?.to_owned()))
        })?;
        let tx: Transaction = deserialize(row.bytes()?)
            .map_err(|_| Malformed("what should be a transaction is none"))?;
        let request = |row: &mut Source<'_>| {
            let id = RequestId::new(row.text()?);
            id.map_err(|_| Malformed("a request id of a length that none has"))
        };
        let mut requests = Vec::new();
        if flags & REQUESTED != 0 {
            requests.push(request(&mut row)?);
        }
        if flags & REQUESTED_AGAIN != 0 {
            requests.extend(row.list(4, request)?);
        }
        row.end()?;
        if tx.compute_txid() != txid {
            return Err(Malformed("its transaction is another one"));
        }
        Ok(Record {
            tx: Arc::new(tx),
            txid,
            order,
            received,
            time,
            ours: flags & OURS != 0,
            abandoned: flags & ABANDONED != 0,
            replaces,
            replaced_by,
            notes: notes.into_iter().collect(),
            requests,
        })
    }
}

#[cfg(test)]
mod tests;
