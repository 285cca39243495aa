//! Owns numbers modulo the prime 2^3072 - 1103717.
//! Promises products below 2^3072: they are brought below the prime only when they are written out.

/// Limbs of 64 bits.
const LIMBS: usize = 48;

/// What the modulus is short of 2^3072.
const SHORTFALL: u64 = 1_103_717;

/// A number modulo the prime, the least significant limb first. It may be the prime or a little above it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Number([u64; LIMBS]);

impl Number {
    /// Bytes of a number.
    pub(super) const SIZE: usize = LIMBS * 8;

    pub(super) const ONE: Number = {
        let mut limbs = [0; LIMBS];
        limbs[0] = 1;
        Number(limbs)
    };

    pub(super) fn from_le_bytes(bytes: &[u8; Number::SIZE]) -> Number {
        let mut limbs = [0; LIMBS];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*chunk);
        }
        Number(limbs)
    }

    /// Writes the one number below the prime that this stands for.
    pub(super) fn to_le_bytes(self) -> [u8; Number::SIZE] {
        let mut bytes = [0; Number::SIZE];
        for (limb, chunk) in self.reduced().0.iter().zip(bytes.as_chunks_mut::<8>().0) {
            *chunk = limb.to_le_bytes();
        }
        bytes
    }

    pub(super) fn multiply(&mut self, factor: &Number) {
        let mut product = [0u64; 2 * LIMBS];
        for (place, limb) in self.0.iter().enumerate() {
            let mut carry = 0u64;
            for (sum, other) in product[place..place + LIMBS].iter_mut().zip(&factor.0) {
                let wide =
                    u128::from(*limb) * u128::from(*other) + u128::from(*sum) + u128::from(carry);
                *sum = wide as u64;
                carry = (wide >> 64) as u64;
            }
            product[place + LIMBS] = carry;
        }
        // 2^3072 is SHORTFALL modulo the prime: the upper half counts that often.
        let (low, high) = product.split_at(LIMBS);
        let mut carry = 0u64;
        for ((limb, low), high) in self.0.iter_mut().zip(low).zip(high) {
            let wide =
                u128::from(*high) * u128::from(SHORTFALL) + u128::from(*low) + u128::from(carry);
            *limb = wide as u64;
            carry = (wide >> 64) as u64;
        }
        // The first round leaves a carry of about 21 bits, the second at most 1, the third none.
        while carry != 0 {
            carry = self.add(u128::from(carry) * u128::from(SHORTFALL));
        }
    }

    /// Adds a number and returns what goes beyond 2^3072: 0 or 1.
    fn add(&mut self, number: u128) -> u64 {
        let mut carry = number;
        for limb in &mut self.0 {
            if carry == 0 {
                break;
            }
            let sum = u128::from(*limb) + (carry & u128::from(u64::MAX));
            *limb = sum as u64;
            carry = (carry >> 64) + (sum >> 64);
        }
        carry as u64
    }

    /// The same number, below the prime.
    fn reduced(self) -> Number {
        let mut reduced = self;
        // Adding SHORTFALL overflows 2^3072 exactly for what is not below the prime, and leaves the difference.
        match reduced.add(u128::from(SHORTFALL)) {
            0 => self,
            _ => reduced,
        }
    }

    /// The number that gives 1 when multiplied with this one: its power to the prime less 2 (Fermat).
    ///
    /// The exponent is 3051 ones followed by 21 bits that are not.
    pub(super) fn inverse(&self) -> Number {
        const ONES: u32 = 3051;
        const TAIL_BITS: u32 = 21;
        const TAIL: u32 = (1 << TAIL_BITS) - SHORTFALL as u32 - 2;

        // Powers whose exponents are so many ones, doubling their number or adding one.
        let mut power = *self;
        let mut ones = 1;
        for bit in (0..ONES.ilog2()).rev() {
            let half = power;
            power.square_times(ones);
            power.multiply(&half);
            ones *= 2;
            if ONES >> bit & 1 == 1 {
                power.square_times(1);
                power.multiply(self);
                ones += 1;
            }
        }
        for bit in (0..TAIL_BITS).rev() {
            power.square_times(1);
            if TAIL >> bit & 1 == 1 {
                power.multiply(self);
            }
        }
        power
    }

    fn square_times(&mut self, times: u32) {
        for _ in 0..times {
            let factor = *self;
            self.multiply(&factor);
        }
    }
}
