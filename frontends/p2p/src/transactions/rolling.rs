//! Owns sets of ids that forget: the last so many are known for sure, some older ones still.
//! Promises memory only for what is in them, and that nobody can choose ids that are taken for others: a secret decides.
//! Refuses to give anything back: it knows only hashes of what it was told.

use std::collections::HashSet;

use bitcoin::hashes::siphash24;
use foldhash::fast::FixedState;

/// Generations: the youngest is filled, the oldest is forgotten when it is full.
const GENERATIONS: usize = 3;

/// A set of ids of 32 bytes each, which it keeps eight bytes of.
#[derive(Clone, Debug)]
pub(crate) struct RollingSet {
    keys: (u64, u64),
    /// Ids in a generation.
    share: usize,
    /// The youngest first.
    generations: [HashSet<u64, FixedState>; GENERATIONS],
}

impl RollingSet {
    /// An empty set that is sure to know the last `last` ids, and knows at most half as many besides.
    pub(crate) fn new(last: usize, keys: (u64, u64)) -> RollingSet {
        RollingSet {
            keys,
            share: last.div_ceil(GENERATIONS - 1).max(1),
            generations: Default::default(),
        }
    }

    /// What is kept of an id; the same for all sets with the same keys.
    pub(crate) fn short(&self, id: &[u8; 32]) -> u64 {
        siphash24::Hash::hash_to_u64_with_keys(self.keys.0, self.keys.1, id)
    }

    /// Remembers an id.
    pub(crate) fn insert(&mut self, id: &[u8; 32]) {
        let short = self.short(id);
        if self.generations[0].len() >= self.share {
            self.generations.rotate_right(1);
            self.generations[0] = HashSet::default();
        }
        self.generations[0].insert(short);
    }

    /// Whether an id is remembered.
    pub(crate) fn contains(&self, id: &[u8; 32]) -> bool {
        self.contains_short(self.short(id))
    }

    /// The same by what is kept of it.
    pub(crate) fn contains_short(&self, short: u64) -> bool {
        self.generations.iter().any(|some| some.contains(&short))
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.generations = Default::default();
    }

    /// How many ids it remembers.
    pub(crate) fn len(&self) -> usize {
        self.generations.iter().map(HashSet::len).sum()
    }

    /// How many it can remember at most.
    pub(crate) fn most(&self) -> usize {
        self.share * GENERATIONS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> [u8; 32] {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&number.to_le_bytes());
        id
    }

    #[test]
    fn the_last_ids_are_known_and_the_oldest_forgotten() {
        let mut set = RollingSet::new(100, (1, 2));
        for number in 0..1_000 {
            set.insert(&id(number));
            let first = (number + 1).saturating_sub(100);
            assert!((first..=number).all(|number| set.contains(&id(number))));
            assert!(set.len() <= set.most());
        }
        assert!(!set.contains(&id(0)));
        set.clear();
        assert!(!set.contains(&id(999)));
    }

    #[test]
    fn an_id_that_is_told_again_and_again_pushes_nothing_out() {
        let mut set = RollingSet::new(10, (1, 2));
        set.insert(&id(1));
        (0..1_000).for_each(|_| set.insert(&id(2)));
        assert!(set.contains(&id(1)));
    }
}
