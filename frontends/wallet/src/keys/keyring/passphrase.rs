//! Owns the passphrase of a wallet's keys: given, changed, asked for.
//! Promises that what could be read without it is not in the file any more once there is one.

use super::Keyring;
use crate::keys::descriptor::WalletDescriptor;
use crate::keys::{Kdf, KeyError};
use crate::store::{FileError, Table, WalletFile};

impl Keyring {
    /// Whether there is a passphrase.
    pub fn is_encrypted(&self) -> bool {
        self.vault.is_encrypted()
    }

    /// Whether the passphrase is needed before anything can be signed.
    pub fn is_locked(&self) -> bool {
        self.vault.is_locked()
    }

    /// Whether it is locked, and further addresses of some descriptor are watched only with its private keys: their last step is
    /// hardened.
    pub fn needs_unlocking(&self) -> bool {
        self.is_locked() && self.descriptors().any(WalletDescriptor::grows_by_secret)
    }

    /// Seals all secrets by a passphrase, in memory and in the file, which is written anew so that nothing of them is left in
    /// it in the clear. The wallet is locked then.
    ///
    /// # Errors
    ///
    /// [`KeyError::AlreadyEncrypted`], [`KeyError::NothingToEncrypt`], [`KeyError::EmptyPassphrase`], [`KeyError::Cost`],
    /// errors of the disk. Nothing has changed then.
    pub fn encrypt(
        &mut self,
        file: &mut WalletFile,
        passphrase: &str,
        kdf: Kdf,
    ) -> Result<(), KeyError> {
        self.seal(passphrase, kdf, |next| {
            file.rewrite(&[Table::Secrets], |step| next.save(step))
        })
    }

    /// The same for keys that were not written yet: nothing of them has to go from the file.
    pub(crate) fn encrypt_unsaved(
        &mut self,
        file: &WalletFile,
        passphrase: &str,
        kdf: Kdf,
    ) -> Result<(), KeyError> {
        self.seal(passphrase, kdf, |next| file.write(|step| next.save(step)))
    }

    fn seal(
        &mut self,
        passphrase: &str,
        kdf: Kdf,
        save: impl FnOnce(&mut Keyring) -> Result<(), FileError>,
    ) -> Result<(), KeyError> {
        if self.flags.disable_private_keys {
            return Err(KeyError::NothingToEncrypt);
        }
        let mut next = self.clone();
        next.vault.encrypt(passphrase, kdf)?;
        next.changes.seal = true;
        next.changes.secrets = next.numbers().collect();
        save(&mut next)?;
        next.vault.lock()?;
        *self = next;
        Ok(())
    }

    /// Opens the secrets, and watches as many addresses ahead as is set. Nothing needs to be saved unless that made some.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotEncrypted`], [`KeyError::WrongPassphrase`], a secret that is damaged.
    pub fn unlock(&mut self, passphrase: &str) -> Result<(), KeyError> {
        self.vault.unlock(passphrase, &self.directory)?;
        self.top_up(None);
        Ok(())
    }

    /// Forgets the secrets until the next [`Keyring::unlock`].
    ///
    /// # Errors
    ///
    /// [`KeyError::NotEncrypted`].
    pub fn lock(&mut self) -> Result<(), KeyError> {
        self.vault.lock()
    }

    /// Changes the passphrase; whether the wallet is locked stays as it is.
    ///
    /// # Errors
    ///
    /// [`KeyError::NotEncrypted`], [`KeyError::WrongPassphrase`] if `old` is wrong, [`KeyError::EmptyPassphrase`].
    pub fn change_passphrase(&mut self, old: &str, new: &str) -> Result<(), KeyError> {
        self.vault.change_passphrase(old, new)?;
        self.changes.seal = true;
        Ok(())
    }
}
