//! Owns the reading of a capture, from a file or a pipe.
//! Promises every whole packet in order, and an error for whatever lies between; memory for one record at most.
//! Refuses to stop at damage: only an error of the source ends it.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use prost::Message;

use super::Packet;
use super::frame::{Front, HEADER, front};
use super::record::{LogRecord, to_packet};

/// Bytes that are read at once.
const CHUNK: usize = 256 * 1024;

/// What lies in a capture that is no packet. After each but [`ReadError::Io`] the reading goes on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Bytes that belong to no record: the file was damaged, or is none.
    #[error("{count} bytes at {offset} belong to no record; the file is damaged there")]
    Damage {
        /// Where they begin.
        offset: u64,
        /// How many there are.
        count: u64,
    },
    /// The file ends within a record: whoever wrote it was killed, or is still writing.
    #[error("the last {count} bytes, from {offset}, are a record that was not written to its end")]
    Torn {
        /// Where they begin.
        offset: u64,
        /// How many there are.
        count: u64,
    },
    /// A whole record whose packet is none.
    #[error(
        "the packet of the record at {offset} has a bad {field}; a later version may have written it"
    )]
    Packet {
        /// Where its frame begins.
        offset: u64,
        /// The field that is not what it should be.
        field: &'static str,
    },
    /// The writer said that packets are missing here.
    #[error("{count} packets are missing: {reason}")]
    Dropped {
        /// How many.
        count: u64,
        /// Why.
        reason: String,
    },
    /// The source failed.
    #[error("the capture cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// The packets of a capture, or of a node's log, whose other records are passed over.
pub struct Reader<R> {
    source: R,
    buffer: Vec<u8>,
    /// Where the part of the buffer begins that was not looked at.
    start: usize,
    /// Where that is in the source.
    offset: u64,
    /// Bytes skipped before it.
    skipped: u64,
    ended: bool,
    failed: bool,
}

impl Reader<File> {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// What the system says of opening it.
    pub fn open(path: &Path) -> io::Result<Reader<File>> {
        File::open(path).map(Reader::new)
    }
}

impl<R: Read> Reader<R> {
    /// Reads what a source gives, to its end.
    pub fn new(source: R) -> Reader<R> {
        Reader {
            source,
            buffer: Vec::new(),
            start: 0,
            offset: 0,
            skipped: 0,
            ended: false,
            failed: false,
        }
    }

    /// Reads until so many bytes are there, or the source ends.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        while !self.ended && self.buffer.len() - self.start < wanted {
            self.buffer.drain(..self.start);
            self.start = 0;
            let missing = wanted.saturating_sub(self.buffer.len()).max(CHUNK) as u64;
            let read = (&mut self.source)
                .take(missing)
                .read_to_end(&mut self.buffer)?;
            self.ended = (read as u64) < missing;
        }
        Ok(())
    }

    fn skip(&mut self, count: usize) {
        self.advance(count);
        self.skipped += count as u64;
    }

    fn advance(&mut self, count: usize) {
        self.start += count;
        self.offset += count as u64;
    }

    fn take_damage(&mut self) -> Option<ReadError> {
        let count = std::mem::take(&mut self.skipped);
        let offset = self.offset - count;
        (count > 0).then_some(ReadError::Damage { offset, count })
    }

    /// Whether a whole record lies behind the frame that was begun at the front: then that one is damage.
    fn goes_on(&self) -> bool {
        let rest = &self.buffer[self.start..];
        let mut place = 1;
        while place < rest.len() {
            match front(&rest[place..]) {
                Front::Record(_) => return true,
                Front::Begun(_) => place += 1,
                Front::Nothing(count) => place += count,
            }
        }
        false
    }

    fn step(&mut self) -> Option<Result<Packet, ReadError>> {
        loop {
            if let Err(error) = self.fill(HEADER) {
                self.failed = true;
                return Some(Err(error.into()));
            }
            if self.start == self.buffer.len() {
                return self.take_damage().map(Err);
            }
            let record = match front(&self.buffer[self.start..]) {
                Front::Nothing(count) => {
                    self.skip(count);
                    continue;
                }
                Front::Begun(length) if !self.ended => {
                    if let Err(error) = self.fill(length) {
                        self.failed = true;
                        return Some(Err(error.into()));
                    }
                    continue;
                }
                Front::Begun(_) if self.goes_on() => {
                    self.skip(1);
                    continue;
                }
                Front::Begun(_) => {
                    if let Some(damage) = self.take_damage() {
                        return Some(Err(damage));
                    }
                    let (offset, count) = (self.offset, self.buffer.len() - self.start);
                    self.advance(count);
                    let count = count as u64;
                    return Some(Err(ReadError::Torn { offset, count }));
                }
                Front::Record(record) => record.to_vec(),
            };
            if let Some(damage) = self.take_damage() {
                return Some(Err(damage));
            }
            let offset = self.offset;
            self.advance(HEADER + record.len());
            let Ok(record) = LogRecord::decode(record.as_slice()) else {
                let field = "encoding";
                return Some(Err(ReadError::Packet { offset, field }));
            };
            if let Some(dropped) = record.records_dropped {
                let (count, reason) = (dropped.count, dropped.reason);
                return Some(Err(ReadError::Dropped { count, reason }));
            }
            if let Some(packet) = record.packet {
                let packet = to_packet(packet, record.time);
                return Some(packet.map_err(|field| ReadError::Packet { offset, field }));
            }
        }
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Packet, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        self.step()
    }
}
