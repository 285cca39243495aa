//! Owns one live connection: the handle through which it is spoken to, and what it holds in memory.
//! Promises bounded memory: so much received and not yet dealt with, so much waiting to be written, nothing when idle.
//! Refuses to decide what is said: that is its owner's.
//!
//! A [`Peer`] is a cheap handle, as the pool gives it out. [`Connection`] is one connection without a pool:
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use bitcoin::p2p::{Magic, message::NetworkMessage};
//! use everett_net::{Connection, Message, SessionConfig};
//!
//! let endpoint = std::net::SocketAddr::from(([127, 0, 0, 1], 8333)).into();
//! let mut connection = Connection::open(endpoint, SessionConfig::new(Magic::BITCOIN)).await?;
//! println!("{} over {:?}", connection.info().user_agent, connection.info().transport);
//! connection.send(NetworkMessage::GetAddr)?;
//! while let Ok(message) = connection.receive().await {
//!     println!("{message:?}");
//! }
//! # Ok(())
//! # }
//! ```

mod budget;
mod link;
mod open;
mod peer;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::session::SessionError;

pub use budget::{Permit, TotalBudget};
pub(crate) use link::{Link, Owner};
pub use open::{Connection, OpenError};
pub use peer::{Peer, PeerSnapshot, SendError};

/// Bytes of messages that a peer may have sent and that nobody has dealt with yet; beyond it its socket is not read.
/// Bitcoin Core's `-maxreceivebuffer` is as much.
pub const RECEIVE_BUDGET: usize = 5_000_000;

/// What a message costs of the budget beside its payload, in bytes: so that empty messages are bounded too.
pub const MESSAGE_COST: usize = 128;

/// Bytes that may wait to be written to one peer: five of the longest messages. Beyond it nothing more is taken.
pub const SEND_QUEUE: usize = 20_000_000;

/// Below so many bytes waiting to be written, a peer that had more is reported as drained.
pub const DRAINED_BELOW: usize = 1_000_000;

/// Why a connection ended.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LostReason {
    /// By what the peer did, or did not do.
    #[error("{0}")]
    Session(#[from] SessionError),
    /// The peer closed it.
    #[error("the peer closed the connection")]
    Closed,
    /// The operating system reported an error.
    #[error("{error}")]
    Io {
        /// Its kind.
        kind: std::io::ErrorKind,
        /// What it says.
        error: String,
    },
    /// Bytes that waited to be written did not move.
    #[error("the peer took no bytes for {after:?}")]
    WriteStalled {
        /// For how long.
        after: Duration,
    },
    /// Our side asked for it.
    #[error("disconnected: {reason}")]
    Disconnected {
        /// Why.
        reason: String,
    },
    /// The pool was shut down.
    #[error("shut down")]
    ShutDown,
}

impl From<std::io::Error> for LostReason {
    fn from(error: std::io::Error) -> LostReason {
        LostReason::Io {
            kind: error.kind(),
            error: error.to_string(),
        }
    }
}

/// A monotonic clock that begins at zero, and what the wall clock showed then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
    pub(crate) epoch: i64,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock {
            start: Instant::now(),
            epoch: unix_time() as i64,
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    pub(crate) fn at(&self, time: Duration) -> Instant {
        self.start + time
    }
}

/// The wall clock that a pool goes by, in seconds since 1970: the system's, unless its owner has another one.
#[derive(Clone)]
pub struct WallClock(pub Arc<dyn Fn() -> u64 + Send + Sync>);

impl WallClock {
    /// Seconds since 1970.
    pub fn now(&self) -> u64 {
        (self.0)()
    }
}

impl Default for WallClock {
    fn default() -> WallClock {
        WallClock(Arc::new(unix_time))
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WallClock({})", self.now())
    }
}

/// Seconds since 1970 by the system's clock; 0 if it is set to before that.
pub(crate) fn unix_time() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
