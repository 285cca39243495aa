//! Owns which addresses are given out next, and how many are watched ahead.
//! Promises that no address is given out twice, also where another copy of the wallet gave it out.

use bitcoin::ScriptBuf;

use super::{Keyring, Slots};
use crate::keys::descriptor::{INDEX_LIMIT, WalletDescriptor};
use crate::keys::{Chain, KeyError, OutputType};
use crate::labels::Purpose;
use crate::slot::{DescriptorNumber, Slot};

impl Keyring {
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
    pub(super) fn next_of(&mut self, number: DescriptorNumber) -> Result<Slot, KeyError> {
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

    pub(super) fn top_up_one(&mut self, number: DescriptorNumber, size: u32) -> bool {
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
    pub(super) fn grow<E>(
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
}
