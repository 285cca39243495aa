//! Owns the look at LMDB's file before it is mapped.
//! Promises that a file which is cut short or is no LMDB file is an error, not a signal.
//! Refuses to repair anything.
//!
//! LMDB trusts its file: it maps it and follows the numbers in it, so that a page that is not there
//! is SIGBUS. What is read here, in the machine's own byte order (`mdb.c`, data version 1):
//!
//! ```text
//! page      number u64 | pad u16 | flags u16 | lower u16, upper u16 (or pages u32) | node offsets u16 … nodes
//! meta      page head | magic u32 | version u32 | address u64 | map size u64 | tree of free pages
//!           | tree of tables | last page u64 | transaction u64          pages 0 and 1, the later one counts
//! tree      page size u32 | flags u16 | depth u16 | 4 counts u64 | root u64
//! node      low u16 | high u16 | flags u16 | key length u16 | key | data
//! ```
//!
//! In a branch, low, high and flags are the child's page; in a leaf, low and high are the data's
//! length, and the flags say whether the data is a page number of overflow pages, or a tree.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::error::{damaged_file, file_error, is_full};
use super::{Access, StoreError};

const MAGIC: u32 = 0xBEEF_C0DE;
const VERSION: u32 = 1;
const PAGE_HEAD: usize = 16;
const NODE_HEAD: usize = 8;
const TREE_LENGTH: usize = 48;
const NO_PAGE: u64 = u64::MAX;

const BRANCH: u16 = 0x01;
const LEAF: u16 = 0x02;
const OVERFLOW: u16 = 0x04;
const META: u16 = 0x08;
const PAGE_KINDS: u16 = 0x6f;

const DATA_ON_OVERFLOW: u16 = 0x01;
const DATA_IS_TREE: u16 = 0x02;

/// Files up to this length have all their trees walked before they are mapped: some 50 ms.
const WALK_LIMIT: u64 = 64 * 1024 * 1024;

/// LMDB's cursors go no deeper.
const MAX_DEPTH: usize = 32;

/// A reader looks at a file that a writer changes meanwhile: it may have to look again.
const READER_ATTEMPTS: usize = 5;

/// What a look at a file of LMDB's found, before it is mapped: the ledger's, or that of another database of this program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DataFile {
    /// There is none, or an empty one that LMDB may make its own.
    Absent,
    /// LMDB was interrupted, by a crash or a full disk, when it made its first pages: nothing was ever in it.
    Unfinished,
    /// It can be mapped.
    Whole,
}

impl DataFile {
    /// Looks at the file.
    ///
    /// That it starts with LMDB's meta pages and that every page in use lies inside it; in a file of at most 64 MiB
    /// also that all pages in use are what they should be.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if it is not so; errors of the disk.
    pub fn check(path: &Path, access: Access) -> Result<DataFile, StoreError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(DataFile::Absent),
            Err(error) => return Err(file_error(path, "opening it", error)),
        };
        let mut attempts = READER_ATTEMPTS;
        loop {
            attempts -= 1;
            let before = Meta::latest(&file).map(|meta| meta.transaction);
            match look(&file) {
                Ok(found) => return Ok(found),
                Err(Bad::Disk(error)) => return Err(file_error(path, "reading it", error)),
                Err(Bad::Damage(detail)) => {
                    let after = Meta::latest(&file).map(|meta| meta.transaction);
                    let overtaken = match (before, after) {
                        // LMDB leaves the pages of its last two transactions alone.
                        (Ok(before), Ok(after)) => before != after,
                        // A meta page may have been read while it was written.
                        _ => attempts > 0,
                    };
                    if access == Access::Writer || !overtaken {
                        return Err(damaged_file(path, detail));
                    }
                    if attempts == 0 {
                        // It keeps a writer busy, and that one has looked at it.
                        return Ok(DataFile::Whole);
                    }
                }
            }
        }
    }
}

/// Why a file is not good.
enum Bad {
    Disk(io::Error),
    Damage(String),
}

fn damage<T>(detail: impl Into<String>) -> Result<T, Bad> {
    Err(Bad::Damage(detail.into()))
}

fn look(file: &File) -> Result<DataFile, Bad> {
    if file.metadata().map_err(Bad::Disk)?.len() == 0 {
        return Ok(DataFile::Absent);
    }
    if Meta::is_unfinished(file)? {
        return Ok(DataFile::Unfinished);
    }
    let meta = Meta::latest(file)?;
    // After the meta page: the pages that it speaks of were written before it.
    let length = file.metadata().map_err(Bad::Disk)?.len();
    let pages = Pages {
        file,
        page_size: meta.page_size,
        in_file: length / meta.page_size as u64,
        last: meta.last_page,
    };
    pages.missing_are_free(meta.free)?;
    if length <= WALK_LIMIT {
        let mut left = pages.last + 1;
        pages.walk(meta.free, &mut left, &mut |_| Ok(()))?;
        pages.walk(meta.tables, &mut left, &mut |_| Ok(()))?;
    }
    Ok(DataFile::Whole)
}

/// What the later meta page says.
struct Meta {
    page_size: usize,
    /// Roots of the trees of free pages and of tables.
    free: u64,
    tables: u64,
    last_page: u64,
    transaction: u64,
}

impl Meta {
    fn latest(file: &File) -> Result<Meta, Bad> {
        let first = Meta::read(file, 0)?;
        let second = Meta::read(file, first.page_size as u64)?;
        Ok(if second.transaction > first.transaction {
            second
        } else {
            first
        })
    }

    /// Whether the file ends before its second meta page, and the first is that of a file just made.
    fn is_unfinished(file: &File) -> Result<bool, Bad> {
        let length = file.metadata().map_err(Bad::Disk)?.len();
        let first = match Meta::read(file, 0) {
            Err(Bad::Damage(_)) => return Ok(false),
            read => read?,
        };
        Ok(length < 2 * first.page_size as u64 && first.transaction == 0)
    }

    fn read(file: &File, offset: u64) -> Result<Meta, Bad> {
        let mut bytes = [0; PAGE_HEAD + 24 + 2 * TREE_LENGTH + 16];
        match file.read_exact_at(&mut bytes, offset) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return damage("it is too short for LMDB's meta pages");
            }
            read => read.map_err(Bad::Disk)?,
        }
        let trees = PAGE_HEAD + 24;
        let page_size = u32_at(&bytes, trees) as usize;
        let is_meta = u16_at(&bytes, 10) & META != 0
            && u32_at(&bytes, PAGE_HEAD) == MAGIC
            && u32_at(&bytes, PAGE_HEAD + 4) == VERSION
            && page_size.is_power_of_two()
            && (256..=65536).contains(&page_size);
        if !is_meta {
            return damage(format!("there is no LMDB meta page at offset {offset}"));
        }
        Ok(Meta {
            page_size,
            free: u64_at(&bytes, trees + TREE_LENGTH - 8),
            tables: u64_at(&bytes, trees + 2 * TREE_LENGTH - 8),
            last_page: u64_at(&bytes, trees + 2 * TREE_LENGTH),
            transaction: u64_at(&bytes, trees + 2 * TREE_LENGTH + 8),
        })
    }
}

/// The pages of a file.
struct Pages<'f> {
    file: &'f File,
    page_size: usize,
    /// How many the file holds.
    in_file: u64,
    /// The last one that was ever in use.
    last: u64,
}

/// A leaf's data.
enum Data {
    Bytes(Vec<u8>),
    Tree(u64),
}

impl Pages<'_> {
    /// LMDB does not write pages at the end that a transaction took and gave back: the file may be
    /// shorter than its last page, if the tree of free pages lists all that are missing.
    fn missing_are_free(&self, free: u64) -> Result<(), Bad> {
        let missing = (self.last + 1).saturating_sub(self.in_file);
        if missing == 0 {
            return Ok(());
        }
        let mut listed = 0;
        let mut left = self.last + 1;
        self.walk(free, &mut left, &mut |data| {
            // A list of pages: their number, then each, highest first.
            let pages = data.chunks_exact(8).skip(1);
            let outside = pages
                .map(|page| u64_at(page, 0))
                .filter(|page| *page >= self.in_file);
            listed += outside.count() as u64;
            Ok(())
        })?;
        if listed >= missing {
            return Ok(());
        }
        damage(format!(
            "it ends after {} of {} pages of {} bytes",
            self.in_file,
            self.last + 1,
            self.page_size
        ))
    }

    /// Visits the data of all leaves of a tree and of the trees in it. `left` bounds the pages
    /// visited: damage may send us in circles.
    fn walk(
        &self,
        root: u64,
        left: &mut u64,
        visit: &mut impl FnMut(&[u8]) -> Result<(), Bad>,
    ) -> Result<(), Bad> {
        let mut stack = vec![(root, 0)];
        while let Some((number, depth)) = stack.pop() {
            if number == NO_PAGE {
                continue;
            }
            if *left == 0 || depth > 2 * MAX_DEPTH {
                return damage("its pages refer to each other in circles");
            }
            *left -= 1;
            let page = self.read(number, 1)?;
            match u16_at(&page, 10) & PAGE_KINDS {
                BRANCH => self.nodes(number, &page, |node| {
                    let child = u64::from(u32_at(node, 0)) | u64::from(u16_at(node, 4)) << 32;
                    stack.push((child, depth + 1));
                    Ok(())
                })?,
                LEAF => self.nodes(number, &page, |node| {
                    match self.data(number, node, left)? {
                        Data::Bytes(bytes) => visit(&bytes),
                        Data::Tree(root) => {
                            stack.push((root, depth + 1));
                            Ok(())
                        }
                    }
                })?,
                kind => return damage(format!("page {number} is of kind {kind:#x}")),
            }
        }
        Ok(())
    }

    /// Hands out the nodes of a branch or leaf.
    fn nodes(
        &self,
        number: u64,
        page: &[u8],
        mut visit: impl FnMut(&[u8]) -> Result<(), Bad>,
    ) -> Result<(), Bad> {
        let (lower, upper) = (usize::from(u16_at(page, 12)), usize::from(u16_at(page, 14)));
        if lower < PAGE_HEAD || lower > upper || upper > page.len() {
            return damage(format!("page {number} has impossible bounds"));
        }
        for offset in page[PAGE_HEAD..lower].chunks_exact(2) {
            let offset = usize::from(u16_at(offset, 0));
            let node = page.get(offset..).unwrap_or_default();
            if offset < upper || node.len() < NODE_HEAD {
                return damage(format!("page {number} has a node outside it"));
            }
            visit(node)?;
        }
        Ok(())
    }

    fn data(&self, number: u64, node: &[u8], left: &mut u64) -> Result<Data, Bad> {
        let outside = || Bad::Damage(format!("page {number} has data outside it"));
        let flags = u16_at(node, 4);
        let start = NODE_HEAD + usize::from(u16_at(node, 6));
        let length = u32_at(node, 0) as usize;
        let behind = node.get(start..).ok_or_else(outside)?;
        match flags {
            0 => {
                let data = behind.get(..length).ok_or_else(outside)?;
                Ok(Data::Bytes(data.to_vec()))
            }
            DATA_ON_OVERFLOW => {
                let first = u64_at(behind.get(..8).ok_or_else(outside)?, 0);
                let count = (PAGE_HEAD + length).div_ceil(self.page_size);
                *left = left
                    .checked_sub(count as u64)
                    .ok_or_else(|| Bad::Damage("its pages overlap".to_owned()))?;
                let pages = self.read(first, count)?;
                if u16_at(&pages, 10) & PAGE_KINDS != OVERFLOW {
                    return damage(format!("page {first} holds no long value"));
                }
                let data = pages[PAGE_HEAD..PAGE_HEAD + length].to_vec();
                Ok(Data::Bytes(data))
            }
            DATA_IS_TREE if length == TREE_LENGTH => {
                let tree = behind.get(..TREE_LENGTH).ok_or_else(outside)?;
                Ok(Data::Tree(u64_at(tree, TREE_LENGTH - 8)))
            }
            flags => damage(format!("page {number} has a node with flags {flags:#x}")),
        }
    }

    /// Reads pages that must be in use, and checks that the first knows its number.
    fn read(&self, number: u64, count: usize) -> Result<Vec<u8>, Bad> {
        let end = number.saturating_add(count as u64);
        if number < 2 || end > self.last.saturating_add(1) {
            return damage(format!("it refers to page {number}, which never was"));
        }
        if end > self.in_file {
            return damage(format!("page {number} lies behind its end"));
        }
        let mut bytes = vec![0; count * self.page_size];
        self.file
            .read_exact_at(&mut bytes, number * self.page_size as u64)
            .map_err(Bad::Disk)?;
        if u64_at(&bytes, 0) != number {
            return damage(format!("page {number} is not a page of it"));
        }
        Ok(bytes)
    }
}

/// Numbers in `bytes`; the callers have checked the length.
fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[offset..offset + N]);
    array
}

fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    u16::from_ne_bytes(array_at(bytes, offset))
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_ne_bytes(array_at(bytes, offset))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_ne_bytes(array_at(bytes, offset))
}

/// Whether `error`, an I/O error of LMDB, stands for a file that cannot grow: LMDB answers a write
/// that the system cut short with EIO. Tried by growing the file and shrinking it again.
pub fn cannot_grow(path: &Path, error: &io::Error) -> bool {
    const EIO: i32 = 5;
    const PROBE: usize = 1024 * 1024;
    if error.raw_os_error() != Some(EIO) {
        return false;
    }
    let probe = || {
        let file = OpenOptions::new().write(true).open(path)?;
        let length = file.metadata()?.len();
        // Behind the end there is nothing that a transaction refers to.
        let written = file.write_all_at(&vec![0; PROBE], length);
        file.set_len(length)?;
        written
    };
    probe().is_err_and(|error| is_full(&error))
}

#[cfg(test)]
mod tests;
