//! Owns the file of addresses, `peers.dat`, byte by byte.
//! Promises that what was saved is loaded as it was, each address in its place, and that a damaged file costs no more than
//! the addresses in it.
//! Refuses another network's file, and versions that it does not know.
//!
//! ```text
//! "EVPEERS\n" | version u32 | network's magic 4 | key 2 × u64 | addresses u32 | address … | SHA-256 of all before
//! address: host (BIP155: network u8, length, bytes) port u16 BE | services u64 | time u64
//!          | source: host, port | last try u64 | last success u64 | attempts u32
//!          | 1 if it was reached, else 0 | places u8, place u32 …
//! ```
//!
//! Numbers are little-endian but for the ports. A place is the number of a bucket of the new table times 64, and the
//! position in it; that of a tried address follows from its key.

use std::io;
use std::path::Path;

use bitcoin::Network;
use bitcoin::consensus::encode::{Decodable, Encodable};
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::AddrV2;
use sha2::{Digest, Sha256};

use super::entry::Entry;
use super::table::Place;
use super::{AddressBook, BUCKET_SIZE, Id, NEW_BUCKETS_PER_ADDRESS};
use crate::endpoint::Endpoint;
use crate::stored;

const MAGIC: [u8; 8] = *b"EVPEERS\n";
const VERSION: u32 = 1;
/// Bytes of the largest file that is read: some 80,000 addresses of at most 200 bytes.
const MAX_FILE: u64 = 32 * 1024 * 1024;
const CHECKSUM: usize = 32;

/// Why bytes are no book of addresses.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// They do not begin as one.
    #[error("it is no file of addresses")]
    Magic,
    /// They were written by another version.
    #[error("its version is {0}, and this program reads version {VERSION}")]
    Version(u32),
    /// They are of another network.
    #[error("it is of another network; its magic is {0:02x?}")]
    Network([u8; 4]),
    /// They are not what was written.
    #[error("its checksum is wrong")]
    Checksum,
    /// They are too few, or not what they should be.
    #[error("its content ends too early or is none")]
    Content,
}

impl AddressBook {
    /// Reads the book of a file; an empty one if there is none. The seed is for what is random from here on.
    ///
    /// A damaged file is set aside as `NAME.damaged`, with a warning in the log, and the book is empty.
    ///
    /// # Errors
    ///
    /// What the system says of reading the file.
    pub fn load(path: &Path, network: Network, seed: [u8; 32]) -> io::Result<AddressBook> {
        let bytes = match stored::read(path, MAX_FILE) {
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                stored::give_up(path, &error);
                return Ok(AddressBook::new(seed));
            }
            bytes => bytes?,
        };
        let Some(bytes) = bytes else {
            return Ok(AddressBook::new(seed));
        };
        AddressBook::from_bytes(&bytes, network, seed).or_else(|error| {
            stored::give_up(path, &error);
            Ok(AddressBook::new(seed))
        })
    }

    /// Writes the book to a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// What the system says; then the book still counts as changed.
    pub fn save(&mut self, path: &Path, network: Network) -> io::Result<()> {
        stored::replace(path, &self.to_bytes(network))?;
        self.changed = false;
        Ok(())
    }

    /// The bytes of its file if it has changed, and counts as saved from now on: for who writes them without holding
    /// the book, and calls [`AddressBook::not_saved`] if that fails.
    pub(crate) fn take_changed(&mut self, network: Network) -> Option<Vec<u8>> {
        std::mem::take(&mut self.changed).then(|| self.to_bytes(network))
    }

    /// It counts as changed after all.
    pub(crate) fn not_saved(&mut self) {
        self.changed = true;
    }

    /// The book as bytes of its file.
    pub fn to_bytes(&self, network: Network) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 + 128 * self.entries.len());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(network.magic().to_bytes());
        for half in self.key {
            bytes.extend(half.to_le_bytes());
        }
        bytes.extend((self.entries.len() as u32).to_le_bytes());
        for entry in self.order.iter().filter_map(|id| self.entries.get(id)) {
            write_entry(entry, &mut bytes);
        }
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        bytes
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    ///
    /// [`BookError`].
    pub fn from_bytes(
        bytes: &[u8],
        network: Network,
        seed: [u8; 32],
    ) -> Result<AddressBook, BookError> {
        let mut rest = bytes.strip_prefix(&MAGIC).ok_or(BookError::Magic)?;
        let version = u32::from_le_bytes(take(&mut rest)?);
        if version != VERSION {
            return Err(BookError::Version(version));
        }
        let content = bytes
            .len()
            .checked_sub(CHECKSUM)
            .ok_or(BookError::Content)?;
        let (content, checksum) = bytes.split_at(content);
        if Sha256::digest(content)[..] != *checksum {
            return Err(BookError::Checksum);
        }
        let magic = take(&mut rest)?;
        if magic != network.magic().to_bytes() {
            return Err(BookError::Network(magic));
        }
        let mut book = AddressBook::new(seed);
        book.key = [read_u64(&mut rest)?, read_u64(&mut rest)?];
        let count = u32::from_le_bytes(take(&mut rest)?);
        for _ in 0..count {
            let entry = read_entry(&mut rest)?;
            book.restore(entry);
        }
        if rest.len() != CHECKSUM {
            return Err(BookError::Content);
        }
        book.changed = false;
        Ok(book)
    }

    /// Puts an address back where it was; if its place is taken, or nobody may call it, it is left out.
    fn restore(&mut self, mut entry: Entry) {
        if !entry.endpoint.is_routable() || self.by_endpoint.contains_key(&entry.endpoint) {
            return;
        }
        let was_tried = std::mem::take(&mut entry.is_tried);
        let places = std::mem::take(&mut entry.places);
        let key = entry.key();
        let id: Id = self.create(entry);
        if was_tried {
            let place = self.tried_place(id);
            if self.tried.get(place).is_none() {
                self.make_tried(id, place);
            }
        }
        for place in places.into_iter().filter(|_| !was_tried) {
            let bucket = u64::from(place.number()) / BUCKET_SIZE;
            let own = Place::at(bucket, self.position(b'N', bucket, &key));
            if own == place && self.new.has(place) && self.new.get(place).is_none() {
                self.put_new(id, place);
            }
        }
        self.delete_if_nowhere(id);
    }
}

fn write_entry(entry: &Entry, bytes: &mut Vec<u8>) {
    write_endpoint(&entry.endpoint, bytes);
    bytes.extend(entry.services.to_u64().to_le_bytes());
    bytes.extend(entry.time.to_le_bytes());
    write_endpoint(&entry.source, bytes);
    bytes.extend(entry.last_try.to_le_bytes());
    bytes.extend(entry.last_success.to_le_bytes());
    bytes.extend(entry.attempts.to_le_bytes());
    bytes.push(u8::from(entry.is_tried));
    bytes.push(entry.places.len() as u8);
    for place in &entry.places {
        bytes.extend(place.number().to_le_bytes());
    }
}

fn read_entry(rest: &mut &[u8]) -> Result<Entry, BookError> {
    let endpoint = read_endpoint(rest)?;
    let services = ServiceFlags::from(read_u64(rest)?);
    let time = read_u64(rest)?;
    let source = read_endpoint(rest)?;
    let mut entry = Entry::new(endpoint, services, time, source);
    entry.last_try = read_u64(rest)?;
    entry.last_success = read_u64(rest)?;
    entry.attempts = u32::from_le_bytes(take(rest)?);
    entry.is_tried = take::<1>(rest)? == [1];
    let [places] = take(rest)?;
    if usize::from(places) > NEW_BUCKETS_PER_ADDRESS {
        return Err(BookError::Content);
    }
    for _ in 0..places {
        let number = u32::from_le_bytes(take(rest)?);
        entry.places.push(Place::from_number(number));
    }
    Ok(entry)
}

fn write_endpoint(endpoint: &Endpoint, bytes: &mut Vec<u8>) {
    let written = endpoint.host.consensus_encode(bytes);
    written.expect("memory takes what is written to it");
    bytes.extend(endpoint.port.to_be_bytes());
}

fn read_endpoint(rest: &mut &[u8]) -> Result<Endpoint, BookError> {
    let host = AddrV2::consensus_decode(rest).map_err(|_| BookError::Content)?;
    Ok(Endpoint::new(host, u16::from_be_bytes(take(rest)?)))
}

fn read_u64(rest: &mut &[u8]) -> Result<u64, BookError> {
    take(rest).map(u64::from_le_bytes)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], BookError> {
    let (taken, left) = rest.split_first_chunk().ok_or(BookError::Content)?;
    *rest = left;
    Ok(*taken)
}
