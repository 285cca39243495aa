//! Owns the search for frames in a block file.
//! Promises to find every frame that the file's bytes still show, and to say of everything else
//! what it is and where; refuses to read more of a block than its header.

use std::io;

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::consensus::encode::deserialize;
use everett_ledger::params::{Network, Params};

use super::source::{Source, Window};
use super::{MAX_FRAME_BYTES, MAX_PROBLEMS, MIN_FRAME_BYTES};

#[cfg(test)]
mod tests;

/// Magic and length.
const PREFIX_BYTES: usize = 8;
/// A block's header.
pub(super) const HEADER_BYTES: usize = 80;

/// A block that lies in a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Frame {
    /// Its hash, as the header says.
    pub(super) hash: BlockHash,
    /// Its parent's.
    pub(super) previous: BlockHash,
    /// Which of the files.
    pub(super) file: u32,
    /// The block's length.
    pub(super) length: u32,
    /// Where its magic stands in the file.
    pub(super) offset: u64,
}

impl Frame {
    /// Where the block's bytes start.
    pub(super) fn block_offset(&self) -> u64 {
        self.offset + PREFIX_BYTES as u64
    }

    /// Where its frame ends.
    pub(super) fn end(&self) -> u64 {
        self.block_offset() + u64::from(self.length)
    }
}

/// Something in a file that is no frame of this network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Flaw {
    /// The file ends inside the last frame: `missing` bytes of it are not there.
    TornTail { offset: u64, missing: u64 },
    /// `length` bytes that belong to no frame.
    Garbage { offset: u64, length: u64 },
    /// `count` frames of another network, one after the other.
    OtherNetwork {
        offset: u64,
        network: Network,
        count: u64,
    },
    /// A frame that says it is longer than any block.
    Oversized { offset: u64, length: u32 },
    /// A frame that says it is shorter than any block.
    Undersized { offset: u64, length: u32 },
    /// A frame that says it goes on past the file's end, although another frame follows in it.
    Overrun { offset: u64, length: u32 },
}

/// The magics to look for.
#[derive(Clone, Debug)]
pub(super) struct Magics {
    own: [u8; 4],
    others: Vec<([u8; 4], Network)>,
}

impl Magics {
    pub(super) fn new(params: &Params) -> Magics {
        let others = Network::ALL
            .into_iter()
            .map(|network| (Params::new(network).magic, network))
            .filter(|(magic, _)| *magic != params.magic)
            .collect();
        Magics {
            own: params.magic,
            others,
        }
    }

    fn other(&self, bytes: &[u8]) -> Option<Network> {
        let found = self
            .others
            .iter()
            .find(|(magic, _)| bytes.starts_with(magic));
        found.map(|(_, network)| *network)
    }

    fn starts(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&self.own) || self.other(bytes).is_some()
    }
}

/// A walk through one file.
pub(super) struct Scan<'a> {
    magics: &'a Magics,
    window: Window<'a>,
    file: u32,
    length: u64,
    offset: u64,
    /// Frames are wanted that start before here.
    stop: u64,
    flaws: Flaws,
}

/// What in a file was no frame.
#[derive(Debug, Default)]
pub(super) struct Flaws {
    /// In the order in which it lies in the file, up to [`MAX_PROBLEMS`].
    pub(super) listed: Vec<Flaw>,
    /// How many more there were.
    pub(super) dropped: u64,
}

impl Flaws {
    fn push(&mut self, flaw: Flaw) {
        if self.listed.len() < MAX_PROBLEMS {
            self.listed.push(flaw);
        } else {
            self.dropped += 1;
        }
    }
}

impl<'a> Scan<'a> {
    /// Of the whole file.
    pub(super) fn new(magics: &'a Magics, source: &'a Source, file: u32) -> Scan<'a> {
        Scan {
            magics,
            window: Window::new(source),
            file,
            length: source.length,
            offset: 0,
            stop: source.length,
            flaws: Flaws::default(),
        }
    }

    /// Of the inside of a frame that is no block: whatever frames it has swallowed. One that
    /// started inside may end outside.
    pub(super) fn inside(magics: &'a Magics, source: &'a Source, frame: &Frame) -> Scan<'a> {
        Scan {
            offset: frame.block_offset(),
            stop: frame.end(),
            ..Scan::new(magics, source, frame.file)
        }
    }

    /// How far the walk has come, in bytes from the file's start.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// What was found on the way that is no frame; complete when the walk has ended.
    pub(super) fn into_flaws(self) -> Flaws {
        self.flaws
    }

    /// The next frame, or `None` at the end.
    pub(super) fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        while self.offset < self.stop {
            let offset = self.offset;
            let head = self.window.at(offset, PREFIX_BYTES)?;
            if head.starts_with(&self.magics.own) {
                if let Some(frame) = self.own_frame(offset)? {
                    return Ok(Some(frame));
                }
            } else if let Some(network) = self.magics.other(head) {
                self.other_frame(offset, network)?;
            } else if self.magics.own.starts_with(head) {
                let missing = (PREFIX_BYTES - head.len()) as u64;
                self.flaws.push(Flaw::TornTail { offset, missing });
                self.offset = self.stop;
            } else {
                self.garbage(offset)?;
            }
        }
        Ok(None)
    }

    /// A frame at `offset`, where our magic stands; `None` if it cannot be one.
    fn own_frame(&mut self, offset: u64) -> io::Result<Option<Frame>> {
        let after_magic = offset + 4;
        let Some(length) = self.length_at(offset)? else {
            let missing = PREFIX_BYTES as u64 - (self.length - offset);
            self.flaws.push(Flaw::TornTail { offset, missing });
            self.offset = self.stop;
            return Ok(None);
        };
        if !(MIN_FRAME_BYTES..=MAX_FRAME_BYTES).contains(&length) {
            self.flaws.push(if length > MAX_FRAME_BYTES {
                Flaw::Oversized { offset, length }
            } else {
                Flaw::Undersized { offset, length }
            });
            self.offset = self.next_magic(after_magic)?;
            return Ok(None);
        }
        let end = offset + PREFIX_BYTES as u64 + u64::from(length);
        if end > self.length {
            self.offset = self.next_magic(after_magic)?;
            let nothing_follows = self.offset == self.length;
            self.flaws.push(if nothing_follows {
                let missing = end - self.length;
                Flaw::TornTail { offset, missing }
            } else {
                Flaw::Overrun { offset, length }
            });
            return Ok(None);
        }
        let block = self
            .window
            .at(offset + PREFIX_BYTES as u64, HEADER_BYTES)?
            .get(..HEADER_BYTES)
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        // Any 80 bytes are a header, so this cannot fail.
        let header: Header = deserialize(block).map_err(io::Error::other)?;
        self.offset = end;
        Ok(Some(Frame {
            hash: header.block_hash(),
            previous: header.prev_blockhash,
            file: self.file,
            length,
            offset,
        }))
    }

    /// Steps over a frame of another network.
    fn other_frame(&mut self, offset: u64, network: Network) -> io::Result<()> {
        let length = self.length_at(offset)?;
        let end = length
            .filter(|length| (MIN_FRAME_BYTES..=MAX_FRAME_BYTES).contains(length))
            .map(|length| offset + PREFIX_BYTES as u64 + u64::from(length))
            .filter(|end| *end <= self.length);
        match self.flaws.listed.last_mut() {
            Some(Flaw::OtherNetwork {
                network: last,
                count,
                ..
            }) if *last == network => *count += 1,
            _ => self.flaws.push(Flaw::OtherNetwork {
                offset,
                network,
                count: 1,
            }),
        }
        self.offset = match end {
            Some(end) => end,
            None => self.next_magic(offset + 4)?,
        };
        Ok(())
    }

    /// Steps over bytes that are no frame. Zeros up to the file's end are none of anybody's
    /// business: Bitcoin Core makes its files longer in advance.
    fn garbage(&mut self, offset: u64) -> io::Result<()> {
        let end = self.next_magic(offset)?;
        self.offset = end;
        if end < self.length || !self.zeros_to_the_end(offset)? {
            self.flaws.push(Flaw::Garbage {
                offset,
                length: end - offset,
            });
        }
        Ok(())
    }

    fn length_at(&mut self, offset: u64) -> io::Result<Option<u32>> {
        let head = self.window.at(offset, PREFIX_BYTES)?;
        let length = head.get(4..PREFIX_BYTES);
        Ok(length
            .and_then(|bytes| bytes.try_into().ok())
            .map(u32::from_le_bytes))
    }

    /// Where the next magic stands, ours or another network's, from `offset` on; the end of the
    /// walk if there is none.
    fn next_magic(&mut self, mut offset: u64) -> io::Result<u64> {
        while offset < self.stop {
            let bytes = self.window.at(offset, 4)?;
            let magics = self.magics;
            if let Some(found) = bytes.windows(4).position(|four| magics.starts(four)) {
                return Ok((offset + found as u64).min(self.stop));
            }
            // The last three bytes may be the start of a magic.
            offset += (bytes.len().saturating_sub(3)).max(1) as u64;
        }
        Ok(self.stop)
    }

    fn zeros_to_the_end(&mut self, mut offset: u64) -> io::Result<bool> {
        while offset < self.length {
            let bytes = self.window.at(offset, 1)?;
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            offset += bytes.len().max(1) as u64;
        }
        Ok(true)
    }
}
