//! Owns the file that all coins of one world are written to, as Bitcoin Core's `dumptxoutset` writes it.
//! Promises the same bytes as Bitcoin Core, for every live world. Refuses to read such files.
//!
//! ```text
//! "utxo" ff | version 2 (u16) | network magic | hash of the block (32) | coins (u64)
//! and for each transaction: txid (32) | CompactSize of its coins, and for each of these
//!     CompactSize of the output's number | VARINT(2 * height + coinbase) | VARINT(compressed amount) | compressed script
//! ```
//!
//! Numbers little-endian, hashes in the order in which they are hashed; VARINT is Bitcoin Core's number in base 128, most
//! significant digit first. Coins come in the order of Bitcoin Core's database: txid, then the VARINT of the output's
//! number, byte by byte.

use std::io::{self, Seek, SeekFrom, Write};

use bitcoin::consensus::encode::{Encodable, VarInt};
use bitcoin::hashes::Hash;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{BlockHash, OutPoint, Txid};

use crate::coin::Coin;
use crate::error::ReadError;
use crate::setinfo::{SetInfo, SetInfoBuilder};
use crate::world::World;

#[cfg(test)]
mod tests;

/// What such a file starts with.
pub const SNAPSHOT_MAGIC: [u8; 5] = *b"utxo\xff";
/// The version of the format.
pub const SNAPSHOT_VERSION: u16 = 2;
/// Where the number of coins stands: it is known last.
const COUNT_AT: u64 = 5 + 2 + 4 + 32;

/// What was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// The block of the world.
    pub base_hash: BlockHash,
    /// Its height.
    pub base_height: u32,
    /// Counts and hashes of the coins.
    pub info: SetInfo,
}

/// Why a snapshot was not written. What was written of it is of no use.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The world cannot be read, or somebody wanted no more.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file cannot be written.
    #[error("the snapshot cannot be written: {0}")]
    Write(#[from] io::Error),
}

impl World {
    /// Writes all coins from the start of `to` on, in Bitcoin Core's format. Reads the whole set once; stops with
    /// [`ReadError::Cancelled`] soon after `go_on` says no. What was in `to` before is overwritten, not cut off.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn write_snapshot(
        &self,
        to: &mut (impl Write + Seek),
        go_on: impl Fn() -> bool,
    ) -> Result<Snapshot, SnapshotError> {
        let written = self.with_store(|reader, base| {
            let mut file = match File::begin(to, self) {
                Ok(file) => file,
                Err(error) => return Ok(Err(error)),
            };
            for row in self.coins(reader, base, &go_on)? {
                let (outpoint, coin) = row?;
                if let Err(error) = file.add(&outpoint, &coin) {
                    return Ok(Err(error));
                }
            }
            Ok(file.finish())
        })?;
        Ok(Snapshot {
            base_hash: self.hash(),
            base_height: self.height(),
            info: written?,
        })
    }
}

/// A snapshot that is being written.
struct File<'w, W> {
    to: &'w mut W,
    info: SetInfoBuilder,
    txid: Txid,
    /// The coins of that transaction: the VARINT of the output's number, by which they are sorted, and the number.
    coins: Vec<(Vec<u8>, u32, Coin)>,
    count: u64,
    bytes: Vec<u8>,
}

impl<'w, W: Write + Seek> File<'w, W> {
    fn begin(to: &'w mut W, world: &World) -> io::Result<File<'w, W>> {
        to.seek(SeekFrom::Start(0))?;
        to.write_all(&SNAPSHOT_MAGIC)?;
        to.write_all(&SNAPSHOT_VERSION.to_le_bytes())?;
        to.write_all(&world.shared.params.magic)?;
        to.write_all(world.hash().as_byte_array())?;
        to.write_all(&[0; 8])?;
        Ok(File {
            to,
            info: SetInfoBuilder::new(),
            txid: Txid::all_zeros(),
            coins: Vec::new(),
            count: 0,
            bytes: Vec::new(),
        })
    }

    fn add(&mut self, outpoint: &OutPoint, coin: &Coin) -> io::Result<()> {
        self.info.add(outpoint, coin);
        if outpoint.txid != self.txid {
            self.write_transaction()?;
            self.txid = outpoint.txid;
        }
        let mut key = Vec::new();
        write_varint(u64::from(outpoint.vout), &mut key);
        self.coins.push((key, outpoint.vout, coin.clone()));
        self.count += 1;
        Ok(())
    }

    fn write_transaction(&mut self) -> io::Result<()> {
        if self.coins.is_empty() {
            return Ok(());
        }
        self.coins.sort_unstable_by(|(a, ..), (b, ..)| a.cmp(b));
        self.bytes.clear();
        self.bytes.extend(self.txid.as_byte_array());
        write_compact_size(self.coins.len() as u64, &mut self.bytes);
        for (_, vout, coin) in self.coins.drain(..) {
            write_compact_size(u64::from(vout), &mut self.bytes);
            let height = u64::from(coin.height) << 1 | u64::from(coin.coinbase);
            write_varint(height, &mut self.bytes);
            write_varint(compress_amount(coin.amount.to_sat()), &mut self.bytes);
            write_script(coin.script_pubkey.as_bytes(), &mut self.bytes);
        }
        self.to.write_all(&self.bytes)
    }

    fn finish(mut self) -> io::Result<SetInfo> {
        self.write_transaction()?;
        self.to.seek(SeekFrom::Start(COUNT_AT))?;
        self.to.write_all(&self.count.to_le_bytes())?;
        self.to.seek(SeekFrom::End(0))?;
        self.to.flush()?;
        Ok(self.info.finish())
    }
}

fn write_compact_size(number: u64, to: &mut Vec<u8>) {
    VarInt(number)
        .consensus_encode(to)
        .expect("writing to a Vec cannot fail");
}

/// Bitcoin Core's `VARINT`: in base 128, each digit but the last with the top bit set and one less than it counts, so
/// that every number has one form.
fn write_varint(mut number: u64, to: &mut Vec<u8>) {
    let start = to.len();
    loop {
        let more = if to.len() > start { 0x80 } else { 0 };
        to.push((number & 0x7f) as u8 | more);
        if number < 0x80 {
            break;
        }
        number = (number >> 7) - 1;
    }
    to[start..].reverse();
}

/// Bitcoin Core's `CompressAmount`: amounts with many zeros at the end become small numbers.
fn compress_amount(mut sat: u64) -> u64 {
    if sat == 0 {
        return 0;
    }
    let mut zeros = 0;
    while zeros < 9 && sat.is_multiple_of(10) {
        sat /= 10;
        zeros += 1;
    }
    match zeros {
        9 => 1 + (sat - 1) * 10 + 9,
        _ => 1 + (sat / 10 * 9 + sat % 10 - 1) * 10 + zeros,
    }
}

/// Bitcoin Core's compressed script: six forms have one byte that says which, the rest its length and six.
fn write_script(script: &[u8], to: &mut Vec<u8>) {
    match script {
        [0x76, 0xa9, 0x14, hash @ .., 0x88, 0xac] if hash.len() == 20 => {
            to.push(0);
            to.extend(hash);
        }
        [0xa9, 0x14, hash @ .., 0x87] if hash.len() == 20 => {
            to.push(1);
            to.extend(hash);
        }
        [0x21, key @ .., 0xac] if key.len() == 33 && matches!(key[0], 2 | 3) => to.extend(key),
        // What is no point of the curve could not be found again by its half.
        [0x41, key @ .., 0xac]
            if key.len() == 65 && key[0] == 4 && PublicKey::from_slice(key).is_ok() =>
        {
            to.push(4 | key[64] & 1);
            to.extend(&key[1..33]);
        }
        other => {
            const SPECIAL_SCRIPTS: u64 = 6;
            write_varint(other.len() as u64 + SPECIAL_SCRIPTS, to);
            to.extend(other);
        }
    }
}
