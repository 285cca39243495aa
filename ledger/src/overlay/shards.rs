//! Owns the table under both overlays: entries in shards, each behind a lock of its own.
//! Promises that a lock is held for one entry's change, so that readers hardly ever meet the writer.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use parking_lot::RwLock;

use super::slab::{Keyed, Slab};

/// Enough that eight readers and the writer rarely want the same one, few enough that empty ones cost nothing.
const SHARDS: usize = 256;

/// Changes made before a shard's lock is given up for a moment: a few microseconds' worth.
const MAX_CHANGES_A_LOCK: usize = 64;

/// Up to so many changes sorting them by shard takes longer than it saves.
const FEW_CHANGES: usize = 16;

pub(super) struct Shards<E> {
    shards: Box<[RwLock<Slab<E>>]>,
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

    /// The shard of a key, and the half of its hash that the shard itself works with.
    fn place(&self, key: &E::Key) -> (&RwLock<Slab<E>>, u32) {
        let hash = self.hasher.hash_one(key);
        (&self.shards[shard_of(hash)], hash as u32)
    }

    pub(super) fn read<R>(&self, key: &E::Key, look: impl FnOnce(&E) -> R) -> Option<R> {
        let (shard, hash) = self.place(key);
        shard.read().find(hash, key).map(look)
    }

    /// Changes the entry of `key`, which `make` makes when there is none.
    pub(super) fn change(
        &self,
        key: &E::Key,
        make: impl FnOnce() -> E,
        change: impl FnOnce(&mut E),
    ) {
        let (shard, hash) = self.place(key);
        change(shard.write().find_or_make(hash, key, make));
    }

    /// Makes many changes, each to the entry of its key, in the order of `items` where keys are the same.
    ///
    /// They are made shard by shard: that takes a lock once for many, and lets the processor fetch the memory of
    /// several entries at a time.
    pub(super) fn change_all<T>(
        &self,
        items: &[T],
        key: impl Fn(&T) -> &E::Key,
        make: impl Fn(&T) -> E,
        mut change: impl FnMut(&mut E, &T),
    ) {
        if items.len() <= FEW_CHANGES {
            for item in items {
                self.change(key(item), || make(item), |entry| change(entry, item));
            }
            return;
        }
        let hashes: Vec<u64> = items
            .iter()
            .map(|item| self.hasher.hash_one(key(item)))
            .collect();
        for (shard, members) in by_shard(&hashes).iter().enumerate() {
            for some in members.chunks(MAX_CHANGES_A_LOCK) {
                let mut entries = self.shards[shard].write();
                for at in some {
                    let item = &items[*at as usize];
                    let hash = hashes[*at as usize] as u32;
                    change(entries.find_or_make(hash, key(item), || make(item)), item);
                }
            }
        }
    }

    /// Changes the entry of `key` if there is one; `keep` says whether it stays.
    pub(super) fn prune(&self, key: &E::Key, keep: impl FnOnce(&mut E) -> bool) {
        let (shard, hash) = self.place(key);
        shard.write().prune(hash, key, keep);
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    /// Bytes of the tables themselves.
    pub(super) fn table_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().bytes()).sum()
    }
}

/// The half of the hash that the shard itself does not work with.
fn shard_of(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}

/// The positions of the hashes that belong to each shard, in order.
fn by_shard(hashes: &[u64]) -> Vec<Vec<u32>> {
    let mut shards = vec![Vec::new(); SHARDS];
    for (at, hash) in hashes.iter().enumerate() {
        shards[shard_of(*hash)].push(at as u32);
    }
    shards
}
