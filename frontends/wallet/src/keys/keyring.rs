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

mod addresses;
mod changes;
mod hd_keys;
mod import;
mod passphrase;

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
use super::descriptor::WalletDescriptor;
use super::expression::{SECP, origin, with_checksum};
use super::held::Held;
use super::secret::{PrivateKeys, Secret};
use super::vault::Vault;
use super::{Chain, KeyError, Master, OutputType};
use crate::labels::Labels;
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
