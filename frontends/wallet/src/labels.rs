//! Owns what the wallet's owner calls addresses, transactions, coins and keys, and the reading and writing of BIP329.
//! Promises that labels of kinds that the wallet itself does not use are kept too.
//! Refuses labels and names longer than a limit.
//!
//! Table `labels`: `kind u8 | what is labelled` -> `purpose u8 | spendable u8 | label behind its length | origin behind its length`.

mod bip329;
mod reference;

use std::ops::Bound;

use im::{OrdMap, OrdSet};

use crate::keys::KeyError;
use crate::store::codec::{Source, put_bytes};
use crate::store::{FileError, Malformed, Reading, Step, Table};

/// Longest label in bytes.
pub const MAX_LABEL_LENGTH: usize = 4_096;
/// Longest name of what is labelled, in bytes: no address, outpoint or extended key is longer.
pub const MAX_LABELLED_LENGTH: usize = 400;

/// What can have a label: the types of BIP329.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LabelKind {
    /// A transaction, by its id.
    Tx,
    /// An address.
    Addr,
    /// A public key, in hex.
    Pubkey,
    /// An input, `txid:number`.
    Input,
    /// An output, `txid:number`.
    Output,
    /// An extended public key.
    Xpub,
}

impl LabelKind {
    /// All of them, by their numbers in the file.
    pub const ALL: [LabelKind; 6] = [
        LabelKind::Tx,
        LabelKind::Addr,
        LabelKind::Pubkey,
        LabelKind::Input,
        LabelKind::Output,
        LabelKind::Xpub,
    ];

    /// BIP329's name.
    pub fn name(self) -> &'static str {
        match self {
            LabelKind::Tx => "tx",
            LabelKind::Addr => "addr",
            LabelKind::Pubkey => "pubkey",
            LabelKind::Input => "input",
            LabelKind::Output => "output",
            LabelKind::Xpub => "xpub",
        }
    }
}

/// What an address is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Purpose {
    /// Ours, to be paid to.
    Receive,
    /// Another's, to pay to.
    Send,
}

impl Purpose {
    /// Core's name.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Receive => "receive",
            Purpose::Send => "send",
        }
    }
}

/// What is known of something that has a label.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Label {
    /// The label; may be empty.
    pub text: String,
    /// Of an address: what it is for.
    pub purpose: Option<Purpose>,
    /// Of an output: whether it may be spent (BIP329's `spendable`).
    pub spendable: Option<bool>,
    /// Of a transaction: the descriptor that it belongs to (BIP329's `origin`).
    pub origin: Option<String>,
}

/// What has a label.
type Labelled = (LabelKind, String);

/// All labels of a wallet. A clone is cheap.
#[derive(Clone, Default)]
pub struct Labels {
    all: OrdMap<Labelled, Label>,
    /// Not in the file yet.
    changed: OrdSet<Labelled>,
}

impl PartialEq for Labels {
    fn eq(&self, other: &Labels) -> bool {
        self.all == other.all
    }
}

impl Labels {
    pub(crate) fn load(reading: &Reading<'_>) -> Result<Labels, FileError> {
        let mut labels = Labels::default();
        reading.each(Table::Labels, |key, value| {
            let read = || Ok::<_, Malformed>((read_key(key)?, read_label(value)?));
            let (labelled, label) =
                read().map_err(|why| reading.damaged(Table::Labels, key, why.to_string()))?;
            labels.all.insert(labelled, label);
            Ok::<_, FileError>(())
        })?;
        Ok(labels)
    }

    pub(crate) fn save(&mut self, step: &mut Step<'_>) -> Result<(), FileError> {
        for labelled in std::mem::take(&mut self.changed) {
            let key = key(&labelled);
            match self.all.get(&labelled) {
                Some(label) => step.put(Table::Labels, &key, &write_label(label))?,
                None => {
                    step.delete(Table::Labels, &key)?;
                }
            }
        }
        Ok(())
    }

    /// The label of something.
    pub fn get(&self, kind: LabelKind, what: &str) -> Option<&Label> {
        self.all.get(&(kind, what.to_owned()))
    }

    /// The label of an address, with what that is for.
    pub fn address(&self, address: &str) -> Option<&Label> {
        self.get(LabelKind::Addr, address)
    }

    /// Every label, by kind and by what has it.
    pub fn iter(&self) -> impl Iterator<Item = (LabelKind, &str, &Label)> {
        self.all
            .iter()
            .map(|((kind, what), label)| (*kind, what.as_str(), label))
    }

    /// The same, those behind one.
    pub fn iter_after(
        &self,
        last: Option<(LabelKind, String)>,
    ) -> impl Iterator<Item = (LabelKind, &str, &Label)> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.all.range((from, Bound::Unbounded));
        rest.map(|((kind, what), label)| (*kind, what.as_str(), label))
    }

    /// The addresses that have this label.
    pub fn addresses_of(&self, label: &str) -> impl Iterator<Item = (&str, &Label)> {
        self.iter()
            .filter(move |(kind, _, found)| *kind == LabelKind::Addr && found.text == label)
            .map(|(_, address, found)| (address, found))
    }

    /// The labels that addresses have, each once, in order; of one purpose, or of any.
    pub fn names(&self, purpose: Option<Purpose>) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .iter()
            .filter(|(kind, _, _)| *kind == LabelKind::Addr)
            .filter(|(_, _, label)| purpose.is_none() || label.purpose == purpose)
            .map(|(_, _, label)| label.text.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Puts a label on something, in place of the one it has.
    ///
    /// # Errors
    ///
    /// [`KeyError::TooLong`].
    pub fn set(&mut self, kind: LabelKind, what: &str, label: Label) -> Result<(), KeyError> {
        let short = |what, text: &str, limit| match text.len() > limit {
            true => Err(KeyError::TooLong {
                what,
                length: text.len(),
                limit,
            }),
            false => Ok(()),
        };
        short("a label", &label.text, MAX_LABEL_LENGTH)?;
        short("the name of what is labelled", what, MAX_LABELLED_LENGTH)?;
        if let Some(origin) = &label.origin {
            short("an origin", origin, MAX_LABEL_LENGTH)?;
        }
        let labelled = (kind, what.to_owned());
        self.changed.insert(labelled.clone());
        self.all.insert(labelled, label);
        Ok(())
    }

    /// Puts a label on an address. What an address is for that has a label already stays as it is for one of ours.
    pub fn set_address(
        &mut self,
        address: &str,
        label: &str,
        purpose: Purpose,
    ) -> Result<(), KeyError> {
        let mut changed = self.address(address).cloned().unwrap_or_default();
        label.clone_into(&mut changed.text);
        changed.purpose = Some(purpose);
        self.set(LabelKind::Addr, address, changed)
    }

    /// Takes the label off something; says whether it had one.
    pub fn remove(&mut self, kind: LabelKind, what: &str) -> bool {
        let labelled = (kind, what.to_owned());
        let had = self.all.remove(&labelled).is_some();
        if had {
            self.changed.insert(labelled);
        }
        had
    }
}

fn key((kind, what): &Labelled) -> Vec<u8> {
    let mut key = vec![*kind as u8];
    key.extend_from_slice(what.as_bytes());
    key
}

fn read_key(key: &[u8]) -> Result<Labelled, Malformed> {
    let mut source = Source::new(key);
    let kind = source.u8()?;
    let kind = LabelKind::ALL
        .get(usize::from(kind))
        .ok_or(Malformed("a kind of label that this version does not know"))?;
    let what = std::str::from_utf8(source.rest()).map_err(|_| Malformed("not UTF-8"))?;
    Ok((*kind, what.to_owned()))
}

fn write_label(label: &Label) -> Vec<u8> {
    let purpose = match label.purpose {
        None => 0,
        Some(Purpose::Receive) => 1,
        Some(Purpose::Send) => 2,
    };
    let spendable = match label.spendable {
        None => 0,
        Some(false) => 1,
        Some(true) => 2,
    };
    let mut row = vec![purpose, spendable];
    put_bytes(&mut row, label.text.as_bytes());
    put_bytes(
        &mut row,
        label.origin.as_deref().unwrap_or_default().as_bytes(),
    );
    row
}

fn read_label(value: &[u8]) -> Result<Label, Malformed> {
    let mut source = Source::new(value);
    let purpose = match source.u8()? {
        0 => None,
        1 => Some(Purpose::Receive),
        2 => Some(Purpose::Send),
        _ => return Err(Malformed("a purpose that this version does not know")),
    };
    let spendable = match source.u8()? {
        0 => None,
        1 => Some(false),
        2 => Some(true),
        _ => return Err(Malformed("neither spendable nor not")),
    };
    let text = source.text()?.to_owned();
    let origin = Some(source.text()?.to_owned()).filter(|origin| !origin.is_empty());
    source.end()?;
    Ok(Label {
        text,
        purpose,
        spendable,
        origin,
    })
}

#[cfg(test)]
mod tests;
