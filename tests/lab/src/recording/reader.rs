//! Owns the reading of a recording, frame by frame.
//! Promises memory for one frame at a time, and the offset of whatever is wrong.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;

use super::{
    BLOCK, END, Ending, Entry, HEAD, Happening, Head, INVALIDATED, MAGIC, MAX_FRAME, Moment,
    RECONSIDERED, RecordingError, VERSION, checksum,
};

/// Bytes of a frame before its kind.
const FRAME_HEAD: usize = 8;

/// Bytes of a whole end frame: before its kind, the kind, the count.
const END_FRAME: usize = FRAME_HEAD + 1 + 8;

/// A recording that is being read: an iterator over what came, which ends with the first error.
#[derive(Debug)]
pub struct RecordingReader {
    path: PathBuf,
    file: BufReader<File>,
    /// Bytes of the file when it was opened.
    length: u64,
    /// Where the next frame starts.
    offset: u64,
    head: Head,
    entries: u64,
    ending: Option<Ending>,
}

/// A frame: where it starts, its kind and its payload.
struct Frame {
    offset: u64,
    kind: u8,
    payload: Vec<u8>,
}

impl RecordingReader {
    /// Opens a recording and reads its head.
    ///
    /// # Errors
    ///
    /// [`RecordingError`].
    pub fn open(path: impl AsRef<Path>) -> Result<RecordingReader, RecordingError> {
        let path = path.as_ref().to_path_buf();
        let failed = |doing, source| RecordingError::File {
            path: path.clone(),
            doing,
            offset: 0,
            source,
        };
        let file = File::open(&path).map_err(|error| failed("opening it", error))?;
        let length = file
            .metadata()
            .map_err(|error| failed("looking at it", error))?
            .len();
        let mut reader = RecordingReader {
            file: BufReader::new(file),
            length,
            offset: 0,
            head: Head {
                magic: [0; 4],
                genesis: BlockHash::all_zeros(),
                begun: Moment::default(),
                source: String::new(),
            },
            entries: 0,
            ending: None,
            path,
        };
        reader.read_head()?;
        Ok(reader)
    }

    fn read_head(&mut self) -> Result<(), RecordingError> {
        let not = |reader: &RecordingReader| RecordingError::NotARecording {
            path: reader.path.clone(),
        };
        let Some(start) = self.take(MAGIC.len() + 4)? else {
            return Err(not(self));
        };
        let (magic, version) = start.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(not(self));
        }
        let found = u32::from_le_bytes(array(version).unwrap_or_default());
        if found > VERSION {
            let path = self.path.clone();
            return Err(RecordingError::NewerVersion { path, found });
        }
        if found == 0 {
            return Err(self.damaged(MAGIC.len() as u64, "there never was a version 0"));
        }
        let Some(frame) = self.frame()? else {
            return Err(self.damaged(self.offset, "it ends before its head does"));
        };
        let head = parse_head(&frame);
        self.head = head.map_err(|detail| self.damaged(frame.offset, detail))?;
        Ok(())
    }

    /// What the recording is of.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes of it were read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How it ends; `None` until its last entry was read.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// The next entry; `None` behind the last.
    fn entry(&mut self) -> Result<Option<Entry>, RecordingError> {
        let Some(frame) = self.frame()? else {
            return Ok(None);
        };
        let damaged = |detail| self.damaged(frame.offset, detail);
        if frame.kind == END {
            let count = array(&frame.payload).map(u64::from_le_bytes);
            if count != Some(self.entries) {
                return Err(damaged("its end counts other entries than there are"));
            }
            if self.offset != self.length {
                return Err(self.damaged(self.offset, "something follows its end"));
            }
            self.ending = Some(Ending::Whole);
            return Ok(None);
        }
        let (at, rest) = frame
            .payload
            .split_at_checked(8)
            .ok_or_else(|| damaged("an entry is too short"))?;
        let at = Moment(u64::from_le_bytes(array(at).unwrap_or_default()));
        let hash = || {
            let bytes = array(rest).ok_or_else(|| damaged("a hash has not 32 bytes"))?;
            Ok::<_, RecordingError>(BlockHash::from_byte_array(bytes))
        };
        let what = match frame.kind {
            BLOCK => Happening::Block(rest.to_vec()),
            INVALIDATED => Happening::Invalidated(hash()?),
            RECONSIDERED => Happening::Reconsidered(hash()?),
            _ => return Err(damaged("there is no such kind of frame")),
        };
        self.entries += 1;
        Ok(Some(Entry { at, what }))
    }

    /// The next whole frame; `None` where the file ends before one does.
    fn frame(&mut self) -> Result<Option<Frame>, RecordingError> {
        let offset = self.offset;
        let Some(head) = self.take(FRAME_HEAD)? else {
            return Ok(self.torn(offset));
        };
        let (length, sum) = head.split_at(4);
        let length = u32::from_le_bytes(array(length).unwrap_or_default());
        let sum = u32::from_le_bytes(array(sum).unwrap_or_default());
        if length == 0 || length > MAX_FRAME {
            return Err(self.damaged(offset, "a frame has an impossible length"));
        }
        let Some(mut payload) = self.take(length as usize)? else {
            // A length that became too great looks like a tail that was cut off, unless the end is there.
            if self.has_end_at_its_end()? {
                return Err(self.damaged(offset, "a frame is longer than what is left of the file"));
            }
            return Ok(self.torn(offset));
        };
        let kind = payload.remove(0);
        if checksum(length, kind, &[&payload]) != sum {
            return Err(self.damaged(offset, "the checksum of a frame is wrong"));
        }
        Ok(Some(Frame {
            offset,
            kind,
            payload,
        }))
    }

    /// Whether the last bytes of the file are a whole end frame. Reading goes on nowhere after this.
    fn has_end_at_its_end(&mut self) -> Result<bool, RecordingError> {
        if self.length.saturating_sub(self.offset) < END_FRAME as u64 {
            return Ok(false);
        }
        self.offset = self.length - END_FRAME as u64;
        if let Err(source) = self.file.seek(SeekFrom::Start(self.offset)) {
            return Err(RecordingError::File {
                path: self.path.clone(),
                doing: "reading it",
                offset: self.offset,
                source,
            });
        }
        let frame = self.take(END_FRAME)?.unwrap_or_default();
        let (head, payload) = frame.split_at(FRAME_HEAD + 1);
        let length = (END_FRAME - FRAME_HEAD) as u32;
        let sum = checksum(length, END, &[payload]);
        let wanted = [&length.to_le_bytes()[..], &sum.to_le_bytes(), &[END]].concat();
        Ok(head == wanted)
    }

    fn torn(&mut self, offset: u64) -> Option<Frame> {
        self.offset = offset;
        let bytes = self.length.saturating_sub(offset);
        self.ending = Some(Ending::Torn { offset, bytes });
        None
    }

    /// So many bytes; `None` if there are fewer.
    fn take(&mut self, count: usize) -> Result<Option<Vec<u8>>, RecordingError> {
        if self.length.saturating_sub(self.offset) < count as u64 {
            return Ok(None);
        }
        let mut bytes = vec![0; count];
        if let Err(source) = self.file.read_exact(&mut bytes) {
            return Err(RecordingError::File {
                path: self.path.clone(),
                doing: "reading it",
                offset: self.offset,
                source,
            });
        }
        self.offset += count as u64;
        Ok(Some(bytes))
    }

    fn damaged(&self, offset: u64, detail: impl Into<String>) -> RecordingError {
        RecordingError::Damaged {
            path: self.path.clone(),
            offset,
            detail: detail.into(),
        }
    }
}

impl Iterator for RecordingReader {
    type Item = Result<Entry, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ending.is_some() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            // What follows damage means nothing.
            let offset = self.offset;
            self.torn(offset);
        }
        entry.transpose()
    }
}

fn parse_head(frame: &Frame) -> Result<Head, &'static str> {
    let short = "its head is too short";
    if frame.kind != HEAD {
        return Err("its first frame is no head");
    }
    let (magic, rest) = frame.payload.split_at_checked(4).ok_or(short)?;
    let (genesis, rest) = rest.split_at_checked(32).ok_or(short)?;
    let (begun, source) = rest.split_at_checked(8).ok_or(short)?;
    let source = std::str::from_utf8(source).map_err(|_| "its head is not UTF-8")?;
    Ok(Head {
        magic: array(magic).ok_or(short)?,
        genesis: BlockHash::from_byte_array(array(genesis).ok_or(short)?),
        begun: Moment(u64::from_le_bytes(array(begun).ok_or(short)?)),
        source: source.to_owned(),
    })
}

fn array<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    bytes.try_into().ok()
}
