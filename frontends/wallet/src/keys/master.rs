//! Owns the key that a wallet starts from, and the eight descriptors of a fresh wallet: BIP44, 49, 84 and 86, external and
//! internal, of account 0.
//! Promises Core's descriptors, so that both find the same coins with the same master key.
//! Refuses to keep a mnemonic: who made the wallet from one keeps it.

use std::borrow::Cow;

use bip39::{Language, Mnemonic};
use bitcoin::bip32::Xpriv;
use bitcoin::secp256k1::rand::{RngCore, rngs::OsRng};
use bitcoin::{Network, NetworkKind};
use zeroize::{Zeroize, Zeroizing};

use super::{Chain, KeyError, OutputType};

/// Bytes of a random seed, as Core makes it.
const SEED_LENGTH: usize = 32;

/// A BIP32 master key; overwritten when it is dropped.
pub struct Master(Xpriv);

impl Drop for Master {
    fn drop(&mut self) {
        self.0.private_key.non_secure_erase();
    }
}

impl Master {
    /// From a random seed of 32 bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::Derivation`] with a probability of 2^-127.
    pub fn random(network: Network) -> Result<Master, KeyError> {
        let mut seed = Zeroizing::new([0; SEED_LENGTH]);
        OsRng.fill_bytes(&mut *seed);
        Master::from_seed(&*seed, network)
    }

    /// From a BIP32 seed, 16 to 64 bytes.
    pub fn from_seed(seed: &[u8], network: Network) -> Result<Master, KeyError> {
        Ok(Master(Xpriv::new_master(network, seed)?))
    }

    /// From a BIP39 mnemonic in English and the passphrase that goes with it, which may be empty. Both are normalised (NFKD).
    ///
    /// # Errors
    ///
    /// [`KeyError::Mnemonic`]: a word that is not in the list, the number of words, the checksum.
    pub fn from_mnemonic(
        words: &str,
        passphrase: &str,
        network: Network,
    ) -> Result<Master, KeyError> {
        let mnemonic = Mnemonic::parse_in(Language::English, Cow::Borrowed(words))?;
        let seed = Zeroizing::new(mnemonic.to_seed(passphrase));
        Master::from_seed(&*seed, network)
    }

    /// A key that is given.
    pub fn from_key(key: Xpriv) -> Master {
        Master(key)
    }

    /// The key itself.
    pub fn key(&self) -> &Xpriv {
        &self.0
    }

    /// The private descriptor of one kind and chain, without a checksum.
    pub fn descriptor(&self, kind: OutputType, chain: Chain) -> Zeroizing<String> {
        let (before, purpose, after) = match kind {
            OutputType::Legacy => ("pkh(", 44, ")"),
            OutputType::P2shSegwit => ("sh(wpkh(", 49, "))"),
            OutputType::Bech32 => ("wpkh(", 84, ")"),
            OutputType::Bech32m => ("tr(", 86, ")"),
        };
        let coin = match self.0.network {
            NetworkKind::Main => 0,
            NetworkKind::Test => 1,
        };
        let chain = match chain {
            Chain::External => 0,
            Chain::Internal => 1,
        };
        let mut key = self.0.to_string();
        let text = format!("{before}{key}/{purpose}h/{coin}h/0h/{chain}/*{after}");
        key.zeroize();
        Zeroizing::new(text)
    }

    /// The private descriptors of a fresh wallet, external before internal.
    pub fn descriptors(&self) -> Vec<(OutputType, Chain, Zeroizing<String>)> {
        let chains = [Chain::External, Chain::Internal];
        let all = chains
            .into_iter()
            .flat_map(|chain| OutputType::ALL.into_iter().map(move |kind| (kind, chain)));
        all.map(|(kind, chain)| (kind, chain, self.descriptor(kind, chain)))
            .collect()
    }
}

/// A new mnemonic of 24 words in English.
///
/// # Errors
///
/// None that can be: the number of bytes is one that BIP39 has.
pub fn new_mnemonic() -> Result<Zeroizing<String>, KeyError> {
    let mut entropy = Zeroizing::new([0; SEED_LENGTH]);
    OsRng.fill_bytes(&mut *entropy);
    let mnemonic = Mnemonic::from_entropy_in(Language::English, &*entropy)?;
    Ok(Zeroizing::new(mnemonic.to_string()))
}

#[cfg(test)]
mod tests;
