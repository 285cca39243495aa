//! Owns the settings of the console's server and their defaults.
//! Promises that the defaults let nobody change the ledger.

use std::path::PathBuf;
use std::time::Duration;

use crate::limits::{DEFAULT_MAX_SESSIONS, DEFAULT_MAX_TIME, DEFAULT_TIME};

/// What a console is started with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsoleConfig {
    /// Where to listen: a path of at most [`MAX_SOCKET_PATH`](crate::MAX_SOCKET_PATH) bytes.
    pub socket: PathBuf,
    /// Let scripts change the ledger.
    pub allow_write: bool,
    /// Sessions that may be open at once; more are refused. At least 1. Default 16.
    pub max_sessions: usize,
    /// How long a script may run unless its client says otherwise. Default 60 seconds.
    pub time: Duration,
    /// The longest that a client may ask for. Default 1 hour.
    pub max_time: Duration,
    /// Go on without a console, with a warning, where the socket cannot be made. Default false.
    pub optional: bool,
}

impl ConsoleConfig {
    /// The defaults, on this socket.
    pub fn new(socket: impl Into<PathBuf>) -> ConsoleConfig {
        ConsoleConfig {
            socket: socket.into(),
            allow_write: false,
            max_sessions: DEFAULT_MAX_SESSIONS,
            time: DEFAULT_TIME,
            max_time: DEFAULT_MAX_TIME,
            optional: false,
        }
    }
}
