//! The node's figures, as Prometheus reads them.
//!
//! It owns an HTTP listener of its own with one page, `/metrics`, and the counts of reorganisations and conflicts that
//! it makes out of the ledger's events. It promises figures of the moment in which they are asked for, a help line for
//! each, and a bounded number of series. It refuses to listen beyond this machine unless it is told to.
//!
//! ```text
//!   Prometheus ─> GET /metrics ─> Ledger::stats, Handle::frontends, Handle::meters, the process ─> text
//!   events ─> Follower ─> reorganisations, conflicts ─> Handle::meters
//! ```

mod config;
mod events;
mod http;
mod page;
mod peer_events;
mod process;
mod server;
mod text;

pub use config::{DEFAULT_PORT, MetricsConfig};
pub use server::{BoundAddress, Metrics, MetricsError};
