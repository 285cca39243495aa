//! Owns the arguments by which a node serves its figures.

use std::net::SocketAddr;

use clap::Args;

/// The figures of a node, for Prometheus.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Metrics")]
pub(crate) struct MetricsArgs {
    /// Serve figures for Prometheus at /metrics; port 0 takes a free one [default: not served; without
    /// an address 127.0.0.1:8370]
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1)]
    pub(crate) metrics: Option<Option<SocketAddr>>,
    /// Serve them beyond this machine as well: whoever reaches the port can read them
    #[arg(long)]
    pub(crate) metrics_allow_open: bool,
}
