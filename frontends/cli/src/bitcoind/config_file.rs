//! Owns `bitcoin.conf`: its lines, sections and included files.
//! Promises Core's reading of them, its refusals in Core's words.
//! Refuses files that files included would include.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::arguments::{ArgumentError, Arguments, Key, Section, Value};

/// Bytes that a file of settings may have.
const MAX_BYTES: u64 = 1 << 20;
/// The name that it has.
pub(crate) const NAME: &str = "bitcoin.conf";
/// Blanks around keys, values and lines.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

/// Why a file cannot be read; the texts are Core's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A dash before an option.
    #[error(
        "parse error on line {line}: {text}, options in configuration file must be specified without leading -"
    )]
    Dash {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A `#` in a password, which may be meant as part of it.
    #[error(
        "parse error on line {line}, using # in rpcpassword can be ambiguous and should be avoided"
    )]
    Hash {
        /// The line, from 1.
        line: usize,
    },
    /// A line that is neither a section nor a setting.
    #[error("parse error on line {line}: {text}{hint}")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        text: String,
        /// What may be meant.
        hint: String,
    },
    /// The file names another one in its place.
    #[error(
        "conf cannot be set in the configuration file; use includeconf= if you want to include additional config files"
    )]
    Conf,
    /// An option that cannot be written so.
    #[error(transparent)]
    Option(#[from] ArgumentError),
    /// A directory in the place of the file.
    #[error("Config file \"{}\" is a directory.", .0.display())]
    Directory(PathBuf),
    /// The file that was named is not there.
    #[error("specified config file \"{}\" could not be opened.", .0.display())]
    Missing(PathBuf),
    /// A directory in the place of a file that is included.
    #[error("Included config file \"{}\" is a directory.", .0.display())]
    IncludedDirectory(PathBuf),
    /// A file that is included is not there.
    #[error("Failed to include configuration file {0}")]
    Include(String),
    /// The file is too long to be one.
    #[error("\"{}\" has more than {MAX_BYTES} bytes", .0.display())]
    Long(PathBuf),
    /// The system does not give it.
    #[error("\"{}\" cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// What reading files had to say that is no failure.
#[derive(Default, Debug)]
pub(crate) struct Remarks {
    /// For the log, as warnings.
    pub(crate) logged: Vec<String>,
    /// For the log, as usual.
    pub(crate) noted: Vec<String>,
    /// For standard error.
    pub(crate) told: Vec<String>,
}

/// Reads the configuration file at `path`, and what it includes, for paths below `base`. `named` is a file that the user
/// named: it has to be there. Where `path` is `None`, no file is to be read.
///
/// # Errors
///
/// [`ConfigError`].
pub(crate) fn read(
    arguments: &mut Arguments,
    path: Option<&Path>,
    named: bool,
    base: &Path,
    remarks: &mut Remarks,
) -> Result<(), ConfigError> {
    let Some(path) = path else {
        return Ok(());
    };
    if path.is_dir() {
        return Err(ConfigError::Directory(path.to_owned()));
    }
    let text = match text_of(path) {
        Ok(text) => text,
        Err(ConfigError::Read { .. }) if named => {
            return Err(ConfigError::Missing(path.to_owned()));
        }
        Err(ConfigError::Read { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    add(arguments, &text, &path.display().to_string(), remarks)?;
    // Only its negation can stand there.
    if arguments.command_line.contains_key("includeconf") {
        return Ok(());
    }
    let chain = section_of_chain(arguments);
    let (in_section, without) = (includes(arguments, &chain), includes(arguments, ""));
    for name in in_section.iter().chain(&without) {
        // An empty name stays one, and is not the directory itself.
        let path = match name.is_empty() {
            true => PathBuf::new(),
            false => base.join(name),
        };
        if path.is_dir() {
            return Err(ConfigError::IncludedDirectory(path));
        }
        let text = match text_of(&path) {
            Ok(text) => text,
            Err(ConfigError::Read { .. }) => return Err(ConfigError::Include(name.clone())),
            Err(error) => return Err(error),
        };
        add(arguments, &text, name, remarks)?;
        let line = format!("Included configuration file {name}");
        remarks.noted.push(line);
    }
    let mut nested = includes(arguments, &chain).split_off(in_section.len());
    nested.extend(includes(arguments, "").split_off(without.len()));
    let last = section_of_chain(arguments);
    if last != chain {
        nested.extend(includes(arguments, &last));
    }
    remarks.told.extend(nested.into_iter().map(|name| {
        format!(
            "warning: -includeconf cannot be used from included files; ignoring -includeconf={name}"
        )
    }));
    Ok(())
}

/// The section of the chain that was asked for so far. What is wrong with it is told when all was read.
fn section_of_chain(arguments: &Arguments) -> String {
    match arguments.chain() {
        Ok(chain) => chain.section().to_owned(),
        Err(ArgumentError::UnknownChain(name)) => name,
        Err(_) => "main".to_owned(),
    }
}

/// The files that a section includes.
fn includes(arguments: &Arguments, section: &str) -> Vec<String> {
    let values = arguments
        .file
        .get(section)
        .and_then(|values| values.get("includeconf"));
    let Some(values) = values else {
        return Vec::new();
    };
    let negated = values
        .iter()
        .rposition(|value| *value == Value::Switch(false));
    let kept = negated.map_or(0, |index| index + 1);
    values[kept..].iter().map(Value::text).collect()
}

pub(super) fn text_of(path: &Path) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read {
        path: path.to_owned(),
        source,
    };
    if fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
        return Err(ConfigError::Long(path.to_owned()));
    }
    let bytes = fs::read(path).map_err(failed)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Adds what a text says.
fn add(
    arguments: &mut Arguments,
    text: &str,
    file: &str,
    remarks: &mut Remarks,
) -> Result<(), ConfigError> {
    for (name, value) in lines(text, file, &mut arguments.sections)? {
        let key = Key::read(&name);
        if key.name == "conf" {
            return Err(ConfigError::Conf);
        }
        let Some(option) = arguments.table.find(&key.name) else {
            let line = format!("Ignoring unknown configuration value {name}");
            remarks.logged.push(line);
            continue;
        };
        let value = key.value(option, Some(&value))?;
        let section = arguments.file.entry(key.section).or_default();
        section.entry(key.name).or_default().push(value);
    }
    Ok(())
}

/// The settings of a text, each name with its section before it.
fn lines(
    text: &str,
    file: &str,
    sections: &mut Vec<Section>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut settings = Vec::new();
    let mut prefix = String::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let (line, hash) = match line.split_once('#') {
            Some((line, _)) => (line, true),
            None => (line, false),
        };
        let line = line.trim_matches(BLANKS);
        if line.is_empty() {
            continue;
        }
        let section = |name: &str| Section {
            name: name.to_owned(),
            file: file.to_owned(),
            line: number,
        };
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            sections.push(section(name));
            prefix = format!("{name}.");
        } else if line.starts_with('-') {
            return Err(ConfigError::Dash {
                line: number,
                text: line.to_owned(),
            });
        } else if let Some((name, value)) = line.split_once('=') {
            let name = format!("{prefix}{}", name.trim_matches(BLANKS));
            if hash && name.contains("rpcpassword") {
                return Err(ConfigError::Hash { line: number });
            }
            if let Some(dot) = name.rfind('.').filter(|dot| prefix.len() <= *dot) {
                sections.push(section(&name[..dot]));
            }
            settings.push((name, value.trim_matches(BLANKS).to_owned()));
        } else {
            let hint = match line.starts_with("no") {
                true => {
                    format!(", if you intended to specify a negated option, use {line}=1 instead")
                }
                false => String::new(),
            };
            return Err(ConfigError::Line {
                line: number,
                text: line.to_owned(),
                hint,
            });
        }
    }
    Ok(settings)
}

#[cfg(test)]
mod tests;
