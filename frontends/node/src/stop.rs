//! Owns the signal by which a part of the node is told to stop.
//! Promises that it is given once, to all who hold a clone, whether they wait already or ask later.

use tokio::sync::watch;

/// Told to stop, or not yet. Clones are one signal.
#[derive(Clone, Debug)]
pub struct StopSignal {
    given: watch::Sender<bool>,
}

impl StopSignal {
    /// One that is not given yet.
    pub fn new() -> StopSignal {
        StopSignal {
            given: watch::Sender::new(false),
        }
    }

    /// Gives it.
    pub fn give(&self) {
        self.given.send_replace(true);
    }

    /// Whether it was given.
    pub fn is_given(&self) -> bool {
        *self.given.borrow()
    }

    /// Waits until it is given.
    pub async fn wait(&self) {
        let mut seen = self.given.subscribe();
        // The sender lives in `self`, so this ends with the signal only.
        let _ = seen.wait_for(|given| *given).await;
    }
}

impl Default for StopSignal {
    fn default() -> StopSignal {
        StopSignal::new()
    }
}
