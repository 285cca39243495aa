//! Owns the mempool on disk: Bitcoin Core's `mempool.dat`, written in version 2, read in versions 1 and 2.
//! Promises that a file is complete or not there: it is written beside its place and moved over.
//! Refuses files above [`MAX_FILE_BYTES`], and trusts none: each transaction is judged as if it came from a peer.
//!
//! Numbers are little endian, sizes CompactSizes, ids as they lie in memory:
//!
//! ```text
//!   version u64 = 2 | size 8, key [8] | from here on each byte is XORed with key[its offset in the file mod 8]
//!   count u64 | count × (transaction with witness | time i64, unix seconds | fee delta i64, satoshis)
//!   size | deltas of others: (txid [32] | i64) | size | unbroadcast: txid [32]
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::BuildHasher;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bitcoin::consensus::Encodable;
use bitcoin::hashes::Hash;
use bitcoin::{Txid, VarInt};
use everett_ledger::decode::{DecodeError, DecodedTransaction, decode_transaction};
use thiserror::Error;

use crate::mempool::{Mempool, MempoolError};

/// Largest file that is read: several times what the default limit of memory comes to.
pub const MAX_FILE_BYTES: u64 = 2 << 30;

const VERSION_PLAIN: u64 = 1;
const VERSION: u64 = 2;
const KEY_SIZE: usize = 8;

/// Why the mempool was not saved or loaded.
#[derive(Debug, Error)]
pub enum PersistError {
    /// The file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not what Bitcoin Core or this writes. What came before the fault was taken.
    #[error("{path} is no mempool file: {what} at byte {offset}; move it away")]
    Format {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
        /// Where.
        offset: usize,
    },
    /// The mempool itself.
    #[error(transparent)]
    Mempool(#[from] MempoolError),
}

/// What is taken from a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LoadOptions {
    /// Let everything have come now, not when the file says.
    pub use_current_time: bool,
    /// Take fee deltas.
    pub deltas: bool,
    /// Take the notes of what no peer has asked for.
    pub unbroadcast: bool,
}

impl Default for LoadOptions {
    /// What a node does with its own file when it starts.
    fn default() -> LoadOptions {
        LoadOptions {
            use_current_time: false,
            deltas: true,
            unbroadcast: true,
        }
    }
}

/// What became of the transactions of a file.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Loaded {
    /// Let in.
    pub accepted: u64,
    /// Not let in.
    pub refused: u64,
    /// Too old.
    pub expired: u64,
    /// Here before.
    pub known: u64,
    /// Noted as not asked for by any peer, whether they were let in or not.
    pub unbroadcast: u64,
}

/// What is kept of a mempool, as it was at one moment.
pub struct Kept {
    /// The mempool's [change](Mempool::change_number) at that moment.
    pub change_number: u64,
    /// With the unix time at which each came, parents before their children.
    transactions: Vec<(Arc<DecodedTransaction>, u64)>,
    deltas: Deltas,
    unbroadcast: Vec<Txid>,
}

impl Kept {
    /// How many transactions there are.
    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// Writes it to `path`, in Bitcoin Core's format. How many transactions there were.
    ///
    /// # Errors
    ///
    /// [`PersistError::File`]; the file that was there is still there then.
    pub fn write(mut self, path: &Path) -> Result<u64, PersistError> {
        let mut deltas = std::mem::take(&mut self.deltas);
        let at = |source| PersistError::File {
            path: path.to_owned(),
            source,
        };
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let file = File::create(&beside).map_err(at)?;
        let key = foldhash::fast::RandomState::default()
            .hash_one(path)
            .to_le_bytes();
        let write = || -> io::Result<()> {
            let mut out = Xored::new(BufWriter::new(file));
            out.write_all(&VERSION.to_le_bytes())?;
            out.write_all(&[KEY_SIZE as u8])?;
            out.write_all(&key)?;
            out.key = key;
            out.write_all(&(self.transactions.len() as u64).to_le_bytes())?;
            let mut bytes = Vec::new();
            for (tx, time) in &self.transactions {
                bytes.clear();
                put(&tx.tx, &mut bytes);
                let delta = deltas.remove(&tx.txid).unwrap_or(0);
                bytes.extend((*time as i64).to_le_bytes());
                bytes.extend(delta.to_le_bytes());
                out.write_all(&bytes)?;
            }
            bytes.clear();
            put(&VarInt(deltas.len() as u64), &mut bytes);
            for (txid, delta) in &deltas {
                bytes.extend(txid.to_byte_array());
                bytes.extend(delta.to_le_bytes());
            }
            put(&VarInt(self.unbroadcast.len() as u64), &mut bytes);
            for txid in &self.unbroadcast {
                bytes.extend(txid.to_byte_array());
            }
            out.write_all(&bytes)?;
            out.inner
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .sync_all()
        };
        write().map_err(at)?;
        std::fs::rename(&beside, path).map_err(at)?;
        Ok(self.transactions.len() as u64)
    }
}

impl Mempool {
    /// Writes all pending transactions, fee deltas and notes to `path`, in Bitcoin Core's format. How many there were.
    ///
    /// The mempool is held only while the list is made.
    ///
    /// # Errors
    ///
    /// [`PersistError::File`]; the file that was there is still there then.
    pub fn save(&self, path: &Path) -> Result<u64, PersistError> {
        self.kept()?.write(path)
    }

    /// What [`Mempool::save`] writes, as it is now: for who writes it later.
    ///
    /// # Errors
    ///
    /// [`MempoolError`].
    pub fn kept(&self) -> Result<Kept, MempoolError> {
        let view = self.view()?;
        Ok(Kept {
            change_number: view.change_number(),
            transactions: view.with_times().collect(),
            deltas: view.deltas(),
            unbroadcast: view.unbroadcast(),
        })
    }
    /// Lets in what a file has, as far as the rules allow; a file that is not there is an error.
    ///
    /// # Errors
    ///
    /// [`PersistError`]; what came before the fault stays.
    pub fn load(&self, path: &Path, options: LoadOptions) -> Result<Loaded, PersistError> {
        self.load_while(path, options, || true)
    }

    /// The same, as long as `go_on` says so; it is asked before each transaction.
    ///
    /// # Errors
    ///
    /// As [`Mempool::load`].
    pub fn load_while(
        &self,
        path: &Path,
        options: LoadOptions,
        go_on: impl Fn() -> bool,
    ) -> Result<Loaded, PersistError> {
        let at = |source| PersistError::File {
            path: path.to_owned(),
            source,
        };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(at)?;
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(at)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            let what = format!("more than {MAX_FILE_BYTES} bytes");
            return Err(at(io::Error::new(io::ErrorKind::InvalidData, what)));
        }
        let mut source = Source { bytes, at: 0 };
        self.take_all(&mut source, options, go_on)
            .map_err(|fault| match fault {
                Fault::Mempool(error) => PersistError::Mempool(error),
                Fault::Format(what) => PersistError::Format {
                    path: path.to_owned(),
                    what,
                    offset: source.at,
                },
            })
    }

    fn take_all(
        &self,
        source: &mut Source,
        options: LoadOptions,
        go_on: impl Fn() -> bool,
    ) -> Result<Loaded, Fault> {
        match source.u64()? {
            VERSION_PLAIN => {}
            VERSION => {
                if source.size()? != KEY_SIZE as u64 {
                    return Err(Fault::Format("a key of another size".to_owned()));
                }
                let key = source.array::<KEY_SIZE>()?;
                source.reveal(key);
            }
            other => return Err(Fault::Format(format!("unknown version {other}"))),
        }
        let mut loaded = Loaded::default();
        for _ in 0..source.u64()? {
            if !go_on() {
                return Ok(loaded);
            }
            let tx = Arc::new(source.transaction()?);
            let time = source.i64()?;
            let delta = source.i64()?;
            if delta != 0 && options.deltas {
                self.prioritise(tx.txid, delta)?;
            }
            self.take(&tx, u64::try_from(time).unwrap_or(0), options, &mut loaded)?;
        }
        for _ in 0..source.size()? {
            let txid = Txid::from_byte_array(source.array()?);
            let delta = source.i64()?;
            if options.deltas {
                self.prioritise(txid, delta)?;
            }
        }
        for _ in 0..source.size()? {
            let txid = Txid::from_byte_array(source.array()?);
            if options.unbroadcast {
                loaded.unbroadcast += 1;
                self.set_unbroadcast(&txid, true);
            }
        }
        Ok(loaded)
    }

    fn take(
        &self,
        tx: &Arc<DecodedTransaction>,
        time: u64,
        options: LoadOptions,
        loaded: &mut Loaded,
    ) -> Result<(), MempoolError> {
        let now = self.ledger().clock().now();
        let time = match options.use_current_time {
            true => now,
            false => time,
        };
        if time <= now.saturating_sub(self.config().expiry) {
            loaded.expired += 1;
            return Ok(());
        }
        match self.accept_at(tx, time)? {
            Ok(_) => loaded.accepted += 1,
            Err(_) if self.view()?.contains(&tx.txid) => loaded.known += 1,
            Err(_) => loaded.refused += 1,
        }
        Ok(())
    }
}

fn put(value: &impl Encodable, to: &mut Vec<u8>) {
    value
        .consensus_encode(to)
        .expect("writing to a Vec cannot fail");
}

/// XORs what goes through it.
struct Xored<W> {
    inner: W,
    key: [u8; KEY_SIZE],
    offset: usize,
}

impl<W: Write> Xored<W> {
    fn new(inner: W) -> Xored<W> {
        Xored {
            inner,
            key: [0; KEY_SIZE],
            offset: 0,
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let hidden: Vec<u8> = (self.offset..)
            .zip(bytes)
            .map(|(offset, byte)| byte ^ self.key[offset % KEY_SIZE])
            .collect();
        self.offset += bytes.len();
        self.inner.write_all(&hidden)
    }
}

enum Fault {
    Format(String),
    Mempool(MempoolError),
}

impl From<MempoolError> for Fault {
    fn from(error: MempoolError) -> Fault {
        Fault::Mempool(error)
    }
}

impl From<DecodeError> for Fault {
    fn from(error: DecodeError) -> Fault {
        Fault::Format(format!("a transaction that does not decode ({error})"))
    }
}

/// The bytes of a file, and how far they are read.
struct Source {
    bytes: Vec<u8>,
    at: usize,
}

impl Source {
    /// Takes the key off all that is not read yet.
    fn reveal(&mut self, key: [u8; KEY_SIZE]) {
        let rest = self.bytes.iter_mut().enumerate().skip(self.at);
        rest.for_each(|(offset, byte)| *byte ^= key[offset % KEY_SIZE]);
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let array = rest.first_chunk::<N>().copied();
        self.at += N;
        array.ok_or_else(|| Fault::Format("the file ends too early".to_owned()))
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    fn i64(&mut self) -> Result<i64, Fault> {
        self.array().map(i64::from_le_bytes)
    }

    fn size(&mut self) -> Result<u64, Fault> {
        Ok(match self.array::<1>()? {
            [0xfd] => u64::from(u16::from_le_bytes(self.array()?)),
            [0xfe] => u64::from(u32::from_le_bytes(self.array()?)),
            [0xff] => self.u64()?,
            [small] => u64::from(small),
        })
    }

    fn transaction(&mut self) -> Result<DecodedTransaction, Fault> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (tx, used) = decode_transaction(rest)?;
        self.at += used;
        Ok(tx)
    }
}

/// Fee deltas by txid.
pub(crate) type Deltas = BTreeMap<Txid, i64>;
