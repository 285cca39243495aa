//! Owns what a wallet was made to be, and the number that keeps it.

/// What a wallet was made to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WalletFlags {
    /// It watches only: private keys are refused.
    pub disable_private_keys: bool,
    /// It was made without keys of its own, and has made no descriptor by itself since; what was imported does not count.
    pub blank: bool,
    /// Coins of an address that was paid from already are not chosen.
    pub avoid_reuse: bool,
}

impl WalletFlags {
    const DISABLE_PRIVATE_KEYS: u64 = 1;
    const BLANK: u64 = 2;
    const AVOID_REUSE: u64 = 4;

    pub(super) fn bits(self) -> u64 {
        let bit = |set, bit| if set { bit } else { 0 };
        bit(self.disable_private_keys, Self::DISABLE_PRIVATE_KEYS)
            | bit(self.blank, Self::BLANK)
            | bit(self.avoid_reuse, Self::AVOID_REUSE)
    }

    pub(super) fn from_bits(bits: u64) -> WalletFlags {
        WalletFlags {
            disable_private_keys: bits & Self::DISABLE_PRIVATE_KEYS != 0,
            blank: bits & Self::BLANK != 0,
            avoid_reuse: bits & Self::AVOID_REUSE != 0,
        }
    }
}
