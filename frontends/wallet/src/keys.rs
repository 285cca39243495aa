//! Owns what a wallet can spend with: descriptors, their scripts, their private keys, and the passphrase before those.
//! Promises that it is known at any time which scripts are ours, also while the wallet is locked.
//! Refuses to know coins and transactions but to sign them.

mod descriptor;
mod error;
pub mod expression;
mod hardened;
mod held;
mod keyring;
mod kind;
mod master;
mod message;
mod psbt;
mod seal;
mod secret;
mod sign;
mod vault;

pub use descriptor::WalletDescriptor;
pub use error::KeyError;
pub use expression::{DescriptorError, address_of, infer, with_checksum};
pub use keyring::{HdKey, Import, Imported, Keyring};
pub use kind::{Chain, OutputType, UnknownOutputType};
pub use master::{Master, new_mnemonic};
pub use message::{MessageError, sign_message, verify_message};
pub use psbt::{NoPsbt, read_psbt};
pub use seal::Kdf;
pub use secret::PrivateKeys;
pub use sign::{Process, SignedTransaction, SpentCoin, finalize};

#[cfg(test)]
mod vectors;
