//! Owns the taking up of a descriptor, new or known, as Core's `importdescriptors` does it.
//! Promises Core's refusals, in Core's order and words.
//! Refuses what would leave the wallet watching less than before.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::Keyring;
use crate::keys::descriptor::{INDEX_LIMIT, WalletDescriptor};
use crate::keys::expression::{
    Expression, Form, body, parse_wif, single_paths, with_checksum, with_secrets_of,
};
use crate::keys::secret::Secret;
use crate::keys::{Chain, KeyError};
use crate::labels::Purpose;
use crate::slot::{DescriptorNumber, Slot};

/// Most indexes that a range given with an import may have.
pub(super) const MAX_IMPORT_RANGE: u32 = 1_000_000;

/// A descriptor to be taken up.
#[derive(Clone, Default)]
pub struct Import {
    /// The descriptor with its checksum, private where it has private keys.
    pub text: Zeroizing<String>,
    /// Whether new addresses are to come from it.
    pub active: bool,
    /// Whether it is for change.
    pub internal: Option<bool>,
    /// What is there already stays what it is for, path by path: new addresses come from it if they did, and it is for change if it
    /// was. `active` and `internal` are for what is new then.
    pub keeps_use: bool,
    /// First and last index to watch; without them as many as the keypool has, and what is watched already.
    pub range: Option<(u32, u32)>,
    /// The next index to give out.
    pub next_index: Option<u32>,
    /// Seconds since 1970 before which none of its scripts was used.
    pub birth: u64,
    /// The label of its addresses.
    pub label: Option<String>,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Imported {
    /// The descriptors: one for each path.
    pub numbers: Vec<DescriptorNumber>,
    /// What its owner should know.
    pub warnings: Vec<Cow<'static, str>>,
}

/// One path of an import.
struct Path {
    form: Form,
    public: String,
    secret: Option<Secret>,
    chain: Chain,
}

impl Keyring {
    /// Takes a descriptor up, or changes the one that is there already: its range grows, and it becomes active or ceases to be.
    /// One with two paths (`<0;1>`) is two descriptors, the second for change.
    ///
    /// # Errors
    ///
    /// [`KeyError::Descriptor`], [`KeyError::Import`], [`KeyError::WatchOnly`], [`KeyError::RangeShrinks`], [`KeyError::Locked`].
    /// This keyring may have been changed in part then: it is to be thrown away, as after any error of a step.
    pub fn import(&mut self, import: &Import) -> Result<Imported, KeyError> {
        let mut warnings = Vec::new();
        let numbers = self.import_warning(import, &mut warnings)?;
        Ok(Imported { numbers, warnings })
    }

    /// The same for those who want the warnings also where it is refused.
    ///
    /// # Errors
    ///
    /// Those of [`Keyring::import`].
    pub fn import_warning(
        &mut self,
        import: &Import,
        warnings: &mut Vec<Cow<'static, str>>,
    ) -> Result<Vec<DescriptorNumber>, KeyError> {
        let expression = Expression::parse(&import.text, self.network, true)?;
        let refuse = |why| Err(KeyError::Import(why));
        let ranged = expression.is_range();
        let paths = expression.paths();
        if paths > 1 && import.internal.is_some() {
            return refuse("Cannot have multipath descriptor while also specifying 'internal'");
        }
        if !ranged && import.range.is_some() {
            return refuse("Range should not be specified for an un-ranged descriptor");
        }
        // Where no range is named, what is watched already counts.
        let known = match (ranged, import.range) {
            (true, None) => self.known(&expression),
            _ => Vec::new(),
        };
        if known.iter().any(Option::is_none) {
            warnings.push("Range not given, using default keypool range".into());
        }
        let (start, last) = match (ranged, import.range) {
            (true, Some(range)) => range,
            (true, None) => (0, self.keypool - 1),
            (false, _) => (0, 0),
        };
        if start > last {
            return refuse("Range specified as [begin,end] must not have begin after end");
        }
        if last >= INDEX_LIMIT {
            return refuse("End of range is too high");
        }
        if last - start >= MAX_IMPORT_RANGE {
            return refuse("Range is too large");
        }
        let next = import.next_index.unwrap_or(start);
        // The first index that some path would not watch then.
        let ends = known.iter().map(|one| one.map_or(0, |one| one.end));
        let end = ends.min().unwrap_or(0).max(last + 1);
        if ranged && !(start..end).contains(&next) {
            return refuse("next_index is out of range");
        }
        if import.active && !ranged {
            return refuse("Active descriptors must be ranged");
        }
        if import.label.is_some() && paths > 1 {
            return refuse("Multipath descriptors should not have a label");
        }
        if import.label.is_some() && ranged {
            return refuse("Ranged descriptors should not have a label");
        }
        if import.label.is_some() && import.internal == Some(true) {
            return refuse("Internal addresses should not have a label");
        }
        let combo = expression
            .forms
            .iter()
            .any(|form| matches!(form, Form::Combo(_)));
        if import.active && combo {
            return refuse("Combo descriptors cannot be set to active");
        }
        if expression.has_private_keys && self.flags.disable_private_keys {
            return Err(KeyError::WatchOnly);
        }
        if !expression.has_private_keys && !self.flags.disable_private_keys {
            return refuse(
                "Cannot import descriptor without private keys to a wallet with private keys enabled",
            );
        }
        if self.is_locked() {
            return Err(KeyError::Locked);
        }
        warnings.extend(expression.unsafe_locks().into_iter().map(Cow::Owned));
        if expression.has_private_keys && expression.key_count() > expression.secrets.len() {
            warnings.push(
                "Not all private keys provided. Some wallet functionality may return unexpected errors".into(),
            );
        }
        let mut numbers = Vec::with_capacity(paths);
        for path in self.paths(import, expression)? {
            let range = (start, last + 1, next);
            let number = self.take_up(path, range, import, warnings)?;
            numbers.push(number);
        }
        Ok(numbers)
    }

    /// Whether the descriptors of a text are all there, one for each path.
    ///
    /// # Errors
    ///
    /// [`KeyError::Descriptor`].
    pub fn knows(&self, text: &str) -> Result<bool, KeyError> {
        let expression = Expression::parse(text, self.network, true)?;
        Ok(self.known(&expression).iter().all(Option::is_some))
    }

    /// What is there of an expression's descriptors, one for each path.
    fn known(&self, expression: &Expression) -> Vec<Option<&WalletDescriptor>> {
        let forms = expression.forms.iter().zip(&expression.public);
        let texts = forms.map(|(form, public)| with_checksum(&form.public_text(public)));
        let known = |text: String| self.descriptors().find(|known| *known.text == *text);
        texts.map(known).collect()
    }

    fn paths(&self, import: &Import, expression: Expression) -> Result<Vec<Path>, KeyError> {
        let count = expression.paths();
        let text = Zeroizing::new(body(&import.text).replace('\'', "h"));
        let private: Vec<Zeroizing<String>> = match count {
            1 => vec![text],
            _ => single_paths(&text, count)
                .into_iter()
                .map(Zeroizing::new)
                .collect(),
        };
        let has_private_keys = expression.has_private_keys;
        let forms = expression.forms.iter().zip(&expression.public);
        forms
            .zip(private)
            .enumerate()
            .map(|(place, ((form, public), text))| {
                let secret = match has_private_keys {
                    true => Some(Secret::parse(text, self.network)?),
                    false => None,
                };
                let second = count > 1 && place == 1;
                Ok(Path {
                    form: form.clone(),
                    public: public.clone(),
                    secret,
                    chain: match second || import.internal == Some(true) {
                        true => Chain::Internal,
                        false => Chain::External,
                    },
                })
            })
            .collect()
    }

    fn take_up(
        &mut self,
        path: Path,
        (mut start, mut end, next): (u32, u32, u32),
        import: &Import,
        warnings: &mut Vec<Cow<'static, str>>,
    ) -> Result<DescriptorNumber, KeyError> {
        let new = DescriptorNumber(self.descriptors.len() as u32);
        let mut descriptor = WalletDescriptor::new(new, path.form, &path.public);
        let known = self
            .descriptors()
            .find(|known| known.text == descriptor.text)
            .cloned();
        let given_out = known.as_ref().is_some_and(|known| known.next > known.start);
        let (active, chain) = match &known {
            Some(known) if import.keeps_use => (known.active, known.chain),
            _ => (import.active, path.chain),
        };
        if import.label.is_some() && chain == Chain::Internal {
            return Err(KeyError::Import(
                "Internal addresses should not have a label",
            ));
        }
        let number = match known {
            Some(known) => {
                // Who names no range does not ask for a smaller one.
                if import.range.is_none() {
                    (start, end) = (start.min(known.start), end.max(known.end));
                }
                if start > known.start || end < known.end {
                    return Err(KeyError::RangeShrinks {
                        start: known.start,
                        end: known.end - 1,
                    });
                }
                known.number
            }
            None => {
                descriptor.start = start;
                descriptor.end = start;
                descriptor.birth = import.birth;
                self.descriptors.push_back(descriptor.into());
                self.changes.descriptors.insert(new);
                new
            }
        };
        let secret = path
            .secret
            .and_then(|secret| self.added_keys(number, secret));
        if let Some(secret) = secret {
            self.vault.insert(number, secret)?;
            self.changes.secrets.insert(number);
            self.edit(number).has_private_keys = true;
        }
        let secret = self.vault.get(number).cloned();
        self.grow(number, |descriptor| {
            descriptor.extend_down(start, secret.as_deref())?;
            descriptor.extend_to(end, secret.as_deref())
        })?;
        let descriptor = self.edit(number);
        // No address is given out twice, unless somebody says so.
        descriptor.next = match given_out && import.next_index.is_none() {
            true => descriptor.next.max(next),
            false => next,
        };
        descriptor.birth = descriptor.birth.min(import.birth);
        descriptor.chain = chain;
        self.activate(number, active, warnings);
        self.top_up_one(number, self.keypool);
        let is_receiving = chain == Chain::External;
        match &import.label {
            Some(label) => self.label(number, label)?,
            // It stands in the book, with an empty label: as what was given out does.
            None if is_receiving && !self.is_range(number) => self.label_new(number)?,
            None => {}
        }
        Ok(number)
    }

    /// What is to be kept of the private keys of a descriptor when it is given with these: `None` where they are there already.
    fn added_keys(&self, number: DescriptorNumber, secret: Secret) -> Option<Secret> {
        let Some(known) = self.vault.get(number) else {
            return Some(secret);
        };
        let text = Zeroizing::new(with_secrets_of(&known.text, &secret.text, self.network)?);
        match text == known.text {
            true => None,
            false => Secret::parse(text, self.network).ok(),
        }
    }

    /// Makes a descriptor the active one of its kind, or no more.
    fn activate(
        &mut self,
        number: DescriptorNumber,
        active: bool,
        warnings: &mut Vec<Cow<'static, str>>,
    ) {
        let descriptor = self.edit(number);
        descriptor.active = active && descriptor.output_type().is_some();
        if active && !descriptor.active {
            warnings.push("Unknown output type, cannot set descriptor to active.".into());
        }
        let Some(role) = descriptor.role() else {
            return;
        };
        let replaced: Vec<DescriptorNumber> = self
            .descriptors()
            .filter(|other| other.number != number && other.role() == Some(role))
            .map(|other| other.number)
            .collect();
        for other in replaced {
            self.edit(other).active = false;
        }
    }

    fn is_range(&self, number: DescriptorNumber) -> bool {
        self.descriptor(number)
            .is_some_and(WalletDescriptor::is_range)
    }

    /// The addresses of a descriptor that stands for one key or script.
    fn addresses(&self, number: DescriptorNumber) -> Vec<String> {
        let slot = Slot {
            descriptor: number,
            index: 0,
        };
        let scripts = self.scripts(slot).iter();
        let addresses =
            scripts.filter_map(|script| bitcoin::Address::from_script(script, self.network).ok());
        addresses.map(|address| address.to_string()).collect()
    }

    fn label(&mut self, number: DescriptorNumber, label: &str) -> Result<(), KeyError> {
        for address in self.addresses(number) {
            self.labels.set_address(&address, label, Purpose::Receive)?;
        }
        Ok(())
    }

    /// Puts an empty label on those addresses that have none.
    fn label_new(&mut self, number: DescriptorNumber) -> Result<(), KeyError> {
        for address in self.addresses(number) {
            if self.labels.address(&address).is_none() {
                self.labels.set_address(&address, "", Purpose::Receive)?;
            }
        }
        Ok(())
    }

    /// Takes up a private key in WIF as `combo()`, which is its key and every address of it; `label` is put on the addresses.
    ///
    /// # Errors
    ///
    /// [`KeyError::BadWif`], also for a key of another network; those of [`Keyring::import`].
    pub fn import_wif(
        &mut self,
        wif: &str,
        label: Option<&str>,
        birth: u64,
    ) -> Result<Imported, KeyError> {
        parse_wif(wif, self.network).ok_or(KeyError::BadWif)?;
        let text = Zeroizing::new(format!("combo({wif})"));
        self.import(&Import {
            text: Zeroizing::new(with_checksum(&text)),
            birth,
            label: label.map(str::to_owned),
            ..Import::default()
        })
    }

    /// The private key of an address of one key, in WIF.
    ///
    /// # Errors
    ///
    /// [`KeyError::Locked`]; [`KeyError::NoPrivateKey`] for addresses that are not ours or have several keys.
    pub fn dump_wif(&self, address: &bitcoin::Address) -> Result<Zeroizing<String>, KeyError> {
        let script = address.script_pubkey();
        let unknown = || KeyError::NoPrivateKey(address.to_string());
        if !self.can_sign(&script) {
            return Err(unknown());
        }
        if self.is_locked() {
            return Err(KeyError::Locked);
        }
        let keys = self.private_keys(&script);
        let mut all = keys.iter();
        match (all.next(), all.next()) {
            (Some((_, key)), None) => Ok(Zeroizing::new(key.to_wif())),
            _ => Err(unknown()),
        }
    }
}
