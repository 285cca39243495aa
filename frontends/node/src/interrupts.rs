//! Owns the signals by which a process is asked to end.
//! Promises that none is missed from the moment on that this was made.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens to SIGINT and SIGTERM, which from then on end the process no more by themselves. Made inside a runtime.
pub struct Interrupts {
    #[cfg(unix)]
    signals: Option<(Signal, Signal)>,
}

impl Interrupts {
    /// Listens from now on. Where the system gives no handlers, a signal ends the process as it would anyway.
    pub fn listen() -> Interrupts {
        Interrupts {
            #[cfg(unix)]
            signals: signal(SignalKind::interrupt())
                .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)))
                .ok(),
        }
    }

    /// Waits for one of them, and names it.
    pub async fn next(&mut self) -> &'static str {
        #[cfg(unix)]
        if let Some((interrupt, terminate)) = &mut self.signals {
            return tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
        }
        let _ = tokio::signal::ctrl_c().await;
        "interrupt"
    }
}
