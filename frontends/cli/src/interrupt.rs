//! Owns Ctrl-C and SIGTERM for commands that work through something.
//! Promises that the first one sets a flag and the second one ends the process at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use everett_node::Interrupts;
use tokio::runtime::Runtime;

/// What the process ends with when it is interrupted twice: 128 and SIGINT's number.
const INTERRUPTED: i32 = 130;

/// A flag that turns true when the process is asked to stop. Needs `runtime` to stay alive.
pub(crate) fn flag(runtime: &Runtime) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = flag.clone();
    let _inside = runtime.enter();
    let mut interrupts = Interrupts::listen();
    runtime.spawn(async move {
        loop {
            interrupts.next().await;
            if set.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED);
            }
        }
    });
    flag
}
