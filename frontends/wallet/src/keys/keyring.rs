//! Owns all descriptors of a wallet in memory, with their scripts, their secrets and the labels.
//! Promises that a script of ours is found by one look-up, and that a clone is cheap: a step changes a clone, writes it with
//! [`Keyring::save`], and puts it in the place of the old one when that is committed, so that what failed never happened.
//! Refuses to write by itself.
//!
//! ```text
//! let mut next = keyring.clone();
//! let (slot, script) = next.new_script(OutputType::Bech32, Chain::External)?;
//! file.write(|step| next.save(step))?;
//! keyring = next;
//! ```

mod changes;
mod hd_keys;
mod import;

use std::path::PathBuf;
use std::sync::Arc;

use bitcoin::bip32::KeySource;
use bitcoin::{Network, Script, ScriptBuf, XOnlyPublicKey};
use im::{HashMap, Vector};
use miniscript::Descriptor;
use miniscript::descriptor::DefiniteDescriptorKey;
use smallvec::SmallVec;
use zeroize::Zeroizing;

pub use hd_keys::HdKey;
pub use import::{Import, Imported};

use self::changes::Changes;
use super::descriptor::{INDEX_LIMIT, WalletDescriptor};
use super::expression::{SECP, origin, with_checksum};
use super::held::Held;
use super::secret::{PrivateKeys, Secret};
use super::vault::Vault;
use super::{Chain, Kdf, KeyError, Master, OutputType};
use crate::labels::{Labels, Purpose};
use crate::slot::{DescriptorNumber, Slot};
use crate::store::{FileError, Reading, Step, Table, WalletFile, WalletFlags};

/// The slots of one script: more than one where descriptors overlap.
type Slots = SmallVec<[Slot; 1]>;

/// What a wallet owns of keys. Two are equal when they own the same; what is open of their secrets is not looked at where one
/// is locked.
#[derive(Clone)]
pub struct Keyring {
    directory: PathBuf,
    network: Network,
    flags: WalletFlags,
    keypool: u32,
    descriptors: Vector<Arc<WalletDescriptor>>,
    slots: HashMap<ScriptBuf, Slots>,
    vault: Vault,
    labels: Labels,
    changes: Changes,
}

impl PartialEq for Keyring {
    fn eq(&self, other: &Keyring) -> bool {
        self.network == other.network
            && self.flags == other.flags
            && self.descriptors == other.descriptors
            && self.slots == other.slots
            && self.vault == other.vault
            && self.labels == other.labels
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring")
            .field("network", &self.network)
            .field("flags", &self.flags)
            .field("descriptors", &self.descriptors.len())
            .field("scripts", &self.slots.len())
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// What lies in a wallet's file; an encrypted wallet is locked. `keypool`: how many addresses ahead of the last used one are
    /// watched.
    ///
    /// # Errors
    ///
    /// [`FileError::DamagedRow`], errors of LMDB.
    pub fn load(file: &WalletFile, keypool: u32) -> Result<Keyring, FileError> {
        let reading = file.read()?;
        let mut keyring = Keyring {
            directory: file.directory().to_path_buf(),
            network: file.network(),
            flags: file.flags()?,
            keypool: keypool.max(1),
            descriptors: Vector::new(),
            slots: HashMap::new(),
            vault: Vault::load(&reading, file.id(), file.network())?,
            labels: Labels::load(&reading)?,
            changes: Changes::default(),
        };
        keyring.load_descriptors(&reading)?;
        Ok(keyring)
    }

    fn load_descriptors(&mut self, reading: &Reading<'_>) -> Result<(), FileError> {
        let mut all: Vec<(WalletDescriptor, u32)> = Vec::new();
        reading.each(Table::Descriptors, |key, value| {
            let number = DescriptorNumber(all.len() as u32);
            if key != number.0.to_be_bytes() {
                let detail = "the descriptor before it is missing";
                return Err(reading.damaged(Table::Descriptors, key, detail));
            }
            let read = WalletDescriptor::read(number, value, self.network)
                .map_err(|why| reading.damaged(Table::Descriptors, key, why.to_string()))?;
            all.push(read);
            Ok(())
        })?;
        reading.each(Table::Scripts, |key, value| {
            let damaged = |why: &str| reading.damaged(Table::Scripts, key, why);
            let (number, index) = script_place(key).ok_or_else(|| damaged("a key of no script"))?;
            let (descriptor, end) = all
                .get_mut(number as usize)
                .ok_or_else(|| damaged("of a descriptor that is not there"))?;
            if index != descriptor.end || index >= *end {
                return Err(damaged("not the next script of its descriptor"));
            }
            let held = Held::read(value).map_err(|why| damaged(&why.to_string()))?;
            descriptor.held.push_back(held);
            descriptor.end += 1;
            Ok(())
        })?;
        for (descriptor, end) in all {
            let key = descriptor.number.0.to_be_bytes();
            let damaged = |why: &str| reading.damaged(Table::Descriptors, &key, why);
            if descriptor.end != end {
                return Err(damaged("some of its scripts are missing"));
            }
            if descriptor.has_private_keys != self.vault.has(descriptor.number) {
                return Err(damaged("its secret is missing, or should be"));
            }
            for (index, script) in descriptor.all_scripts() {
                let slot = Slot {
                    descriptor: descriptor.number,
                    index,
                };
                self.slots.entry(script.clone()).or_default().push(slot);
            }
            self.descriptors.push_back(Arc::new(descriptor));
        }
        Ok(())
    }

    /// Writes what has changed since the last time into a step.
    ///
    /// # Errors
    ///
    /// Those of [`Step::put`].
    pub fn save(&mut self, step: &mut Step<'_>) -> Result<(), FileError> {
        let changes = std::mem::take(&mut self.changes);
        if changes.flags {
            step.put_flags(self.flags)?;
        }
        if changes.seal {
            self.vault.write_seal(step)?;
        }
        for number in &changes.secrets {
            self.vault.write(*number, step)?;
        }
        for number in &changes.descriptors {
            if let Some(descriptor) = self.descriptor(*number) {
                step.put(
                    Table::Descriptors,
                    &number.0.to_be_bytes(),
                    &descriptor.write(),
                )?;
            }
        }
        for slot in &changes.scripts {
            let Some(descriptor) = self.descriptor(slot.descriptor) else {
                continue;
            };
            let place = slot.index.checked_sub(descriptor.start);
            if let Some(held) = place.and_then(|place| descriptor.held.get(place as usize)) {
                step.put(Table::Scripts, &script_key(*slot), &held.write())?;
            }
        }
        self.labels.save(step)
    }

    /// Whether nothing has changed since the last [`Keyring::save`] but labels.
    pub(crate) fn is_saved(&self) -> bool {
        self.changes == Changes::default()
    }

    /// The scripts that are watched since the last [`Keyring::save`].
    pub(crate) fn unsaved_scripts(&self) -> Vec<ScriptBuf> {
        let slots = self.changes.scripts.iter();
        slots
            .flat_map(|slot| self.scripts(*slot))
            .cloned()
            .collect()
    }

    /// The network of its addresses.
    pub fn network(&self) -> Network {
        self.network
    }

    /// What the wallet was made to be.
    pub fn flags(&self) -> WalletFlags {
        self.flags
    }

    /// How many addresses ahead of the last used one are watched.
    pub fn keypool(&self) -> u32 {
        self.keypool
    }

    /// Says whether coins of an address that was paid from already are left out.
    pub fn set_avoid_reuse(&mut self, avoid: bool) {
        self.changes.flags = self.changes.flags || self.flags.avoid_reuse != avoid;
        self.flags.avoid_reuse = avoid;
    }

    /// Notes that it has descriptors of its own making: one that was made without keys is not blank any more.
    pub fn set_furnished(&mut self) {
        self.changes.flags = self.changes.flags || self.flags.blank;
        self.flags.blank = false;
    }

    /// The labels.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The labels, to change them; [`Keyring::save`] writes them.
    pub fn labels_mut(&mut self) -> &mut Labels {
        &mut self.labels
    }

    /// All descriptors, in the order in which the wallet came by them.
    pub fn descriptors(&self) -> impl Iterator<Item = &WalletDescriptor> {
        self.descriptors.iter().map(|descriptor| &**descriptor)
    }

    /// One descriptor.
    pub fn descriptor(&self, number: DescriptorNumber) -> Option<&WalletDescriptor> {
        self.descriptors
            .get(number.0 as usize)
            .map(|descriptor| &**descriptor)
    }

    /// The descriptor with this id.
    pub fn descriptor_by_id(&self, id: &[u8; 32]) -> Option<&WalletDescriptor> {
        self.descriptors().find(|descriptor| descriptor.id() == *id)
    }

    /// The descriptor that new addresses of a kind come from.
    pub fn active(&self, kind: OutputType, chain: Chain) -> Option<&WalletDescriptor> {
        self.descriptors()
            .find(|descriptor| descriptor.role() == Some((kind, chain)))
    }

    /// The private text of a descriptor with its checksum; `None` without private keys or while locked.
    pub fn private_text(&self, number: DescriptorNumber) -> Option<Zeroizing<String>> {
        let secret = self.vault.get(number)?;
        Some(Zeroizing::new(with_checksum(&secret.text)))
    }

    /// Whether a script is ours, and which; the first of several.
    pub fn slot_of(&self, script: &Script) -> Option<Slot> {
        self.slots_of(script).first().copied()
    }

    /// All slots of a script: several where descriptors overlap, none where it is not ours.
    pub fn slots_of(&self, script: &Script) -> &[Slot] {
        self.slots.get(script).map_or(&[], |slots| slots)
    }

    /// The scripts of a slot: four of `combo()`, else one.
    pub fn scripts(&self, slot: Slot) -> &[ScriptBuf] {
        self.descriptor(slot.descriptor)
            .map_or(&[], |descriptor| descriptor.scripts(slot.index))
    }

    /// Every script that is watched.
    pub fn all_scripts(&self) -> impl Iterator<Item = (&ScriptBuf, Slot)> {
        self.slots
            .iter()
            .filter_map(|(script, slots)| Some((script, *slots.first()?)))
    }

    /// How many scripts are watched.
    pub fn script_count(&self) -> usize {
        self.slots.len()
    }

    /// What solves a script of ours, if anything is known.
    pub fn solution(&self, script: &Script) -> Option<Descriptor<DefiniteDescriptorKey>> {
        self.slots_of(script).iter().find_map(|slot| {
            self.descriptor(slot.descriptor)?
                .solution(slot.index, script)
        })
    }

    /// The key of a `rawtr()` of ours, which is the output's own, and where it comes from.
    pub(crate) fn raw_taproot_source(
        &self,
        script: &Script,
    ) -> Option<(XOnlyPublicKey, KeySource)> {
        let mut slots = self.slots_of(script).iter();
        let definite =
            slots.find_map(|slot| self.descriptor(slot.descriptor)?.raw_taproot(slot.index))?;
        let Descriptor::Tr(tree) = definite else {
            return None;
        };
        let key = tree.internal_key();
        let public = key.derive_public_key(&SECP).inner.x_only_public_key().0;
        Some((public, origin(key, &SECP)))
    }

    /// A descriptor whose inputs are as large as those of a script of ours, if it is known how that is spent.
    pub(crate) fn spent_like(&self, script: &Script) -> Option<Descriptor<DefiniteDescriptorKey>> {
        let mut slots = self.slots_of(script).iter();
        slots.find_map(|slot| {
            self.descriptor(slot.descriptor)?
                .spent_like(slot.index, script)
        })
    }

    /// What a script of ours is as a descriptor of its own, with the origins of its keys and a checksum; `None` where nothing is
    /// known that solves it.
    pub fn text_of(&self, script: &Script) -> Option<String> {
        let mut slots = self.slots_of(script).iter();
        slots.find_map(|slot| {
            self.descriptor(slot.descriptor)?
                .text_at(slot.index, script)
        })
    }

    /// The descriptors of a slot at its index: four of `combo()`, none of `addr()`, `raw()` and `rawtr()`.
    pub fn definite(&self, slot: Slot) -> Vec<Descriptor<DefiniteDescriptorKey>> {
        self.descriptor(slot.descriptor)
            .map_or_else(Vec::new, |descriptor| descriptor.definite(slot.index))
    }

    /// Whether there are private keys for a script, locked or not.
    pub fn can_sign(&self, script: &Script) -> bool {
        self.slots_of(script).iter().any(|slot| {
            self.descriptor(slot.descriptor)
                .is_some_and(|descriptor| descriptor.has_private_keys)
        })
    }

    /// The private keys of a script of ours, as far as the wallet has them; none while it is locked.
    pub fn private_keys(&self, script: &Script) -> PrivateKeys {
        let mut keys = PrivateKeys::default();
        for slot in self.slots_of(script) {
            if let Some(secret) = self.vault.get(slot.descriptor) {
                secret.keys_at(slot.index, &mut keys);
            }
        }
        keys
    }

    /// All secrets that are open.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = (DescriptorNumber, &Secret)> {
        self.vault.iter()
    }

    /// The next script of a kind that was not given out yet. It is given out when this has been saved.
    ///
    /// # Errors
    ///
    /// [`KeyError::NoAddresses`] without an active descriptor, [`KeyError::KeypoolRanOut`] where it needs a private key and
    /// the wallet is locked, [`KeyError::NoIndexLeft`].
    pub fn new_script(
        &mut self,
        kind: OutputType,
        chain: Chain,
    ) -> Result<(Slot, ScriptBuf), KeyError> {
        let active = self.active(kind, chain);
        let number = active.ok_or(KeyError::NoAddresses { kind, chain })?.number;
        let slot = self.next_of(number)?;
        let script = self.scripts(slot).first().cloned();
        Ok((slot, script.ok_or(KeyError::KeypoolRanOut)?))
    }

    /// The next script of a descriptor, which is given out by that.
    fn next_of(&mut self, number: DescriptorNumber) -> Result<Slot, KeyError> {
        self.top_up_one(number, self.keypool);
        let descriptor = self.edit(number);
        let index = descriptor.next;
        if index >= INDEX_LIMIT {
            return Err(KeyError::NoIndexLeft);
        }
        if index >= descriptor.end {
            return Err(KeyError::KeypoolRanOut);
        }
        descriptor.next += 1;
        Ok(Slot {
            descriptor: number,
            index,
        })
    }

    /// As [`Keyring::new_script`], as an address.
    pub fn new_address(
        &mut self,
        kind: OutputType,
        chain: Chain,
    ) -> Result<(Slot, bitcoin::Address), KeyError> {
        let (slot, script) = self.new_script(kind, chain)?;
        let address = bitcoin::Address::from_script(&script, self.network)
            .map_err(|_| KeyError::NoAddresses { kind, chain })?;
        Ok((slot, address))
    }

    /// Takes an address back that was given out last and never shown: the next one is the same again. Says whether it was.
    pub fn give_back(&mut self, slot: Slot) -> bool {
        let last = self
            .descriptor(slot.descriptor)
            .is_some_and(|descriptor| descriptor.next == slot.index + 1);
        if last {
            self.edit(slot.descriptor).next = slot.index;
        }
        last
    }

    /// Notes that scripts were seen in a transaction: no address up to them is given out any more, and as many as are set are
    /// watched ahead. Returns how many scripts are watched now that were not before: what they are in may have to be looked at
    /// again.
    pub fn mark_used(&mut self, slots: &[Slot]) -> usize {
        let before = self.slots.len();
        for slot in slots {
            let overlapping: Slots = self
                .scripts(*slot)
                .iter()
                .flat_map(|script| self.slots_of(script))
                .copied()
                .collect();
            for slot in overlapping {
                self.mark_one(slot);
            }
        }
        self.slots.len() - before
    }

    /// Gives out a script that a clone of this keyring made; where that was given out meanwhile or seen, the next one of the same
    /// descriptor, which is as long.
    ///
    /// # Errors
    ///
    /// [`KeyError::NoIndexLeft`], [`KeyError::KeypoolRanOut`].
    pub(crate) fn give_made(&mut self, slot: Slot) -> Result<ScriptBuf, KeyError> {
        let made = self.descriptor(slot.descriptor);
        let slot = match made.is_some_and(|descriptor| descriptor.next > slot.index) {
            true => self.next_of(slot.descriptor)?,
            false => {
                self.mark_given(slot)?;
                slot
            }
        };
        let script = self.scripts(slot).first().cloned();
        script.ok_or(KeyError::KeypoolRanOut)
    }

    /// Notes that a script was given out which a clone of this keyring made: it may lie behind what this one watches so far.
    fn mark_given(&mut self, slot: Slot) -> Result<(), KeyError> {
        let end = slot.index.saturating_add(1);
        let watched = self.descriptor(slot.descriptor);
        if watched.is_some_and(|descriptor| descriptor.is_range() && descriptor.end < end) {
            let secret = self.vault.get(slot.descriptor).cloned();
            self.grow(slot.descriptor, |descriptor| {
                descriptor.extend_to(end, secret.as_deref())
            })?;
        }
        self.mark_used(&[slot]);
        Ok(())
    }

    fn mark_one(&mut self, slot: Slot) {
        let descriptor = self.descriptor(slot.descriptor);
        let Some(descriptor) = descriptor.filter(|descriptor| descriptor.is_range()) else {
            return;
        };
        if slot.index >= descriptor.next {
            let receives = descriptor
                .role()
                .is_some_and(|(_, chain)| chain == Chain::External);
            let given_elsewhere = descriptor.next..slot.index + 1;
            self.edit(slot.descriptor).next = slot.index + 1;
            if receives {
                given_elsewhere.for_each(|index| self.book_unlabelled(slot.descriptor, index));
            }
        }
        // Also where it was given out before: the one that was given out last is not made up for until then.
        self.top_up_one(slot.descriptor, self.keypool);
    }

    /// Puts an address into the book that somebody else gave out, as if it had been given out here without a label: what it is paid
    /// is a receipt then, and not change.
    fn book_unlabelled(&mut self, descriptor: DescriptorNumber, index: u32) {
        let slot = Slot { descriptor, index };
        let script = self.scripts(slot).first();
        let address =
            script.and_then(|script| bitcoin::Address::from_script(script, self.network).ok());
        let Some(address) = address.map(|address| address.to_string()) else {
            return;
        };
        if self.labels.address(&address).is_none() {
            // An address and no label are not too long.
            let _ = self.labels.set_address(&address, "", Purpose::Receive);
        }
    }

    /// Watches `size` addresses ahead in every descriptor, or as many as is set. Returns whether there are that many now: where
    /// a private key is needed and the wallet is locked there are not.
    pub fn top_up(&mut self, size: Option<u32>) -> bool {
        let size = size.unwrap_or(self.keypool);
        let numbers: Vec<DescriptorNumber> = self.numbers().collect();
        numbers.into_iter().fold(true, |all, number| {
            let enough = self.top_up_one(number, size);
            all && enough
        })
    }

    /// Whether fewer addresses are watched ahead than are set: the setting has grown, or the last address was given out.
    pub(crate) fn is_short(&self) -> bool {
        self.descriptors()
            .any(|one| one.is_range() && one.keypool() < self.keypool && one.end < INDEX_LIMIT)
    }

    fn top_up_one(&mut self, number: DescriptorNumber, size: u32) -> bool {
        let Some(descriptor) = self.descriptor(number) else {
            return true;
        };
        let end = match descriptor.is_range() {
            true => descriptor.next.saturating_add(size).min(INDEX_LIMIT),
            false => 1,
        };
        if end <= descriptor.end {
            return true;
        }
        let secret = self.vault.get(number).cloned();
        self.grow(number, |descriptor| {
            descriptor.extend_to(end, secret.as_deref())
        })
        .is_ok()
    }

    /// Changes the range of a descriptor, and takes up the scripts that it has then.
    fn grow<E>(
        &mut self,
        number: DescriptorNumber,
        grow: impl FnOnce(&mut WalletDescriptor) -> Result<(), E>,
    ) -> Result<(), E> {
        let descriptor = self.edit(number);
        let before = descriptor.start..descriptor.end;
        let grown = grow(descriptor);
        let descriptor = self.descriptors[number.0 as usize].clone();
        let added = (descriptor.start..before.start).chain(before.end..descriptor.end);
        for index in added {
            let slot = Slot {
                descriptor: number,
                index,
            };
            self.changes.scripts.push(slot);
            for script in descriptor.scripts(index) {
                let slots = self.slots.entry(script.clone()).or_default();
                if !slots.contains(&slot) {
                    slots.push(slot);
                    slots.sort_unstable();
                }
            }
        }
        grown
    }

    fn numbers(&self) -> impl Iterator<Item = DescriptorNumber> + use<> {
        (0..self.descriptors.len() as u32).map(DescriptorNumber)
    }

    /// A descriptor of ours, to be changed.
    fn edit(&mut self, number: DescriptorNumber) -> &mut WalletDescriptor {
        self.changes.descriptors.insert(number);
        Arc::make_mut(&mut self.descriptors[number.0 as usize])
    }

    /// Takes up the eight descriptors of a master key as the active ones; the active ones of before are watched on.
    ///
    /// # Errors
    ///
    /// [`KeyError::WatchOnly`], [`KeyError::Locked`].
    pub fn add_master(&mut self, master: &Master, birth: u64) -> Result<(), KeyError> {
        for (_, chain, text) in master.descriptors() {
            self.import_form(&text, Some(chain), birth)?;
        }
        Ok(())
    }

    fn import_form(
        &mut self,
        text: &str,
        chain: Option<Chain>,
        birth: u64,
    ) -> Result<(), KeyError> {
        let import = Import {
            text: Zeroizing::new(with_checksum(text)),
            active: true,
            internal: chain.map(|chain| chain == Chain::Internal),
            birth,
            ..Import::default()
        };
        self.import(&import).map(drop)
    }

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

/// The key of a row of `scripts`.
fn script_key(slot: Slot) -> [u8; 8] {
    let mut key = [0; 8];
    key[..4].copy_from_slice(&slot.descriptor.0.to_be_bytes());
    key[4..].copy_from_slice(&slot.index.to_be_bytes());
    key
}

/// Descriptor and index in the key of a row of `scripts`.
fn script_place(key: &[u8]) -> Option<(u32, u32)> {
    let key: [u8; 8] = key.try_into().ok()?;
    let [a, b, c, d, e, f, g, h] = key;
    Some((
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
    ))
}

#[cfg(test)]
mod tests;
