//! Owns the frame of a record: how it is written, and how it is found again in whatever lies around it.
//! Promises every whole record of a stream, in order, and memory for one record at most; what is skipped is counted.
//! Refuses a length beyond the limit, so that damage cannot ask for memory.
//!
//! ```text
//!   marker 9e 45 56 0a | length u32 LE | CRC-32 of length and record, u32 LE | record (protobuf, everett.v1.LogRecord)
//! ```

/// What begins each frame. Not all of it is text, so that no text has it.
pub const MARKER: [u8; 4] = [0x9e, b'E', b'V', b'\n'];

/// Bytes of the longest record: a message of the network with the largest block in it fits.
pub const MAX_RECORD_BYTES: usize = 5 * 1024 * 1024;

/// Marker, length and checksum.
const HEADER: usize = 12;

/// Puts a record into its frame.
pub fn encode(record: &[u8], into: &mut Vec<u8>) {
    let length = (record.len() as u32).to_le_bytes();
    into.reserve(HEADER + record.len());
    into.extend_from_slice(&MARKER);
    into.extend_from_slice(&length);
    into.extend_from_slice(&checksum(length, record).to_le_bytes());
    into.extend_from_slice(record);
}

fn checksum(length: [u8; 4], record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length);
    hasher.update(record);
    hasher.finalize()
}

/// What was found in a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// A whole record, without its frame.
    Record(Vec<u8>),
    /// So many bytes that belong to none.
    Skipped(u64),
}

/// Finds records in bytes as they come.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Where the part of the buffer begins that was not looked at.
    start: usize,
    /// Bytes skipped since the last record.
    skipped: u64,
}

/// What stands at the front of the buffer.
enum Front {
    /// A frame with a record of this length.
    Whole(usize),
    /// What could become one.
    Begun,
    /// No frame begins in the first so many bytes.
    Nothing(usize),
}

impl Decoder {
    /// With nothing read yet.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// Takes bytes that follow those before.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that wait for more to come.
    pub fn waiting(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// The next piece of what was pushed; `None` when there has to be more first.
    pub fn next_piece(&mut self) -> Option<Piece> {
        loop {
            match front(&self.buffer[self.start..]) {
                Front::Whole(length) => {
                    if let Some(skipped) = self.take_skipped() {
                        return Some(skipped);
                    }
                    let begin = self.start + HEADER;
                    let record = self.buffer[begin..begin + length].to_vec();
                    self.start = begin + length;
                    return Some(Piece::Record(record));
                }
                Front::Begun => return None,
                Front::Nothing(0) => return None,
                Front::Nothing(count) => self.skip(count),
            }
        }
    }

    /// The next piece when nothing more will come: a frame that was begun is torn, and what lies inside is looked at.
    pub fn next_at_end(&mut self) -> Option<Piece> {
        loop {
            if let Some(piece) = self.next_piece() {
                return Some(piece);
            }
            if self.waiting() == 0 {
                return self.take_skipped();
            }
            self.skip(1);
        }
    }

    /// Whether a whole record lies behind a frame that was begun and does not go on: then that one is torn.
    pub fn is_torn(&self) -> bool {
        let rest = &self.buffer[self.start..];
        (1..rest.len()).any(|place| {
            rest[place..].starts_with(&MARKER) && matches!(front(&rest[place..]), Front::Whole(_))
        })
    }

    /// Gives up the frame at the front.
    pub fn give_up_front(&mut self) {
        self.skip(1.min(self.waiting()));
    }

    fn skip(&mut self, count: usize) {
        self.start += count;
        self.skipped += count as u64;
    }

    fn take_skipped(&mut self) -> Option<Piece> {
        match std::mem::take(&mut self.skipped) {
            0 => None,
            count => Some(Piece::Skipped(count)),
        }
    }
}

/// Looks at the front of some bytes.
fn front(bytes: &[u8]) -> Front {
    let Some(place) = bytes.iter().position(|byte| *byte == MARKER[0]) else {
        return Front::Nothing(bytes.len());
    };
    if place > 0 {
        return Front::Nothing(place);
    }
    let seen = bytes.len().min(MARKER.len());
    if bytes[..seen] != MARKER[..seen] {
        return Front::Nothing(1);
    }
    let Some((head, rest)) = bytes.split_at_checked(HEADER) else {
        return Front::Begun;
    };
    let [_, _, _, _, l0, l1, l2, l3, c0, c1, c2, c3] = *head else {
        return Front::Begun;
    };
    let length_bytes = [l0, l1, l2, l3];
    let length = u32::from_le_bytes(length_bytes) as usize;
    if length > MAX_RECORD_BYTES {
        return Front::Nothing(1);
    }
    let Some(record) = rest.get(..length) else {
        return Front::Begun;
    };
    match checksum(length_bytes, record) == u32::from_le_bytes([c0, c1, c2, c3]) {
        true => Front::Whole(length),
        false => Front::Nothing(1),
    }
}

#[cfg(test)]
mod tests;
