//! Owns `everett log`: a log as text or as JSON, from files, a pipe, or a node that runs.
//! Promises a line a record; refuses to fail for what is damaged: that is skipped and counted.

mod filter;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use everett_ledger::Network;
use everett_log::read::{Follower, Item, Reader};
use everett_log::{LOG_DIRECTORY, list, view};
use serde_json::json;

use self::filter::Filter;
use crate::args::{FollowArgs, LogArgs, LogCommand, ReadArgs};
use crate::failure::Failure;
use crate::settings::Settings;

/// How long to wait for more.
const POLL: Duration = Duration::from_millis(200);

/// Runs the command.
pub(super) fn log(settings: &Settings, args: LogArgs) -> Result<ExitCode, Failure> {
    let done = match args.command {
        LogCommand::Cat(args) => cat(settings, &args),
        LogCommand::Follow(args) => follow(settings, &args),
    };
    match done {
        // Whoever reads has seen enough.
        Err(Stopped::Io(_, error)) if error.kind() == ErrorKind::BrokenPipe => {
            Ok(ExitCode::SUCCESS)
        }
        Err(Stopped::Io(what, error)) => {
            Err(Failure::named("FILE_FAILED", format!("{what}: {error}")))
        }
        Err(Stopped::Failed(failure)) => Err(failure),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

/// Why reading stopped.
enum Stopped {
    Failed(Failure),
    /// With what was read or written.
    Io(String, io::Error),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Stopped {
        Stopped::Failed(failure)
    }
}

/// Which records are shown, and how.
struct Show {
    filter: Filter,
    json: bool,
}

impl Show {
    fn new(settings: &Settings, args: &ReadArgs) -> Result<Show, Failure> {
        Ok(Show {
            filter: Filter::new(args)?,
            json: settings.json,
        })
    }

    /// Writes an item; a record only if it is wanted.
    fn show(&self, item: &Item, name: &str, out: &mut impl Write) -> Result<(), Stopped> {
        match item {
            Item::Skipped(bytes) => {
                match self.json {
                    true => eprintln!("{}", json!({ "skipped_bytes": bytes, "file": name })),
                    false => {
                        eprintln!("everett: {name}: {bytes} bytes are no records and were skipped")
                    }
                }
                Ok(())
            }
            Item::Record(record) if self.filter.wants(record) => {
                let line = match self.json {
                    true => view::json(record).to_string(),
                    false => view::text(record),
                };
                let written = writeln!(out, "{line}");
                written.map_err(|error| Stopped::Io("standard output".to_owned(), error))
            }
            Item::Record(_) => Ok(()),
        }
    }
}

fn own_directory(settings: &Settings) -> Result<PathBuf, Failure> {
    let network = settings.params(Network::Mainnet)?.network;
    Ok(settings.datadir(network)?.join(LOG_DIRECTORY))
}

fn cat(settings: &Settings, args: &ReadArgs) -> Result<(), Stopped> {
    let show = Show::new(settings, args)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut named = args.files.clone();
    if named.is_empty() {
        let directory = own_directory(settings)?;
        if !directory.is_dir() {
            return Err(no_log(&directory).into());
        }
        named.push(directory);
    }
    for path in &named {
        if path == Path::new("-") {
            copy(&show, "standard input", io::stdin().lock(), &mut out)?;
            continue;
        }
        let name = |path: &Path| path.display().to_string();
        let files = match path.is_dir() {
            true => list(path).map_err(|error| Stopped::Io(name(path), error))?,
            false => vec![everett_log::LogFile {
                number: 0,
                path: path.clone(),
            }],
        };
        for file in files {
            let name = name(&file.path);
            let opened = File::open(&file.path);
            // Of a directory a file may be rotated away meanwhile.
            if path.is_dir()
                && opened
                    .as_ref()
                    .is_err_and(|error| error.kind() == ErrorKind::NotFound)
            {
                continue;
            }
            let opened = opened.map_err(|error| Stopped::Io(name.clone(), error))?;
            copy(&show, &name, opened, &mut out)?;
        }
    }
    out.flush()
        .map_err(|error| Stopped::Io("standard output".to_owned(), error))
}

fn copy(show: &Show, name: &str, from: impl io::Read, out: &mut impl Write) -> Result<(), Stopped> {
    let mut reader = Reader::new(from);
    loop {
        let item = reader.next_item();
        let Some(item) = item.map_err(|error| Stopped::Io(name.to_owned(), error))? else {
            return Ok(());
        };
        show.show(&item, name, out)?;
    }
}

fn follow(settings: &Settings, args: &FollowArgs) -> Result<(), Stopped> {
    let show = Show::new(settings, &args.read)?;
    let mut out = io::stdout().lock();
    let directory = match args.read.files.as_slice() {
        [] => own_directory(settings)?,
        [file] if file == Path::new("-") => {
            return copy(&show, "standard input", io::stdin().lock(), &mut out);
        }
        [directory] => directory.clone(),
        _ => {
            return Err(
                Failure::usage("one log can be followed at a time: name its directory").into(),
            );
        }
    };
    if !directory.is_dir() {
        return Err(no_log(&directory).into());
    }
    let name = directory.display().to_string();
    let mut follower = Follower::new(&directory);
    let mut last: VecDeque<Item> = VecDeque::new();
    let mut caught_up = show.filter.has_beginning();
    loop {
        let item = follower.next_item();
        match item.map_err(|error| Stopped::Io(name.clone(), error))? {
            Some(item) if caught_up => show.show(&item, &name, &mut out)?,
            Some(item) => {
                let wanted = matches!(&item, Item::Record(record) if show.filter.wants(record));
                if wanted && args.lines > 0 {
                    if last.len() == args.lines {
                        last.pop_front();
                    }
                    last.push_back(item);
                }
            }
            None => {
                caught_up = true;
                for item in std::mem::take(&mut last) {
                    show.show(&item, &name, &mut out)?;
                }
                let flushed = out.flush();
                flushed.map_err(|error| Stopped::Io("standard output".to_owned(), error))?;
                std::thread::sleep(POLL);
            }
        }
    }
}

fn no_log(directory: &Path) -> Failure {
    Failure::named(
        "NO_LOG",
        format!(
            "there is no log in {}; a node writes it there, unless it is run with --no-log",
            directory.display()
        ),
    )
}
