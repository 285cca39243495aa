//! Owns the arguments by which a node publishes over ZeroMQ; their names and defaults are Bitcoin Core's.

use clap::Args;

/// What is published where.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "ZeroMQ")]
pub(crate) struct ZmqArgs {
    /// Publish the hash of each new best block here; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) zmqpubhashblock: Vec<String>,
    /// Messages that may wait for a subscriber; 0 for any number [default: 1000]
    #[arg(long, value_name = "COUNT")]
    pub(crate) zmqpubhashblockhwm: Option<u32>,
    /// Publish the ids of transactions here: those that wait, and those of blocks
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) zmqpubhashtx: Vec<String>,
    /// Messages that may wait for a subscriber; 0 for any number [default: 1000]
    #[arg(long, value_name = "COUNT")]
    pub(crate) zmqpubhashtxhwm: Option<u32>,
    /// Publish each new best block here
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) zmqpubrawblock: Vec<String>,
    /// Messages that may wait for a subscriber; 0 for any number [default: 1000]
    #[arg(long, value_name = "COUNT")]
    pub(crate) zmqpubrawblockhwm: Option<u32>,
    /// Publish transactions here: those that wait, and those of blocks
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) zmqpubrawtx: Vec<String>,
    /// Messages that may wait for a subscriber; 0 for any number [default: 1000]
    #[arg(long, value_name = "COUNT")]
    pub(crate) zmqpubrawtxhwm: Option<u32>,
    /// Publish here which blocks are applied and undone, and which transactions enter and leave the mempool
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) zmqpubsequence: Vec<String>,
    /// Messages that may wait for a subscriber; 0 for any number [default: 1000]
    #[arg(long, value_name = "COUNT")]
    pub(crate) zmqpubsequencehwm: Option<u32>,
}
