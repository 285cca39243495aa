//! Owns the log as a frontend of the node: it starts the thread that writes, and feeds it what happens.
//! Promises that every event is in the log, in order, also over a crash: it is acknowledged when it is written. And
//! that a slow disk holds up this frontend alone.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use everett_ledger::{Cursor, EventsError, Policy, Start};
use everett_node::{
    CallError, EventStream, Frontend, FrontendError, FrontendHealth, Handle, Starting, StreamError,
    Task,
};
use everett_proto::v1::log_record::Body;
use tracing::info;

use crate::config::LogConfig;
use crate::queue::Sink;
use crate::record;
use crate::writer::{Files, run};

/// The name under which the log follows events.
const SUBSCRIBER: &str = "everett.log";
/// How long to wait when the queue is full.
const WHEN_FULL: Duration = Duration::from_millis(20);
/// How long the last records have to get to the disk.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Why the log did not start.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Its files.
    #[error(
        "the log in {directory} cannot be written: {source}; make room or rights there, or run without with --no-log"
    )]
    Files {
        /// The directory.
        directory: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Its thread.
    #[error("the log has no thread to write on: {0}")]
    Thread(io::Error),
}

/// The log as a frontend. Add it first: it then stops last, and misses nothing.
pub struct Log {
    config: LogConfig,
    sink: Sink,
}

impl Log {
    /// A log of what goes into this queue.
    pub fn new(config: LogConfig, sink: Sink) -> Log {
        Log { config, sink }
    }

    async fn serve(&self, handle: Handle) -> Result<Task, LogError> {
        let config = self.config.clone();
        let directory = config.directory.clone();
        let opened = tokio::task::spawn_blocking(move || Files::open(config)).await;
        let files = opened
            .map_err(io::Error::other)
            .and_then(|files| files)
            .map_err(|source| LogError::Files {
                directory: directory.clone(),
                source,
            })?;
        let writer = self.sink.open();
        let writing = Writing(self.sink.clone());
        let sink = self.sink.clone();
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || run(&sink, writer, files))
            .map_err(LogError::Thread)?;
        info!(directory = %directory.display(), "the binary log is written");
        let sink = self.sink.clone();
        let ledger = handle.ledger();
        sink.put(record::started(ledger, handle.lab()));
        Ok(tokio::spawn(async move {
            let followed = follow(&handle, &sink).await;
            if handle.stop_signal().is_given() {
                let last = sink.put(record::stopped(handle.ledger()));
                let _ = tokio::time::timeout(LAST_WORDS, until_written(&sink, last)).await;
            }
            drop(writing);
            followed
        }))
    }
}

impl Frontend for Log {
    fn name(&self) -> &str {
        "log"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        Box::pin(async move { Ok(self.serve(handle).await?) })
    }
}

/// Lets the thread go when the frontend ends, however it does.
struct Writing(Sink);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Puts events and the frontends' health into the queue until the node stops.
async fn follow(handle: &Handle, sink: &Sink) -> Result<(), FrontendError> {
    let mut events = handle
        .subscribe(SUBSCRIBER, Policy::Lossless, Start::Stored)
        .await?;
    let mut health = Watched::default();
    let mut changes = handle.frontend_changes();
    health.look(handle, sink)?;
    loop {
        tokio::select! {
            batch = events.next() => match batch {
                Ok(None) => break,
                Ok(Some(batch)) => {
                    let mut last = None;
                    for delivery in &batch {
                        last = Some(put(handle, sink, record::event(handle.ledger(), delivery)).await);
                    }
                    let Some(cursor) = batch.last().map(|delivery| delivery.cursor) else { continue };
                    let written = tokio::select! {
                        written = until_written(sink, last.flatten()) => written,
                        // A disk that refuses does not keep the node from stopping; the events come again.
                        () = handle.stop_signal().wait() => {
                            let patience = tokio::time::timeout(LAST_WORDS, until_written(sink, last.flatten()));
                            patience.await.unwrap_or(false)
                        }
                    };
                    if written {
                        events.acknowledge(cursor)?;
                    }
                }
                Err(StreamError::Events(EventsError::CursorExpired { cursor, oldest })) => {
                    skip(&mut events, sink, cursor, oldest);
                }
                Err(StreamError::Call(CallError::ShuttingDown)) => break,
                Err(error) => return Err(error.into()),
            },
            Ok(()) = changes.changed() => health.look(handle, sink)?,
        }
    }
    // How the others stopped; this one stops last.
    health.look(handle, sink)?;
    Ok(())
}

/// Goes on after events that nobody has any more.
fn skip(events: &mut EventStream, sink: &Sink, cursor: Cursor, oldest: u64) {
    let gone = oldest.saturating_sub(cursor.seq);
    sink.put(record::dropped(
        gone,
        "the ledger's log of events was trimmed before they were written here",
    ));
    events.seek(Cursor {
        seq: oldest,
        block: cursor.block,
    });
}

/// Puts a record in, and waits for room; `None` if the node stops before there is any.
async fn put(handle: &Handle, sink: &Sink, body: Body) -> Option<u64> {
    loop {
        // What finds no room here comes again: it is not dropped.
        if let Some(seq) = sink.put_if_room(body.clone()) {
            return Some(seq);
        }
        tokio::select! {
            () = handle.stop_signal().wait() => return None,
            () = tokio::time::sleep(WHEN_FULL) => {}
        }
    }
}

/// Waits until a record is written; false if it never will be.
async fn until_written(sink: &Sink, seq: Option<u64>) -> bool {
    let Some(seq) = seq else { return false };
    let mut written = sink.written();
    written.wait_for(|written| *written >= seq).await.is_ok()
}

/// How frontends fared when they were last looked at.
#[derive(Default)]
struct Watched(Vec<FrontendHealth>);

impl Watched {
    /// Logs what is otherwise than before.
    fn look(&mut self, handle: &Handle, sink: &Sink) -> Result<(), FrontendError> {
        let now = handle.frontends()?;
        for health in &now {
            let same = |before: &&FrontendHealth| {
                before.name == health.name
                    && before.state == health.state
                    && before.restarts == health.restarts
                    && before.last_error == health.last_error
            };
            if !self.0.iter().any(|before| same(&before)) {
                sink.put(record::frontend(health));
            }
        }
        self.0 = now;
        Ok(())
    }
}
