//! Owns the thread that writes the log's files, and their rotation.
//! Promises that a record is written whole or, where the process ends meanwhile, torn at the end of its file; that there
//! are never more files than configured; that a full disk is waited out.
//! Refuses to sync: what the process wrote outlives it, and a power loss may cost the last seconds.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use tracing::warn;

use crate::config::LogConfig;
use crate::files::{LogFile, list, name};
use crate::queue::{Group, Sink};

/// How long the thread waits for something to write before it looks whether it is wanted.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long it waits after the disk refused.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The log's files, open for writing at the end.
pub(crate) struct Files {
    config: LogConfig,
    file: File,
    number: u64,
    bytes: u64,
}

impl Files {
    /// Opens the last file, or makes the first one.
    pub(crate) fn open(config: LogConfig) -> io::Result<Files> {
        std::fs::create_dir_all(&config.directory)?;
        let last = list(&config.directory)?.pop();
        let (number, path) = match last {
            Some(LogFile { number, path }) => (number, path),
            None => (1, config.directory.join(name(1))),
        };
        let file = append(&path)?;
        let bytes = file.metadata()?.len();
        Ok(Files {
            config,
            file,
            number,
            bytes,
        })
    }

    /// Writes frames, each whole into one file.
    pub(crate) fn write(&mut self, frames: &[Vec<u8>]) -> io::Result<usize> {
        let mut buffer = Vec::new();
        let mut done = 0;
        for (index, frame) in frames.iter().enumerate() {
            let length = self.bytes + buffer.len() as u64;
            if length > 0 && length + frame.len() as u64 > self.config.file_bytes {
                self.write_bytes(&buffer)
                    .map_err(|error| NotAll::after(done, error))?;
                buffer.clear();
                done = index;
                self.rotate().map_err(|error| NotAll::after(done, error))?;
            }
            buffer.extend_from_slice(frame);
        }
        self.write_bytes(&buffer)
            .map_err(|error| NotAll::after(done, error))?;
        Ok(frames.len())
    }

    fn write_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            // What was written of it would be a torn record; if it cannot be cut off, readers skip it.
            let _ = self.file.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Begins the next file, and lets go of the oldest.
    fn rotate(&mut self) -> io::Result<()> {
        let number = self.number + 1;
        let file = append(&self.config.directory.join(name(number)))?;
        self.bytes = file.metadata()?.len();
        self.file = file;
        self.number = number;
        let files = list(&self.config.directory)?;
        let surplus = files.len().saturating_sub(self.config.files.max(2));
        for file in &files[..surplus] {
            std::fs::remove_file(&file.path)?;
        }
        Ok(())
    }
}

fn append(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// A failure after so many frames were written.
#[derive(Debug)]
struct NotAll {
    done: usize,
    error: io::Error,
}

impl NotAll {
    fn after(done: usize, error: io::Error) -> io::Error {
        let kind = error.kind();
        io::Error::new(kind, NotAll { done, error })
    }
}

impl std::fmt::Display for NotAll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for NotAll {}

/// How many frames were written before a failure.
fn done_before(error: &io::Error) -> usize {
    let inner = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<NotAll>());
    inner.map_or(0, |not_all| not_all.done)
}

/// Writes what comes until the queue is closed.
pub(crate) fn run(sink: &Sink, mut files: Files) {
    while let Some(group) = sink.take(PATIENCE) {
        if !group.frames.is_empty() {
            write_out(sink, &mut files, group);
        }
    }
}

/// Writes a group, however long the disk refuses: meanwhile the queue fills, and drops.
fn write_out(sink: &Sink, files: &mut Files, group: Group) {
    let mut frames = group.frames;
    let mut told = false;
    loop {
        match files.write(&frames) {
            Ok(_) => break,
            Err(error) => {
                frames.drain(..done_before(&error));
                if !told {
                    warn!(%error, directory = %files.config.directory.display(), "the binary log cannot be written");
                    told = true;
                }
                // Without room nobody can be told more; when the log closes, what is left is lost.
                if sink.is_closed() {
                    return;
                }
                std::thread::sleep(AFTER_FAILURE);
            }
        }
    }
    sink.set_written(group.last_seq);
}

#[cfg(test)]
mod tests;
