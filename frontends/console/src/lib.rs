//! The console: a scripting prompt on the worlds of a running node, or of a data directory when none runs.
//!
//! It owns a Unix socket of mode 0600, a script engine with Everett's words, and the prompt that people type at. It
//! promises that a script can neither block the node nor fill its memory, and names the line and column of what is
//! wrong with it. It refuses to change the ledger unless it was started for that.
//!
//! ```text
//!   prompt -> Client -> frames -> connection -> session (a thread: engine, variables) -> Ledger
//!                    (socket, or a pipe in the same process)                 writes -> Handle::write
//! ```

mod book;
mod budget;
mod client;
mod config;
mod connection;
mod context;
mod engine;
mod fault;
mod functions;
mod input;
pub mod limits;
mod patience;
mod pen;
pub mod prompt;
pub mod protocol;
mod server;
mod session;
mod show;
mod socket;
mod value;
mod which;

pub use client::{AttachError, Client, Outcome, RunError, Said, Script};
pub use config::ConsoleConfig;
pub use input::is_complete;
pub use server::{Console, ConsoleError, Listening};
pub use socket::{MAX_SOCKET_PATH, SOCKET_NAME, SocketError, check_path};
