//! Owns what a service manager (systemd's `Type=notify`) is told: that the node is ready, how it fares, that it stops.
//! Promises that a watchdog is told only while the ledger answers; a process that nobody watches does nothing here.
//! Refuses to fail: who does not listen is not told.
//!
//! The protocol is sd_notify(3): lines of `NAME=value` in a datagram to the socket that `$NOTIFY_SOCKET` names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use everett_node::Handle;
use tokio::task::JoinHandle;
use tracing::warn;

/// Where the manager listens.
const SOCKET: &str = "NOTIFY_SOCKET";
/// Microseconds in which the watchdog wants to hear something.
const WATCHDOG: &str = "WATCHDOG_USEC";
/// The process that it wants to hear of.
const WATCHDOG_PID: &str = "WATCHDOG_PID";
/// How often the status is told unless the watchdog wants to hear more often.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// The service manager, if there is one.
pub(crate) struct Service {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
    telling: Option<JoinHandle<()>>,
}

impl Service {
    /// The one that started this process.
    pub(crate) fn of_this_process() -> Service {
        let address = std::env::var_os(SOCKET).and_then(|name| address(&name));
        let socket = address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address)));
        Service {
            socket,
            watchdog: watchdog(
                std::env::var(WATCHDOG).ok().as_deref(),
                std::env::var(WATCHDOG_PID).ok().as_deref(),
                std::process::id(),
            ),
            telling: None,
        }
    }

    /// Tells that the node serves, and from now on how it fares.
    pub(crate) fn ready(&mut self, handle: &Handle) {
        let Some((socket, address)) = &self.socket else {
            return;
        };
        let Ok(socket) = socket.try_clone() else {
            return;
        };
        tell(
            &socket,
            address,
            &format!("READY=1\nSTATUS={}", status(handle)),
        );
        let every = self.watchdog.map_or(STATUS_EVERY, |longest| {
            // Twice as often as it has to be.
            (longest / 2).min(STATUS_EVERY)
        });
        let (handle, address, watched) = (handle.clone(), address.clone(), self.watchdog.is_some());
        self.telling = Some(tokio::spawn(async move {
            let mut tick = tokio::time::interval(every);
            // One at a time, for it cannot be taken back: a ledger that hangs would be asked by more threads with each tick.
            let mut asking: Option<JoinHandle<String>> = None;
            loop {
                tokio::select! {
                    _ = tick.tick() => {}
                    () = handle.shutdown().wait() => {
                        tell(&socket, &address, "STOPPING=1\nSTATUS=stopping");
                        return;
                    }
                }
                let asked = handle.clone();
                // A ledger that does not answer in time is one for the watchdog. It does not stand in line with those who read:
                // a node with many clients is busy, not dead.
                let answer = asking
                    .get_or_insert_with(|| tokio::task::spawn_blocking(move || status(&asked)));
                let Ok(answered) = tokio::time::timeout(every, answer).await else {
                    continue;
                };
                asking = None;
                // Were it to panic, the log would have it.
                let Ok(status) = answered else {
                    continue;
                };
                let alive = if watched { "WATCHDOG=1\n" } else { "" };
                tell(&socket, &address, &format!("{alive}STATUS={status}"));
            }
        }));
    }

    /// Waits until it is told that the node stops, which it is as soon as the node is asked to.
    pub(crate) async fn stopped(&mut self) {
        if let Some(telling) = self.telling.take() {
            // Were it to panic, the log would have it.
            let _ = telling.await;
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(telling) = &self.telling {
            telling.abort();
        }
    }
}

/// One line on how the node fares.
fn status(handle: &Handle) -> String {
    let ledger = handle.ledger();
    let worlds = ledger.validated_tips().len();
    let worlds = match worlds {
        1 => "1 world".to_owned(),
        _ => format!("{worlds} worlds"),
    };
    let peers = handle.peers().map(|peers| match peers.list().len() {
        1 => ", 1 peer".to_owned(),
        count => format!(", {count} peers"),
    });
    let peers = peers.unwrap_or_default();
    format!("height {}, {worlds}{peers}", ledger.best().height())
}

fn tell(socket: &UnixDatagram, address: &SocketAddr, text: &str) {
    if let Err(error) = socket.send_to_addr(text.as_bytes(), address) {
        warn!(%error, "the service manager was not told");
    }
}

/// A path, or after `@` a name in Linux's abstract namespace.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name).ok()
        }
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        _ => None,
    }
}

/// How long the watchdog waits, if there is one for this process.
fn watchdog(micros: Option<&str>, of: Option<&str>, process: u32) -> Option<Duration> {
    let micros: u64 = micros?.parse().ok().filter(|micros| *micros > 0)?;
    let other = of.is_some_and(|of| of.parse() != Ok(process));
    (!other).then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_for_one_process() {
        assert_eq!(watchdog(None, None, 1), None);
        assert_eq!(watchdog(Some("0"), None, 1), None);
        assert_eq!(watchdog(Some("x"), None, 1), None);
        let second = Some(Duration::from_secs(1));
        assert_eq!(watchdog(Some("1000000"), None, 1), second);
        assert_eq!(watchdog(Some("1000000"), Some("1"), 1), second);
        assert_eq!(watchdog(Some("1000000"), Some("2"), 1), None);
    }

    #[test]
    fn sockets_are_paths_or_abstract_names() {
        assert!(address(OsStr::new("/run/systemd/notify")).is_some());
        assert!(address(OsStr::new("relative")).is_none());
        assert!(address(OsStr::new("")).is_none());
        #[cfg(target_os = "linux")]
        assert!(address(OsStr::new("@name")).is_some());
    }
}
