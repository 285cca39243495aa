//! Owns the question at which place of a block the transaction with a short id belongs.
//! Promises an answer in a few steps whatever the ids are: a peer chooses them, so nothing here hashes.
//! Refuses two places with one id.

/// Bits that say which ids may be there at all: by their lowest 16 bits. Most candidates are in no block, and one look at
/// 8 KiB tells them apart.
const WORDS: usize = 1 << 10;

/// Short ids and their places.
#[derive(Debug)]
pub(super) struct Places {
    maybe: Box<[u64; WORDS]>,
    /// By id.
    sorted: Vec<(u64, u16)>,
}

impl Places {
    /// `None` if an id is there twice.
    pub(super) fn new(mut named: Vec<(u64, u16)>) -> Option<Places> {
        named.sort_unstable();
        if named.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return None;
        }
        let mut maybe = Box::new([0; WORDS]);
        for (id, _) in &named {
            let (word, bit) = slot(*id);
            maybe[word] |= bit;
        }
        Some(Places {
            maybe,
            sorted: named,
        })
    }

    /// The place of the transaction with this id.
    pub(super) fn find(&self, id: u64) -> Option<usize> {
        let (word, bit) = slot(id);
        if self.maybe[word] & bit == 0 {
            return None;
        }
        let found = self.sorted.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(usize::from(self.sorted[found].1))
    }
}

fn slot(id: u64) -> (usize, u64) {
    (id as usize >> 6 & (WORDS - 1), 1 << (id & 63))
}
