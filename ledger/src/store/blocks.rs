//! Owns the block files: `blocks/blkNNNNN.dat`, appended to and never rewritten.
//! Promises that a committed block is on disk, and that what a crash left behind it is cut off.
//! Refuses frames that do not start with the network's magic and the expected length.
//!
//! A frame is `magic 4 | length u32 little-endian | block`, as in `bootstrap.dat`. Table
//! `block_files` says how long each file is as of the last commit:
//! file number (u32 big-endian) -> length (u64 little-endian).
//!
//! ```text
//! blk00000.dat  [frame][frame][frame]            committed, full
//! blk00001.dat  [frame][frame]|[frame][fra…      committed up to |, the rest is pending
//! ```

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::codec::{Malformed, Source};
use super::error::{damaged_file, file_error};
use super::folder::{BlockFile, Folder};
use super::reader::{Reader, Transaction, Writer};
use super::{Store, StoreError, failpoint};

/// Longest block that a frame may hold, in bytes. Far above what consensus allows.
pub const MAX_BLOCK_LENGTH: u32 = 32 * 1024 * 1024;

/// Largest size at which block files may roll over: positions have 32 bits.
pub const MAX_BLOCK_FILE_SIZE: u64 = 2 * 1024 * 1024 * 1024;

/// Bytes of a frame before its block.
const FRAME_HEAD: usize = 8;

/// From so many bytes on, a block is brought to the disk while its scripts run, not only when it is committed.
const SYNC_AHEAD: usize = 64 * 1024;

/// How many block files are kept open for reading.
const MAX_OPEN_FILES: usize = 32;

/// Where a block's bytes are. Files are only appended to: positions are ordered as the blocks arrived.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlockPosition {
    /// The block file's number.
    pub file: u32,
    /// Offset of the block's first byte in it; its frame starts 8 bytes before.
    pub offset: u32,
    /// The block's length in bytes.
    pub length: u32,
}

impl BlockPosition {
    /// file u32 | offset u32 | length u32.
    pub(super) fn write(&self, row: &mut Vec<u8>) {
        for number in [self.file, self.offset, self.length] {
            row.extend_from_slice(&number.to_le_bytes());
        }
    }

    pub(super) fn read(source: &mut Source<'_>) -> Result<BlockPosition, Malformed> {
        Ok(BlockPosition {
            file: source.u32_le()?,
            offset: source.u32_le()?,
            length: source.u32_le()?,
        })
    }
}

/// A place in the files: the end of what was written or committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct End {
    file: u32,
    length: u64,
}

/// Where the next frame goes.
struct Tail {
    committed: End,
    next: End,
    /// The file of `next`, open for writing; `None` until the first append to it.
    file: Option<Arc<BlockFile>>,
    /// Files written since the last commit, with their lengths; the last one is `next`.
    touched: Vec<(End, Arc<BlockFile>)>,
    /// Whether a file was created since the last commit, so that the directory must be synced.
    created: bool,
    /// The frame that is being put together: kept for its allocation.
    frame: Vec<u8>,
    /// A sync that was begun before the commit.
    ahead: Option<Ahead>,
}

/// A sync of the file that is being written, on a thread of its own.
struct Ahead {
    /// How far it brings that file to the disk.
    to: End,
    thread: JoinHandle<io::Result<()>>,
}

impl Tail {
    /// Begins to sync what there is, unless that is going on already. Nothing depends on it: the commit waits for it, and
    /// syncs what it leaves.
    fn sync_ahead(&mut self) {
        let (None, Some(file)) = (&self.ahead, &self.file) else {
            return;
        };
        let file = Arc::clone(file);
        let thread = std::thread::Builder::new().name("block-sync".to_owned());
        // Where the system has no thread to spare, the commit does it all.
        if let Ok(thread) = thread.spawn(move || file.sync_data()) {
            let to = self.next;
            self.ahead = Some(Ahead { to, thread });
        }
    }

    /// Waits for a sync that was begun; how far it went. An error is told once only, so it must not be passed over.
    fn end_of_ahead(&mut self) -> io::Result<Option<End>> {
        let Some(Ahead { to, thread }) = self.ahead.take() else {
            return Ok(None);
        };
        match thread.join() {
            Ok(synced) => synced.map(|()| Some(to)),
            // It panicked: nothing is known.
            Err(_) => Ok(None),
        }
    }
}

/// The block files of a store.
pub(super) struct BlockFiles {
    folder: Folder,
    magic: [u8; 4],
    roll_over: u64,
    tail: Mutex<Tail>,
    /// Files open for reading, the most recently used last.
    open: Mutex<Vec<(u32, Arc<BlockFile>)>>,
}

/// The blocks appended since the last commit; dropped, it cuts them off.
pub(super) struct Pending<'s> {
    files: &'s BlockFiles,
    done: bool,
}

impl BlockFiles {
    /// No files yet; a writer that finds some goes on with [`BlockFiles::recover`].
    pub(super) fn new(folder: Folder, magic: [u8; 4], roll_over: u64) -> BlockFiles {
        let end = End { file: 0, length: 0 };
        BlockFiles {
            folder,
            magic,
            roll_over: roll_over.clamp(1, MAX_BLOCK_FILE_SIZE),
            tail: Mutex::new(Tail {
                committed: end,
                next: end,
                file: None,
                touched: Vec::new(),
                created: false,
                frame: Vec::new(),
                ahead: None,
            }),
            open: Mutex::new(Vec::new()),
        }
    }

    /// Takes the files as `committed` (number and length, in order) describes them, for a writer that starts: what lies
    /// beyond it is cut off; what is missing from it is an error.
    pub(super) fn recover(&mut self, committed: &[(u32, u64)]) -> Result<(), StoreError> {
        self.folder.create()?;
        for (file, wanted) in committed {
            let path = self.path(*file);
            let Some(found) = self.folder.length(*file)? else {
                return Err(damaged_file(&path, "the file is missing"));
            };
            if found < *wanted {
                let detail = format!("it has {found} bytes where {wanted} were committed");
                return Err(damaged_file(&path, detail));
            }
            if found > *wanted {
                tracing::info!(file = %path.display(), from = found, to = wanted, "cutting off a torn tail");
                self.folder.truncate(*file, *wanted)?;
            }
        }
        for file in self.folder.numbers()? {
            // One whose rows were pruned before the process died.
            let known = committed.iter().any(|(number, _)| *number == file);
            if !known && committed.last().is_some_and(|(last, _)| file < *last) {
                tracing::info!(file = %self.path(file).display(), "removing a pruned block file");
                self.folder.remove(file)?;
            }
        }
        let first_unknown = committed.last().map_or(0, |(file, _)| file + 1);
        self.folder.remove_from(first_unknown)?;
        if let Some((file, length)) = committed.last().copied() {
            let end = End { file, length };
            let tail = self.tail.get_mut();
            (tail.committed, tail.next) = (end, end);
        }
        Ok(())
    }

    /// Every file, by name.
    #[cfg(test)]
    pub(super) fn contents(&self) -> std::collections::BTreeMap<String, Vec<u8>> {
        self.folder.contents()
    }

    fn path(&self, file: u32) -> PathBuf {
        self.folder.path(file)
    }

    /// Writes a frame behind the last one.
    pub(super) fn append(&self, block: &[u8]) -> Result<BlockPosition, StoreError> {
        let length = u32::try_from(block.len())
            .ok()
            .filter(|length| *length <= MAX_BLOCK_LENGTH)
            .ok_or(StoreError::BlockTooLong {
                length: block.len(),
                limit: MAX_BLOCK_LENGTH,
            })?;
        let mut tail = self.tail.lock();
        let tail = &mut *tail;
        let frame_length = (FRAME_HEAD + block.len()) as u64;
        if tail.next.length > 0 && tail.next.length + frame_length > self.roll_over {
            tail.next = End {
                file: tail.next.file + 1,
                length: 0,
            };
            tail.file = None;
        }
        let file = match &tail.file {
            Some(file) => Arc::clone(file),
            None => {
                let file = self.folder.open_to_write(tail.next.file)?;
                tail.created |= tail.next.length == 0;
                tail.file = Some(Arc::clone(&file));
                file
            }
        };
        tail.frame.clear();
        tail.frame.extend_from_slice(&self.magic);
        tail.frame.extend_from_slice(&length.to_le_bytes());
        tail.frame.extend_from_slice(block);
        let start = tail.next.length;
        if let Err(error) = file.write_all_at(&tail.frame, start) {
            let path = self.path(tail.next.file);
            let error = file_error(&path, "appending a block", error);
            // What was written of the frame is no block; if it stays, the next append overwrites it.
            let _ = file.set_len(start);
            return Err(error);
        }
        tail.next.length += frame_length;
        match tail.touched.last_mut() {
            Some((end, _)) if end.file == tail.next.file => *end = tail.next,
            _ => tail.touched.push((tail.next, file)),
        }
        if block.len() >= SYNC_AHEAD && self.folder.is_on_disk() {
            tail.sync_ahead();
        }
        failpoint::reach("append-block");
        Ok(BlockPosition {
            file: tail.next.file,
            offset: (start + FRAME_HEAD as u64) as u32,
            length,
        })
    }

    /// Reads a block and checks the frame around it.
    pub(super) fn read(&self, position: BlockPosition) -> Result<Vec<u8>, StoreError> {
        self.read_part(position, 0, position.length)
    }

    pub(super) fn read_part(
        &self,
        position: BlockPosition,
        offset: u32,
        length: u32,
    ) -> Result<Vec<u8>, StoreError> {
        let damaged = |detail: &str| self.damaged(position, detail);
        let path = || self.path(position.file);
        let Some(start) = u64::from(position.offset).checked_sub(FRAME_HEAD as u64) else {
            return Err(damaged("no frame can start before the file does"));
        };
        if position.length > MAX_BLOCK_LENGTH {
            return Err(damaged("the block is longer than a frame may be"));
        }
        let file = match self.open_for_reading(position.file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged("the file is missing"));
            }
            Err(error) => return Err(file_error(&path(), "opening it", error)),
        };
        let read = |bytes: &mut [u8], offset: u64| {
            let read = file.read_exact_at(bytes, offset);
            read.map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => damaged("the file ends inside the block"),
                _ => file_error(&path(), "reading a block", error),
            })
        };
        let mut head = [0; FRAME_HEAD];
        read(&mut head, start)?;
        if head[..4] != self.magic {
            return Err(damaged("the frame does not start with the network's magic"));
        }
        if head[4..] != position.length.to_le_bytes() {
            return Err(damaged("the frame has another length than the block"));
        }
        if u64::from(offset) + u64::from(length) > u64::from(position.length) {
            return Err(damaged("the part that is wanted ends behind the block"));
        }
        let mut part = vec![0; length as usize];
        read(&mut part, u64::from(position.offset) + u64::from(offset))?;
        Ok(part)
    }

    pub(super) fn damaged(&self, position: BlockPosition, detail: &str) -> StoreError {
        let offset = position.offset;
        let path = self.path(position.file);
        damaged_file(&path, format!("at offset {offset}: {detail}"))
    }

    fn open_for_reading(&self, number: u32) -> io::Result<Arc<BlockFile>> {
        let mut open = self.open.lock();
        if let Some(index) = open.iter().position(|(file, _)| *file == number) {
            let entry = open.remove(index);
            let file = Arc::clone(&entry.1);
            open.push(entry);
            return Ok(file);
        }
        let file = self.folder.open_to_read(number)?;
        if open.len() >= MAX_OPEN_FILES {
            open.remove(0);
        }
        open.push((number, Arc::clone(&file)));
        Ok(file)
    }

    /// Removes a file that no row refers to any more.
    pub(super) fn remove(&self, number: u32) -> Result<(), StoreError> {
        self.open.lock().retain(|(file, _)| *file != number);
        self.folder.remove(number)
    }

    pub(super) fn pending(&self) -> Pending<'_> {
        Pending {
            files: self,
            done: false,
        }
    }

    /// Forgets and cuts off everything behind the committed end.
    fn roll_back(&self) {
        let mut tail = self.tail.lock();
        // What it brought to the disk is cut off below.
        let _ = tail.end_of_ahead();
        if tail.touched.is_empty() && tail.next == tail.committed {
            return;
        }
        tail.touched.clear();
        tail.created = false;
        tail.file = None;
        tail.next = tail.committed;
        let End { file, length } = tail.committed;
        self.open.lock().retain(|(number, _)| *number <= file);
        // If the disk refuses this too, the bytes are overwritten by the next append or cut off at the next start.
        let cut = match length {
            0 => self.folder.remove_from(file),
            _ => {
                let removed = self.folder.remove_from(file + 1);
                removed.and_then(|()| self.folder.truncate(file, length))
            }
        };
        if let Err(error) = cut {
            tracing::warn!(%error, "could not cut off blocks that were not committed");
        }
    }
}

impl Pending<'_> {
    /// Brings what was appended to the disk; returns the number and new length of each file it is in.
    pub(super) fn sync(&self) -> Result<Vec<(u32, u64)>, StoreError> {
        let mut tail = self.files.tail.lock();
        let failed = |file, error| file_error(&self.files.path(file), "syncing it", error);
        let last = tail.next.file;
        let synced = tail.end_of_ahead().map_err(|error| failed(last, error))?;
        for (end, file) in &tail.touched {
            if synced != Some(*end) {
                file.sync_data().map_err(|error| failed(end.file, error))?;
            }
        }
        if tail.created {
            self.files.folder.sync()?;
        }
        let ends = tail.touched.iter();
        Ok(ends.map(|(end, _)| (end.file, end.length)).collect())
    }

    /// Makes the end as it was synced the committed one.
    pub(super) fn committed(mut self) {
        self.done = true;
        let mut tail = self.files.tail.lock();
        tail.committed = tail.next;
        tail.touched.clear();
        tail.created = false;
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.files.roll_back();
        }
    }
}

impl Store {
    /// Removes a block file that a commit has forgotten; what a crash leaves of that is done at the next opening.
    pub fn remove_block_file(&self, file: u32) -> Result<(), StoreError> {
        self.blocks.remove(file)
    }
}

impl<T: Transaction> Reader<'_, T> {
    /// The committed block files, number and length in bytes each, in order; the last one is being written.
    pub fn block_files(&self) -> Result<Vec<(u32, u64)>, StoreError> {
        let files = self.all_rows(&self.store.tables.block_files, read_block_file)?;
        files.collect()
    }
}

pub(super) fn read_block_file(key: &[u8], value: &[u8]) -> Result<(u32, u64), Malformed> {
    let file = u32::from_be_bytes(Source::new(key).array()?);
    let mut source = Source::new(value);
    let length = source.u64_le()?;
    source.end()?;
    Ok((file, length))
}

impl Writer<'_> {
    pub(super) fn put_block_file(&mut self, file: u32, length: u64) -> Result<(), StoreError> {
        let store = self.store;
        let key = file.to_be_bytes();
        self.put(&store.tables.block_files, &key, &length.to_le_bytes())
    }

    /// Forgets a block file, which is removed after the commit: see [`Store::remove_block_file`]. Not the last one.
    pub fn delete_block_file(&mut self, file: u32) -> Result<bool, StoreError> {
        let store = self.store;
        self.delete(&store.tables.block_files, &file.to_be_bytes())
    }
}

#[cfg(test)]
mod tests;
