//! Owns MuHash3072: a hash of a set that coins can be added to and taken from in any order.
//! Promises Bitcoin Core's value: the product of one 3072-bit number per coin, modulo a prime.
//! Refuses to know what is in the set: taking out what was never put in gives a hash of nothing.

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use sha2::{Digest, Sha256};

use number::Number;

mod number;
#[cfg(test)]
mod tests;

/// The hash of a set in the making, as a fraction: removals go into the denominator, so that only the end
/// needs a division.
#[derive(Clone, Debug)]
pub struct MuHash3072 {
    numerator: Number,
    denominator: Number,
}

impl Default for MuHash3072 {
    fn default() -> MuHash3072 {
        MuHash3072::new()
    }
}

impl MuHash3072 {
    /// The empty set.
    pub fn new() -> MuHash3072 {
        MuHash3072 {
            numerator: Number::ONE,
            denominator: Number::ONE,
        }
    }

    /// Adds an element.
    pub fn insert(&mut self, element: &[u8]) {
        self.numerator.multiply(&number_of(element));
    }

    /// Takes an element out.
    pub fn remove(&mut self, element: &[u8]) {
        self.denominator.multiply(&number_of(element));
    }

    /// Adds all that another set has, and takes out what was taken out of it.
    pub fn combine(&mut self, other: &MuHash3072) {
        self.numerator.multiply(&other.numerator);
        if other.denominator != Number::ONE {
            self.denominator.multiply(&other.denominator);
        }
    }

    /// The set's hash, in the byte order in which SHA-256 writes it; shown reversed.
    ///
    /// Quick if nothing was ever removed, else it takes a modular inversion (milliseconds).
    pub fn finalize(&self) -> [u8; 32] {
        let mut product = self.numerator;
        if self.denominator != Number::ONE {
            product.multiply(&self.denominator.inverse());
        }
        Sha256::digest(product.to_le_bytes()).into()
    }
}

/// The number that stands for an element: ChaCha20's keystream under its SHA-256, read as little-endian.
fn number_of(element: &[u8]) -> Number {
    let key = Sha256::digest(element);
    let mut stream = [0; Number::SIZE];
    ChaCha20::new(&key, &[0; 12].into()).apply_keystream(&mut stream);
    Number::from_le_bytes(&stream)
}
