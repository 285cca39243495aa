//! Owns a file that packets are appended to, and the thread that writes it.
//! Promises that who hands in a packet never waits, and that the file and the one before it have a size.
//! Refuses packets while its queue is full, or when the disk is; how many is counted, and written once it can be.

use std::fs::{File, OpenOptions, rename};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::SystemTime;

use prost::Message;

use super::frame::{MAX_RECORD, encode};
use super::record::{LogRecord, RecordsDropped, Timestamp, of_packet};
use super::{Capture, Packet};

/// Packets that may wait to be written.
const MAX_PACKETS: usize = 16_384;
/// Bytes of payload that may wait to be written.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Bytes that are gathered before they are written, while more packets wait.
const GATHERED: usize = 256 * 1024;
/// Bytes of a record that are not its payload, generously.
const FIELDS: usize = 4_096;

/// How to capture to a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaptureConfig {
    /// The file; packets are appended to what is there.
    pub path: PathBuf,
    /// Bytes of each payload that are kept.
    pub payload_bytes: usize,
    /// Bytes after which the file is renamed to `PATH.old`, in place of the one before, and begun anew; 0 for never.
    pub file_bytes: u64,
}

impl CaptureConfig {
    /// Whole payloads, and one file however long.
    pub fn new(path: impl Into<PathBuf>) -> CaptureConfig {
        CaptureConfig {
            path: path.into(),
            payload_bytes: usize::MAX,
            file_bytes: 0,
        }
    }
}

/// What a capture took and lost so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CaptureTotals {
    /// Packets that are in the file.
    pub written: u64,
    /// Packets that found no room, or could not be written.
    pub dropped: u64,
}

/// A capture to a file. Dropping it writes what waits.
#[derive(Debug)]
pub struct CaptureFile {
    sender: SyncSender<Item>,
    shared: Arc<Shared>,
    payload_bytes: usize,
    thread: Option<JoinHandle<io::Result<()>>>,
}

enum Item {
    Packet(Packet),
    Close,
}

#[derive(Debug, Default)]
struct Shared {
    /// Bytes of payload that wait.
    bytes: AtomicUsize,
    written: AtomicU64,
    dropped: AtomicU64,
}

impl CaptureFile {
    /// Opens the file and starts the thread that writes it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn open(config: CaptureConfig) -> io::Result<CaptureFile> {
        let file = open(&config.path)?;
        let (sender, receiver) = sync_channel(MAX_PACKETS);
        let shared = Arc::new(Shared::default());
        let payload_bytes = config.payload_bytes;
        let writer = Writer {
            length: file.metadata()?.len(),
            file,
            config,
            gathered: Vec::new(),
            packets: 0,
            seq: 0,
            told: 0,
            failed: None,
            shared: shared.clone(),
        };
        let thread = std::thread::Builder::new()
            .name("capture".to_owned())
            .spawn(move || writer.run(&receiver))?;
        Ok(CaptureFile {
            sender,
            shared,
            payload_bytes,
            thread: Some(thread),
        })
    }

    /// Where packets are handed in.
    pub fn capture(&self) -> Capture {
        let (sender, shared) = (self.sender.clone(), self.shared.clone());
        let most = self.payload_bytes.min(MAX_RECORD - FIELDS);
        Capture::new(move |packet| {
            let packet = packet.cut(most);
            let length = packet.payload.len();
            if shared.bytes.fetch_add(length, Ordering::Relaxed) + length > MAX_BYTES {
                shared.bytes.fetch_sub(length, Ordering::Relaxed);
                shared.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
            match sender.try_send(Item::Packet(packet)) {
                Ok(()) => (),
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                    shared.bytes.fetch_sub(length, Ordering::Relaxed);
                    shared.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    }

    /// What it took and lost so far.
    pub fn totals(&self) -> CaptureTotals {
        CaptureTotals {
            written: self.shared.written.load(Ordering::Relaxed),
            dropped: self.shared.dropped.load(Ordering::Relaxed),
        }
    }

    /// Writes what waits and ends. What is handed in from now on is dropped.
    ///
    /// # Errors
    ///
    /// The first error of writing: packets are missing then.
    pub fn close(mut self) -> io::Result<CaptureTotals> {
        self.end()?;
        Ok(self.totals())
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        // It fails only if the thread has ended; and it waits only for the thread, which goes through its queue.
        let _ = self.sender.send(Item::Close);
        let ended = thread.join();
        ended.unwrap_or_else(|_| {
            Err(io::Error::other(
                "the thread that writes the capture panicked",
            ))
        })
    }
}

impl Drop for CaptureFile {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "a capture was not written to its end");
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

struct Writer {
    file: File,
    /// Bytes of the file.
    length: u64,
    config: CaptureConfig,
    /// Frames that are not in the file yet.
    gathered: Vec<u8>,
    /// How many packets that is.
    packets: u64,
    seq: u64,
    /// Dropped packets that the file tells of.
    told: u64,
    failed: Option<io::Error>,
    shared: Arc<Shared>,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Item>) -> io::Result<()> {
        loop {
            let item = match receiver.try_recv() {
                Ok(item) => item,
                Err(_) => {
                    self.write();
                    match receiver.recv() {
                        Ok(item) => item,
                        Err(_) => break,
                    }
                }
            };
            match item {
                Item::Packet(packet) => self.add(&packet),
                Item::Close => break,
            }
        }
        self.tell_dropped();
        self.write();
        match self.failed {
            Some(error) => Err(error),
            None => self.file.sync_all(),
        }
    }

    fn add(&mut self, packet: &Packet) {
        self.tell_dropped();
        self.put(of_packet(packet));
        self.packets += 1;
        let bytes = &self.shared.bytes;
        bytes.fetch_sub(packet.payload.len(), Ordering::Relaxed);
        if self.gathered.len() >= GATHERED {
            self.write();
        }
    }

    fn tell_dropped(&mut self) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        if dropped > self.told {
            self.put(LogRecord {
                time: Some(Timestamp::of(SystemTime::now())),
                records_dropped: Some(RecordsDropped {
                    count: dropped - self.told,
                    reason: "the capture's queue or disk was full".to_owned(),
                }),
                ..LogRecord::default()
            });
            self.told = dropped;
        }
    }

    fn put(&mut self, mut record: LogRecord) {
        self.seq += 1;
        record.seq = self.seq;
        encode(&record.encode_to_vec(), &mut self.gathered);
    }

    /// Writes what was gathered. If that fails it is dropped, and a part of it may be in the file: readers skip that.
    fn write(&mut self) {
        if self.gathered.is_empty() {
            return;
        }
        let result = self
            .begin_anew()
            .and_then(|()| self.file.write_all(&self.gathered));
        match result {
            Ok(()) => {
                self.length += self.gathered.len() as u64;
                self.shared
                    .written
                    .fetch_add(self.packets, Ordering::Relaxed);
            }
            Err(error) => {
                self.shared
                    .dropped
                    .fetch_add(self.packets, Ordering::Relaxed);
                if self.failed.is_none() {
                    let path = self.config.path.display();
                    tracing::warn!(file = %path, %error, "a capture cannot be written; packets are lost");
                    self.failed = Some(error);
                }
            }
        }
        self.packets = 0;
        self.gathered.clear();
    }

    /// Makes the file the old one if it would become too long.
    fn begin_anew(&mut self) -> io::Result<()> {
        let length = self.length + self.gathered.len() as u64;
        if self.config.file_bytes == 0 || self.length == 0 || length <= self.config.file_bytes {
            return Ok(());
        }
        let mut old = self.config.path.clone().into_os_string();
        old.push(".old");
        rename(&self.config.path, &old)?;
        self.file = open(&self.config.path)?;
        self.length = 0;
        Ok(())
    }
}
