//! Owns the translation: from what was asked for in Core's words to the settings of our parts.
//! Promises that what cannot be is refused before anything is opened, in Core's words, and that what one option says of
//! another is as in Core.
//! Refuses to start anything.

mod log_level;
mod mempool;
mod mining;
mod network;
mod refused;
mod rpc;
mod wallet;
mod zmq;

pub(crate) use log_level::Levels;

use std::path::PathBuf;
use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, Work};
use everett_ledger::{Clock, LedgerConfig, Params, ScriptVerifier};
use everett_mempool::MempoolConfig;
use everett_p2p::P2pConfig;
use everett_rpc::RpcConfig;
use everett_zmq::ZmqConfig;

use super::arguments::{Arguments, Value};
use super::chain::Chain;
use super::commands::Commands;
use super::debug_log::{Line, LogSettings};
use super::failure::InitError;
use super::layout::Layout;
use super::option::Support;
use crate::settings::zmq_publishers;
pub(crate) use wallet::WalletSettings;

/// The smallest target of pruning, in MiB; 1 stands for pruning by hand.
const LEAST_PRUNE: i64 = 550;
/// Bytes of a hash, and of work.
const HASH_BYTES: usize = 32;

/// What a daemon is started with.
pub(crate) struct NodeSettings {
    /// The ledger.
    pub(crate) ledger: LedgerConfig,
    /// The mempool.
    pub(crate) mempool: MempoolConfig,
    /// Whether it is kept over a restart.
    pub(crate) persist_mempool: bool,
    /// Whether estimates of fees are taken however old they are.
    pub(crate) accept_stale_fees: bool,
    /// The peer-to-peer network.
    pub(crate) p2p: P2pConfig,
    /// JSON-RPC, unless it is off.
    pub(crate) rpc: Option<RpcConfig>,
    /// Wallets, unless they are off.
    pub(crate) wallets: Option<WalletSettings>,
    /// gRPC, if it is asked for.
    pub(crate) grpc: Option<std::net::SocketAddr>,
    /// The web page, if it is asked for.
    pub(crate) webui: Option<std::net::SocketAddr>,
    /// Whether history may be made by hand.
    pub(crate) lab: bool,
    /// Seconds that the best block may be old when the initial download is over.
    pub(crate) max_tip_age: i64,
    /// The height of the best chain at which it stops by itself.
    pub(crate) stop_at: Option<u32>,
    /// What is run when something happens.
    pub(crate) commands: Commands,
    /// The file with the process's number.
    pub(crate) pid_file: Option<PathBuf>,
    /// What is published over ZeroMQ.
    pub(crate) zmq: ZmqConfig,
    /// For the log: what one option said of another, and the like.
    pub(crate) remarks: Vec<String>,
    /// For standard error and the log.
    pub(crate) warnings: Vec<String>,
}

/// How it is logged.
pub(crate) fn log(arguments: &Arguments, layout: &Layout) -> LogSettings {
    let categories = log_level::categories(arguments);
    // What is wrong was refused before there is a log.
    let levels = log_level::Levels::new(arguments).unwrap_or_default();
    LogSettings {
        file: arguments
            .path("debuglogfile", "debug.log")
            .map(|path| layout.file(&path)),
        console: arguments.flag("printtoconsole", !arguments.flag("daemon", false)),
        shrink: arguments.flag("shrinkdebugfile", categories.is_empty()),
        categories,
        levels,
        look: Line {
            timestamps: arguments.flag("logtimestamps", true),
            micros: arguments.flag("logtimemicros", false),
            threads: arguments.flag("logthreadnames", false),
            places: arguments.flag("logsourcelocations", false),
            levels: arguments.flag("loglevelalways", false),
        },
    }
}

/// What was asked for and is not there, for one line of warning; empty where all is there.
pub(crate) fn unsupported(arguments: &Arguments) -> Option<String> {
    let options = arguments.table.0.iter();
    let asked = options
        .filter(|option| option.support == Support::Unsupported)
        .filter(|option| {
            // What is switched off is off.
            let value = arguments.value(option.name);
            value.is_some_and(|value| value.text() != "0")
        });
    let named: Vec<String> = asked
        .map(|option| format!("-{} ({})", option.name, option.about))
        .collect();
    (!named.is_empty()).then(|| format!("Options that are not supported: {}", named.join(", ")))
}

impl NodeSettings {
    /// Translates what was asked for.
    ///
    /// # Errors
    ///
    /// What cannot be.
    pub(crate) fn new(
        arguments: &mut Arguments,
        chain: Chain,
        layout: &Layout,
    ) -> Result<NodeSettings, InitError> {
        let mut remarks = network::interactions(arguments);
        log_level::check(arguments)?;
        log_level::Levels::new(arguments)?;
        let without = arguments.without_section();
        if !without.is_empty() {
            let name = chain.section();
            let lines = without.iter().map(|option| {
                format!(
                    "Config setting for -{option} only applied on {name} network when in [{name}] section.\n"
                )
            });
            return Err(InitError::new(lines.collect::<String>()));
        }
        let warnings = refused::warnings(arguments);
        refused::check(arguments, chain, layout)?;
        network::check_ports(arguments)?;
        let params = params(arguments, chain)?;
        let minimum_work = params.minimum_chain_work;
        let ledger = ledger(arguments, params, layout)?;
        let mempool = mempool::config(arguments, chain, &mut remarks)?;
        let mut p2p = network::config(arguments, chain, &mut remarks)?;
        p2p.minimum_chain_work = Some(minimum_work);
        p2p.directory = Some(layout.store());
        p2p.pruned = ledger.prune_target.is_some();
        let zmq = zmq::config(arguments)?;
        let mut rpc = rpc::config(arguments, chain, layout)?;
        if let Some(rpc) = &mut rpc {
            rpc.zmq = zmq_publishers(&zmq);
        }
        let wallets = wallet::config(arguments, chain, layout, &mut remarks)?;
        let address = |name: &str| {
            let text = arguments.text(name).filter(|text| text != "0");
            text.map(|text| {
                text.parse().map_err(|_| {
                    InitError::new(format!(
                        "Invalid -{name} address: '{text}'; write one like 127.0.0.1:8390"
                    ))
                })
            })
            .transpose()
        };
        Ok(NodeSettings {
            mempool,
            persist_mempool: arguments.flag("persistmempool", true),
            accept_stale_fees: arguments.flag("acceptstalefeeestimates", false),
            rpc,
            wallets,
            grpc: address("everettgrpc")?,
            webui: address("everettwebui")?,
            lab: arguments.flag("everettlab", false),
            max_tip_age: arguments
                .int("maxtipage")
                .unwrap_or(everett_node::DEFAULT_MAX_TIP_AGE),
            stop_at: arguments
                .int("stopatheight")
                .and_then(|height| u32::try_from(height).ok())
                .filter(|height| *height > 0),
            commands: Commands {
                startup: command(arguments, "startupnotify"),
                shutdown: arguments.list("shutdownnotify"),
                block: command(arguments, "blocknotify"),
            },
            pid_file: arguments
                .path("pid", "bitcoind.pid")
                .map(|path| layout.file(&path)),
            zmq,
            ledger,
            p2p,
            remarks,
            warnings,
        })
    }
}

fn command(arguments: &Arguments, name: &str) -> Option<String> {
    arguments.text(name).filter(|command| !command.is_empty())
}

/// A hash as Core reads it: hexadecimal, in front of which zeros may be left out.
fn hash(text: &str) -> Option<[u8; HASH_BYTES]> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let fits = digits.len() <= 2 * HASH_BYTES;
    if !fits || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let padded = format!("{digits:0>64}");
    let mut bytes = [0; HASH_BYTES];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&padded[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(bytes)
}

fn params(arguments: &Arguments, chain: Chain) -> Result<Params, InitError> {
    let mut params = match arguments.text("signetchallenge") {
        Some(_) if chain == Chain::Signet && arguments.list("signetchallenge").len() > 1 => {
            return Err(InitError::new(
                "-signetchallenge cannot be multiple values.",
            ));
        }
        Some(hex) if chain == Chain::Signet => {
            let challenge = bitcoin::hex::FromHex::from_hex(&hex).map_err(|_| {
                InitError::new(format!("-signetchallenge must be hex, not '{hex}'."))
            })?;
            Params::signet_with_challenge(challenge)
        }
        _ => Params::new(chain.network()),
    };
    if chain == Chain::Regtest
        && arguments
            .list("test")
            .iter()
            .any(|option| option == "bip94")
    {
        params.enforce_bip94 = true;
    }
    let heights = arguments.list("testactivationheight");
    if chain == Chain::Main && !heights.is_empty() {
        return Err(InitError::new(
            "The -testactivationheight option may not be used on mainnet.",
        ));
    }
    for text in heights.iter().filter(|_| chain == Chain::Regtest) {
        let wrong = |what: &str| {
            InitError::new(format!(
                "Invalid {what} ({text}) for -testactivationheight=name@height."
            ))
        };
        let (name, height) = text.split_once('@').ok_or_else(|| wrong("format"))?;
        let height = height
            .parse::<i32>()
            .ok()
            .filter(|height| *height < i32::MAX);
        let height = height
            .and_then(|height| u32::try_from(height).ok())
            .ok_or_else(|| wrong("height value"))?;
        params
            .set_activation_height(name, height)
            .map_err(|_| wrong("name"))?;
    }
    if let Some(text) = arguments.text("minimumchainwork") {
        let work = hash(&text).ok_or_else(|| {
            InitError::new(format!(
                "Invalid minimum work specified ({text}), must be up to 64 hex digits"
            ))
        })?;
        params.minimum_chain_work = Work::from_be_bytes(work);
    }
    Ok(params)
}

fn ledger(
    arguments: &Arguments,
    params: Params,
    layout: &Layout,
) -> Result<LedgerConfig, InitError> {
    let mut config = LedgerConfig::new(params, layout.store());
    config.tx_index = arguments.flag("txindex", false);
    config.prune_target = prune(arguments)?;
    if config.prune_target.is_some() && config.tx_index {
        return Err(InitError::new("Prune mode is incompatible with -txindex."));
    }
    if let Some(text) = arguments.text("assumevalid") {
        let hash = hash(&text).ok_or_else(|| {
            InitError::new(format!(
                "Invalid assumevalid block hash specified ({text}), must be up to 64 hex digits (or 0 to disable)"
            ))
        })?;
        // Written the other way round than it lies in memory.
        let hash: Vec<u8> = hash.iter().rev().copied().collect();
        let hash = BlockHash::from_slice(&hash).ok();
        config.assume_valid = hash.filter(|hash| *hash != BlockHash::all_zeros());
    }
    let par = arguments.int("par").unwrap_or(0);
    let par = i32::try_from(par).unwrap_or(if par < 0 { i32::MIN } else { i32::MAX });
    config.scripts = Arc::new(ScriptVerifier::with_par(par).map_err(InitError::new)?);
    if let Some(time) = arguments.int("mocktime").filter(|time| *time > 0) {
        config.clock = Clock::fixed(time.unsigned_abs());
    }
    if let Some(horizon) = arguments.int("everetthorizon") {
        let horizon = u32::try_from(horizon)
            .map_err(|_| InitError::new("-everetthorizon must be a number of blocks"))?;
        config.horizon = Some(horizon);
    }
    Ok(config)
}

/// Bytes of block files above which the oldest go.
fn prune(arguments: &Arguments) -> Result<Option<u64>, InitError> {
    match arguments.int("prune").unwrap_or(0) {
        ..0 => Err(InitError::new(
            "Prune cannot be configured with a negative value.",
        )),
        0 => Ok(None),
        // By hand alone: never above the target.
        1 => Ok(Some(u64::MAX)),
        2..LEAST_PRUNE => Err(InitError::new(format!(
            "Prune configured below the minimum of {LEAST_PRUNE} MiB.  Please use a higher number."
        ))),
        mib => Ok(Some(mib.unsigned_abs().saturating_mul(1 << 20))),
    }
}

/// A switch that is on, for what one option says of another.
fn switch(on: bool) -> Value {
    Value::Text(u8::from(on).to_string())
}

#[cfg(test)]
mod tests;
