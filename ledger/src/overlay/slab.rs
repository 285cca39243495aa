//! Owns the entries of one shard: in chunks, so that growing moves none of them, and found by a small index.
//! Promises that what is given back is used again, and that a shard that has emptied gives its memory back.

use std::hash::Hash;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;

/// Entries of a chunk; a power of two, so that a position splits by its bits.
const CHUNK: usize = 64;

/// A value that knows its own key.
pub(super) trait Keyed {
    type Key: Hash + Eq;

    fn key(&self) -> &Self::Key;

    /// What stands in a vacant place.
    fn husk() -> Self;
}

/// An index slot: which entry, and enough of its key's hash to move the slot without looking at the entry.
struct Slot {
    hash: u32,
    at: u32,
}

impl Slot {
    /// The hash that the index works with: it takes its tags from the top bits and its buckets from the low ones.
    fn spread(&self) -> u64 {
        spread(self.hash)
    }
}

fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

pub(super) struct Slab<E> {
    index: HashTable<Slot>,
    chunks: Vec<Vec<E>>,
    /// Positions that hold husks.
    vacant: Vec<u32>,
}

impl<E> Default for Slab<E> {
    fn default() -> Slab<E> {
        Slab {
            index: HashTable::new(),
            chunks: Vec::new(),
            vacant: Vec::new(),
        }
    }
}

impl<E: Keyed> Slab<E> {
    pub(super) fn find(&self, hash: u32, key: &E::Key) -> Option<&E> {
        let slot = self.index.find(spread(hash), |slot| {
            slot.hash == hash && entry(&self.chunks, slot.at).key() == key
        })?;
        Some(entry(&self.chunks, slot.at))
    }

    /// The entry of `key`, which `make` makes when there is none.
    pub(super) fn find_or_make(
        &mut self,
        hash: u32,
        key: &E::Key,
        make: impl FnOnce() -> E,
    ) -> &mut E {
        let chunks = &self.chunks;
        let same = |slot: &Slot| slot.hash == hash && entry(chunks, slot.at).key() == key;
        let at = match self.index.entry(spread(hash), same, Slot::spread) {
            Place::Occupied(place) => place.get().at,
            Place::Vacant(place) => {
                let at = put(&mut self.chunks, &mut self.vacant, make());
                place.insert(Slot { hash, at });
                at
            }
        };
        entry_mut(&mut self.chunks, at)
    }

    /// Changes the entry of `key` if there is one; `keep` says whether it stays.
    pub(super) fn prune(&mut self, hash: u32, key: &E::Key, keep: impl FnOnce(&mut E) -> bool) {
        let chunks = &self.chunks;
        let same = |slot: &Slot| slot.hash == hash && entry(chunks, slot.at).key() == key;
        let Ok(place) = self.index.find_entry(spread(hash), same) else {
            return;
        };
        let at = place.get().at;
        let found = entry_mut(&mut self.chunks, at);
        if !keep(found) {
            *found = E::husk();
            place.remove();
            self.vacant.push(at);
            let sparse = self.vacant.len() > CHUNK && self.vacant.len() > 3 * self.index.len();
            if sparse || self.index.is_empty() {
                self.compact();
            }
        }
    }

    /// Moves all entries together. Called when most places are vacant, so its cost is spread over their removals.
    fn compact(&mut self) {
        let mut old = std::mem::take(&mut self.chunks);
        self.vacant = Vec::new();
        for slot in self.index.iter_mut() {
            let moved = std::mem::replace(entry_mut(&mut old, slot.at), E::husk());
            slot.at = put(&mut self.chunks, &mut self.vacant, moved);
        }
        self.index.shrink_to_fit(Slot::spread);
    }

    pub(super) fn len(&self) -> usize {
        self.index.len()
    }

    /// Bytes of index and entries.
    pub(super) fn bytes(&self) -> usize {
        self.index.allocation_size() + self.chunks.len() * CHUNK * size_of::<E>()
    }
}

fn entry<E>(chunks: &[Vec<E>], at: u32) -> &E {
    &chunks[at as usize / CHUNK][at as usize % CHUNK]
}

fn entry_mut<E>(chunks: &mut [Vec<E>], at: u32) -> &mut E {
    &mut chunks[at as usize / CHUNK][at as usize % CHUNK]
}

fn put<E>(chunks: &mut Vec<Vec<E>>, vacant: &mut Vec<u32>, new: E) -> u32 {
    if let Some(at) = vacant.pop() {
        *entry_mut(chunks, at) = new;
        return at;
    }
    if chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
        chunks.push(Vec::with_capacity(CHUNK));
    }
    let index = chunks.len() - 1;
    chunks[index].push(new);
    (index * CHUNK + chunks[index].len() - 1) as u32
}
