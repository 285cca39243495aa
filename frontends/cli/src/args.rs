//! Owns what can be written on the command line, and its help.
//! Promises that every command says with examples what it is for; refuses to look anything up.

mod console;
pub(crate) mod lab;
mod log;
mod metrics;
mod node_wallet;
mod p2p;
mod package;
mod peers;
mod rpc;
pub(crate) mod script;
mod snapshot;
pub(crate) mod wallet;
mod zmq;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use bitcoin::{BlockHash, Txid};
use clap::builder::BoolishValueParser;
use clap::{Args, Parser, Subcommand, value_parser};
use everett_script::Flags;

use crate::at::At;
use crate::script_arg::ScriptArg;
pub(crate) use console::{ConsoleArgs, MonitorArgs};
use lab::LabArgs;
pub(crate) use log::{FollowArgs, LogArgs, LogCommand, LogFormat, NodeLogArgs, ReadArgs};
pub(crate) use metrics::MetricsArgs;
pub(crate) use node_wallet::WalletArgs;
pub(crate) use p2p::P2pArgs;
pub(crate) use package::{CompletionsArgs, ManArgs};
pub(crate) use peers::{AddPeerArgs, BanArgs, DisconnectArgs, PeersArgs};
pub(crate) use rpc::RpcArgs;
use script::ScriptArgs;
pub(crate) use snapshot::{FromSnapshotArgs, RestoreArgs, SaveArgs, SnapshotArgs, SnapshotCommand};
pub(crate) use wallet::WalletCommandArgs;
pub(crate) use zmq::ZmqArgs;

/// A Bitcoin node that keeps every competing chain as a world you can query.
#[derive(Parser)]
#[command(
    name = "everett",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "\
Examples:
  everett lab                                        three worlds in a minute, on a private chain
  everett import --network regtest --datadir D bootstrap.dat
  everett worlds --network regtest --datadir D       every branch, best one first
  everett balance --datadir D --network regtest --at 415 ADDRESS
  everett run --network regtest --datadir D --grpc 127.0.0.1:8390
  everett worlds --connect http://127.0.0.1:8390     the same question, asked of the node
  everett wallet balance --network regtest           what a wallet of the node has in each world

Exit codes: 0 fine, 1 failed, 2 wrong usage."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: CommonArgs,
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What goes with every command.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Common options")]
pub(crate) struct CommonArgs {
    /// Read settings from a TOML file: the names of options are its keys, with _ for -
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Answer in JSON: one object on standard output, or one error on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say on standard error what is going on; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// How that is written: text, or json for an object a line
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
}

/// Which chain, and where it is kept.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Common options")]
pub(crate) struct ChainArgs {
    /// mainnet, testnet3, testnet4, signet or regtest [default: mainnet; regtest for lab]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) network: Option<String>,
    /// Where this network's data is kept [default: ~/.everett/NETWORK]
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub(crate) datadir: Option<PathBuf>,
    /// The challenge script of a signet of one's own (BIP325)
    #[arg(long, global = true, value_name = "HEX", hide_short_help = true)]
    pub(crate) signet_challenge: Option<String>,
    /// On regtest, activate bip34, dersig, cltv, csv or segwit at a height; may be given several times
    #[arg(
        long,
        global = true,
        value_name = "NAME@HEIGHT",
        hide_short_help = true
    )]
    pub(crate) testactivationheight: Vec<String>,
}

/// A server to ask instead of a data directory.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Server")]
pub(crate) struct ConnectArgs {
    /// Ask a server instead of a data directory
    #[arg(long, value_name = "URL")]
    pub(crate) connect: Option<String>,
    /// The server's bearer token
    #[arg(
        long,
        value_name = "TOKEN",
        env = "EVERETT_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// For https://: the certificate (PEM) of the authority to trust, or the server's own
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_ca: Option<PathBuf>,
}

/// What is validated, and on how many threads.
/// 1 TiB.
const MAX_EVENT_QUOTA_MIB: u64 = 1 << 20;

/// 1 PiB.
const MAX_PRUNE_MIB: u64 = 1 << 30;

/// How a ledger is kept that blocks are handed to.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Ledger")]
pub(crate) struct LedgerArgs {
    /// How many blocks behind the best tip a branch may fork off and stay live
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) horizon: Option<u32>,
    /// Keep an index from transactions to every block that holds them, on any branch; what is there
    /// already is indexed beside other work [default: no]
    #[arg(
        long,
        value_name = "yes|no",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "yes",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) txindex: Option<bool>,
    /// Delete old blocks once block files take more MiB than this, as far as they are not needed:
    /// at least 550, on regtest 1; 0 keeps all. Not together with --txindex [default: 0]
    #[arg(long, value_name = "MB", value_parser = value_parser!(u64).range(..=MAX_PRUNE_MIB))]
    pub(crate) prune: Option<u64>,
    /// Events that are kept whether a subscriber needs them or not [default: 100000]
    #[arg(long, value_name = "EVENTS")]
    pub(crate) retain_events: Option<u64>,
    /// Most events that are kept for the slowest lossless subscriber, which is then told what it
    /// missed [default: 1000000]
    #[arg(long, value_name = "EVENTS", value_parser = value_parser!(u64).range(1..))]
    pub(crate) event_quota: Option<u64>,
    /// Most MiB of events that are kept, whoever needs them [default: 1024]
    #[arg(long, value_name = "MIB", value_parser = value_parser!(u64).range(1..=MAX_EVENT_QUOTA_MIB))]
    pub(crate) event_quota_mib: Option<u64>,
    /// Run no scripts of this block and its ancestors, once two weeks of work lie on them; 0 runs
    /// all [default: a block of the network's chain]
    #[arg(long, value_name = "HASH|0")]
    pub(crate) assumevalid: Option<AssumeValid>,
    /// Threads for scripts; 0 takes all cores, -N leaves N cores free [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) par: Option<i32>,
}

/// The block that is assumed to be valid; none at all for `0`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct AssumeValid(pub(crate) Option<BlockHash>);

impl FromStr for AssumeValid {
    type Err = String;

    fn from_str(text: &str) -> Result<AssumeValid, String> {
        if text == "0" {
            return Ok(AssumeValid(None));
        }
        let hash = text.parse().map_err(|_| {
            format!("`{text}` is no block hash; write its 64 characters, or 0 to run every script")
        });
        hash.map(|hash| AssumeValid(Some(hash)))
    }
}

/// How gRPC is served.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "gRPC")]
pub(crate) struct GrpcArgs {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8390]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) grpc: Option<SocketAddr>,
    /// Ask every call for this bearer token
    #[arg(
        long,
        value_name = "TOKEN",
        env = "EVERETT_GRPC_TOKEN",
        hide_env_values = true
    )]
    pub(crate) grpc_token: Option<String>,
    /// Serve TLS with this certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "grpc_tls_key")]
    pub(crate) grpc_tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "grpc_tls_cert")]
    pub(crate) grpc_tls_key: Option<PathBuf>,
    /// Listen beyond this machine also without a token
    #[arg(long)]
    pub(crate) grpc_allow_open: bool,
}

/// Whether and how the web page is served.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Web page")]
pub(crate) struct WebArgs {
    /// Where the web page listens; port 0 takes a free one [default: 127.0.0.1:8380]
    #[arg(
        short = 'a',
        long,
        visible_alias = "web",
        value_name = "ADDRESS:PORT",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:8380",
        env = "EVERETT_WEBUI",
        hide_env = true
    )]
    pub(crate) webui: Option<SocketAddr>,
    /// Serve no web page, whatever else is said of it
    #[arg(long)]
    pub(crate) no_web: bool,
    /// Ask visitors of the web page for this name and password; required beyond this machine. Others
    /// on it can see a command line: prefer --user-file or the variable
    #[arg(
        short,
        long,
        value_name = "NAME:PASS",
        env = "EVERETT_USER",
        hide_env_values = true
    )]
    pub(crate) user: Option<String>,
    /// Read NAME:PASS from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) user_file: Option<PathBuf>,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Be Bitcoin Core's daemon: its options, its files, its JSON-RPC
    #[command(disable_help_flag = true)]
    Bitcoind(CoreArgs),
    /// Be Bitcoin Core's client: ask a node over JSON-RPC
    #[command(disable_help_flag = true)]
    Cli(CoreArgs),
    /// Run a node on a data directory and serve it
    #[command(after_help = "\
Examples:
  everett run --network regtest --grpc 127.0.0.1:8390
  everett run --network regtest --lab --horizon 25
  everett run --network signet --grpc 0.0.0.0:8390 --grpc-token SECRET \\
      --grpc-tls-cert cert.pem --grpc-tls-key key.pem
  everett run --network regtest --webui 0.0.0.0:8380 --user-file login.txt
  everett run --network signet --serve 0.0.0.0:38333 -o 16
  everett run --network regtest --connect 127.0.0.1:18444
  everett run --network regtest --lab --from-snapshot before-fork      thrown away at the end

It joins the P2P network, on regtest only where a peer option is given. Prints one line when it is ready, and stops in order on Ctrl-C or SIGTERM.")]
    Run(Box<RunArgs>),
    /// Play, record or replay a history on a private chain, and serve it
    #[command(after_help = "\
Examples:
  everett lab                            the built-in double-spend, then serves until Ctrl-C
  everett lab --exit --json              the same as JSON, without serving
  everett lab --print tie > mine.toml    a shipped scenario, to begin one's own with
  everett lab mine.toml                  fails when an expectation of the scenario does not hold
  everett lab --chaos --rate 2           a chain that reorganises itself, until Ctrl-C
  everett lab record --datadir D FORK    all blocks of a data directory, in the order of their arrival
  everett lab replay FORK                on a chain of its own, served like a node's

Shipped scenarios: double-spend, deep-reorganisation, tie.")]
    Lab(Box<LabArgs>),
    /// Read block files (bootstrap.dat, blk?????.dat) into a data directory
    #[command(after_help = "\
Examples:
  everett import --network regtest --datadir D bootstrap.dat
  everett import --network mainnet ~/.bitcoin/blocks       all blk?????.dat of a directory
  zcat blocks.gz | everett import --network regtest -      standard input

Blocks may lie in any order. What is damaged is skipped and reported; every good block is kept. \
Ctrl-C stops cleanly, and running it again goes on. Exits 1 if anything in the files was bad.")]
    Import(ImportArgs),
    /// List the worlds: every tip of every branch
    #[command(after_help = "\
Examples:
  everett worlds --network regtest --datadir D
  everett worlds --connect http://127.0.0.1:8390 --json")]
    Worlds(WorldsArgs),
    /// Show what scripts have in a world
    #[command(after_help = "\
Examples:
  everett balance --network regtest ADDRESS
  everett balance --network regtest --at 415 ADDRESS 76a914ee9d…88ac
  everett balance --network regtest --at 24981d13ce4a… ADDRESS     in a rival world")]
    Balance(BalanceArgs),
    /// List the coins of a script in a world
    #[command(after_help = "\
Example:
  everett coins --network regtest --at best --limit 20 ADDRESS")]
    Coins(CoinsArgs),
    /// Show what sets two worlds apart: blocks, coins, balances
    #[command(after_help = "\
Example:
  everett diff --network regtest 6bf3b5b8… best")]
    Diff(PairArgs),
    /// List the coins that two worlds spend in different transactions
    #[command(after_help = "\
Example:
  everett conflicts --network regtest 6bf3b5b8… best")]
    Conflicts(PairArgs),
    /// Show the figures of a world's whole UTXO set: count, amount, muhash, hash_serialized_3
    #[command(after_help = "\
Example:
  everett utxo-info --network regtest --at 400")]
    UtxoInfo(AtArgs),
    /// Show a block of any branch
    #[command(after_help = "\
Examples:
  everett block --network regtest best
  everett block --network regtest 6bf3b5b8… --hex")]
    Block(BlockArgs),
    /// Show a transaction of a world's chain
    #[command(after_help = "\
Examples:
  everett tx --network regtest TXID
  everett tx --network regtest TXID --in-block 6bf3b5b8…     where it has no unspent output
  everett tx verify --network regtest TXID                   does it spend rightly?")]
    Tx(TxArgs),
    /// List the peers of a running node, and how far it has synced
    #[command(after_help = "\
Examples:
  everett peers                                 of the node of this machine, on ~/.everett/mainnet
  everett peers --network signet --messages     with what went back and forth, by type of message
  everett peers --connect http://127.0.0.1:8390 --json

The node is the one that runs on the data directory, or the one that --connect names. \
TYPE is inbound (it called us), outbound-full-relay, block-relay-only, manual (added by hand), feeler \
or addr-fetch. OVER is v2 for an encrypted connection (BIP324) and v1 for one in the clear. IN and OUT \
are what it sent and was sent. Exits 1 with NETWORK_DISABLED where the node is not on the network.")]
    Peers(PeersArgs),
    /// Have a running node call a peer
    #[command(
        name = "addpeer",
        after_help = "\
Examples:
  everett addpeer 203.0.113.7                   on the network's own port, whenever it is not connected
  everett addpeer '[fd00::7]:8333' --once   just once
  everett addpeer abcdefghijklmnop….onion:8333  through the proxy (run --proxy)

Answers at once: `everett peers` shows whether the peer could be reached. A peer that was added stays \
so until `everett disconnect`, or until the node stops; `everett run --addnode` adds one each time."
    )]
    AddPeer(AddPeerArgs),
    /// Have a running node end a connection
    #[command(after_help = "\
Examples:
  everett disconnect 7                          by the number that `everett peers` shows
  everett disconnect 203.0.113.7:8333           by its address

A peer that was added by hand is forgotten as well. The node may call the address again by itself some \
day, and the peer may call the node: `everett ban` keeps it away.")]
    Disconnect(DisconnectArgs),
    /// Have a running node refuse an address or a subnet for some time
    #[command(after_help = "\
Examples:
  everett ban 203.0.113.7                       for a day
  everett ban 203.0.113.0/24 --for 2w           a whole subnet, for two weeks
  everett ban 2001:db8::/32 --for 90m
  everett ban --list
  everett ban --remove 203.0.113.0/24

Connections with what is banned are ended. Bans outlive the node; one on the same subnet replaces the \
one before.")]
    Ban(BanArgs),
    /// A scripting prompt on a running node, or on a data directory
    #[command(after_help = "\
Examples:
  everett console --network regtest                    a prompt; help() lists what there is
  everett console -e 'worlds()'                        one expression
  everett console -e 'block(102).tx(1).verify(0)' --json
  everett console look.rhai                            a script from a file
  echo 'best().height' | everett console               and from standard input
  everett console --allow-write -e 'invalidate(\"0f9188f1…\")'

Attaches to the socket that a node of this machine has in its data directory (`everett run`, `everett \
lab`). Where none runs, the data directory itself is opened for reading, and it says so.

Scripts only ask, unless the node was run with --console-allow-write; on a data directory that no node \
has, --allow-write opens it for writing.

Exits 1 where a script fails; the message names line and column.")]
    Console(ConsoleArgs),
    /// Save a node as it is, and go back to that
    Snapshot(SnapshotArgs),
    /// Keep, receive and spend coins: the wallets of a running node
    Wallet(Box<WalletCommandArgs>),
    /// Read the binary log of a node
    Log(LogArgs),
    /// Decode, verify and trace scripts; needs no ledger
    Script(ScriptArgs),
    /// Print a configuration file in which every key is explained
    #[command(after_help = "\
Example:
  everett config > everett.toml     then take the # from what is to be set: everett run --config everett.toml")]
    Config,
    /// Print completions for a shell
    #[command(after_help = "\
Examples:
  everett completions bash > /etc/bash_completion.d/everett
  everett completions zsh > \"${fpath[1]}/_everett\"
  everett completions fish > ~/.config/fish/completions/everett.fish")]
    Completions(CompletionsArgs),
    /// Write man pages
    #[command(after_help = "\
Example:
  everett man /usr/local/share/man/man1")]
    Man(ManArgs),
}

/// The options of all faces of a node.
#[derive(Args)]
pub(crate) struct FaceArgs {
    #[command(flatten)]
    pub(crate) web: WebArgs,
    #[command(flatten)]
    pub(crate) grpc: GrpcArgs,
    #[command(flatten)]
    pub(crate) rpc: RpcArgs,
    #[command(flatten)]
    pub(crate) zmq: ZmqArgs,
    #[command(flatten)]
    pub(crate) monitor: MonitorArgs,
    #[command(flatten)]
    pub(crate) log: NodeLogArgs,
    #[command(flatten)]
    pub(crate) metrics: MetricsArgs,
}

#[derive(Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) faces: FaceArgs,
    /// Let history be made by hand over gRPC (LabService); not on mainnet
    #[arg(long)]
    pub(crate) lab: bool,
    #[command(flatten)]
    pub(crate) copy: FromSnapshotArgs,
    #[command(flatten)]
    pub(crate) p2p: P2pArgs,
    #[command(flatten)]
    pub(crate) wallet: WalletArgs,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
}

/// What is read as one of Core's programs reads it.
#[derive(Args)]
pub(crate) struct CoreArgs {
    /// Core's own options
    #[arg(
        value_name = "OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) options: Vec<std::ffi::OsString>,
}

#[derive(Args)]
pub(crate) struct ImportArgs {
    /// Block files, directories of blk?????.dat, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) ledger: LedgerArgs,
}

#[derive(Args)]
pub(crate) struct WorldsArgs {
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Args)]
pub(crate) struct AtArgs {
    /// Which world: a block's hash, a height of the best chain, or `best`
    #[arg(long, value_name = "HASH|HEIGHT|best", default_value = "best")]
    pub(crate) at: At,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Args)]
pub(crate) struct BalanceArgs {
    /// Addresses, script pubkeys in hex, or script hashes as Electrum has them
    #[arg(required = true, value_name = "SCRIPT")]
    pub(crate) scripts: Vec<ScriptArg>,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

#[derive(Args)]
pub(crate) struct CoinsArgs {
    /// An address, a script pubkey in hex, or a script hash as Electrum has it
    #[arg(value_name = "SCRIPT")]
    pub(crate) script: ScriptArg,
    /// How many coins to list at most
    #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

#[derive(Args)]
pub(crate) struct PairArgs {
    /// One world: a block's hash, a height of the best chain, or `best`
    #[arg(value_name = "A")]
    pub(crate) a: At,
    /// The other one
    #[arg(value_name = "B", default_value = "best")]
    pub(crate) b: At,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Args)]
pub(crate) struct BlockArgs {
    /// A block's hash, a height of the best chain, or `best`
    #[arg(value_name = "HASH|HEIGHT|best", default_value = "best")]
    pub(crate) block: At,
    /// Print its bytes in hexadecimal, and nothing else
    #[arg(long, conflicts_with = "json")]
    pub(crate) hex: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Args)]
#[command(subcommand_negates_reqs = true)]
pub(crate) struct TxArgs {
    #[command(subcommand)]
    pub(crate) command: Option<TxCommand>,
    #[command(flatten)]
    pub(crate) show: TxShowArgs,
}

/// What else can be done with a transaction than to show it.
#[derive(Subcommand)]
pub(crate) enum TxCommand {
    /// Verify the scripts of a transaction of a world's chain
    #[command(after_help = "\
Examples:
  everett tx verify --network regtest TXID
  everett tx verify --network regtest TXID --input 0 --at 6bf3b5b8… --flags standard
  everett tx verify --network regtest TXID --input 0 --trace       every step of it
  everett tx verify --network regtest TXID --in-block 6bf3b5b8…    also in a block that was refused

The rules are those of the block that holds the transaction, and its inputs are looked up in the \
world of that block's parent, which has to lie inside the horizon. Exits 1 if it does not verify.")]
    Verify(TxVerifyArgs),
}

#[derive(Args)]
pub(crate) struct TxVerifyArgs {
    /// The transaction's id
    #[arg(value_name = "TXID")]
    pub(crate) txid: Txid,
    /// Which input, counted from 0 [default: all of them]
    #[arg(long, value_name = "N", value_parser = script::input, allow_hyphen_values = true)]
    pub(crate) input: Option<usize>,
    /// The block that holds it, where that is known
    #[arg(long, value_name = "HASH")]
    pub(crate) in_block: Option<BlockHash>,
    /// Which world: a block's hash, a height of the best chain, or `best` [default: the block that
    /// holds it, or best]
    #[arg(long, value_name = "HASH|HEIGHT|best")]
    pub(crate) at: Option<At>,
    /// Verification flags by Bitcoin Core's names, or consensus, standard, NONE [default: those of
    /// the block that holds it]
    #[arg(long, value_name = "P2SH,…", value_parser = script::flags)]
    pub(crate) flags: Option<Flags>,
    /// Show each step
    #[arg(long)]
    pub(crate) trace: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[derive(Args)]
pub(crate) struct TxShowArgs {
    /// The transaction's id
    #[arg(value_name = "TXID", required = true)]
    pub(crate) txid: Option<Txid>,
    /// The block that holds it, where that is known
    #[arg(long, value_name = "HASH")]
    pub(crate) in_block: Option<BlockHash>,
    /// Which world: a block's hash, a height of the best chain, or `best` [default: the block that
    /// holds it, or best]
    #[arg(long, value_name = "HASH|HEIGHT|best")]
    pub(crate) at: Option<At>,
    /// Print its bytes in hexadecimal, and nothing else
    #[arg(long, conflicts_with = "json")]
    pub(crate) hex: bool,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn common_options_may_stand_after_the_command() {
        let cli = Cli::try_parse_from(["everett", "worlds", "--network", "regtest", "--json"]);
        let cli = cli.unwrap();
        assert_eq!(cli.chain.network.as_deref(), Some("regtest"));
        assert!(cli.common.json);
    }
}
