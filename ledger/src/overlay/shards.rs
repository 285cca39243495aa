//! Owns the table under both overlays: hash tables behind locks of their own.
//! Promises that a lock is held for one entry's change, so that readers hardly ever meet the writer.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;
use parking_lot::RwLock;

/// Enough that eight readers and the writer rarely want the same one, few enough that empty ones cost nothing.
const SHARDS: usize = 256;

/// A value that knows its own key.
pub(super) trait Keyed {
    type Key: Hash + Eq;
    fn key(&self) -> &Self::Key;
}

pub(super) struct Shards<E: Keyed> {
    shards: Box<[RwLock<HashTable<E>>]>,
    /// Seeded at random: outpoints and scripts come from strangers.
    hasher: RandomState,
}

impl<E: Keyed> Shards<E> {
    pub(super) fn new() -> Shards<E> {
        Shards {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hasher: RandomState::default(),
        }
    }

    fn shard(&self, hash: u64) -> &RwLock<HashTable<E>> {
        // The table uses the top bits for tags and the low bits for buckets: take bits from between.
        &self.shards[(hash >> 32) as usize % SHARDS]
    }

    pub(super) fn read<R>(&self, key: &E::Key, look: impl FnOnce(&E) -> R) -> Option<R> {
        let hash = self.hasher.hash_one(key);
        self.shard(hash)
            .read()
            .find(hash, |entry| entry.key() == key)
            .map(look)
    }

    /// Changes the entry of `key`, which `make` makes when there is none.
    pub(super) fn change(
        &self,
        key: &E::Key,
        make: impl FnOnce() -> E,
        change: impl FnOnce(&mut E),
    ) {
        let hash = self.hasher.hash_one(key);
        let mut table = self.shard(hash).write();
        match table.entry(
            hash,
            |entry| entry.key() == key,
            |entry| self.hasher.hash_one(entry.key()),
        ) {
            Slot::Occupied(mut slot) => change(slot.get_mut()),
            Slot::Vacant(slot) => {
                let mut entry = make();
                change(&mut entry);
                slot.insert(entry);
            }
        }
    }

    /// Changes the entry of `key` if there is one; `keep` says whether it stays.
    pub(super) fn prune(&self, key: &E::Key, keep: impl FnOnce(&mut E) -> bool) {
        let hash = self.hasher.hash_one(key);
        let mut table = self.shard(hash).write();
        if let Ok(mut slot) = table.find_entry(hash, |entry| entry.key() == key)
            && !keep(slot.get_mut())
        {
            slot.remove();
            // A table that was once large gives its memory back.
            if table.len() * 8 < table.capacity() && table.capacity() > 64 {
                let hasher = &self.hasher;
                let target = table.len() * 2;
                table.shrink_to(target, |entry| hasher.hash_one(entry.key()));
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    /// Bytes of the tables themselves.
    pub(super) fn table_bytes(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.read().allocation_size())
            .sum()
    }
}
