//! Owns what can be said about a whole UTXO set: counts, sums, and the two hashes that prove it equal to another
//! node's. Promises Bitcoin Core's values for `gettxoutsetinfo`.
//! Refuses to sort: coins come in the order of their outpoints.

use std::ops::Range;

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Script};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::coin::Coin;
use crate::muhash::MuHash3072;

#[cfg(test)]
mod tests;

/// How many coins are gathered before they are hashed on all threads.
const BATCH: usize = 8192;

/// How many of them a thread takes at once.
const PART: usize = 128;

/// What can be said about a UTXO set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetInfo {
    /// How many coins there are.
    pub txouts: u64,
    /// How many transactions made them.
    pub transactions: u64,
    /// What they amount to, in satoshis.
    pub total_sat: u64,
    /// A size of the set that depends on no database: 50 bytes a coin and its script.
    pub bogosize: u64,
    /// The MuHash3072 of the coins, in the byte order in which SHA-256 writes it; shown reversed.
    pub muhash: [u8; 32],
    /// Double SHA-256 of the coins in order, in the byte order in which SHA-256 writes it; shown reversed.
    pub hash_serialized_3: [u8; 32],
}

/// A hash over a UTXO set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetHash {
    /// None: coins are counted only.
    Nothing,
    /// [`SetInfo::hash_serialized_3`].
    Serialized3,
    /// [`SetInfo::muhash`], which takes longest: 2 µs of a core for each coin.
    MuHash,
}

/// What can be said about a UTXO set, with the one hash that was asked for; see [`SetInfo`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SetSummary {
    /// How many coins there are.
    pub txouts: u64,
    /// How many transactions made them.
    pub transactions: u64,
    /// What they amount to, in satoshis.
    pub total_sat: u64,
    /// A size of the set that depends on no database: 50 bytes a coin and its script.
    pub bogosize: u64,
    /// The hash that was asked for, in the byte order in which SHA-256 writes it; shown reversed.
    pub hash: Option<[u8; 32]>,
}

impl SetSummary {
    /// [`SetSummary::hash`] as it is shown: 64 hexadecimal characters, last byte first.
    pub fn hash_hex(&self) -> Option<String> {
        self.hash.as_ref().map(reversed_hex)
    }
}

impl SetInfo {
    /// [`SetInfo::muhash`] as it is shown: 64 hexadecimal characters, last byte first.
    pub fn muhash_hex(&self) -> String {
        reversed_hex(&self.muhash)
    }

    /// [`SetInfo::hash_serialized_3`] as it is shown: 64 hexadecimal characters, last byte first.
    pub fn hash_serialized_3_hex(&self) -> String {
        reversed_hex(&self.hash_serialized_3)
    }
}

fn reversed_hex(bytes: &[u8; 32]) -> String {
    bytes
        .iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// What a coin with this script counts for in [`SetInfo::bogosize`].
pub fn bogosize(script: &Script) -> u64 {
    const TXID: u64 = 32;
    const VOUT: u64 = 4;
    const HEIGHT_AND_COINBASE: u64 = 4;
    const AMOUNT: u64 = 8;
    const SCRIPT_LENGTH: u64 = 2;
    TXID + VOUT + HEIGHT_AND_COINBASE + AMOUNT + SCRIPT_LENGTH + script.len() as u64
}

/// Appends the bytes of a coin that both hashes take.
///
/// `txid | vout u32 | (height * 2 + coinbase) u32 | amount u64 | CompactSize of the script | script`, numbers
/// little-endian, the txid in the order in which it is hashed.
pub fn write_coin(outpoint: &OutPoint, coin: &Coin, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(outpoint.txid.as_byte_array());
    bytes.extend_from_slice(&outpoint.vout.to_le_bytes());
    bytes.extend_from_slice(&(coin.height << 1 | u32::from(coin.coinbase)).to_le_bytes());
    bytes.extend_from_slice(&coin.amount.to_sat().to_le_bytes());
    let script = coin.script_pubkey.as_bytes();
    match script.len() {
        length @ 0..=0xfc => bytes.push(length as u8),
        length @ 0xfd..=0xffff => {
            bytes.push(0xfd);
            bytes.extend_from_slice(&(length as u16).to_le_bytes());
        }
        // No coin has such a script: 10,000 bytes are the most.
        length => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&(length as u32).to_le_bytes());
        }
    }
    bytes.extend_from_slice(script);
}

/// Takes in the coins of a set, one by one, in order of txid (as bytes) and output number.
#[derive(Clone, Debug)]
pub struct SetInfoBuilder {
    txouts: u64,
    transactions: u64,
    total_sat: u64,
    bogosize: u64,
    /// `None`: not wanted.
    muhash: Option<MuHash3072>,
    /// `None`: not wanted.
    serialized: Option<Sha256>,
    /// Coins not yet hashed, and where each of them lies.
    bytes: Vec<u8>,
    spans: Vec<Range<usize>>,
    last: Option<([u8; 32], u32)>,
}

impl Default for SetInfoBuilder {
    fn default() -> SetInfoBuilder {
        SetInfoBuilder::new()
    }
}

impl SetInfoBuilder {
    /// For an empty set, of which everything is to be told.
    pub fn new() -> SetInfoBuilder {
        SetInfoBuilder {
            txouts: 0,
            transactions: 0,
            total_sat: 0,
            bogosize: 0,
            muhash: Some(MuHash3072::new()),
            serialized: Some(Sha256::new()),
            bytes: Vec::new(),
            spans: Vec::new(),
            last: None,
        }
    }

    /// For an empty set, with one hash or none.
    pub(crate) fn of(hash: SetHash) -> SetInfoBuilder {
        let all = SetInfoBuilder::new();
        SetInfoBuilder {
            muhash: all.muhash.filter(|_| hash == SetHash::MuHash),
            serialized: all.serialized.filter(|_| hash == SetHash::Serialized3),
            ..SetInfoBuilder::new()
        }
    }

    /// Takes in the next coin. Out of order, `hash_serialized_3` would be wrong: debug builds panic.
    pub fn add(&mut self, outpoint: &OutPoint, coin: &Coin) {
        let key = (outpoint.txid.to_byte_array(), outpoint.vout);
        debug_assert!(
            self.last < Some(key),
            "coins must come in the order of their outpoints"
        );
        if self.last.is_none_or(|(txid, _)| txid != key.0) {
            self.transactions += 1;
        }
        self.last = Some(key);
        self.txouts += 1;
        self.total_sat = self.total_sat.saturating_add(coin.amount.to_sat());
        self.bogosize += bogosize(&coin.script_pubkey);
        if self.muhash.is_none() && self.serialized.is_none() {
            return;
        }
        let start = self.bytes.len();
        write_coin(outpoint, coin, &mut self.bytes);
        self.spans.push(start..self.bytes.len());
        if self.spans.len() == BATCH {
            self.hash_batch();
        }
    }

    /// The facts about all coins taken in.
    pub fn finish(mut self) -> SetInfo {
        self.hash_batch();
        SetInfo {
            txouts: self.txouts,
            transactions: self.transactions,
            total_sat: self.total_sat,
            bogosize: self.bogosize,
            muhash: self.muhash.unwrap_or_default().finalize(),
            hash_serialized_3: serialized_hash(self.serialized.unwrap_or_default()),
        }
    }

    /// The same with the hash that is wanted.
    pub(crate) fn summary(mut self) -> SetSummary {
        self.hash_batch();
        let serialized = self.serialized.map(serialized_hash);
        SetSummary {
            txouts: self.txouts,
            transactions: self.transactions,
            total_sat: self.total_sat,
            bogosize: self.bogosize,
            hash: serialized.or(self.muhash.map(|muhash| muhash.finalize())),
        }
    }

    fn hash_batch(&mut self) {
        let (bytes, spans) = (&self.bytes, &self.spans);
        let product = |part: &[Range<usize>]| {
            let mut muhash = MuHash3072::new();
            part.iter()
                .for_each(|span| muhash.insert(&bytes[span.clone()]));
            muhash
        };
        let combined = |mut one: MuHash3072, other: MuHash3072| {
            one.combine(&other);
            one
        };
        let parts = || spans.par_chunks(PART).map(product);
        match (&mut self.serialized, &mut self.muhash) {
            (None, None) => {}
            (Some(serialized), None) => serialized.update(bytes),
            (None, Some(muhash)) => {
                muhash.combine(&parts().reduce(MuHash3072::new, combined));
            }
            (Some(serialized), Some(muhash)) => {
                let of_batch = || parts().reduce(MuHash3072::new, combined);
                let ((), of_batch) = rayon::join(|| serialized.update(bytes), of_batch);
                muhash.combine(&of_batch);
            }
        }
        self.bytes.clear();
        self.spans.clear();
    }
}

fn serialized_hash(serialized: Sha256) -> [u8; 32] {
    Sha256::digest(serialized.finalize()).into()
}
