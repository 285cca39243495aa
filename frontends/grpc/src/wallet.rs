//! Owns the answers of WalletService, call by call.
//! Promises that each names the world it is about, and leaves a wallet as it was where it fails.
//! Refuses to know more of wallets than `everett_wallet` tells.

pub(crate) mod addresses;
pub(crate) mod asking;
pub(crate) mod balance;
pub(crate) mod coins;
pub(crate) mod descriptors;
pub(crate) mod directory;
pub(crate) mod events;
pub(crate) mod fault;
pub(crate) mod labels;
pub(crate) mod messages;
pub(crate) mod passphrase;
pub(crate) mod pay;
pub(crate) mod payments;
pub(crate) mod psbt;
pub(crate) mod rescan;
pub(crate) mod terms;
pub(crate) mod verify;
pub(crate) mod warnings;
