//! Owns the 256-bit number that targets are.
//! Promises what Bitcoin Core's arithmetic does: products are cut to 256 bits, compact forms are lossy.

/// An unsigned 256-bit number: four limbs, the least significant last, so that ordering is that of the numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Number([u64; 4]);

impl Number {
    pub(super) const ZERO: Number = Number([0; 4]);

    pub(super) fn from_le_bytes(bytes: [u8; 32]) -> Number {
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().rev().zip(bytes.as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*chunk);
        }
        Number(limbs)
    }

    pub(super) fn to_le_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (limb, chunk) in self.0.iter().rev().zip(bytes.as_chunks_mut::<8>().0) {
            *chunk = limb.to_le_bytes();
        }
        bytes
    }

    /// Reads a compact form: one byte of size, a sign bit, 23 bits of mantissa.
    ///
    /// True beside it when it is negative or does not fit; the number is then what remains of it.
    pub(super) fn from_compact(bits: u32) -> (Number, bool) {
        let size = bits >> 24;
        let mantissa = bits & 0x007f_ffff;
        if size <= 3 {
            let mantissa = mantissa >> (8 * (3 - size));
            let negative = mantissa != 0 && bits & 0x0080_0000 != 0;
            return (Number([0, 0, 0, u64::from(mantissa)]), negative);
        }
        let negative = mantissa != 0 && bits & 0x0080_0000 != 0;
        let overflow = mantissa != 0
            && (size > 34 || (mantissa > 0xff && size > 33) || (mantissa > 0xffff && size > 32));
        let mut bytes = [0; 32];
        for (place, byte) in (size as usize - 3..32).zip(mantissa.to_le_bytes()) {
            bytes[place] = byte;
        }
        (Number::from_le_bytes(bytes), negative || overflow)
    }

    /// The compact form: the three most significant bytes (two, where the sign bit would be hit) are kept.
    pub(super) fn to_compact(self) -> u32 {
        let bytes = self.to_le_bytes();
        let mut size = 32 - bytes.iter().rev().take_while(|byte| **byte == 0).count();
        let byte = |place: usize| {
            place
                .checked_sub(1)
                .map_or(0, |place| u32::from(bytes[place]))
        };
        let mut mantissa = match size {
            0 => 0,
            1 => byte(1) << 16,
            2 => byte(2) << 16 | byte(1) << 8,
            _ => byte(size) << 16 | byte(size - 1) << 8 | byte(size - 2),
        };
        if mantissa & 0x0080_0000 != 0 {
            mantissa >>= 8;
            size += 1;
        }
        mantissa | (size as u32) << 24
    }

    /// The product, modulo 2^256.
    pub(super) fn wrapping_mul(self, factor: u64) -> Number {
        let mut limbs = self.0;
        let mut carry = 0u128;
        for limb in limbs.iter_mut().rev() {
            let product = u128::from(*limb) * u128::from(factor) + carry;
            *limb = product as u64;
            carry = product >> 64;
        }
        Number(limbs)
    }

    /// The quotient, rounded down. `divisor` is not zero.
    pub(super) fn div(self, divisor: u64) -> Number {
        let mut limbs = self.0;
        let mut rest = 0u128;
        for limb in &mut limbs {
            let part = rest << 64 | u128::from(*limb);
            *limb = (part / u128::from(divisor)) as u64;
            rest = part % u128::from(divisor);
        }
        Number(limbs)
    }
}
