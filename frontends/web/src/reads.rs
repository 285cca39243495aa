//! Owns the way of a page to the ledger: a place, a deadline, a thread to work on.
//! Promises an answer by the deadline, and that pages together take no more of the node's readers than they may.

use std::sync::Arc;
use std::time::{Duration, Instant};

use everett_ledger::Ledger;
use everett_node::Handle;
use tokio::sync::Semaphore;

use crate::fault::Fault;

/// The pages' share of the node.
#[derive(Clone)]
pub(crate) struct Reads {
    handle: Handle,
    places: Arc<Semaphore>,
    deadline: Duration,
}

/// Tells work when nobody waits for it any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    until: Instant,
    allowed: Duration,
}

impl Patience {
    /// Until so long from now.
    pub(crate) fn of(allowed: Duration) -> Patience {
        Patience {
            until: Instant::now() + allowed,
            allowed,
        }
    }

    /// Whether there is time left.
    pub(crate) fn lasts(&self) -> bool {
        Instant::now() < self.until
    }

    /// Fails when there is none.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        match self.lasts() {
            true => Ok(()),
            false => Err(Fault::Late(self.allowed)),
        }
    }
}

impl Reads {
    pub(crate) fn new(handle: Handle, places: usize, deadline: Duration) -> Reads {
        Reads {
            handle,
            places: Arc::new(Semaphore::new(places)),
            deadline,
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a read of the ledger. Work in a loop has to ask its patience.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger, &Patience) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let patience = Patience::of(self.deadline);
        let call = async {
            let place = self.places.clone().acquire_owned().await;
            self.handle
                .read(move |ledger| {
                    // Held to the end of the work, also when nobody waits for the answer any more.
                    let _place = place;
                    patience.check()?;
                    work(ledger, &patience)
                })
                .await
        };
        match tokio::time::timeout(self.deadline, call).await {
            Ok(answer) => answer?,
            Err(_) => Err(Fault::Late(self.deadline)),
        }
    }
}
