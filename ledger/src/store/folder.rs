//! Owns where block files are: in a data directory, or in memory.
//! Promises that both are written, read, shortened and removed the same.
//! Refuses to know frames: files are numbered bytes here.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::StoreError;
use super::error::{create_directory, damaged_file, file_error, sync_directory};

/// A place for block files.
pub(super) enum Folder {
    /// `blocks` in a data directory.
    Directory(PathBuf),
    /// Files that are nowhere else.
    Memory(Mutex<BTreeMap<u32, Arc<BlockFile>>>),
}

impl Folder {
    /// The place in a data directory.
    pub(super) fn below(directory: &Path) -> Folder {
        Folder::Directory(blocks_path(directory))
    }

    pub(super) fn in_memory() -> Folder {
        Folder::Memory(Mutex::default())
    }

    pub(super) fn is_on_disk(&self) -> bool {
        matches!(self, Folder::Directory(_))
    }

    /// What messages call a file.
    pub(super) fn path(&self, file: u32) -> PathBuf {
        let name = format!("blk{file:05}.dat");
        match self {
            Folder::Directory(path) => path.join(name),
            Folder::Memory(_) => PathBuf::from(format!("{name} (in memory)")),
        }
    }

    /// Opens a file for writing and reading; makes it if it is not there.
    pub(super) fn open_to_write(&self, file: u32) -> Result<Arc<BlockFile>, StoreError> {
        match self {
            Folder::Directory(_) => {
                let path = self.path(file);
                let opened = OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create(true)
                    .truncate(false)
                    .open(&path)
                    .map_err(|error| file_error(&path, "opening it", error))?;
                Ok(Arc::new(BlockFile::Disk(opened)))
            }
            Folder::Memory(files) => Ok(files.lock().entry(file).or_default().clone()),
        }
    }

    pub(super) fn open_to_read(&self, file: u32) -> io::Result<Arc<BlockFile>> {
        match self {
            Folder::Directory(_) => Ok(Arc::new(BlockFile::Disk(File::open(self.path(file))?))),
            Folder::Memory(files) => {
                let file = files.lock().get(&file).cloned();
                file.ok_or_else(|| io::ErrorKind::NotFound.into())
            }
        }
    }

    /// Makes the directory itself.
    pub(super) fn create(&self) -> Result<(), StoreError> {
        match self {
            Folder::Directory(path) => create_directory(path),
            Folder::Memory(_) => Ok(()),
        }
    }

    /// A file's length in bytes; `None` if it is not there.
    pub(super) fn length(&self, file: u32) -> Result<Option<u64>, StoreError> {
        match self {
            Folder::Directory(_) => {
                let path = self.path(file);
                match std::fs::metadata(&path) {
                    Ok(data) => Ok(Some(data.len())),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(file_error(&path, "looking at it", error)),
                }
            }
            Folder::Memory(files) => Ok(files.lock().get(&file).map(|file| file.length())),
        }
    }

    /// Cuts a file off behind `length` bytes.
    pub(super) fn truncate(&self, file: u32, length: u64) -> Result<(), StoreError> {
        let cut = match self {
            Folder::Directory(_) => {
                let opened = OpenOptions::new().write(true).open(self.path(file));
                opened.and_then(|file| file.set_len(length))
            }
            Folder::Memory(_) => self
                .open_to_read(file)
                .and_then(|file| file.set_len(length)),
        };
        cut.map_err(|error| file_error(&self.path(file), "cutting off its tail", error))
    }

    /// The numbers of all files, in order.
    pub(super) fn numbers(&self) -> Result<Vec<u32>, StoreError> {
        let directory = match self {
            Folder::Directory(path) => path,
            Folder::Memory(files) => return Ok(files.lock().keys().copied().collect()),
        };
        let entries = std::fs::read_dir(directory)
            .map_err(|error| file_error(directory, "listing it", error))?;
        let mut numbers: Vec<u32> = entries
            .flatten()
            .filter_map(|entry| file_number(&entry.path()))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Removes one file.
    pub(super) fn remove(&self, file: u32) -> Result<(), StoreError> {
        match self {
            Folder::Directory(_) => {
                let path = self.path(file);
                std::fs::remove_file(&path).map_err(|error| file_error(&path, "removing it", error))
            }
            Folder::Memory(files) => {
                files.lock().remove(&file);
                Ok(())
            }
        }
    }

    /// Removes the files numbered `first` and above, highest first so that no gap is ever left.
    pub(super) fn remove_from(&self, first: u32) -> Result<(), StoreError> {
        if let Folder::Memory(files) = self {
            drop(files.lock().split_off(&first));
            return Ok(());
        }
        let numbers = self.numbers()?.into_iter().rev();
        for number in numbers.take_while(|number| *number >= first) {
            let path = self.path(number);
            tracing::info!(file = %path.display(), "removing a block file that was never committed");
            self.remove(number)?;
        }
        Ok(())
    }

    /// Every file, by name.
    #[cfg(test)]
    pub(super) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        match self {
            Folder::Directory(path) => {
                let entries = std::fs::read_dir(path).unwrap().map(Result::unwrap);
                let file = |entry: std::fs::DirEntry| {
                    let name = entry.file_name().into_string().unwrap();
                    (name, std::fs::read(entry.path()).unwrap())
                };
                entries.map(file).collect()
            }
            Folder::Memory(files) => {
                let files = files.lock();
                let bytes = |file: &BlockFile| {
                    let mut bytes = vec![0; file.length() as usize];
                    file.read_exact_at(&mut bytes, 0).unwrap();
                    bytes
                };
                let named = files.iter();
                named
                    .map(|(number, file)| (format!("blk{number:05}.dat"), bytes(file)))
                    .collect()
            }
        }
    }

    /// Makes the files' names durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        match self {
            Folder::Directory(path) => sync_directory(path),
            Folder::Memory(_) => Ok(()),
        }
    }
}

/// One block file, open.
pub(super) enum BlockFile {
    Disk(File),
    Memory(RwLock<Vec<u8>>),
}

impl Default for BlockFile {
    fn default() -> BlockFile {
        BlockFile::Memory(RwLock::default())
    }
}

impl BlockFile {
    fn length(&self) -> u64 {
        match self {
            BlockFile::Disk(file) => file.metadata().map_or(0, |data| data.len()),
            BlockFile::Memory(bytes) => bytes.read().len() as u64,
        }
    }

    /// Writes all of `bytes` at `offset`, which lies in the file or at its end.
    pub(super) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match self {
            BlockFile::Disk(file) => file.write_all_at(bytes, offset),
            BlockFile::Memory(held) => {
                let mut held = held.write();
                held.resize(offset as usize, 0);
                held.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` where the file ends before.
    pub(super) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            BlockFile::Disk(file) => file.read_exact_at(bytes, offset),
            BlockFile::Memory(held) => {
                let held = held.read();
                let found = usize::try_from(offset)
                    .ok()
                    .and_then(|offset| held.get(offset..)?.get(..bytes.len()))
                    .ok_or(io::ErrorKind::UnexpectedEof)?;
                bytes.copy_from_slice(found);
                Ok(())
            }
        }
    }

    pub(super) fn set_len(&self, length: u64) -> io::Result<()> {
        match self {
            BlockFile::Disk(file) => file.set_len(length),
            BlockFile::Memory(held) => {
                held.write().truncate(length as usize);
                Ok(())
            }
        }
    }

    pub(super) fn sync_data(&self) -> io::Result<()> {
        match self {
            BlockFile::Disk(file) => file.sync_data(),
            BlockFile::Memory(_) => Ok(()),
        }
    }
}

/// Block files are older than what is about to be made: taking them over would cut them off.
pub(super) fn no_blocks_yet(directory: &Path, database: &Path) -> Result<(), StoreError> {
    let Ok(entries) = std::fs::read_dir(blocks_path(directory)) else {
        return Ok(());
    };
    let any_bytes = entries.flatten().any(|entry| {
        file_number(&entry.path()).is_some() && entry.metadata().is_ok_and(|data| data.len() > 0)
    });
    match any_bytes {
        false => Ok(()),
        true => Err(damaged_file(
            database,
            "there are block files, but no ledger of them",
        )),
    }
}

fn blocks_path(directory: &Path) -> PathBuf {
    directory.join("blocks")
}

/// The number in `blkNNNNN.dat`; `None` for other files.
fn file_number(path: &Path) -> Option<u32> {
    let digits = path
        .file_name()?
        .to_str()?
        .strip_prefix("blk")?
        .strip_suffix(".dat")?;
    let plain = digits.len() >= 5 && digits.bytes().all(|digit| digit.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}
