//! Owns the private part of all descriptors: open, sealed and locked, or sealed and unlocked.
//! Promises that a locked wallet holds nothing private in memory, and that what is sealed is never written open.
//! Refuses to open a secret that was changed, or moved from another descriptor.
//!
//! Table `secrets`: descriptor u32 (big-endian) -> `0 | text`, or `1 | the sealed text` (see `seal.rs`).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bitcoin::Network;
use im::OrdMap;
use zeroize::Zeroizing;

use super::KeyError;
use super::seal::{DataKey, Kdf, Seal};
use super::secret::Secret;
use crate::slot::DescriptorNumber;
use crate::store::{FileError, Reading, Step, Table, WalletId};

const OPEN: u8 = 0;
const SEALED: u8 = 1;
const SEAL_KEY: &[u8] = b"seal";

/// The private part of a wallet. A clone is the same secrets, held once more.
#[derive(Clone)]
pub(crate) struct Vault {
    wallet: WalletId,
    network: Network,
    /// Of an encrypted wallet.
    seal: Option<Arc<Seal>>,
    /// Of an encrypted wallet: every secret as it lies in the file.
    sealed: OrdMap<DescriptorNumber, Arc<[u8]>>,
    /// Of an encrypted wallet that is unlocked.
    data_key: Option<Arc<DataKey>>,
    /// Every secret, unless the wallet is locked.
    open: OrdMap<DescriptorNumber, Arc<Secret>>,
}

impl Vault {
    /// Without secrets, open.
    pub(crate) fn new(wallet: WalletId, network: Network) -> Vault {
        Vault {
            wallet,
            network,
            seal: None,
            sealed: OrdMap::new(),
            data_key: None,
            open: OrdMap::new(),
        }
    }

    /// As it lies in the file; an encrypted one is locked.
    pub(crate) fn load(
        reading: &Reading<'_>,
        wallet: WalletId,
        network: Network,
    ) -> Result<Vault, FileError> {
        let mut vault = Vault::new(wallet, network);
        if let Some(row) = reading.get(Table::Meta, SEAL_KEY)? {
            let seal = Seal::read(row)
                .map_err(|why| reading.damaged(Table::Meta, SEAL_KEY, why.to_string()))?;
            vault.seal = Some(Arc::new(seal));
        }
        let encrypted = vault.seal.is_some();
        reading.each(Table::Secrets, |key, value| {
            let damaged = |why: &str| reading.damaged(Table::Secrets, key, why);
            let number: [u8; 4] = key
                .try_into()
                .map_err(|_| damaged("its key is no number"))?;
            let number = DescriptorNumber(u32::from_be_bytes(number));
            match (value.split_first(), encrypted) {
                (Some((&OPEN, text)), false) => {
                    let text = std::str::from_utf8(text).map_err(|_| damaged("not UTF-8"))?;
                    let secret = Secret::parse(Zeroizing::new(text.to_owned()), network)
                        .map_err(|_| damaged("its descriptor cannot be read"))?;
                    vault.open.insert(number, Arc::new(secret));
                }
                (Some((&SEALED, sealed)), true) => {
                    vault.sealed.insert(number, sealed.into());
                }
                _ => return Err(damaged("neither open nor sealed as the wallet is")),
            }
            Ok(())
        })?;
        Ok(vault)
    }

    /// Whether there is a passphrase.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.seal.is_some()
    }

    /// Whether the passphrase is needed to get at the secrets.
    pub(crate) fn is_locked(&self) -> bool {
        self.seal.is_some() && self.data_key.is_none()
    }

    /// The secret of a descriptor, unless the wallet is locked.
    pub(crate) fn get(&self, number: DescriptorNumber) -> Option<&Arc<Secret>> {
        self.open.get(&number)
    }

    /// Every secret, unless the wallet is locked.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (DescriptorNumber, &Secret)> {
        self.open
            .iter()
            .map(|(number, secret)| (*number, &**secret))
    }

    /// Whether a descriptor has a secret, locked or not.
    pub(crate) fn has(&self, number: DescriptorNumber) -> bool {
        self.open.contains_key(&number) || self.sealed.contains_key(&number)
    }

    /// Keeps a secret.
    ///
    /// # Errors
    ///
    /// [`KeyError::Locked`].
    pub(crate) fn insert(
        &mut self,
        number: DescriptorNumber,
        secret: Secret,
    ) -> Result<(), KeyError> {
        match (&self.seal, &self.data_key) {
            (None, _) => {}
            (Some(_), None) => return Err(KeyError::Locked),
            (Some(_), Some(data_key)) => {
                let sealed = data_key.seal(&self.wallet, number, secret.text.as_bytes());
                self.sealed.insert(number, sealed.into());
            }
        }
        self.open.insert(number, Arc::new(secret));
        Ok(())
    }

    /// Seals all secrets by a passphrase, and leaves them unlocked.
    pub(crate) fn encrypt(&mut self, passphrase: &str, kdf: Kdf) -> Result<(), KeyError> {
        if self.is_encrypted() {
            return Err(KeyError::AlreadyEncrypted);
        }
        let (seal, data_key) = Seal::new(&self.wallet, passphrase, kdf)?;
        self.sealed = self
            .open
            .iter()
            .map(|(number, secret)| {
                let sealed = data_key.seal(&self.wallet, *number, secret.text.as_bytes());
                (*number, Arc::<[u8]>::from(sealed))
            })
            .collect();
        self.seal = Some(Arc::new(seal));
        self.data_key = Some(Arc::new(data_key));
        Ok(())
    }

    /// Opens all secrets.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotEncrypted`], [`KeyError::WrongPassphrase`], a secret that is damaged.
    pub(crate) fn unlock(&mut self, passphrase: &str, directory: &Path) -> Result<(), KeyError> {
        let seal = self.seal.as_ref().ok_or(KeyError::NotEncrypted)?;
        let data_key = seal.open(&self.wallet, passphrase)?;
        let mut open = BTreeMap::new();
        for (number, sealed) in &self.sealed {
            let damaged = |why: &str| {
                FileError::damaged_row(directory, Table::Secrets, &number.0.to_be_bytes(), why)
            };
            let text = data_key
                .open(&self.wallet, *number, sealed)
                .ok_or_else(|| damaged("it was changed since it was sealed"))?;
            let text = std::str::from_utf8(&text).map_err(|_| damaged("not UTF-8"))?;
            let secret = Secret::parse(Zeroizing::new(text.to_owned()), self.network)
                .map_err(|_| damaged("its descriptor cannot be read"))?;
            open.insert(*number, Arc::new(secret));
        }
        self.open = open.into_iter().collect();
        self.data_key = Some(Arc::new(data_key));
        Ok(())
    }

    /// Forgets what is open of an encrypted wallet.
    pub(crate) fn lock(&mut self) -> Result<(), KeyError> {
        if !self.is_encrypted() {
            return Err(KeyError::NotEncrypted);
        }
        self.data_key = None;
        self.open = OrdMap::new();
        Ok(())
    }

    /// Seals the data key by another passphrase.
    ///
    /// # Errors
    ///
    /// [`KeyError::WrongPassphrase`] if `old` is not the wallet's; [`KeyError::EmptyPassphrase`].
    pub(crate) fn change_passphrase(&mut self, old: &str, new: &str) -> Result<(), KeyError> {
        let seal = self.seal.as_ref().ok_or(KeyError::NotEncrypted)?;
        let data_key = seal.open(&self.wallet, old)?;
        let changed = Seal::of(&self.wallet, &data_key, new, seal.kdf())?;
        self.seal = Some(Arc::new(changed));
        Ok(())
    }

    pub(crate) fn write_seal(&self, step: &mut Step<'_>) -> Result<(), FileError> {
        match &self.seal {
            Some(seal) => step.put(Table::Meta, SEAL_KEY, &seal.write()),
            None => Ok(()),
        }
    }

    pub(crate) fn write(
        &self,
        number: DescriptorNumber,
        step: &mut Step<'_>,
    ) -> Result<(), FileError> {
        let key = number.0.to_be_bytes();
        if let Some(sealed) = self.sealed.get(&number) {
            return step.put(Table::Secrets, &key, &[&[SEALED], &sealed[..]].concat());
        }
        match self.open.get(&number) {
            Some(secret) => {
                let mut row = Zeroizing::new(vec![OPEN]);
                row.extend_from_slice(secret.text.as_bytes());
                step.put(Table::Secrets, &key, &row)
            }
            None => Ok(()),
        }
    }
}

/// Whether both have the same secrets, as far as they are open in both.
impl PartialEq for Vault {
    fn eq(&self, other: &Vault) -> bool {
        let texts = |vault: &Vault| -> Vec<(DescriptorNumber, Zeroizing<String>)> {
            let open = vault.open.iter();
            open.map(|(number, secret)| (*number, secret.text.clone()))
                .collect()
        };
        self.seal == other.seal && self.sealed == other.sealed && texts(self) == texts(other)
    }
}
