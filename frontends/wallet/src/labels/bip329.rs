//! Owns BIP329: one label a line, in JSON.
//! Promises that what was exported is the same when it is imported.
//! Refuses lines that are no record of the BIP, telling which; nothing of the file is taken then.

use bitcoin::Network;
use serde::{Deserialize, Serialize};

use super::{Label, LabelKind, Labels};
use crate::keys::KeyError;

/// Most lines of a file.
pub(super) const MAX_LINES: usize = 1_000_000;
/// Characters of a reference that an error tells.
const MAX_SHOWN: usize = 120;

#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "ref")]
    what: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spendable: Option<bool>,
}

impl Labels {
    /// All labels, one a line.
    pub fn export_bip329(&self) -> String {
        let mut lines = String::new();
        for (kind, what, label) in self.iter() {
            let record = Record {
                kind: kind.name().to_owned(),
                what: what.to_owned(),
                label: Some(label.text.clone()),
                origin: label.origin.clone(),
                spendable: label.spendable,
            };
            lines.push_str(&serde_json::to_string(&record).expect("texts can always be written"));
            lines.push('\n');
        }
        lines
    }

    /// Takes over the labels of a file, in place of those that are there; returns how many there were. Records of types that
    /// are not in the BIP are passed over, as it says.
    ///
    /// # Errors
    ///
    /// [`KeyError::Labels`] for a line that is no record, or stands on nothing of its kind and this network;
    /// [`KeyError::TooLong`]. None of the file is taken over then.
    pub fn import_bip329(&mut self, lines: &str, network: Network) -> Result<usize, KeyError> {
        let mut next = self.clone();
        let mut taken = 0;
        for (at, line) in lines.lines().enumerate() {
            let wrong = |detail: String| KeyError::Labels {
                line: at + 1,
                detail,
            };
            if at >= MAX_LINES {
                return Err(wrong(format!("more than {MAX_LINES} lines")));
            }
            if line.trim().is_empty() {
                continue;
            }
            let record: Record =
                serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            let kinds = LabelKind::ALL.into_iter();
            let Some(kind) = kinds.clone().find(|kind| kind.name() == record.kind) else {
                continue;
            };
            let Some(what) = kind.reference(&record.what, network) else {
                let shown: String = record.what.chars().take(MAX_SHOWN).collect();
                return Err(wrong(format!("\"ref\": `{shown}` is not {}", kind.words())));
            };
            let known = next.get(kind, &what).cloned().unwrap_or_default();
            let label = Label {
                text: record.label.unwrap_or(known.text),
                purpose: known.purpose,
                spendable: record.spendable.or(known.spendable),
                origin: record.origin.or(known.origin),
            };
            next.set(kind, &what, label)?;
            taken += 1;
        }
        *self = next;
        Ok(taken)
    }
}
