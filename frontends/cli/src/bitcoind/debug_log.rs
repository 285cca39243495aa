//! Owns `debug.log`: where it lies, what is told there and how a line looks, which is how Core's look.
//! Promises that standard error stays empty, and that a file moved away is begun anew on SIGHUP.
//! Refuses to grow for ever: at a start, what is old in a long file goes.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use everett_rpc::LogCategories;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use super::failure::InitError;
use super::log_categories::{self, Categories};
use super::node_settings::Levels;

/// Bytes of a log that stay when it is shortened.
const KEPT_BYTES: u64 = 10_000_000;
/// Characters of a time to the second.
const TO_THE_SECOND: usize = "2009-01-03T18:15:05".len();

/// How much is told; more is greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Detail {
    /// What an operator wants to know.
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

/// How it is logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LogSettings {
    /// The file; `None` writes none.
    pub(crate) file: Option<PathBuf>,
    /// Whether lines go to standard output as well.
    pub(crate) console: bool,
    /// What is logged in detail.
    pub(crate) categories: BTreeSet<&'static str>,
    /// In how much.
    pub(crate) levels: Levels,
    /// Whether an old log is shortened.
    pub(crate) shrink: bool,
    /// How lines look.
    pub(crate) look: Line,
}

/// The log, to be reopened.
pub(crate) struct DebugLog {
    lines: Lines,
    categories: Arc<Categories>,
}

/// Where its lines go. Clones are one log.
#[derive(Clone)]
struct Lines {
    place: Option<Arc<(PathBuf, Mutex<File>)>>,
    console: bool,
}

impl DebugLog {
    /// Opens the file and logs from now on.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    pub(crate) fn start(settings: &LogSettings) -> Result<DebugLog, InitError> {
        let open = |path: &PathBuf| {
            if settings.shrink {
                // A log that cannot be shortened is written on.
                let _ = shrink(path);
            }
            let file = append(path).map_err(|_| {
                InitError::new(format!("Could not open debug log file {}", path.display()))
            });
            file.map(|file| Arc::new((path.clone(), Mutex::new(file))))
        };
        let lines = Lines {
            place: settings.file.as_ref().map(open).transpose()?,
            console: settings.console,
        };
        let filter = log_categories::filter(&settings.categories, &settings.levels);
        let builder = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_ansi(false)
            .with_writer(lines.clone())
            .event_format(settings.look)
            .with_filter_reloading();
        let handle = builder.reload_handle();
        let reload = move |filter| {
            // It fails only where the log is gone.
            let _ = handle.reload(filter);
        };
        let subscriber = builder.finish();
        let log = DebugLog {
            lines,
            categories: Arc::new(Categories::new(
                settings.categories.clone(),
                settings.levels.clone(),
                Box::new(reload),
            )),
        };
        // A second one in one process (tests) leaves the first one's.
        let _ = tracing::subscriber::set_global_default(subscriber);
        Ok(log)
    }

    /// Its categories, to be switched.
    pub(crate) fn categories(&self) -> Arc<dyn LogCategories> {
        self.categories.clone()
    }

    /// Begins the file anew, where it was moved away.
    pub(crate) fn reopen(&self) {
        if let Some(place) = &self.lines.place {
            let (path, file) = &**place;
            if let (Ok(new), Ok(mut file)) = (append(path), file.lock()) {
                *file = new;
            }
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

/// Leaves the last [`KEPT_BYTES`] of a file that has a tenth more.
fn shrink(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if length <= KEPT_BYTES / 10 * 11 {
        return Ok(());
    }
    file.seek(SeekFrom::Start(length - KEPT_BYTES))?;
    let mut kept = Vec::new();
    file.take(KEPT_BYTES).read_to_end(&mut kept)?;
    std::fs::write(path, kept)
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.console {
            let mut stdout = io::stdout().lock();
            // Who reads it may have gone.
            let _ = stdout.write_all(bytes).and_then(|()| stdout.flush());
        }
        if let Some(place) = &self.place
            && let Ok(mut file) = place.1.lock()
        {
            // A full disk is no reason to end, and nowhere to say it.
            let _ = file.write_all(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Lines;

    fn make_writer(&self) -> Lines {
        self.clone()
    }
}

/// How a line looks: the time, who says it where that is wanted, its category or a level that is not the usual one, the
/// message and its fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Line {
    /// Whether it has a time.
    pub(crate) timestamps: bool,
    /// Whether that is given to the microsecond.
    pub(crate) micros: bool,
    /// Whether the thread is named.
    pub(crate) threads: bool,
    /// Whether the place in the source is named.
    pub(crate) places: bool,
    /// Whether category and level are named of each line.
    pub(crate) levels: bool,
}

impl Line {
    /// What stands before the message, in Core's form.
    fn mark(self, level: Level, target: &str) -> String {
        let word = match level {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let category = log_categories::category(target);
        match level {
            Level::ERROR | Level::WARN | Level::INFO if self.levels => {
                format!("[{}:{word}] ", category.unwrap_or("all"))
            }
            Level::ERROR | Level::WARN => format!("[{word}] "),
            Level::INFO => String::new(),
            // What is let through only with all of its category is one of its usual lines.
            _ => match category {
                Some(category) if self.levels => format!("[{category}:{word}] "),
                Some(category) => format!("[{category}] "),
                None => format!("[{target}] "),
            },
        }
    }
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.timestamps {
            let mut time = String::new();
            SystemTime.format_time(&mut Writer::new(&mut time))?;
            if !self.micros {
                time.truncate(TO_THE_SECOND);
                time.push('Z');
            }
            write!(writer, "{time} ")?;
        }
        let metadata = event.metadata();
        if self.threads {
            let thread = std::thread::current();
            write!(writer, "[{}] ", thread.name().unwrap_or("unknown"))?;
        }
        if let (true, Some(file), Some(line)) = (self.places, metadata.file(), metadata.line()) {
            write!(writer, "[{file}:{line}] ")?;
        }
        writer.write_str(&self.mark(*metadata.level(), metadata.target()))?;
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_log_is_shortened_and_a_short_one_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("debug.log");
        std::fs::write(&path, vec![b'x'; 11_000_001]).unwrap();
        shrink(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), KEPT_BYTES);
        shrink(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), KEPT_BYTES);
        assert!(shrink(&directory.path().join("none")).is_err());
    }
}
