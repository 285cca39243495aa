//! Owns what becomes of the wallet without a name that a node makes by itself for those who know of one wallet alone.
//! Promises that one which anybody has used stays.

use std::collections::HashSet;

use crate::error::WalletError;
use crate::keys::{Keyring, OutputType, WalletDescriptor};
use crate::wallets::Wallets;

impl Wallets {
    /// Unloads the wallet without a name, where it was made by the node itself and nobody has used it, in favour of one of
    /// another name that somebody asked for: so calls that name none mean that one. It is not opened at the next start, either.
    ///
    /// # Errors
    ///
    /// What the disk does.
    pub fn make_way_for(&self, name: &str) -> Result<(), WalletError> {
        let made_by_itself = self.config().compat && !name.is_empty();
        let Some(unnamed) = self.get("").filter(|_| made_by_itself) else {
            return Ok(());
        };
        let unused = {
            let view = unnamed.view()?;
            let keyring = view.keyring();
            let given_out = keyring.descriptors().any(|one| one.next != 0);
            let labelled = keyring.labels().iter().next().is_some();
            let paid = view.records().next().is_some();
            // Who gave it a passphrase, or descriptors of their own, means to use it.
            !(given_out || labelled || paid || keyring.is_encrypted()) && is_as_made(keyring)
        };
        match unused {
            true => {
                self.open_at_start("", false)?;
                self.unload("")
            }
            false => Ok(()),
        }
    }
}

/// Whether it has the descriptors of a fresh wallet and no others: one of each kind and chain, in use, of one random key.
fn is_as_made(keyring: &Keyring) -> bool {
    let flags = keyring.flags();
    let fresh = 2 * OutputType::ALL.len();
    let births: HashSet<u64> = keyring.descriptors().map(|one| one.birth).collect();
    let in_use = |one: &WalletDescriptor| one.active && one.has_private_keys;
    !flags.blank
        && !flags.disable_private_keys
        && keyring.descriptors().count() == fresh
        && keyring.descriptors().all(in_use)
        && births.len() == 1
}
