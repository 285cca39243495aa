//! Owns the signals by which a process is asked to end.
//! Promises that none is missed from the moment on that this was made.

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signal of a write beyond the limit on a file's size (`ulimit -f`, systemd's `LimitFSIZE`): SIGXFSZ, by its number on
/// Linux (but on MIPS) and on the BSDs.
#[cfg(unix)]
const FILE_TOO_LARGE: i32 = 25;

/// Listens to SIGINT and SIGTERM, which from then on end the process no more by themselves. Made inside a runtime.
pub struct Interrupts {
    #[cfg(unix)]
    signals: Option<(Signal, Signal)>,
}

impl Interrupts {
    /// Listens from now on. Where the system gives no handlers, a signal ends the process as it would anyway.
    ///
    /// From now on a write beyond the limit on a file's size is an error as on a full disk, too, rather than the end.
    pub fn listen() -> Interrupts {
        #[cfg(unix)]
        // The handler outlives what waits for it.
        drop(signal(SignalKind::from_raw(FILE_TOO_LARGE)));
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
