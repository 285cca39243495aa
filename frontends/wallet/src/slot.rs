//! Owns the name of a script of ours: which descriptor made it, and at which index.
//! Promises eight bytes that can be copied.

/// A descriptor of a wallet: its place in the order in which the wallet came by them, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DescriptorNumber(pub u32);

/// A script of a wallet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot {
    /// The descriptor that it comes from.
    pub descriptor: DescriptorNumber,
    /// Its index in the descriptor's range; 0 where that has none.
    pub index: u32,
}
