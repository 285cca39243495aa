//! Owns `debug.log`: where it lies, what is told there and how a line looks, which is how Core's look.
//! Promises that standard error stays empty, and that a file moved away is begun anew on SIGHUP.
//! Refuses to grow for ever: at a start, what is old in a long file goes.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use super::failure::InitError;

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
    /// How much.
    pub(crate) detail: Detail,
    /// Whether an old log is shortened.
    pub(crate) shrink: bool,
    /// Whether lines have a time.
    pub(crate) timestamps: bool,
    /// Whether it is given to the microsecond.
    pub(crate) micros: bool,
}

/// The log, to be reopened. Clones are one log.
#[derive(Clone)]
pub(crate) struct DebugLog {
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
        let log = DebugLog {
            place: settings.file.as_ref().map(open).transpose()?,
            console: settings.console,
        };
        let level = match settings.detail {
            Detail::Info => "info,h2=warn,hyper=warn,hyper_util=warn,tower=warn",
            Detail::Debug => "debug,h2=info,hyper=info,hyper_util=info,tower=info",
            Detail::Trace => "trace,h2=info,hyper=info,hyper_util=info,tower=info",
        };
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(level))
            .with_ansi(false)
            .with_writer(log.clone())
            .event_format(Line {
                timestamps: settings.timestamps,
                micros: settings.micros,
            })
            .finish();
        // A second one in one process (tests) leaves the first one's.
        let _ = tracing::subscriber::set_global_default(subscriber);
        Ok(log)
    }

    /// Begins the file anew, where it was moved away.
    pub(crate) fn reopen(&self) {
        if let Some(place) = &self.place {
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

impl Write for DebugLog {
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

impl MakeWriter<'_> for DebugLog {
    type Writer = DebugLog;

    fn make_writer(&self) -> DebugLog {
        self.clone()
    }
}

/// How a line looks: the time, a level that is not the usual one, the message and its fields.
struct Line {
    timestamps: bool,
    micros: bool,
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
        match *event.metadata().level() {
            Level::ERROR => writer.write_str("[error] ")?,
            Level::WARN => writer.write_str("[warning] ")?,
            Level::INFO => {}
            _ => write!(writer, "[{}] ", event.metadata().target())?,
        }
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
