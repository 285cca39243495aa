//! Owns how many files and sockets the process may have open.
//! Promises that peers leave enough of them for the database and for those who ask over gRPC.
//! Refuses to go beyond what the system's administrator allows.

use rlimit::Resource;
use tracing::warn;

/// Files and sockets that a node needs besides its peers: the database, block files, logs, gRPC, the page, the console.
const BESIDES: u64 = 256;

/// How many callers there is room for of `incoming` that are wanted, beside `outgoing` others. Raises the process's own
/// limit as far as it is allowed to.
pub(crate) fn room_for_callers(incoming: usize, outgoing: usize) -> usize {
    let wanted = BESIDES + (incoming + outgoing) as u64;
    let Ok((mut limit, most)) = Resource::NOFILE.get() else {
        return incoming;
    };
    if limit < wanted {
        let raised = wanted.min(most);
        if Resource::NOFILE.set(raised, most).is_ok() {
            limit = raised;
        }
    }
    let room = callers(incoming, outgoing, limit);
    if room < incoming {
        warn!(
            open_files = limit,
            room,
            "the system lets this process have few files open: fewer peers may call than asked for (ulimit -n)"
        );
    }
    room
}

fn callers(incoming: usize, outgoing: usize, limit: u64) -> usize {
    let left = limit.saturating_sub(BESIDES + outgoing as u64);
    incoming.min(usize::try_from(left).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_get_what_the_rest_does_not_need() {
        assert_eq!(callers(115, 8, 1_024), 115);
        assert_eq!(callers(1_000, 8, 1_024), 760);
        assert_eq!(callers(115, 8, 64), 0);
    }
}
