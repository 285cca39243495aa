//! Owns copies of a store that is in use: which bytes belong to one commit, and how they get into another directory.
//! Promises that a copy is the store as of one commit, also while blocks go on coming, and that it shares no bytes that either
//! side ever changes.
//! Refuses to say when: who begins a copy keeps writers out until it has begun, and lets them on while it is finished. What
//! takes time, the reading, the writing, the syncing, is in the second half.
//!
//! ```text
//! data.mdb           cloned where the file system can (FICLONE), else sent by LMDB from a read transaction
//! blk….dat           cloned; or the same file by a second name, for it is never written again; or held open and copied
//! the last of them   cloned and cut, or held open and copied, as far as it is committed
//! ```

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use heed::{CompactionOption, Env, WithoutTls};

use super::database::Database;
use super::error::{file_error, sync_directory};
use super::{Place, Store, StoreError, environment};

/// Bytes that are read and written at once.
const CHUNK: usize = 1 << 20;

/// Block files that are held open at most until they are copied; what is beyond them is copied while writers wait.
const MAX_HELD: usize = 256;

/// How a file got into a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// It shares its blocks on the disk with the original until one of them is written (FICLONE).
    Cloned,
    /// It is the original by another name: a file that nobody ever writes again.
    Linked,
    /// Its bytes were read and written.
    Copied,
}

/// A file of a copy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CopiedFile {
    /// Its path below the copy's directory.
    pub name: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// The CRC-32 of its bytes, where they were read.
    pub crc32: Option<u32>,
    /// How it got there.
    pub how: How,
}

/// Is told how many bytes more are done; says whether to go on.
pub type CopyProgress<'a> = &'a mut dyn FnMut(u64) -> bool;

/// A copy that has begun: which commit it is of is settled, and writers may go on.
pub struct StoreCopy {
    target: PathBuf,
    /// What is there already.
    done: Vec<CopiedFile>,
    tables: Option<TablesStream>,
    /// Block files that are still to be copied, with their committed lengths; open, for they may be pruned meanwhile.
    held: Vec<(PathBuf, File, u64)>,
    bytes: u64,
}

/// LMDB's file on its way through a pipe.
struct TablesStream {
    source: PathBuf,
    /// The beginning, which has come already: that LMDB has begun its read transaction.
    head: Vec<u8>,
    pipe: Option<File>,
    thread: Option<JoinHandle<Result<(), heed::Error>>>,
}

impl TablesStream {
    /// Returns once LMDB reads: what is committed from then on is not in what comes.
    fn begin(env: Env<WithoutTls>, source: PathBuf) -> Result<TablesStream, StoreError> {
        let failed = |error| file_error(&source, "copying it", error);
        let (reader, writer) = io::pipe().map_err(failed)?;
        let mut writer = File::from(OwnedFd::from(writer));
        let thread = std::thread::Builder::new()
            .name("ledger-copy".to_owned())
            // Where the copy is called off the pipe breaks, and with it this ends.
            .spawn(move || env.copy_to_file(&mut writer, CompactionOption::Disabled))
            .map_err(failed)?;
        let mut stream = TablesStream {
            source,
            head: vec![0; CHUNK],
            pipe: Some(File::from(OwnedFd::from(reader))),
            thread: Some(thread),
        };
        let mut head = std::mem::take(&mut stream.head);
        let length = stream.read(&mut head)?;
        head.truncate(length);
        stream.head = head;
        Ok(stream)
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, StoreError> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(0);
        };
        let read = pipe.read(bytes);
        read.map_err(|error| file_error(&self.source, "copying it", error))
    }

    /// Writes all of it to a new file.
    fn finish(mut self, target: &Path, told: CopyProgress<'_>) -> Result<CopiedFile, StoreError> {
        let name = PathBuf::from("data.mdb");
        let path = target.join(&name);
        let mut sink = Sink::create(&path)?;
        let mut bytes = std::mem::take(&mut self.head);
        let mut length = bytes.len();
        bytes.resize(CHUNK, 0);
        while length > 0 {
            sink.write(&bytes[..length], told)?;
            length = self.read(&mut bytes)?;
        }
        self.pipe = None;
        let copied = self.thread.take().map(JoinHandle::join);
        match copied {
            Some(Ok(Err(source))) => Err(StoreError::Lmdb {
                path: self.source.clone(),
                source,
            }),
            Some(Err(_)) => Err(StoreError::Misuse {
                path: self.source.clone(),
                detail: "the thread that copied it panicked".to_owned(),
            }),
            Some(Ok(Ok(()))) | None => sink.finish(name),
        }
    }
}

impl Drop for TablesStream {
    fn drop(&mut self) {
        self.pipe = None;
        // It holds the environment: who opens the directory next must not find it open still.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A new file that is written from its beginning.
struct Sink {
    path: PathBuf,
    file: File,
    bytes: u64,
    crc32: crc32fast::Hasher,
}

impl Sink {
    fn create(path: &Path) -> Result<Sink, StoreError> {
        Ok(Sink {
            path: path.to_path_buf(),
            file: create(path)?,
            bytes: 0,
            crc32: crc32fast::Hasher::new(),
        })
    }

    fn write(&mut self, bytes: &[u8], told: CopyProgress<'_>) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(|error| file_error(&self.path, "writing a copy", error))?;
        self.crc32.update(bytes);
        self.bytes += bytes.len() as u64;
        match told(bytes.len() as u64) {
            true => Ok(()),
            false => Err(StoreError::Cancelled {
                path: self.path.clone(),
            }),
        }
    }

    fn finish(self, name: PathBuf) -> Result<CopiedFile, StoreError> {
        sync(&self.file, &self.path)?;
        Ok(CopiedFile {
            name,
            bytes: self.bytes,
            crc32: Some(self.crc32.finalize()),
            how: How::Copied,
        })
    }
}

impl Store {
    /// Begins a copy of what is committed now in `target`, a directory that is there and empty. Nobody may write until this
    /// returns; after that, everybody.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] for a store in memory, [`StoreError::ReadOnly`] for one opened for reading, and what the disk
    /// does. What was made in `target` stays there.
    pub fn begin_copy(&self, target: &Path) -> Result<StoreCopy, StoreError> {
        let (Place::Directory(directory), Database::Lmdb(lmdb)) = (&self.place, &self.database)
        else {
            return Err(self.misuse("a ledger in memory has no files to copy".to_owned()));
        };
        self.must_be_writer()?;
        let blocks = target.join("blocks");
        create_directory(&blocks)?;
        let files = self.read()?.block_files()?;
        let mut copy = StoreCopy {
            target: target.to_path_buf(),
            done: Vec::new(),
            tables: None,
            held: Vec::new(),
            bytes: files.iter().map(|(_, length)| length).sum(),
        };
        let last = files.last().map(|(number, _)| *number);
        for (number, length) in files {
            let name = block_name(number);
            let (source, to) = (directory.join(&name), target.join(&name));
            let file = open(&source)?;
            if clone_unsynced(&file, &to, length)? {
                copy.done.push(shared(name, length, How::Cloned));
            } else if Some(number) != last && link(&source, &file, &to, length)? {
                copy.done.push(shared(name, length, How::Linked));
            } else if Some(number) == last || copy.held.len() < MAX_HELD {
                copy.held.push((name, file, length));
            } else {
                let copied = copy_file(&file, &to, length, &mut |_| true)?;
                copy.done.push(CopiedFile { name, ..copied });
            }
        }
        let source = environment::data_path(directory);
        let tables = open(&source)?;
        let length = length_of(&tables, &source)?;
        copy.bytes += length;
        // Between two commits LMDB's file is all that it is going to be.
        match clone_unsynced(&tables, &target.join("data.mdb"), length)? {
            true => copy
                .done
                .push(shared("data.mdb".into(), length, How::Cloned)),
            false => copy.tables = Some(TablesStream::begin(lmdb.environment(), source)?),
        }
        Ok(copy)
    }
}

impl StoreCopy {
    /// Bytes of all its files, about: for whoever shows how far it is.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Brings the rest to the copy's directory, and all of it to the disk.
    ///
    /// # Errors
    ///
    /// What the disk does, and [`StoreError::Cancelled`] if `told` says so. What was made stays in the directory.
    pub fn finish(mut self, told: CopyProgress<'_>) -> Result<Vec<CopiedFile>, StoreError> {
        for file in &self.done {
            if file.how == How::Cloned {
                let path = self.target.join(&file.name);
                sync(&open(&path)?, &path)?;
            }
            if !told(file.bytes) {
                return Err(StoreError::Cancelled { path: self.target });
            }
        }
        if let Some(tables) = self.tables.take() {
            self.done.push(tables.finish(&self.target, told)?);
        }
        for (name, file, length) in std::mem::take(&mut self.held) {
            let copied = copy_file(&file, &self.target.join(&name), length, told)?;
            self.done.push(CopiedFile { name, ..copied });
        }
        sync_directory(&self.target.join("blocks"))?;
        sync_directory(&self.target)?;
        self.done.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(self.done)
    }
}

/// A block file's path in a data directory.
fn block_name(number: u32) -> PathBuf {
    PathBuf::from(format!("blocks/blk{number:05}.dat"))
}

/// A file that was not read.
fn shared(name: PathBuf, bytes: u64, how: How) -> CopiedFile {
    CopiedFile {
        name,
        bytes,
        crc32: None,
        how,
    }
}

/// Clones a file, or gives it a second name: only for one that nobody writes any more. `None` where the file system can do
/// neither.
///
/// # Errors
///
/// What the disk does.
pub fn share(
    source: &Path,
    file: &File,
    to: &Path,
    length: u64,
) -> Result<Option<How>, StoreError> {
    if clone_file(file, to, length)? {
        return Ok(Some(How::Cloned));
    }
    Ok(link(source, file, to, length)?.then_some(How::Linked))
}

/// Gives a file a second name; false where the file system cannot, or where it has another length: the name would show bytes
/// that do not belong to it.
fn link(source: &Path, file: &File, to: &Path, length: u64) -> Result<bool, StoreError> {
    Ok(length_of(file, source)? == length && std::fs::hard_link(source, to).is_ok())
}

/// Makes a file that shares its blocks on the disk with another one, cut behind `length` bytes; false where the file system
/// cannot, with nothing made.
///
/// # Errors
///
/// What the disk does.
pub fn clone_file(file: &File, to: &Path, length: u64) -> Result<bool, StoreError> {
    let cloned = clone_unsynced(file, to, length)?;
    if cloned {
        sync(&open(to)?, to)?;
    }
    Ok(cloned)
}

/// The same, not yet on the disk.
fn clone_unsynced(file: &File, to: &Path, length: u64) -> Result<bool, StoreError> {
    #[cfg(target_os = "linux")]
    {
        let clone = create(to)?;
        if rustix::fs::ioctl_ficlone(&clone, file).is_ok() {
            let cut = clone.set_len(length);
            cut.map_err(|error| file_error(to, "cutting a clone", error))?;
            return Ok(true);
        }
        std::fs::remove_file(to).map_err(|error| file_error(to, "removing it", error))?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, to, length);
    Ok(false)
}

/// Copies the first `length` bytes of a file to a new one, and brings that to the disk.
///
/// # Errors
///
/// What the disk does, [`StoreError::Corrupt`] where the file is shorter, and [`StoreError::Cancelled`].
pub fn copy_file(
    file: &File,
    to: &Path,
    length: u64,
    told: CopyProgress<'_>,
) -> Result<CopiedFile, StoreError> {
    let mut sink = Sink::create(to)?;
    let mut bytes = vec![0; CHUNK.min(usize::try_from(length).unwrap_or(CHUNK)).max(1)];
    let mut source = file.take(length);
    loop {
        let read = source.read(&mut bytes);
        match read.map_err(|error| file_error(to, "reading what is copied there", error))? {
            0 => break,
            read => sink.write(&bytes[..read], told)?,
        }
    }
    if sink.bytes != length {
        return Err(StoreError::Corrupt {
            place: format!("what is copied to {}", to.display()),
            detail: format!("it has {} bytes where {length} belong to it", sink.bytes),
        });
    }
    sink.finish(to.to_path_buf())
}

/// Makes a directory for its owner alone.
fn create_directory(path: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().mode(0o700).create(path);
    made.map_err(|error| file_error(path, "creating the directory", error))
}

fn create(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).mode(0o600).open(path);
    created.map_err(|error| file_error(path, "creating it", error))
}

fn open(path: &Path) -> Result<File, StoreError> {
    File::open(path).map_err(|error| file_error(path, "opening it", error))
}

fn length_of(file: &File, path: &Path) -> Result<u64, StoreError> {
    let data = file.metadata();
    Ok(data
        .map_err(|error| file_error(path, "looking at it", error))?
        .len())
}

fn sync(file: &File, path: &Path) -> Result<(), StoreError> {
    let synced = file.sync_all();
    synced.map_err(|error| file_error(path, "syncing it", error))
}
