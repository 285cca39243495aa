//! Owns the reading of a log: of files, of a pipe, of a log that is being written.
//! Promises every whole record once, in order, over rotation; and how much lay between them that is none.
//! Refuses to wait for a record that will never be whole.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use everett_proto::v1;
use prost::Message;

use crate::files::{LogFile, list};
use crate::frame::{Decoder, Piece};

/// Bytes that are read at once.
const CHUNK: usize = 64 * 1024;
/// How long a record may take to become whole before what comes after it is looked at.
const TORN_AFTER: Duration = Duration::from_secs(1);

/// What a log says next.
#[derive(Clone, PartialEq, Debug)]
pub enum Item {
    /// A record.
    Record(Box<v1::LogRecord>),
    /// So many bytes are no records: something was torn or damaged.
    Skipped(u64),
}

/// Reads a stream to its end.
pub struct Reader<R> {
    stream: R,
    decoder: Decoder,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Of a file, or standard input.
    pub fn new(stream: R) -> Reader<R> {
        Reader {
            stream,
            decoder: Decoder::new(),
            ended: false,
        }
    }

    /// What comes next; `None` at the end.
    ///
    /// # Errors
    ///
    /// What the system says of the stream.
    pub fn next_item(&mut self) -> io::Result<Option<Item>> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let piece = match self.ended {
                false => self.decoder.next_piece(),
                true => self.decoder.next_at_end(),
            };
            match piece {
                Some(piece) => return Ok(Some(item(piece))),
                None if self.ended => return Ok(None),
                None => match self.stream.read(&mut chunk) {
                    Ok(0) => self.ended = true,
                    Ok(read) => self.decoder.push(&chunk[..read]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                },
            }
        }
    }
}

/// A record of a whole frame that does not decode was written by something else.
fn item(piece: Piece) -> Item {
    match piece {
        Piece::Skipped(count) => Item::Skipped(count),
        Piece::Record(bytes) => match v1::LogRecord::decode(&bytes[..]) {
            Ok(record) => Item::Record(Box::new(record)),
            Err(_) => Item::Skipped(bytes.len() as u64),
        },
    }
}

/// Follows a log that is being written, from file to file.
pub struct Follower {
    directory: PathBuf,
    file: Option<(LogFile, File)>,
    decoder: Decoder,
    /// When bytes came last.
    came: Instant,
}

impl Follower {
    /// From the beginning of the oldest file.
    pub fn new(directory: &Path) -> Follower {
        Follower {
            directory: directory.to_owned(),
            file: None,
            decoder: Decoder::new(),
            came: Instant::now(),
        }
    }

    /// What comes next; `None` when there is nothing more yet.
    ///
    /// # Errors
    ///
    /// What the system says of the files.
    pub fn next_item(&mut self) -> io::Result<Option<Item>> {
        loop {
            if let Some(piece) = self.decoder.next_piece() {
                return Ok(Some(item(piece)));
            }
            if self.read()? {
                continue;
            }
            let next = self.next_file()?;
            // A file that has a successor grows no more; but it may have grown since it was read.
            if next.is_some() && self.read()? {
                continue;
            }
            if next.is_some() || self.is_torn() {
                if self.decoder.waiting() > 0 {
                    self.decoder.give_up_front();
                    continue;
                }
                if let Some(skipped) = self.decoder.next_at_end() {
                    return Ok(Some(item(skipped)));
                }
            }
            match next {
                Some(next) => {
                    let file = match File::open(&next.path) {
                        // Rotated away meanwhile: the next look finds another.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                        file => file?,
                    };
                    self.file = Some((next, file));
                }
                None => return Ok(None),
            }
        }
    }

    fn is_torn(&self) -> bool {
        self.decoder.waiting() > 0 && self.came.elapsed() > TORN_AFTER && self.decoder.is_torn()
    }

    /// Reads what the file has; whether that was anything.
    fn read(&mut self) -> io::Result<bool> {
        let Some((_, file)) = &mut self.file else {
            return Ok(false);
        };
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk)?;
        if read > 0 {
            self.decoder.push(&chunk[..read]);
            self.came = Instant::now();
        }
        Ok(read > 0)
    }

    /// The file after the one that is read, if there is one.
    fn next_file(&self) -> io::Result<Option<LogFile>> {
        let after = self.file.as_ref().map_or(0, |(file, _)| file.number);
        let files = list(&self.directory)?;
        Ok(files.into_iter().find(|file| file.number > after))
    }
}

#[cfg(test)]
mod tests;
