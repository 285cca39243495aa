//! Owns Ctrl-C and SIGTERM for commands that work through something.
//! Promises that the first one sets a flag and the second one ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::runtime::Runtime;

/// What the process ends with when it is interrupted twice: 128 and SIGINT's number.
const INTERRUPTED: i32 = 130;

/// A flag that turns true when the process is asked to stop. Needs `runtime` to stay alive.
pub(crate) fn flag(runtime: &Runtime) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    runtime.spawn(async move {
        let mut terminate = terminate();
        loop {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                () = recv(&mut terminate) => {}
            }
            if set.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED);
            }
        }
    });
    flag
}

type Terminate = Option<tokio::signal::unix::Signal>;

fn terminate() -> Terminate {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok()
}

async fn recv(terminate: &mut Terminate) {
    match terminate {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
