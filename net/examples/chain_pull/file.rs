//! The file of blocks: finding out what is in it, and appending to it on a thread of its own.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail, ensure};
use bitcoin::block::Header;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::{BlockHash, Network};
use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Bytes of the longest block.
const MAX_BLOCK: u32 = 4_000_000;
/// Magic and length before each block.
const FRAME: u64 = 8;

/// A file of blocks in the order of their chain, each after the network's magic and its length.
pub(crate) struct ChainFile {
    file: File,
    network: Network,
    /// Where each block's frame begins, and where the last one ends.
    places: Vec<u64>,
}

impl ChainFile {
    /// Opens a file, or begins one, and reads which blocks are in it. A last block that was not written to its end is cut
    /// off.
    pub(crate) fn open(path: &Path, network: Network) -> Result<(ChainFile, Vec<BlockHash>)> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => bail!("another run is writing it"),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let length = file.metadata()?.len();
        let genesis = bitcoin::constants::genesis_block(network).block_hash();
        let (mut places, mut hashes) = (vec![0], Vec::new());
        let mut reader = BufReader::with_capacity(4_096, &file);
        let mut place = 0;
        while place < length {
            let frame = read_frame(&mut reader, network, length - place);
            let frame = frame.with_context(|| {
                format!("at byte {place}; name another file, another network, or remove this one")
            })?;
            let Some((size, header)) = frame else {
                break;
            };
            let follows = match hashes.last() {
                Some(parent) => header.prev_blockhash == *parent,
                None => header.block_hash() == genesis,
            };
            ensure!(
                follows,
                "the block at byte {place} does not follow the one before; name another file, or remove this one"
            );
            hashes.push(header.block_hash());
            place += FRAME + u64::from(size);
            places.push(place);
        }
        let file = ChainFile {
            file,
            network,
            places,
        };
        Ok((file, hashes))
    }

    /// Cuts off all but the first `count` blocks and starts a thread that appends others.
    pub(crate) fn write_after(mut self, count: usize) -> Result<Writer> {
        self.places.truncate(count + 1);
        let end = *self.places.last().context("a file has an end")?;
        self.file.set_len(end)?;
        self.file.seek(SeekFrom::Start(end))?;
        let (sender, receiver) = unbounded_channel();
        let written = Arc::new(Written::default());
        let shared = written.clone();
        let thread = std::thread::spawn(move || append(self, receiver, &shared));
        Ok(Writer {
            sender,
            written,
            thread,
        })
    }
}

/// The length and the header of the next block; `None` if it was not written to its end.
fn read_frame(
    reader: &mut BufReader<&File>,
    network: Network,
    left: u64,
) -> Result<Option<(u32, Header)>> {
    if left < FRAME {
        return Ok(None);
    }
    let (mut magic, mut size, mut header) = ([0; 4], [0; 4], [0; 80]);
    reader.read_exact(&mut magic)?;
    ensure!(
        magic == network.magic().to_bytes(),
        "there is no block of {network}"
    );
    reader.read_exact(&mut size)?;
    let size = u32::from_le_bytes(size);
    ensure!(
        (81..=MAX_BLOCK).contains(&size),
        "a block of {size} bytes is none"
    );
    if left < FRAME + u64::from(size) {
        return Ok(None);
    }
    reader.read_exact(&mut header)?;
    reader.seek_relative(i64::from(size) - 80)?;
    Ok(Some((size, deserialize(&header)?)))
}

/// How much was written.
#[derive(Default)]
struct Written {
    blocks: AtomicU64,
    bytes: AtomicU64,
}

/// A thread that appends blocks to a file.
pub(crate) struct Writer {
    sender: UnboundedSender<Bytes>,
    written: Arc<Written>,
    thread: JoinHandle<io::Result<u64>>,
}

impl Writer {
    /// Hands over the next block; `false` if the thread has ended, because the file cannot be written.
    pub(crate) fn write(&self, block: Bytes) -> bool {
        self.sender.send(block).is_ok()
    }

    /// Blocks that were written.
    pub(crate) fn blocks(&self) -> u64 {
        self.written.blocks.load(Ordering::Relaxed)
    }

    /// Bytes of them.
    pub(crate) fn bytes(&self) -> u64 {
        self.written.bytes.load(Ordering::Relaxed)
    }

    /// Waits until all is on the disk; how many blocks were written, and how long the file is.
    pub(crate) fn finish(self) -> io::Result<(u64, u64)> {
        drop(self.sender);
        let ended = self.thread.join();
        let length =
            ended.unwrap_or_else(|_| Err(io::Error::other("the thread that writes panicked")))?;
        Ok((self.written.blocks.load(Ordering::Relaxed), length))
    }
}

fn append(
    file: ChainFile,
    mut blocks: UnboundedReceiver<Bytes>,
    written: &Written,
) -> io::Result<u64> {
    let network = file.network;
    let magic = network.magic().to_bytes();
    let is_empty = file.places.len() == 1;
    let mut file = BufWriter::with_capacity(1 << 20, file.file);
    let put = |file: &mut BufWriter<File>, block: &[u8]| {
        file.write_all(&magic)?;
        file.write_all(&(block.len() as u32).to_le_bytes())?;
        file.write_all(block)
    };
    if is_empty {
        // Peers never send genesis; everybody knows it.
        put(
            &mut file,
            &serialize(&bitcoin::constants::genesis_block(network)),
        )?;
        written.blocks.fetch_add(1, Ordering::Relaxed);
    }
    while let Some(block) = blocks.blocking_recv() {
        put(&mut file, &block)?;
        written.blocks.fetch_add(1, Ordering::Relaxed);
        written
            .bytes
            .fetch_add(block.len() as u64, Ordering::Relaxed);
    }
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    file.stream_position()
}
