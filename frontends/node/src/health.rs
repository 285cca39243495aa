//! Owns what is known of each frontend's health: how it fares, how often it was restarted, how far behind it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::SystemTime;

use everett_ledger::{Ledger, StoreError};
use parking_lot::Mutex;
use tokio::sync::watch;

/// How a frontend fares.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FrontendState {
    /// It is starting.
    Starting,
    /// It serves.
    Running,
    /// It failed, and is started again after a while.
    Waiting,
    /// It ended by itself, without an error.
    Ended,
    /// It was asked to stop, and did.
    Stopped,
}

impl FrontendState {
    /// Its name, in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            FrontendState::Starting => "starting",
            FrontendState::Running => "running",
            FrontendState::Waiting => "waiting",
            FrontendState::Ended => "ended",
            FrontendState::Stopped => "stopped",
        }
    }
}

/// How far behind the events something is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Lag {
    /// Events that it is not done with.
    pub events: u64,
    /// Seconds since the first of them; 0 if there is none.
    pub seconds: u64,
}

/// A frontend, as it is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrontendHealth {
    /// Its name.
    pub name: String,
    /// How it fares.
    pub state: FrontendState,
    /// Since when.
    pub since: SystemTime,
    /// How often it was started again.
    pub restarts: u64,
    /// What it failed with last.
    pub last_error: Option<String>,
    /// How far behind the slowest of its streams of events is; `None` if it has none.
    pub lag: Option<Lag>,
}

/// One frontend's health, shared by its handles, its streams and its supervisor.
pub(crate) struct Health {
    name: String,
    facts: Mutex<Facts>,
    /// For each stream of events the first one that is not done.
    streams: Mutex<Vec<Weak<AtomicU64>>>,
    /// Told whenever this frontend's state changes, or another's of the node.
    changed: watch::Sender<()>,
}

struct Facts {
    state: FrontendState,
    since: SystemTime,
    restarts: u64,
    last_error: Option<String>,
}

impl Health {
    pub(crate) fn new(name: &str, changed: watch::Sender<()>) -> Health {
        Health {
            name: name.to_owned(),
            facts: Mutex::new(Facts {
                state: FrontendState::Starting,
                since: SystemTime::now(),
                restarts: 0,
                last_error: None,
            }),
            streams: Mutex::default(),
            changed,
        }
    }

    pub(crate) fn set_state(&self, state: FrontendState) {
        let mut facts = self.facts.lock();
        facts.state = state;
        facts.since = SystemTime::now();
        self.changed.send_replace(());
    }

    pub(crate) fn failed(&self, error: String) {
        self.facts.lock().last_error = Some(error);
        self.set_state(FrontendState::Waiting);
    }

    pub(crate) fn restarted(&self) {
        self.facts.lock().restarts += 1;
        self.set_state(FrontendState::Running);
    }

    /// Takes up a stream of events that begins at `seq`.
    pub(crate) fn follow(&self, seq: u64) -> Arc<AtomicU64> {
        let done = Arc::new(AtomicU64::new(seq));
        let mut streams = self.streams.lock();
        streams.retain(|stream| stream.strong_count() > 0);
        streams.push(Arc::downgrade(&done));
        done
    }

    fn slowest(&self) -> Option<u64> {
        let streams = self.streams.lock();
        let live = streams.iter().filter_map(Weak::upgrade);
        live.map(|done| done.load(Ordering::Relaxed)).min()
    }

    /// Looks at it; reads the time of one event.
    pub(crate) fn look(&self, ledger: &Ledger) -> Result<FrontendHealth, StoreError> {
        let lag = match self.slowest() {
            None => None,
            Some(seq) => {
                let (events, seconds) = ledger.events_since(seq)?;
                Some(Lag { events, seconds })
            }
        };
        let facts = self.facts.lock();
        Ok(FrontendHealth {
            name: self.name.clone(),
            state: facts.state,
            since: facts.since,
            restarts: facts.restarts,
            last_error: facts.last_error.clone(),
            lag,
        })
    }
}
