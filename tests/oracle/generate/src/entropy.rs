//! Owns chance: every choice that a generator makes is drawn here.
//! Promises the same choices for the same seed, and for the same bytes of a fuzzer, whose mutations of the bytes
//! then become small changes of what is grown; refuses to end: behind the last byte all choices are the first one.

/// Where choices come from.
#[derive(Clone, Debug)]
pub struct Entropy<'a> {
    source: Source<'a>,
}

#[derive(Clone, Debug)]
enum Source<'a> {
    /// State of an xorshift* generator; never zero.
    Seeded(u64),
    /// What a fuzzer has left.
    Bytes(&'a [u8]),
}

impl<'a> Entropy<'a> {
    /// Choices that follow from a seed and a number within it, so that each case can be grown alone.
    pub fn seeded(seed: u64, number: u64) -> Entropy<'static> {
        let mixed = mix(mix(seed) ^ number);
        Entropy {
            source: Source::Seeded(mixed | 1),
        }
    }

    /// Choices that a fuzzer makes.
    pub fn bytes(bytes: &'a [u8]) -> Entropy<'a> {
        Entropy {
            source: Source::Bytes(bytes),
        }
    }

    /// Any 64 bits.
    pub fn next(&mut self) -> u64 {
        self.draw(8)
    }

    /// A number below `limit`, 0 for a limit of 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = limit as u64;
        let width = match limit {
            0..=1 => return 0,
            2..=0xff => 1,
            0x100..=0xffff => 2,
            _ => 8,
        };
        (self.draw(width) % limit) as usize
    }

    /// True once in `count` times; always when a fuzzer's bytes are used up, so no loop may wait for a false.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of several.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn pick<'b, T>(&mut self, choices: &'b [T]) -> &'b T {
        &choices[self.below(choices.len())]
    }

    /// Any bytes of this length.
    pub fn any_bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.draw(1) as u8).collect()
    }

    /// A number of `width` bytes, from 1 to 8.
    fn draw(&mut self, width: usize) -> u64 {
        match &mut self.source {
            Source::Seeded(state) => {
                *state ^= *state >> 12;
                *state ^= *state << 25;
                *state ^= *state >> 27;
                state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> (64 - 8 * width)
            }
            Source::Bytes(bytes) => {
                let (taken, rest) = bytes.split_at(width.min(bytes.len()));
                *bytes = rest;
                taken
                    .iter()
                    .rev()
                    .fold(0, |number, byte| number << 8 | u64::from(*byte))
            }
        }
    }
}

/// Spreads a number over all 64 bits (the finaliser of splitmix64).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
