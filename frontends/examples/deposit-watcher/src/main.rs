//! A node with nothing but the deposit watcher on it.

use std::path::PathBuf;

use bitcoin::ScriptBuf;
use clap::Parser;
use everett_deposit_watcher::{DepositWatcher, Watched};
use everett_ledger::{LedgerConfig, Network, Params};
use everett_node::{FrontendError, Node, NodeConfig};

/// Credits deposits on regtest once they have enough confirmations.
#[derive(Parser)]
struct Args {
    /// The node's data directory
    datadir: PathBuf,
    /// The SQLite file with the books
    books: PathBuf,
    /// Blocks a deposit needs, its own among them
    #[arg(long, default_value_t = 6)]
    confirmations: u32,
    /// A script whose deposits are credited, in hexadecimal; may be given several times
    #[arg(long = "script", required = true)]
    scripts: Vec<String>,
}

#[tokio::main]
async fn main() -> Result<(), FrontendError> {
    tracing_subscriber::fmt().init();
    let args = Args::parse();
    let scripts = args.scripts.iter().map(|hex| ScriptBuf::from_hex(hex));
    let watched = Watched {
        scripts: scripts.collect::<Result<_, _>>()?,
        confirmations: args.confirmations.max(1),
    };
    let ledger = LedgerConfig::new(Params::new(Network::Regtest), args.datadir);
    Node::builder(NodeConfig::new(ledger))
        .frontend(DepositWatcher::new(args.books, watched))
        .run()
        .await?;
    Ok(())
}
