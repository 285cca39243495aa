//! Owns tables that are in memory: what a ledger without files keeps its rows in.
//! Promises that who reads one state goes on reading it, and that taking a state costs one reference count.
//! Refuses to outlive the store.
//!
//! Each table is a persistent map: a writer's copy shares all with the state that it was made from but what it changes,
//! and becomes the state at its commit.

use std::ops::Bound;
use std::sync::Arc;

use im::OrdMap;
use im::ordmap::RangedIter;
use im::shared_ptr::DefaultSharedPtr;
use parking_lot::RwLock;
use smallvec::SmallVec;

use super::tables::{TABLE_COUNT, TABLES, Table};

/// A key. Those of all tables but the subscribers' names fit without an allocation of their own.
pub(super) type Key = SmallVec<[u8; 48]>;

/// A value, shared by all states that have it.
pub(super) type Value = Arc<[u8]>;

/// The rows of a table from some key on.
pub(super) type MapsRange<'t> = RangedIter<'t, Key, Value, DefaultSharedPtr>;

/// All tables, in one state.
#[derive(Clone, Default)]
pub(super) struct Maps([OrdMap<Key, Value>; TABLE_COUNT]);

impl Maps {
    pub(super) fn get(&self, table: &Table, key: &[u8]) -> Option<&[u8]> {
        self.0[table.number].get(key).map(|value| &**value)
    }

    pub(super) fn count(&self, table: &Table) -> u64 {
        self.0[table.number].len() as u64
    }

    pub(super) fn bytes(&self, table: &Table) -> u64 {
        let rows = self.0[table.number].iter();
        rows.map(|(key, value)| (key.len() + value.len()) as u64)
            .sum()
    }

    pub(super) fn rows(&self, table: &Table, from: Bound<&[u8]>) -> MapsRange<'_> {
        self.0[table.number].range::<_, [u8]>((from, Bound::Unbounded))
    }

    pub(super) fn put(&mut self, table: &Table, key: &[u8], value: &[u8]) {
        self.0[table.number].insert(Key::from_slice(key), Value::from(value));
    }

    /// As [`super::database::Writing::put_new`].
    pub(super) fn put_new(&mut self, table: &Table, key: &[u8], value: &[u8], last: bool) -> bool {
        let map = &self.0[table.number];
        let new = match last {
            true => map.get_max().is_none_or(|(last, _)| last.as_slice() < key),
            false => !map.contains_key(key),
        };
        if new {
            self.put(table, key, value);
        }
        new
    }

    pub(super) fn delete(&mut self, table: &Table, key: &[u8]) -> bool {
        self.0[table.number].remove(key).is_some()
    }

    pub(super) fn delete_before(&mut self, table: &Table, end: &[u8]) -> usize {
        let map = &mut self.0[table.number];
        let range = (Bound::Unbounded, Bound::Excluded(end));
        let keys: Vec<Key> = map
            .range::<_, [u8]>(range)
            .map(|(key, _)| key.clone())
            .collect();
        for key in &keys {
            map.remove(key.as_slice());
        }
        keys.len()
    }
}

/// The tables of a store without files.
pub(super) struct Memory {
    latest: RwLock<Arc<Maps>>,
}

impl Memory {
    /// Tables with these rows in `meta`.
    pub(super) fn with_meta(rows: &[(&[u8], Vec<u8>)]) -> Memory {
        let mut maps = Maps::default();
        for (key, value) in rows {
            maps.put(&TABLES.meta, key, value);
        }
        Memory {
            latest: RwLock::new(Arc::new(maps)),
        }
    }

    /// The state as of the last commit.
    pub(super) fn latest(&self) -> Arc<Maps> {
        self.latest.read().clone()
    }

    /// Commits.
    pub(super) fn replace(&self, maps: Maps) {
        let before = std::mem::replace(&mut *self.latest.write(), Arc::new(maps));
        // What only the old state had is freed outside the lock.
        drop(before);
    }
}

#[cfg(test)]
mod tests;
