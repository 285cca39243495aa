//! Owns the arguments by which a node serves JSON-RPC; their names and defaults are Bitcoin Core's.

use std::path::PathBuf;

use bitcoin::{Amount, Denomination};
use clap::Args;
use clap::builder::BoolishValueParser;

/// Whether and how JSON-RPC is served.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "JSON-RPC")]
pub(crate) struct RpcArgs {
    /// Serve no JSON-RPC, whatever else is said of it
    #[arg(long)]
    pub(crate) no_rpc: bool,
    /// The port of JSON-RPC; 0 takes a free one [default: 8332, testnet3 18332, testnet4 48332, signet
    /// 38332, regtest 18443; a free one where that is busy]
    #[arg(long, value_name = "PORT")]
    pub(crate) rpcport: Option<u16>,
    /// Serve REST on the port of JSON-RPC, without a login
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "1", value_parser = BoolishValueParser::new())]
    pub(crate) rest: Option<bool>,
    /// Listen for JSON-RPC here, for those that --rpcallowip names; may be given several times [default:
    /// this machine only]
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub(crate) rpcbind: Vec<String>,
    /// Answer JSON-RPC of this address or subnet, where --rpcbind lets it come; may be given several times
    #[arg(long, value_name = "ADDRESS|SUBNET")]
    pub(crate) rpcallowip: Vec<String>,
    /// The name that goes with --rpcpassword
    #[arg(long, value_name = "NAME")]
    pub(crate) rpcuser: Option<String>,
    /// Ask callers for this password rather than for the cookie. Others on this machine can see a command
    /// line: prefer --rpcauth or the variable
    #[arg(
        long,
        value_name = "PASS",
        env = "EVERETT_RPC_PASSWORD",
        hide_env_values = true
    )]
    pub(crate) rpcpassword: Option<String>,
    /// A name and its password's salted hash, as Core's share/rpcauth/rpcauth.py prints it; may be given
    /// several times
    #[arg(long, value_name = "NAME:SALT$HMAC")]
    pub(crate) rpcauth: Vec<String>,
    /// The file by which programs of the same user log in; empty makes none [default: .cookie in the data
    /// directory]
    #[arg(long, value_name = "FILE")]
    pub(crate) rpccookiefile: Option<PathBuf>,
    /// Who may read it: owner, group or all
    #[arg(long, value_name = "WHO", value_parser = ["owner", "group", "all"])]
    pub(crate) rpccookieperms: Option<String>,
    /// The methods that a name may call; may be given several times
    #[arg(long, value_name = "NAME:METHOD,…")]
    pub(crate) rpcwhitelist: Vec<String>,
    /// Whether names without a whitelist may call nothing [default: if there is any whitelist]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "1", value_parser = BoolishValueParser::new())]
    pub(crate) rpcwhitelistdefault: Option<bool>,
    /// Requests that are worked on at once [default: 16]
    #[arg(long, value_name = "COUNT")]
    pub(crate) rpcthreads: Option<usize>,
    /// Requests that may wait beyond those; more are refused [default: 64]
    #[arg(long, value_name = "COUNT")]
    pub(crate) rpcworkqueue: Option<usize>,
    /// Seconds that a connection may be silent [default: 30]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) rpcservertimeout: Option<u64>,
    /// Most weight of blocks that are made here [default: 4000000]
    #[arg(long, value_name = "WEIGHT")]
    pub(crate) blockmaxweight: Option<u64>,
    /// Weight that is left for header and coinbase of blocks that are made here [default: 8000]
    #[arg(long, value_name = "WEIGHT")]
    pub(crate) blockreservedweight: Option<u64>,
    /// Least that transactions have to pay to be put into blocks that are made here, in BTC for 1,000
    /// virtual bytes [default: 0.00000001]
    #[arg(long, value_name = "AMOUNT", value_parser = in_bitcoins)]
    pub(crate) blockmintxfee: Option<Amount>,
    /// The version of blocks that are made here (regtest only) [default: what soft forks ask for]
    #[arg(long, value_name = "VERSION", allow_negative_numbers = true)]
    pub(crate) blockversion: Option<i32>,
    /// The descriptor that `generate` pays (regtest only) [default: the wallet, or else one whose
    /// key everybody knows]
    #[arg(long, value_name = "DESCRIPTOR")]
    pub(crate) generate_to: Option<String>,
}

fn in_bitcoins(text: &str) -> Result<Amount, String> {
    Amount::from_str_in(text, Denomination::Bitcoin).map_err(|error| error.to_string())
}
