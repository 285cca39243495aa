//! Owns which addresses a peer knows: those that it sent and those that it was sent.
//! Promises bounded memory, none before the first, and that what was added lately is known.
//! Refuses to be exact: one in a million strangers is taken for known.

use std::collections::HashSet;

/// How many addresses a generation has.
pub(super) const GENERATION: usize = 2_500;

/// Two generations of numbers: when the younger one is full, it takes the place of the older one. So the last 2,500
/// addresses are known for sure, and twice as many at most, in 40 KB.
#[derive(Default, Debug)]
pub(super) struct KnownAddresses {
    young: HashSet<u32>,
    old: HashSet<u32>,
}

impl KnownAddresses {
    /// Adds the number of an address, of which the upper half is kept. `true` if it was not known.
    pub(super) fn insert(&mut self, key: u64) -> bool {
        let new = !self.contains(key);
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert((key >> 32) as u32);
        new
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        let key = (key >> 32) as u32;
        self.young.contains(&key) || self.old.contains(&key)
    }

    /// Numbers that are held.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    pub(super) fn clear(&mut self) {
        *self = KnownAddresses::default();
    }
}
