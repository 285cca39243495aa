//! Owns what can go wrong with keys, as the wallet's owner is told it.
//! Promises Core's words where Core has some that name no method of its own, and in each what was wrong.
//! Refuses to tell anything of a secret.

use thiserror::Error;

use super::expression::DescriptorError;
use super::{Chain, OutputType};
use crate::store::FileError;

/// Why something with keys was not done. Nothing has changed then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A text is no descriptor of this network.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
    /// A request to import contradicts itself or the wallet.
    #[error("{0}")]
    Import(&'static str),
    /// The new range leaves out what is watched already.
    #[error("new range must include current range = [{start},{end}]")]
    RangeShrinks {
        /// First index that is watched.
        start: u32,
        /// Last index that is watched.
        end: u32,
    },
    /// The wallet watches only.
    #[error("Cannot import private keys to a wallet with private keys disabled")]
    WatchOnly,
    /// There is no active descriptor for such addresses.
    #[error("Error: No {kind} addresses available.")]
    NoAddresses {
        /// The kind of addresses.
        kind: OutputType,
        /// The chain of keys.
        chain: Chain,
    },
    /// The next address needs a private key, and the wallet is locked.
    #[error("the next address needs a private key, and the wallet is locked")]
    KeypoolRanOut,
    /// All indexes have been used.
    #[error("the descriptor has no index left; import another one")]
    NoIndexLeft,
    /// Private keys are needed, and the wallet is locked.
    #[error("the wallet is locked, and its private keys are needed")]
    Locked,
    /// The passphrase is not the wallet's.
    #[error("Error: The wallet passphrase entered was incorrect.")]
    WrongPassphrase,
    /// A passphrase of no characters.
    #[error("passphrase cannot be empty")]
    EmptyPassphrase,
    /// The wallet has no passphrase.
    #[error("the wallet has no passphrase")]
    NotEncrypted,
    /// The wallet has a passphrase already.
    #[error("the wallet has a passphrase already")]
    AlreadyEncrypted,
    /// There is nothing to encrypt.
    #[error("Error: wallet does not contain private keys, nothing to encrypt.")]
    NothingToEncrypt,
    /// The cost of the passphrase is out of bounds.
    #[error(
        "{0}: not a cost that a passphrase can have; memory is 8 KiB to 4 GiB, passes and lanes are 1 or more"
    )]
    Cost(String),
    /// The words are no mnemonic.
    #[error("not a BIP39 mnemonic in English: {0}")]
    Mnemonic(#[from] bip39::Error),
    /// A seed that makes no key (one in 2^127), or a derivation that does not exist.
    #[error("the key cannot be derived: {0}")]
    Derivation(#[from] bitcoin::bip32::Error),
    /// A text is no private key in WIF of this network.
    #[error("Invalid private key encoding")]
    BadWif,
    /// No private key is known for an address.
    #[error("Private key for address {0} is not known")]
    NoPrivateKey(String),
    /// A label or what it is put on is longer than the limit.
    #[error("{what} of {length} bytes is longer than the {limit} that are kept")]
    TooLong {
        /// What was too long.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A line of a file of labels is not as BIP329 says.
    #[error("line {line}: {detail}")]
    Labels {
        /// Counted from 1.
        line: usize,
        /// What was wrong.
        detail: String,
    },
    /// A PSBT does not fit itself or what is known of the coins it spends.
    #[error("input {input}: {detail}")]
    Psbt {
        /// The input's number, from 0.
        input: usize,
        /// What was wrong.
        detail: String,
    },
    /// The wallet's file.
    #[error(transparent)]
    File(#[from] FileError),
}
