//! Owns the estimate of fees on disk: Bitcoin Core's `fee_estimates.dat`.
//! Promises that a file is complete or not there, and that one which is no such file, or is too old, changes nothing.
//! Refuses files whose buckets are not Bitcoin Core's of version 31: what they say cannot be compared.
//!
//! Numbers are little endian, lists have a CompactSize before them, fractions are IEEE 754 doubles:
//!
//! ```text
//!   version i32 = 309900 | best height u32 | first, last height that was seen u32, u32 | ends of the buckets [f64]
//!   three horizons, medium, short and long: decay f64 | scale u32 | rates [f64] | confirmed [f64]
//!                                           | confirmed within periods [[f64]] | failed after periods [[f64]]
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use bitcoin::VarInt;
use bitcoin::consensus::{Decodable, Encodable};

use super::{Fees, Horizon};
use crate::mempool::Mempool;
use crate::persist::PersistError;

const VERSION: i32 = 309_900;
/// Most bytes that are read: nearly three times what a file has.
const MAX_BYTES: u64 = 1 << 20;
/// How old a file may be whose estimates are taken.
pub const MAX_FEE_FILE_AGE: Duration = Duration::from_secs(60 * 3_600);
/// In the order in which they stand in the file.
const ORDER: [Horizon; 3] = [Horizon::Medium, Horizon::Short, Horizon::Long];

/// What became of a file of estimates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FeesKept {
    /// It was taken.
    Taken,
    /// There is none.
    None,
    /// It is so old that it was left alone.
    TooOld(Duration),
}

impl Mempool {
    /// Writes what is known of fees to `path`. With `last` all that waits counts as not confirmed: nobody will follow it.
    ///
    /// # Errors
    ///
    /// [`PersistError::File`]; the file that was there is still there then.
    pub fn save_fees(&self, path: &Path, last: bool) -> Result<(), PersistError> {
        // Two that write at once write one file.
        let _turn = self.fee_file_turn();
        let bytes = self.with_fees(|fees| {
            if last {
                fees.give_up();
            }
            fees.encode()
        });
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let write = || {
            let mut file = File::create(&beside)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&beside, path)
        };
        write().map_err(|source| at(path, source))
    }

    /// Takes what an earlier run knew of fees; call it before anything comes. A file older than [`MAX_FEE_FILE_AGE`] is
    /// taken only where `stale` ones are welcome.
    ///
    /// # Errors
    ///
    /// [`PersistError::File`], and [`PersistError::Format`] where it is no such file, which changes nothing.
    pub fn load_fees(&self, path: &Path, stale: bool) -> Result<FeesKept, PersistError> {
        let metadata = match fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(FeesKept::None),
            Err(source) => return Err(at(path, source)),
        };
        let written = metadata.modified().map_err(|source| at(path, source))?;
        let age = (SystemTime::now().duration_since(written)).unwrap_or_default();
        if age > MAX_FEE_FILE_AGE && !stale {
            return Ok(FeesKept::TooOld(age));
        }
        let format = |what: String, offset: usize| PersistError::Format {
            path: path.to_owned(),
            what,
            offset,
        };
        if metadata.len() > MAX_BYTES {
            return Err(format(format!("more than {MAX_BYTES} bytes"), 0));
        }
        let bytes = fs::read(path).map_err(|source| at(path, source))?;
        let mut source = &bytes[..];
        let fees = Fees::decode(&mut source)
            .map_err(|what| format(what, bytes.len().saturating_sub(source.len())))?;
        self.with_fees(|own| *own = fees);
        Ok(FeesKept::Taken)
    }
}

fn at(path: &Path, source: io::Error) -> PersistError {
    PersistError::File {
        path: path.to_owned(),
        source,
    }
}

impl Fees {
    fn encode(&self) -> Vec<u8> {
        let mut to = Vec::new();
        to.extend(VERSION.to_le_bytes());
        to.extend(self.best_height.to_le_bytes());
        let (first, last) = match self.seen() > self.seen_before() / 2 {
            true => (self.first_height, self.best_height),
            false => self.history,
        };
        to.extend(first.to_le_bytes());
        to.extend(last.to_le_bytes());
        put(&self.buckets, &mut to);
        for horizon in ORDER {
            let own = self.of(horizon);
            to.extend(horizon.decay().to_le_bytes());
            to.extend(horizon.scale().to_le_bytes());
            put(&own.rates, &mut to);
            put(&own.confirmed, &mut to);
            for periods in [&own.within, &own.failed] {
                put_size(periods.len(), &mut to);
                periods.iter().for_each(|period| put(period, &mut to));
            }
        }
        to
    }

    /// What is wrong is told in words; `from` stands where it is wrong.
    fn decode(from: &mut &[u8]) -> Result<Fees, String> {
        let mut fees = Fees::new();
        let version = i32::from_le_bytes(take(from)?);
        if version != VERSION {
            return Err(format!("version {version}, not {VERSION}"));
        }
        let mut number = || -> Result<u32, String> { Ok(u32::from_le_bytes(take(from)?)) };
        let (best, first, last) = (number()?, number()?, number()?);
        if first > last || last > best {
            return Err(format!("heights {first} to {last} of {best}"));
        }
        let count = fees.buckets.len();
        let same = |one: &f64, other: &f64| (one - other).abs() <= one.abs() * f64::EPSILON * 16.0;
        let buckets = numbers(from, count)?;
        if !buckets
            .iter()
            .zip(&fees.buckets)
            .all(|(theirs, own)| same(theirs, own))
        {
            return Err("other buckets of fee rates".to_owned());
        }
        for horizon in ORDER {
            let decay = f64::from_le_bytes(take(from)?);
            let scale = u32::from_le_bytes(take(from)?);
            if !same(&decay, &horizon.decay()) || scale != horizon.scale() {
                return Err(format!(
                    "other parameters of the {} horizon",
                    horizon.as_str()
                ));
            }
            let own = fees.of_mut(horizon);
            own.rates = numbers(from, count)?;
            own.confirmed = numbers(from, count)?;
            for periods in [&mut own.within, &mut own.failed] {
                check_size(from, periods.len())?;
                for period in periods.iter_mut() {
                    *period = numbers(from, count)?;
                }
            }
        }
        if !from.is_empty() {
            return Err(format!("{} bytes too many", from.len()));
        }
        fees.best_height = best;
        fees.history = (first, last);
        Ok(fees)
    }
}

fn put_size(size: usize, to: &mut Vec<u8>) {
    VarInt(size as u64)
        .consensus_encode(to)
        .expect("writing to a Vec cannot fail");
}

fn put(numbers: &[f64], to: &mut Vec<u8>) {
    put_size(numbers.len(), to);
    numbers
        .iter()
        .for_each(|number| to.extend(number.to_le_bytes()));
}

fn take<const N: usize>(from: &mut &[u8]) -> Result<[u8; N], String> {
    let (bytes, rest) = from.split_first_chunk().ok_or("it ends")?;
    *from = rest;
    Ok(*bytes)
}

fn check_size(from: &mut &[u8], size: usize) -> Result<(), String> {
    let VarInt(told) = VarInt::consensus_decode(from).map_err(|error| error.to_string())?;
    match told == size as u64 {
        true => Ok(()),
        false => Err(format!("{told} of something, not {size}")),
    }
}

/// Numbers that are none, or below nothing, are of no use in sums.
fn numbers(from: &mut &[u8], count: usize) -> Result<Vec<f64>, String> {
    check_size(from, count)?;
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        let number = f64::from_le_bytes(take(from)?);
        if !number.is_finite() || number < 0.0 {
            return Err(format!("{number} where something is counted"));
        }
        numbers.push(number);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests;
