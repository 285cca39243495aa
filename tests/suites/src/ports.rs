//! Owns the choice of ports for programs that have to be told theirs.
//! Promises one that nobody listens on, that this process was given once only, and that the system gives to nobody who asks for
//! any port. Refuses to hold it: what is started next binds it.
//!
//! It stands by itself, on the standard library alone: tests of crates below this one take it in as a file.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where it chooses: above what services of a machine listen on, below what Linux and others give to who asks for any port.
const PORTS: Range<u16> = 20_000..32_000;
/// How far apart the first choices of processes with neighbouring numbers lie. It shares no divisor with the number of ports.
const STRIDE: u32 = 97;

/// Choices of this process so far.
static CHOSEN: AtomicU32 = AtomicU32::new(0);

/// The first port that Linux gives to who asks for any; `None` where that is not to be read.
fn first_given_to_anybody() -> Option<u16> {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    range.split_whitespace().next()?.parse().ok()
}

/// A free port, for every address of this machine. No two calls of one process give the same.
///
/// # Panics
///
/// Where no port is left: all are taken, or this process asked for all of them.
pub fn free_port() -> u16 {
    // A machine that gives out lower ones too leaves the rest; one that leaves nothing is as good as any other place.
    let given =
        first_given_to_anybody().filter(|first| PORTS.contains(first) && *first > PORTS.start);
    let count = u32::from(given.unwrap_or(PORTS.end) - PORTS.start);
    loop {
        let chosen = CHOSEN.fetch_add(1, Ordering::Relaxed);
        assert!(
            chosen < count,
            "none of {count} ports from {} on is free",
            PORTS.start
        );
        let place = (process::id() % count * STRIDE + chosen) % count;
        let port = PORTS.start + u16::try_from(place).expect("it is less than the count of ports");
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}
