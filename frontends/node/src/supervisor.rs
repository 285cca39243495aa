//! Owns the watch over one frontend: what fails is started again, later each time.
//! Promises that no failure of a frontend, panics included, ends the node or another frontend.
//! Refuses to restart what ended without an error: that was its own wish.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::back_off::BackOff;
use crate::frontend::{Frontend, FrontendError, Task};
use crate::handle::Handle;
use crate::health::FrontendState;

/// Stays with a frontend until it is asked to stop, or ends by itself.
pub(crate) async fn supervise(
    frontend: Arc<dyn Frontend>,
    handle: Handle,
    task: Task,
    back_off: BackOff,
) {
    let name = frontend.name().to_owned();
    let health = handle.health().clone();
    let mut task = CutOff(task);
    let mut started = Instant::now();
    let mut wait = None;
    loop {
        let end = (&mut task.0).await;
        let stopping = handle.stop_signal().is_given();
        let failure = match end {
            Ok(Ok(())) if stopping => {
                info!(frontend = name, "stopped");
                return health.set_state(FrontendState::Stopped);
            }
            Ok(Ok(())) => {
                warn!(frontend = name, "ended by itself");
                return health.set_state(FrontendState::Ended);
            }
            Ok(Err(failed)) => failed.to_string(),
            Err(lost) => panicked(lost),
        };
        error!(frontend = name, error = failure, "failed");
        health.failed(failure);
        task = loop {
            let ran = started.elapsed();
            let next = back_off.next(wait, ran);
            wait = Some(next);
            tokio::select! {
                () = handle.stop_signal().wait() => return health.set_state(FrontendState::Stopped),
                () = tokio::time::sleep(next) => {}
            }
            started = Instant::now();
            match start(&frontend, &handle).await {
                Ok(task) => break CutOff(task),
                Err(failed) => {
                    error!(frontend = name, error = %failed, "did not start again");
                    health.failed(failed.to_string());
                }
            }
        };
        health.restarted();
        info!(frontend = name, waited = ?wait, "started again");
    }
}

/// Starts a frontend; a panic on the way is an error.
pub(crate) async fn start(
    frontend: &Arc<dyn Frontend>,
    handle: &Handle,
) -> Result<Task, FrontendError> {
    let (frontend, handle) = (frontend.clone(), handle.clone());
    let starting = tokio::spawn(async move { frontend.start(handle).await });
    match starting.await {
        Ok(started) => started,
        Err(lost) => Err(panicked(lost).into()),
    }
}

/// What is to be said of a task that was lost.
fn panicked(lost: tokio::task::JoinError) -> String {
    match lost.try_into_panic() {
        Err(cancelled) => cancelled.to_string(),
        Ok(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned());
            format!(
                "it panicked: {}",
                text.as_deref().unwrap_or("without a word")
            )
        }
    }
}

/// Cuts a frontend's task off when its supervisor is.
struct CutOff(Task);

impl Drop for CutOff {
    fn drop(&mut self) {
        self.0.abort();
    }
}
