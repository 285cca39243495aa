//! Owns a queue of bits: the commitments of a sync.
//! Promises a bit of memory for each, and none once it is empty and dropped.

use std::collections::VecDeque;

/// A queue of bits, 64 to a word.
#[derive(Default, Debug)]
pub(super) struct Bits {
    pub(super) words: VecDeque<u64>,
    /// Bits of the first word that are gone.
    gone: u32,
    length: u64,
}

impl Bits {
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    pub(super) fn push(&mut self, bit: bool) {
        let place = (u64::from(self.gone) + self.length) % 64;
        if place == 0 {
            self.words.push_back(0);
        }
        if let Some(word) = self.words.back_mut() {
            *word |= u64::from(bit) << place;
        }
        self.length += 1;
    }

    pub(super) fn pop(&mut self) -> Option<bool> {
        self.length = self.length.checked_sub(1)?;
        let bit = self.words.front()? >> self.gone & 1 == 1;
        self.gone = (self.gone + 1) % 64;
        if self.gone == 0 {
            self.words.pop_front();
        } else if self.length == 0 {
            self.words.clear();
            self.gone = 0;
        }
        Some(bit)
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}
