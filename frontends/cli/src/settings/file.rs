//! Owns the configuration file: TOML, with the names of the options as keys.
//! Promises that every error names the file, the line and the key; refuses unknown keys.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::failure::Failure;

/// What a configuration file may say; each key is the option of that name, with `_` for `-`.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsFile {
    pub(super) network: Option<String>,
    pub(super) datadir: Option<PathBuf>,
    pub(super) signet_challenge: Option<String>,
    #[serde(default)]
    pub(super) testactivationheight: Vec<String>,
    pub(super) horizon: Option<u32>,
    pub(super) txindex: Option<bool>,
    pub(super) prune: Option<u64>,
    pub(super) retain_events: Option<u64>,
    pub(super) event_quota: Option<u64>,
    pub(super) event_quota_mib: Option<u64>,
    pub(super) assumevalid: Option<String>,
    pub(super) par: Option<i32>,
    pub(super) connect: Option<String>,
    pub(super) token: Option<String>,
    pub(super) tls_ca: Option<PathBuf>,
    pub(super) grpc: Option<SocketAddr>,
    pub(super) grpc_token: Option<String>,
    pub(super) grpc_tls_cert: Option<PathBuf>,
    pub(super) grpc_tls_key: Option<PathBuf>,
    pub(super) grpc_allow_open: Option<bool>,
    #[serde(alias = "web")]
    pub(super) webui: Option<SocketAddr>,
    pub(super) no_web: Option<bool>,
    pub(super) user: Option<String>,
    pub(super) user_file: Option<PathBuf>,
    pub(super) lab: Option<bool>,
    pub(super) monitor: Option<PathBuf>,
    pub(super) no_monitor: Option<bool>,
    pub(super) console_allow_write: Option<bool>,
    pub(super) metrics: Option<SocketAddr>,
    pub(super) metrics_allow_open: Option<bool>,
    pub(super) outgoing: Option<u32>,
    pub(super) incoming: Option<u32>,
    #[serde(default)]
    pub(super) serve: Vec<SocketAddr>,
    /// `--connect` of `run`; the key `connect` is that of the commands which ask a server.
    #[serde(default)]
    pub(super) connect_peer: Vec<String>,
    #[serde(default)]
    pub(super) addnode: Vec<String>,
    pub(super) blocksonly: Option<bool>,
    #[serde(default)]
    pub(super) whitelist: Vec<String>,
    pub(super) relay: Option<bool>,
    pub(super) proxy: Option<SocketAddr>,
    pub(super) dnsseed: Option<bool>,
    pub(super) v2transport: Option<bool>,
    pub(super) discover: Option<bool>,
    pub(super) log_packets: Option<u32>,
    pub(super) fork_blocks: Option<u32>,
    pub(super) fork_peer_blocks: Option<u32>,
    pub(super) fork_bytes: Option<u64>,
    pub(super) no_rpc: Option<bool>,
    pub(super) rpcport: Option<u16>,
    pub(super) rest: Option<bool>,
    #[serde(default)]
    pub(super) rpcbind: Vec<String>,
    #[serde(default)]
    pub(super) rpcallowip: Vec<String>,
    pub(super) rpcuser: Option<String>,
    pub(super) rpcpassword: Option<String>,
    #[serde(default)]
    pub(super) rpcauth: Vec<String>,
    pub(super) rpccookiefile: Option<PathBuf>,
    pub(super) rpccookieperms: Option<String>,
    #[serde(default)]
    pub(super) rpcwhitelist: Vec<String>,
    pub(super) rpcwhitelistdefault: Option<bool>,
    pub(super) rpcthreads: Option<usize>,
    pub(super) rpcworkqueue: Option<usize>,
    pub(super) rpcservertimeout: Option<u64>,
    pub(super) blockmaxweight: Option<u64>,
    pub(super) blockreservedweight: Option<u64>,
    #[serde(default, with = "bitcoin::amount::serde::as_btc::opt")]
    pub(super) blockmintxfee: Option<bitcoin::Amount>,
    pub(super) blockversion: Option<i32>,
    pub(super) generate_to: Option<String>,
    #[serde(default)]
    pub(super) zmqpubhashblock: Vec<String>,
    pub(super) zmqpubhashblockhwm: Option<u32>,
    #[serde(default)]
    pub(super) zmqpubhashtx: Vec<String>,
    pub(super) zmqpubhashtxhwm: Option<u32>,
    #[serde(default)]
    pub(super) zmqpubrawblock: Vec<String>,
    pub(super) zmqpubrawblockhwm: Option<u32>,
    #[serde(default)]
    pub(super) zmqpubrawtx: Vec<String>,
    pub(super) zmqpubrawtxhwm: Option<u32>,
    #[serde(default)]
    pub(super) zmqpubsequence: Vec<String>,
    pub(super) zmqpubsequencehwm: Option<u32>,
    pub(super) disablewallet: Option<bool>,
    #[serde(default)]
    pub(super) wallet: Vec<String>,
    pub(super) keypool: Option<u32>,
    pub(super) walletcompat: Option<bool>,
    pub(super) wallet_warn_blocks: Option<u32>,
    pub(super) no_p2p: Option<bool>,
    pub(super) no_log: Option<bool>,
    pub(super) log_size: Option<u64>,
    pub(super) log_files: Option<u32>,
}

impl SettingsFile {
    pub(super) fn read(path: &Path) -> Result<SettingsFile, Failure> {
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("--config {name}: {error}")))?;
        toml::from_str(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| {
                1 + text.as_bytes()[..span.start.min(text.len())]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count()
            });
            let message = error.message().trim().to_owned();
            Failure::usage(format!("{name}, line {line}: {message}"))
        })
    }
}

#[cfg(test)]
mod tests;
