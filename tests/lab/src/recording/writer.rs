//! Owns the writing of a recording.
//! Promises that what was appended is whole frames, whatever happens after.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use bitcoin::hashes::Hash;

use super::{
    BLOCK, END, Entry, HEAD, Happening, Head, INVALIDATED, MAGIC, MAX_FRAME, MAX_SOURCE, Moment,
    RECONSIDERED, RecordingError, VERSION, checksum,
};

/// A recording that is being written.
#[derive(Debug)]
pub struct RecordingWriter {
    path: PathBuf,
    file: BufWriter<File>,
    offset: u64,
    entries: u64,
    last: Moment,
}

impl RecordingWriter {
    /// Begins a recording in a new file.
    ///
    /// # Errors
    ///
    /// [`RecordingError::Exists`] where there is a file already: a recording is nothing to lose by a typing error.
    /// [`RecordingError::File`].
    pub fn create(path: impl AsRef<Path>, head: &Head) -> Result<RecordingWriter, RecordingError> {
        let path = path.as_ref().to_path_buf();
        let file = File::create_new(&path).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => RecordingError::Exists { path: path.clone() },
            _ => RecordingError::File {
                path: path.clone(),
                doing: "making it",
                offset: 0,
                source,
            },
        })?;
        let mut writer = RecordingWriter {
            path,
            file: BufWriter::new(file),
            offset: 0,
            entries: 0,
            last: Moment::default(),
        };
        writer.write(&[&MAGIC, &VERSION.to_le_bytes()])?;
        let mut source = head.source.clone();
        while source.len() > MAX_SOURCE {
            source.pop();
        }
        let genesis = head.genesis.to_byte_array();
        let begun = head.begun.0.to_le_bytes();
        writer.frame(HEAD, &[&head.magic, &genesis, &begun, source.as_bytes()])?;
        Ok(writer)
    }

    /// Appends what came. A moment before that of the last entry counts as that.
    ///
    /// # Errors
    ///
    /// [`RecordingError::TooLong`], [`RecordingError::File`].
    pub fn append(&mut self, entry: &Entry) -> Result<(), RecordingError> {
        self.last = self.last.max(entry.at);
        let at = self.last.0.to_le_bytes();
        match &entry.what {
            Happening::Block(block) => self.frame(BLOCK, &[&at, block])?,
            Happening::Invalidated(hash) => {
                self.frame(INVALIDATED, &[&at, &hash.to_byte_array()])?;
            }
            Happening::Reconsidered(hash) => {
                self.frame(RECONSIDERED, &[&at, &hash.to_byte_array()])?;
            }
        }
        self.entries += 1;
        Ok(())
    }

    /// Brings what was appended to the file, for others to read.
    ///
    /// # Errors
    ///
    /// [`RecordingError::File`].
    pub fn flush(&mut self) -> Result<(), RecordingError> {
        let flushed = self.file.flush();
        flushed.map_err(|source| self.failed("writing it", source))
    }

    /// How many entries were appended.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        self.offset
    }

    /// Ends the recording and brings it to the disk.
    ///
    /// # Errors
    ///
    /// [`RecordingError::File`].
    pub fn finish(mut self) -> Result<(), RecordingError> {
        self.frame(END, &[&self.entries.to_le_bytes()])?;
        self.flush()?;
        let synced = self.file.get_ref().sync_all();
        synced.map_err(|source| self.failed("bringing it to the disk", source))
    }

    fn frame(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), RecordingError> {
        let length: usize = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
        let length = u32::try_from(length)
            .ok()
            .filter(|length| *length <= MAX_FRAME)
            .ok_or(RecordingError::TooLong { length })?;
        let sum = checksum(length, kind, parts);
        self.write(&[&length.to_le_bytes(), &sum.to_le_bytes(), &[kind]])?;
        self.write(parts)
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), RecordingError> {
        for part in parts {
            let written = self.file.write_all(part);
            written.map_err(|source| self.failed("writing it", source))?;
            self.offset += part.len() as u64;
        }
        Ok(())
    }

    fn failed(&self, doing: &'static str, source: std::io::Error) -> RecordingError {
        RecordingError::File {
            path: self.path.clone(),
            doing,
            offset: self.offset,
            source,
        }
    }
}
