//! Owns what was asked for: the command line, `settings.json` and `bitcoin.conf`, put together as Core's `ArgsManager` does.
//! Promises Core's precedence, its oddities included: on the command line the last value of an option counts, in a file the
//! first; a section of the chain goes before the part without a section; `-noX` forgets what was said of X before it.
//! Refuses options that the table does not have.

mod number;

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::chain::Chain;
use super::option::{OptionSpec, OptionTable};
pub(crate) use number::leading_integer;

/// What an option was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Value {
    /// As it was written; empty for a switch.
    Text(String),
    /// It was negated, or its negation was.
    Switch(bool),
}

impl Value {
    /// As a truth: empty is true, and else only a number other than 0 is.
    pub(crate) fn truth(&self) -> bool {
        match self {
            Value::Switch(value) => *value,
            Value::Text(text) => text.is_empty() || leading_integer(text) != 0,
        }
    }

    /// As text.
    pub(crate) fn text(&self) -> String {
        match self {
            Value::Switch(true) => "1".to_owned(),
            Value::Switch(false) => "0".to_owned(),
            Value::Text(text) => text.clone(),
        }
    }

    fn is_negated(&self) -> bool {
        *self == Value::Switch(false)
    }
}

/// Values by the name of their option.
pub(crate) type Values = BTreeMap<String, Vec<Value>>;

/// A key as it is written: `name`, `section.name`, `noname`, `section.noname`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Key {
    /// The section; empty if none is named.
    pub(crate) section: String,
    /// The option's name.
    pub(crate) name: String,
    negated: bool,
}

impl Key {
    /// Reads one.
    pub(crate) fn read(text: &str) -> Key {
        let (section, name) = text.split_once('.').unwrap_or(("", text));
        let (name, negated) = match name.strip_prefix("no") {
            Some(rest) => (rest, true),
            None => (name, false),
        };
        Key {
            section: section.to_owned(),
            name: name.to_owned(),
            negated,
        }
    }

    /// What the key with this value says of the option.
    pub(crate) fn value(
        &self,
        option: &OptionSpec,
        value: Option<&str>,
    ) -> Result<Value, ArgumentError> {
        if self.negated {
            if option.no_negation {
                return Err(ArgumentError::NoNegation(self.name.clone()));
            }
            // Twice negated, as `-nofoo=0`.
            let twice = value.is_some_and(|value| !Value::Text(value.to_owned()).truth());
            return Ok(Value::Switch(twice));
        }
        match value {
            None if option.no_elision => Err(ArgumentError::NoValue(self.name.clone())),
            value => Ok(Value::Text(value.unwrap_or_default().to_owned())),
        }
    }
}

/// A command line that cannot be; the texts are Core's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum ArgumentError {
    /// No option has that name.
    #[error("Invalid parameter {0}")]
    Unknown(String),
    /// The option has no opposite.
    #[error("Negating of -{0} is meaningless and therefore forbidden")]
    NoNegation(String),
    /// The option wants a value.
    #[error("Can not set -{0} with no value. Please specify value with -{0}=value.")]
    NoValue(String),
    /// Files are included by files.
    #[error("-includeconf cannot be used from commandline; -includeconf=\"{0}\"")]
    Include(String),
    /// Several chains.
    #[error(
        "Invalid combination of -regtest, -signet, -testnet, -testnet4 and -chain. Can use at most one."
    )]
    SeveralChains,
    /// A chain that nobody knows.
    #[error("Unknown chain {0}.")]
    UnknownChain(String),
}

/// A section that stands in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Section {
    /// Its name.
    pub(crate) name: String,
    /// The file.
    pub(crate) file: String,
    /// The line, from 1.
    pub(crate) line: usize,
}

/// Everything that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Arguments {
    pub(crate) table: OptionTable,
    /// What one option says of another that was not given.
    implied: BTreeMap<&'static str, Value>,
    pub(crate) command_line: Values,
    /// What follows the options.
    pub(crate) words: Vec<String>,
    /// Of `settings.json`.
    pub(crate) stored: Values,
    /// Of `bitcoin.conf` and what it includes, by section.
    pub(crate) file: BTreeMap<String, Values>,
    /// The sections that stand there.
    pub(crate) sections: Vec<Section>,
    /// The section that counts.
    chain: Option<Chain>,
}

/// The values of one source without what was negated, and whether the last word was a negation.
struct Span<'a> {
    values: &'a [Value],
    negated: bool,
    last_negated: bool,
}

impl Span<'_> {
    fn new(all: &[Value]) -> Span<'_> {
        let kept = all
            .iter()
            .rposition(Value::is_negated)
            .map_or(0, |index| index + 1);
        Span {
            values: &all[kept..],
            negated: kept > 0,
            last_negated: all.last().is_some_and(Value::is_negated),
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    CommandLine,
    Stored,
    Section,
    NoSection,
}

impl Source {
    fn is_file(self) -> bool {
        matches!(self, Source::Section | Source::NoSection)
    }
}

impl Arguments {
    /// Reads a command line, without the program's name.
    ///
    /// # Errors
    ///
    /// An option that the table does not have, or that cannot be written so.
    pub(crate) fn parse(table: OptionTable, line: &[String]) -> Result<Arguments, ArgumentError> {
        let mut arguments = Arguments {
            table,
            implied: BTreeMap::new(),
            command_line: Values::new(),
            words: Vec::new(),
            stored: Values::new(),
            file: BTreeMap::new(),
            sections: Vec::new(),
            chain: None,
        };
        for (index, text) in line.iter().enumerate() {
            if text == "-" {
                break;
            }
            let Some(bare) = text.strip_prefix('-') else {
                arguments.words = line[index..].to_vec();
                break;
            };
            let bare = bare.strip_prefix('-').unwrap_or(bare);
            let (key, value) = match bare.split_once('=') {
                Some((key, value)) => (key, Some(value)),
                None => (bare, None),
            };
            let key = Key::read(key);
            let option = table.find(&key.name).filter(|_| key.section.is_empty());
            let Some(option) = option else {
                return Err(ArgumentError::Unknown(text.clone()));
            };
            let value = key.value(option, value)?;
            let values = arguments.command_line.entry(key.name).or_default();
            values.push(value);
        }
        let included = arguments.command_line.get("includeconf");
        match included.and_then(|values| Span::new(values).values.first()) {
            Some(value) => Err(ArgumentError::Include(value.text())),
            None => Ok(arguments),
        }
    }

    /// Whether help was asked for.
    pub(crate) fn wants_help(&self) -> bool {
        ["?", "h", "help", "help-debug"]
            .iter()
            .any(|name| self.is_set(name))
    }

    /// Lets the section of a chain count.
    pub(crate) fn select(&mut self, chain: Chain) {
        self.chain = Some(chain);
    }

    /// Says something of an option unless somebody said something already; whether that was so.
    pub(crate) fn imply(&mut self, name: &'static str, value: Value) -> bool {
        let free = self.value(name).is_none();
        if free {
            self.implied.insert(name, value);
        }
        free
    }

    /// Says something of an option whatever was said before.
    pub(crate) fn force(&mut self, name: &'static str, value: Value) {
        self.implied.insert(name, value);
    }

    /// The sources that say something of an option, the weightiest first.
    fn sources(&self, name: &str, section: &str) -> impl Iterator<Item = (Source, Span<'_>)> {
        let in_section = match section.is_empty() {
            true => None,
            false => self.file.get(section).and_then(|values| values.get(name)),
        };
        let without = self.file.get("").and_then(|values| values.get(name));
        [
            (Source::CommandLine, self.command_line.get(name)),
            (Source::Stored, self.stored.get(name)),
            (Source::Section, in_section),
            (Source::NoSection, without),
        ]
        .into_iter()
        .filter_map(|(source, values)| Some((source, Span::new(values?))))
    }

    fn section(&self) -> &'static str {
        self.chain.map_or("", Chain::section)
    }

    /// Whether the part of a file without a section says nothing of the option.
    fn only_in_section(&self, name: &str) -> bool {
        let network_only = self
            .table
            .find(name)
            .is_some_and(|option| option.network_only);
        network_only && self.chain.is_some_and(|chain| chain != Chain::Main)
    }

    /// The value that counts.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.implied.get(name) {
            return Some(value.clone());
        }
        let only_in_section = self.only_in_section(name);
        for (source, span) in self.sources(name, self.section()) {
            // A negation counts also where another value would not.
            if only_in_section && source == Source::NoSection && !span.last_negated {
                continue;
            }
            let value = match source.is_file() {
                true => span.values.first(),
                false => span.values.last(),
            };
            if let Some(value) = value {
                return Some(value.clone());
            }
            if span.last_negated {
                return Some(Value::Switch(false));
            }
        }
        None
    }

    /// Whether a switch of the kind that chooses the chain is on: its negation on the command line counts for nothing.
    fn chain_switch(&self, name: &str) -> bool {
        self.sources(name, "")
            .filter(|(_, span)| !span.last_negated)
            .find_map(|(_, span)| span.values.last())
            .is_some_and(Value::truth)
    }

    /// The chain that was asked for.
    ///
    /// # Errors
    ///
    /// More than one, or one that is not known.
    pub(crate) fn chain(&self) -> Result<Chain, ArgumentError> {
        let named = self.text("chain");
        let mut asked: Vec<Chain> = [
            ("regtest", Chain::Regtest),
            ("signet", Chain::Signet),
            ("testnet", Chain::Test),
            ("testnet4", Chain::Testnet4),
        ]
        .into_iter()
        .filter(|(name, _)| self.chain_switch(name))
        .map(|(_, chain)| chain)
        .collect();
        if asked.len() + usize::from(named.is_some()) > 1 {
            return Err(ArgumentError::SeveralChains);
        }
        match named {
            Some(name) => Chain::named(&name).ok_or(ArgumentError::UnknownChain(name)),
            None => Ok(asked.pop().unwrap_or(Chain::Main)),
        }
    }

    /// All values, those of files after those of the command line.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        if let Some(value) = self.implied.get(name) {
            return vec![value.text()];
        }
        let only_in_section = self.only_in_section(name);
        let mut list: Vec<String> = Vec::new();
        let (mut done, mut forgotten) = (false, false);
        for (source, span) in self.sources(name, self.section()) {
            if only_in_section && source == Source::NoSection {
                continue;
            }
            // What a file says comes back to life where values follow a negation on the command line.
            if !done || (source.is_file() && !forgotten) {
                list.extend(span.values.iter().map(Value::text));
            }
            done |= span.negated;
            forgotten |= span.last_negated && list.is_empty();
        }
        list
    }

    /// Whether anything was said of it.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Whether it was negated.
    pub(crate) fn is_negated(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value.is_negated())
    }

    /// As text.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.text())
    }

    /// As a truth.
    pub(crate) fn flag(&self, name: &str, usual: bool) -> bool {
        self.value(name).map_or(usual, |value| value.truth())
    }

    /// As a number; what is none is 0.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.text(name).map(|text| leading_integer(&text))
    }

    /// As a path: `None` where it was negated, `usual` where nothing or an empty one was given.
    pub(crate) fn path(&self, name: &str, usual: &str) -> Option<PathBuf> {
        let value = self.value(name);
        if value.as_ref().is_some_and(Value::is_negated) {
            return None;
        }
        match value.map(|value| value.text()) {
            Some(text) if !text.is_empty() => Some(normal(Path::new(&text))),
            _ => Some(PathBuf::from(usual)),
        }
    }

    /// Options that count for one chain only, and were given for none.
    pub(crate) fn without_section(&self) -> Vec<&'static str> {
        if self.chain.is_none_or(|chain| chain == Chain::Main) {
            return Vec::new();
        }
        let given = |option: &&OptionSpec| {
            let mut without = false;
            for (source, span) in self.sources(option.name, self.section()) {
                match (span.values.is_empty(), source) {
                    (true, _) => {}
                    (false, Source::NoSection) => without = true,
                    (false, _) => return false,
                }
            }
            without
        };
        let options = self.table.0.iter();
        let mut names: Vec<&str> = options
            .filter(|option| option.network_only)
            .filter(given)
            .map(|option| option.name)
            .collect();
        names.sort_unstable();
        names
    }
}

/// The path without `.`, `..` after a name, and slashes at its end.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir
                if matches!(normal.components().next_back(), Some(Component::Normal(_))) =>
            {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests;
