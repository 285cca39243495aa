//! Owns one block file, opened for reading by offset.
//! Promises plain bytes, also from Bitcoin Core's files whose bytes are masked with the key in
//! `xor.dat`; refuses to map files into memory: a file that shrinks would take the process along.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The length of the key in Bitcoin Core's `xor.dat`.
const KEY_BYTES: usize = 8;
/// How much is read at once when looking for frames. Most of a big block is never read then.
const WINDOW_BYTES: usize = 64 << 10;

/// A block file.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    file: File,
    key: Option<[u8; KEY_BYTES]>,
}

impl Source {
    /// Opens the file; `-` is standard input. That, and whatever else cannot be read by offset, is
    /// first copied to a temporary file.
    pub(super) fn open(path: &Path) -> io::Result<Source> {
        let (file, key) = if path == Path::new("-") {
            (spool(&mut io::stdin().lock())?, None)
        } else {
            let mut file = File::open(path)?;
            let kind = file.metadata()?.file_type();
            if !kind.is_file() && !kind.is_dir() {
                file = spool(&mut file)?;
            }
            (file, mask_of(path)?)
        };
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        Ok(Source {
            path: path.to_owned(),
            length: metadata.len(),
            file,
            key,
        })
    }

    /// Fills `bytes` from `offset`.
    pub(super) fn read_exact(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset)?;
        self.unmask(offset, bytes);
        Ok(())
    }

    /// Reads up to `bytes.len()` bytes from `offset`; fewer only at the file's end.
    fn read_up_to(&self, offset: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < bytes.len() {
            match self
                .file
                .read_at(&mut bytes[filled..], offset + filled as u64)
            {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.unmask(offset, &mut bytes[..filled]);
        Ok(filled)
    }

    fn unmask(&self, offset: u64, bytes: &mut [u8]) {
        if let Some(key) = &self.key {
            let start = (offset % KEY_BYTES as u64) as usize;
            for (byte, mask) in bytes.iter_mut().zip(key.iter().cycle().skip(start)) {
                *byte ^= mask;
            }
        }
    }
}

/// A piece of a file, for looking at it from front to back.
pub(super) struct Window<'a> {
    source: &'a Source,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    pub(super) fn new(source: &'a Source) -> Window<'a> {
        Window {
            source,
            start: 0,
            bytes: Vec::new(),
        }
    }

    /// The bytes from `offset` on: at least `count` of them, fewer only at the file's end.
    pub(super) fn at(&mut self, offset: u64, count: usize) -> io::Result<&[u8]> {
        let wanted_end = (offset + count as u64).min(self.source.length);
        let end = self.start + self.bytes.len() as u64;
        if offset < self.start || wanted_end > end {
            self.bytes.resize(WINDOW_BYTES.max(count), 0);
            let read = self.source.read_up_to(offset, &mut self.bytes)?;
            self.bytes.truncate(read);
            self.start = offset;
        }
        let from = (offset - self.start).min(self.bytes.len() as u64) as usize;
        Ok(&self.bytes[from..])
    }
}

/// Bitcoin Core masks `blk?????.dat` with the key in `xor.dat` beside them, unless that is zero.
fn mask_of(path: &Path) -> io::Result<Option<[u8; KEY_BYTES]>> {
    let name = path.file_name().and_then(|name| name.to_str());
    if !name.is_some_and(is_core_name) {
        return Ok(None);
    }
    match std::fs::read(path.with_file_name("xor.dat")) {
        Ok(bytes) => Ok(<[u8; KEY_BYTES]>::try_from(bytes)
            .ok()
            .filter(|key| *key != [0; KEY_BYTES])),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether Bitcoin Core names its block files so: `blk00000.dat`.
fn is_core_name(name: &str) -> bool {
    name.strip_prefix("blk")
        .and_then(|rest| rest.strip_suffix(".dat"))
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The files that a path stands for: itself, or the `blk?????.dat` of a directory, in their order.
pub(super) fn expand(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_core_name) {
            files.push(entry.path());
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "the directory holds no blk?????.dat; name the files",
        ));
    }
    Ok(files)
}

fn spool(from: &mut impl io::Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(from, &mut file)?;
    Ok(file)
}
