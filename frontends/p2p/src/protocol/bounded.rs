//! Owns a set that forgets what it was told first once it is full.
//! Promises its limit. Refuses to be asked in any order.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

/// A set of at most so many things.
#[derive(Clone, Debug)]
pub(super) struct BoundedSet<T> {
    limit: usize,
    order: VecDeque<T>,
    things: HashSet<T>,
}

impl<T: Copy + Eq + Hash> BoundedSet<T> {
    /// An empty set that holds at most `limit` things.
    pub(super) fn new(limit: usize) -> BoundedSet<T> {
        BoundedSet {
            limit,
            order: VecDeque::new(),
            things: HashSet::new(),
        }
    }

    /// Adds a thing; answers with the one forgotten for it, if any. `Err` if it was there already.
    pub(super) fn insert(&mut self, thing: T) -> Result<Option<T>, ()> {
        if !self.things.insert(thing) {
            return Err(());
        }
        self.order.push_back(thing);
        if self.order.len() <= self.limit {
            return Ok(None);
        }
        let forgotten = self.order.pop_front();
        if let Some(forgotten) = &forgotten {
            self.things.remove(forgotten);
        }
        Ok(forgotten)
    }

    pub(super) fn remove(&mut self, thing: &T) {
        if self.things.remove(thing) {
            self.order.retain(|other| other != thing);
        }
    }

    pub(super) fn contains(&self, thing: &T) -> bool {
        self.things.contains(thing)
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.order.iter()
    }
}
