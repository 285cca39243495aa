//! Owns `settings.json`: settings that weigh more than `bitcoin.conf`, and less than the command line.
//! Promises Core's reading and its refusals; that a file which cannot be written is told at the start, as Core tells it.
//! Refuses a name that stands there twice.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

use super::arguments::{Value, Values};
use super::config_file::{ConfigError, text_of};

/// The name that it has.
pub(super) const NAME: &str = "settings.json";
/// A remark in the file for whoever reads it, no setting.
const REMARK: &str = "_warning_";
const REMARK_TEXT: &str =
    "Everett writes this file anew at each start, with the settings that it found in it.";

/// The settings of the file in its order.
#[derive(Default, Debug)]
pub(super) struct SettingsFile {
    fields: Vec<(String, Json)>,
}

/// An object whose names may stand there twice, as `serde_json`'s own may not.
struct Fields(Vec<(String, Json)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Fields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

impl SettingsFile {
    /// What the file says; nothing where there is none.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, in Core's words.
    pub(super) fn read(path: &Path) -> Result<SettingsFile, String> {
        let text = match text_of(path) {
            Ok(text) => text,
            Err(ConfigError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(SettingsFile::default());
            }
            Err(error) => return Err(error.to_string()),
        };
        let json: Json = serde_json::from_str(&text).map_err(|_| {
            format!(
                "Settings file {} does not contain valid JSON. This may be caused by a crash, power loss, full disk, or \
                 storage error, and can be fixed by removing the file, which will reset settings to default values.",
                path.display()
            )
        })?;
        let Ok(Fields(mut fields)) = serde_json::from_str(&text) else {
            return Err(format!(
                "Found non-object value {json} in settings file {}",
                path.display()
            ));
        };
        for (index, (name, _)) in fields.iter().enumerate() {
            if fields[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(format!(
                    "Found duplicate key {name} in settings file {}",
                    path.display()
                ));
            }
        }
        fields.retain(|(name, _)| name != REMARK);
        Ok(SettingsFile { fields })
    }

    /// The settings by name.
    pub(super) fn values(&self) -> Values {
        let value = |value: &Json| match value {
            Json::Bool(value) => Value::Switch(*value),
            Json::String(text) => Value::Text(text.clone()),
            other => Value::Text(other.to_string()),
        };
        let values = |json: &Json| match json {
            Json::Array(items) => items.iter().map(value).collect(),
            one => vec![value(one)],
        };
        let fields = self.fields.iter();
        fields
            .map(|(name, json)| (name.clone(), values(json)))
            .collect()
    }

    /// Writes it in the place of the one that is there.
    ///
    /// # Errors
    ///
    /// Why it cannot be, in Core's words.
    pub(super) fn write(&self, path: &Path) -> Result<(), String> {
        let mut fields = serde_json::Map::new();
        fields.insert(REMARK.to_owned(), Json::from(REMARK_TEXT));
        fields.extend(self.fields.iter().cloned());
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(".tmp");
        let temporary = PathBuf::from(temporary);
        // A number or a text that was read can be written.
        let text = serde_json::to_string_pretty(&fields).unwrap_or_default() + "\n";
        fs::write(&temporary, text).map_err(|_| {
            format!(
                "Error: Unable to open settings file {} for writing",
                temporary.display()
            )
        })?;
        fs::rename(&temporary, path).map_err(|_| {
            let _ = fs::remove_file(&temporary);
            format!(
                "Failed renaming settings file {} to {}\n",
                temporary.display(),
                path.display()
            )
        })
    }
}

#[cfg(test)]
mod tests;
