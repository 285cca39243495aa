//! Owns one descriptor of a wallet: its public text, its range, what it is used for, and the scripts that it has made.
//! Promises that its text is canonical: public, `h` for hardened steps, a checksum.
//! Refuses to hold anything private.
//!
//! Table `descriptors`: number u32 (big-endian) -> `flags u8 | start u32 | next u32 | end u32 | birth u64 | text behind its length`,
//! flags: 1 active, 2 internal, 4 has private keys.

use std::sync::Arc;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Network, Script, ScriptBuf};
use im::Vector;
use miniscript::Descriptor;
use miniscript::descriptor::DefiniteDescriptorKey;

use super::expression::{
    DescriptorError, Expression, Form, body, combined, with_checksum, with_origins,
};
use super::held::Held;
use super::secret::Secret;
use super::{Chain, OutputType};
use crate::slot::DescriptorNumber;
use crate::store::Malformed;
use crate::store::codec::{Source, put_bytes};

const ACTIVE: u8 = 1;
const INTERNAL: u8 = 2;
const PRIVATE: u8 = 4;

/// Indexes lie below this: the others are hardened.
pub(crate) const INDEX_LIMIT: u32 = 1 << 31;

/// One descriptor of a wallet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WalletDescriptor {
    /// Its place among the wallet's descriptors.
    pub number: DescriptorNumber,
    /// The public text with its checksum. Keys that were private have their hardened steps in their origins.
    pub text: Arc<str>,
    /// First index that is watched.
    pub start: u32,
    /// The next index to give out.
    pub next: u32,
    /// First index behind those that are watched.
    pub end: u32,
    /// Seconds since 1970 before which none of its scripts was used.
    pub birth: u64,
    /// Whether new addresses of its kind come from it.
    pub active: bool,
    /// Whether it is for change; `None` if it was imported without saying so.
    pub chain: Chain,
    /// Whether private keys of it are known.
    pub has_private_keys: bool,
    pub(crate) form: Arc<Form>,
    /// The scripts at `start..end`.
    pub(crate) held: Vector<Held>,
}

impl WalletDescriptor {
    /// Nothing of it is watched yet.
    pub(crate) fn new(number: DescriptorNumber, form: Form, given: &str) -> WalletDescriptor {
        WalletDescriptor {
            number,
            text: with_checksum(&form.public_text(given)).into(),
            start: 0,
            next: 0,
            end: 0,
            birth: 0,
            active: false,
            chain: Chain::External,
            has_private_keys: false,
            form: Arc::new(form),
            held: Vector::new(),
        }
    }

    /// SHA-256 of the text: two with the same id are the same.
    pub fn id(&self) -> [u8; 32] {
        sha256::Hash::hash(self.text.as_bytes()).to_byte_array()
    }

    /// Whether it stands for many scripts.
    pub fn is_range(&self) -> bool {
        self.form.is_range()
    }

    /// Whether it tells how to spend what it stands for: all but `addr()` and `raw()`.
    pub fn is_solvable(&self) -> bool {
        !matches!(*self.form, Form::Script(_))
    }

    /// Whether it is `combo()`.
    pub fn is_combo(&self) -> bool {
        matches!(*self.form, Form::Combo(_))
    }

    /// The kind of its addresses; `None` for scripts without addresses and for `combo()`.
    pub fn output_type(&self) -> Option<OutputType> {
        self.form.output_type()
    }

    /// What new addresses come from it, if it is active.
    pub fn role(&self) -> Option<(OutputType, Chain)> {
        match self.active {
            true => Some((self.output_type()?, self.chain)),
            false => None,
        }
    }

    /// Addresses that are watched and were not given out.
    pub fn keypool(&self) -> u32 {
        match self.is_range() {
            true => self.end.saturating_sub(self.next),
            false => 0,
        }
    }

    /// The scripts at an index that is watched.
    pub fn scripts(&self, index: u32) -> &[ScriptBuf] {
        self.held(index).map_or(&[], |held| &held.scripts)
    }

    /// Whether it stands for scripts that its public text cannot make: those of hardened steps.
    pub(crate) fn grows_by_secret(&self) -> bool {
        let needed_it = |held: &Held| held.definite.is_some();
        self.is_range() && self.held.last().is_some_and(needed_it)
    }

    fn held(&self, index: u32) -> Option<&Held> {
        let place = index.checked_sub(self.start)?;
        self.held.get(place as usize)
    }

    /// All scripts that are watched, by index.
    pub fn all_scripts(&self) -> impl Iterator<Item = (u32, &ScriptBuf)> {
        let indexes = self.start..;
        indexes
            .zip(self.held.iter())
            .flat_map(|(index, held)| held.scripts.iter().map(move |script| (index, script)))
    }

    /// What solves a script of an index; `None` for `addr()`, `raw()` and `rawtr()`.
    pub fn solution(
        &self,
        index: u32,
        script: &Script,
    ) -> Option<Descriptor<DefiniteDescriptorKey>> {
        let held = self.held(index)?;
        let form = match &held.definite {
            None => return self.form.solution(index, script),
            Some(definite) => self.form.map(|_| Ok((**definite).clone())).ok()?,
        };
        form.solution(index, script)
    }

    /// The `tr()` with the key of a `rawtr()` at an index: another script, which is spent in the same way.
    pub(crate) fn raw_taproot(&self, index: u32) -> Option<Descriptor<DefiniteDescriptorKey>> {
        let Form::RawTaproot(_) = &*self.form else {
            return None;
        };
        match &self.held(index)?.definite {
            None => self.form.definite(index).ok().flatten(),
            Some(definite) => definite.at_derivation_index(index).ok(),
        }
    }

    /// A descriptor whose inputs are as large as those of a script of an index; `None` for `addr()` and `raw()`.
    pub(crate) fn spent_like(
        &self,
        index: u32,
        script: &Script,
    ) -> Option<Descriptor<DefiniteDescriptorKey>> {
        self.raw_taproot(index)
            .or_else(|| self.solution(index, script))
    }

    /// A script of an index as a descriptor of its own, with the origins of its keys and a checksum; `None` for `addr()` and
    /// `raw()`.
    pub fn text_at(&self, index: u32, script: &Script) -> Option<String> {
        match self.raw_taproot(index) {
            Some(definite) => {
                let text = with_origins(&definite)?;
                Some(with_checksum(&format!("raw{}", body(&text))))
            }
            None => with_origins(&self.solution(index, script)?),
        }
    }

    /// The descriptors at an index: four of `combo()`.
    pub fn definite(&self, index: u32) -> Vec<Descriptor<DefiniteDescriptorKey>> {
        let held = self.held(index);
        let definite = match held.and_then(|held| held.definite.as_ref()) {
            None => self.form.definite(index).ok().flatten(),
            Some(definite) => {
                let form = self.form.map(|_| Ok((**definite).clone()));
                form.and_then(|form| form.definite(index)).ok().flatten()
            }
        };
        match (definite, &*self.form) {
            (None, _) | (_, Form::RawTaproot(_)) => Vec::new(),
            (Some(definite), Form::Combo(_)) => combined(&definite),
            (Some(definite), _) => vec![definite],
        }
    }

    /// Derives what is missing up to `end`; returns the indexes that were added.
    ///
    /// # Errors
    ///
    /// A hardened step whose private key is not there; what was derived before stays.
    pub(crate) fn extend_to(
        &mut self,
        end: u32,
        secret: Option<&Secret>,
    ) -> Result<(), DescriptorError> {
        while self.end < end {
            let held = Held::derive(&self.form, self.end, secret)?;
            self.held.push_back(held);
            self.end += 1;
        }
        Ok(())
    }

    /// Watches from `start` on, which lies before what is watched.
    pub(crate) fn extend_down(
        &mut self,
        start: u32,
        secret: Option<&Secret>,
    ) -> Result<(), DescriptorError> {
        while self.start > start {
            let held = Held::derive(&self.form, self.start - 1, secret)?;
            self.held.push_front(held);
            self.start -= 1;
        }
        Ok(())
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let mut flags = 0;
        if self.active {
            flags |= ACTIVE;
        }
        if self.chain == Chain::Internal {
            flags |= INTERNAL;
        }
        if self.has_private_keys {
            flags |= PRIVATE;
        }
        let mut row = vec![flags];
        for number in [self.start, self.next, self.end] {
            row.extend_from_slice(&number.to_le_bytes());
        }
        row.extend_from_slice(&self.birth.to_le_bytes());
        put_bytes(&mut row, self.text.as_bytes());
        row
    }

    /// The descriptor of a row, before its scripts are read; `end` is what it must come to with them.
    pub(crate) fn read(
        number: DescriptorNumber,
        value: &[u8],
        network: Network,
    ) -> Result<(WalletDescriptor, u32), Malformed> {
        let mut source = Source::new(value);
        let flags = source.u8()?;
        let (start, next, end) = (source.u32()?, source.u32()?, source.u32()?);
        let birth = source.u64()?;
        let text = source.text()?;
        source.end()?;
        let mut expression = Expression::parse_kept(text, network, true)
            .map_err(|_| Malformed("its descriptor cannot be read"))?;
        let (Some(form), Some(public), 0) = (
            expression.forms.pop(),
            expression.public.pop(),
            expression.forms.len(),
        ) else {
            return Err(Malformed("its descriptor has several paths"));
        };
        let mut descriptor = WalletDescriptor::new(number, form, &public);
        if *descriptor.text != *text {
            return Err(Malformed("its descriptor is not canonical"));
        }
        descriptor.start = start;
        descriptor.next = next;
        descriptor.end = start;
        descriptor.birth = birth;
        descriptor.active = flags & ACTIVE != 0;
        descriptor.has_private_keys = flags & PRIVATE != 0;
        if flags & INTERNAL != 0 {
            descriptor.chain = Chain::Internal;
        }
        Ok((descriptor, end))
    }
}
