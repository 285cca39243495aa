//! Owns the way from a command line to settings: which files are read, which chain and directories are meant.
//! Promises that nothing is written, and that what goes wrong is told in Core's words; what is worth a line of the log is kept
//! until there is one.

use std::path::PathBuf;

use tracing::{info, warn};

use super::arguments::{Arguments, Value};
use super::chain::Chain;
use super::config_file::{self, Remarks};
use super::debug_log::LogSettings;
use super::failure::InitError;
use super::layout::{self, Layout};
use super::node_settings::{self, NodeSettings};
use super::settings_file::{self, SettingsFile};

/// What a value is shown as that is not for the log.
const HIDDEN: &str = "****";

/// A line for the log.
pub(super) enum Logged {
    /// As usual.
    Info(String),
    /// A warning.
    Warning(String),
}

impl Logged {
    /// Writes it.
    pub(super) fn log(&self) {
        match self {
            Logged::Info(line) => info!("{line}"),
            Logged::Warning(line) => warn!("{line}"),
        }
    }
}

/// What a daemon needs to know.
pub(super) struct Opened {
    pub(super) settings: NodeSettings,
    pub(super) layout: Layout,
    pub(super) log: LogSettings,
    pub(super) logged: Vec<Logged>,
    pub(super) arguments: Arguments,
    /// The file of settings, and where it lies.
    pub(super) settings_file: Option<(PathBuf, SettingsFile)>,
}

/// Reads the files, and translates what was asked for.
///
/// # Errors
///
/// What cannot be.
pub(super) fn open(mut arguments: Arguments) -> Result<Opened, InitError> {
    let mut remarks = Remarks::default();
    let base = layout::base(&arguments).map_err(|text| {
        InitError::new(format!(
            "Specified data directory \"{text}\" does not exist."
        ))
    })?;
    let conf = arguments.path("conf", config_file::NAME);
    let conf = conf.map(|path| base.join(path));
    let named = arguments.is_set("conf");
    let unreadable = |error: &dyn std::fmt::Display| {
        InitError::new(format!("Error reading configuration file: {error}"))
    };
    config_file::read(&mut arguments, conf.as_deref(), named, &base, &mut remarks)
        .map_err(|error| unreadable(&error))?;
    for line in &remarks.told {
        eprintln!("{line}");
    }
    // The file may name another directory.
    let first = base;
    let base = layout::base(&arguments).map_err(|text| {
        unreadable(&format!(
            "specified data directory \"{text}\" does not exist."
        ))
    })?;
    let chain = arguments.chain().map_err(InitError::new)?;
    arguments.select(chain);
    let layout = Layout::new(base, chain);
    let mut logged: Vec<Logged> = remarks.logged.into_iter().map(Logged::Warning).collect();
    logged.extend(remarks.noted.into_iter().map(Logged::Info));
    logged.extend(ignored_file(&arguments, &layout, &first, conf.as_deref())?);
    let settings_file = match arguments.path("settings", settings_file::NAME) {
        None => None,
        Some(path) => {
            let path = layout.file(&path);
            let file = SettingsFile::read(&path).map_err(|error| {
                InitError::new(format!("Settings file could not be read:\n- {error}"))
            })?;
            arguments.stored = file.values();
            Some((path, file))
        }
    };
    let unknown = arguments.stored.keys();
    logged.extend(
        unknown
            .filter(|name| arguments.table.find(name).is_none())
            .map(|name| Logged::Warning(format!("Ignoring unknown rw_settings value {name}"))),
    );
    if let Some(word) = arguments.words.first() {
        return Err(InitError::new(format!(
            "Command line contains unexpected token '{word}', see bitcoind -h for a list of options."
        )));
    }
    let foreign = arguments
        .sections
        .iter()
        .filter(|section| Chain::named(&section.name).is_none());
    let foreign: String = foreign
        .map(|section| {
            format!(
                "{}:{} Section [{}] is not recognized.\n",
                section.file, section.line, section.name
            )
        })
        .collect();
    if !foreign.is_empty() {
        eprintln!("Warning: {foreign}");
        logged.push(Logged::Warning(foreign.trim_end().to_owned()));
    }
    let settings = NodeSettings::new(&mut arguments, chain, &layout)?;
    for warning in &settings.warnings {
        eprintln!("Warning: {warning}");
        logged.push(Logged::Warning(warning.clone()));
    }
    let named = arguments.is_set("datadir");
    if layout.is_cores() {
        if !named && !arguments.flag("everettbesidecore", false) {
            return Err(InitError::new(format!(
                "{} holds a chain of Bitcoin Core. Name another data directory with -datadir, or set -everettbesidecore=1 \
                 to keep Everett's own data in its subdirectory '{}'.",
                layout.network.display(),
                layout.store().display()
            )));
        }
        logged.push(Logged::Warning(format!(
            "{} holds a chain of Bitcoin Core, which is left alone: Everett's own lies in {}",
            layout.network.display(),
            layout.store().display()
        )));
    }
    logged.push(Logged::Info(format!(
        "Using data directory {}",
        layout.network.display()
    )));
    logged.push(Logged::Info(match &conf {
        None => "Config file: <disabled>".to_owned(),
        Some(path) if path.exists() => format!("Config file: {}", path.display()),
        Some(path) => format!("Config file: {} (not found, skipping)", path.display()),
    }));
    logged.extend(given(&arguments));
    logged.extend(settings.remarks.iter().cloned().map(Logged::Info));
    logged.extend(node_settings::unsupported(&arguments).map(Logged::Warning));
    Ok(Opened {
        log: node_settings::log(&arguments, &layout),
        settings,
        layout,
        logged,
        arguments,
        settings_file,
    })
}

/// A `bitcoin.conf` in the data directory that is not the one that was read: an error, as it may be meant.
fn ignored_file(
    arguments: &Arguments,
    layout: &Layout,
    first: &std::path::Path,
    conf: Option<&std::path::Path>,
) -> Result<Option<Logged>, InitError> {
    let there = layout.base.join(config_file::NAME);
    let same = |path: &std::path::Path| {
        let real = |path: &std::path::Path| std::fs::canonicalize(path).ok();
        real(path).is_some() && real(path) == real(&there)
    };
    let Some(conf) = conf.filter(|_| there.exists()) else {
        return Ok(None);
    };
    if same(conf) {
        return Ok(None);
    }
    let source = match arguments.text("conf").filter(|text| !text.is_empty()) {
        Some(text) => format!("command line argument \"-conf={text}\""),
        None => format!("data directory \"{}\"", first.display()),
    };
    let (base, name) = (layout.base.display(), config_file::NAME);
    let text = format!(
        "Data directory \"{base}\" contains a \"{name}\" file which is ignored, because a different configuration file \
         \"{}\" from {source} is being used instead. Possible ways to address this would be to:\n\
         - Delete or rename the \"{name}\" file in data directory \"{base}\".\n\
         - Change datadir= or conf= options to specify one configuration file, not two, and use includeconf= to include \
         any other configuration files.",
        conf.display()
    );
    match arguments.flag("allowignoredconf", false) {
        true => Ok(Some(Logged::Warning(text))),
        false => Err(InitError::new(format!(
            "{text}\n- Set allowignoredconf=1 option to treat this condition as a warning, not an error."
        ))),
    }
}

/// What was given where, for the log; secrets are not shown.
fn given(arguments: &Arguments) -> Vec<Logged> {
    let show = |name: &str, value: &Value| {
        let secret = arguments
            .table
            .find(name)
            .is_some_and(|option| option.secret);
        match value {
            _ if secret => HIDDEN.to_owned(),
            Value::Switch(value) => value.to_string(),
            Value::Text(text) => format!("\"{text}\""),
        }
    };
    let mut lines = Vec::new();
    let mut add = |source: &str, values: &super::arguments::Values| {
        for (name, values) in values {
            lines.extend(
                values
                    .iter()
                    .map(|value| Logged::Info(format!("{source} {name}={}", show(name, value)))),
            );
        }
    };
    for (section, values) in &arguments.file {
        match section.as_str() {
            "" => add("Config file arg:", values),
            name => add(&format!("Config file arg: [{name}]"), values),
        }
    }
    add("Setting file arg:", &arguments.stored);
    add("Command-line arg:", &arguments.command_line);
    lines
}
