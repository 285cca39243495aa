//! Owns the frontend: it follows the events and keeps the books.

use std::path::PathBuf;

use everett_ledger::{Cursor, EventsError, Policy, Start};
use everett_node::{EventStream, Frontend, FrontendError, Handle, Starting, StreamError};

use crate::books::{Books, Watched};

/// Credits deposits with enough confirmations, in a SQLite file.
pub struct DepositWatcher {
    path: PathBuf,
    watched: Watched,
}

impl DepositWatcher {
    /// A frontend that keeps its books in a file.
    pub fn new(path: impl Into<PathBuf>, watched: Watched) -> DepositWatcher {
        DepositWatcher {
            path: path.into(),
            watched,
        }
    }
}

impl Frontend for DepositWatcher {
    fn name(&self) -> &str {
        "deposit-watcher"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        let (path, watched) = (self.path.clone(), self.watched.clone());
        Box::pin(async move {
            let books = Books::open(&path, watched)?;
            // The books say where they stand; the ledger's cursor only says what it must keep for us.
            let beginning = Cursor {
                seq: 0,
                block: handle.ledger().params().genesis_hash(),
            };
            let cursor = books.cursor()?.unwrap_or(beginning);
            let events = subscribe(&handle, Start::At(cursor)).await?;
            Ok(tokio::spawn(follow(handle, events, books)))
        })
    }
}

async fn subscribe(handle: &Handle, start: Start) -> Result<EventStream, StreamError> {
    handle
        .subscribe("deposit-watcher", Policy::Lossless, start)
        .await
}

async fn follow(
    handle: Handle,
    mut events: EventStream,
    mut books: Books,
) -> Result<(), FrontendError> {
    loop {
        let batch = match events.next().await {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(()),
            // Events are gone, but what counts is the best chain: one step from where the books stand to there.
            Err(StreamError::Events(EventsError::CursorExpired { cursor, .. })) => {
                events = subscribe(&handle, Start::After(vec![cursor.block])).await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        // SQLite and the block files wait for the disk: not on a thread that serves others.
        let book = move |ledger: &everett_ledger::Ledger| {
            for delivery in &batch {
                books.book(ledger, &delivery.event, delivery.cursor)?;
            }
            let done = batch.last().map(|delivery| delivery.cursor);
            Ok::<_, crate::BookError>((books, done))
        };
        let (returned, done) = handle.read(book).await??;
        books = returned;
        if let Some(done) = done {
            events.acknowledge(done)?;
        }
    }
}
