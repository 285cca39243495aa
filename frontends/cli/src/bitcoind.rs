//! Owns `everett bitcoind`: a node that is started, asked and stopped as Core's daemon is.
//! Promises Core's options and files, its places in the data directory, its refusals and exit codes, and that nothing is written
//! to standard error unless something is wrong.
//! Refuses options that Core does not have; those that it has and we have not are named in one warning in the log.
//!
//! ```text
//! command line ─> Arguments <─ bitcoin.conf, settings.json
//!                     └─> NodeSettings ─> (background) ─> lock, pid file, log ─> Node with RPC and peers
//! ```

pub(crate) mod arguments;
pub(crate) mod chain;
mod commands;
pub(crate) mod config_file;
mod daemon;
mod debug_log;
mod failure;
pub(crate) mod layout;
mod links;
mod lock;
mod log_categories;
mod node_settings;
mod opening;
pub(crate) mod option;
mod pid_file;
mod serving;
mod settings_file;
mod tip_log;
pub(crate) mod version;

use std::ffi::OsString;
use std::process::ExitCode;

use rustix::fs::Mode;
use tracing::error;

use self::arguments::{ArgumentError, Arguments};
use self::failure::InitError;
use self::opening::Opened;
use self::option::DAEMON;

/// Runs the daemon with the arguments that follow its name.
pub(crate) fn main(line: Vec<OsString>) -> ExitCode {
    let line: Vec<String> = line
        .into_iter()
        .map(|text| text.to_string_lossy().into_owned())
        .collect();
    run(&line).unwrap_or_else(|failure| {
        error!("{failure}");
        eprintln!("{}", failure.line());
        ExitCode::FAILURE
    })
}

/// Writes to standard output; who has read enough closes it.
pub(crate) fn say(text: &str) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

fn run(line: &[String]) -> Result<ExitCode, InitError> {
    // What is written is for the user alone, as in Core.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let background = daemon::is_background();
    if background {
        daemon::detach();
    }
    let parsed = |error: ArgumentError| {
        InitError::new(format!("Error parsing command line arguments: {error}"))
    };
    let arguments = Arguments::parse(DAEMON, line).map_err(parsed)?;
    if let Some(text) = version::text(&arguments) {
        say(&text);
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(directory) = arguments.text("everettinstall") {
        if directory.is_empty() {
            return Err(InitError::new(
                "-everettinstall needs a directory: -everettinstall=DIR",
            ));
        }
        return links::make(directory.as_ref());
    }
    let Opened {
        settings,
        layout,
        log,
        logged,
        arguments,
        settings_file,
    } = opening::open(arguments)?;
    // A file may ask for it as well.
    if let Some(text) = version::text(&arguments) {
        say(&text);
        return Ok(ExitCode::SUCCESS);
    }
    let write_settings = || match &settings_file {
        None => Ok(()),
        Some((path, file)) => file.write(path).map_err(|error| {
            InitError::new(format!("Settings file could not be written:\n- {error}"))
        }),
    };
    if !background && daemon::wanted(&arguments) {
        // What can be refused already is refused where somebody reads it.
        layout.create()?;
        let lock = lock::Lock::take(&layout.network)?;
        write_settings()?;
        drop(lock);
        say("Everett starting\n");
        let wait = arguments.flag("daemonwait", false);
        return daemon::start(line, wait, "debug.log");
    }
    layout.create()?;
    let _lock = lock::Lock::take(&layout.network)?;
    if !background {
        write_settings()?;
    }
    let pid_file = settings.pid_file.clone().map(pid_file::PidFile::write);
    let _pid_file = pid_file.transpose()?;
    let mut log = log;
    log.console &= !background;
    let log = debug_log::DebugLog::start(&log)?;
    logged.iter().for_each(opening::Logged::log);
    let mut settings = settings;
    if let Some(rpc) = &mut settings.rpc {
        rpc.log = Some(log.categories());
    }
    serving::serve(settings, &layout, log, background)
}
