//! Owns the settings of one call: command line, then environment, then configuration file, then
//! defaults.
//! Promises that a misspelt key in the file is an error that names it; refuses settings that
//! contradict each other.

mod copies;
mod descriptors;
pub(crate) mod example;
mod file;
mod p2p;
mod rpc;
mod wallet;
mod zmq;

use bitcoin::hex::FromHex;
use everett_ledger::{Access, Ledger, LedgerConfig, Network, Params, ScriptVerifier};
use everett_log::{LOG_DIRECTORY, LogConfig, Sink};
use everett_metrics::MetricsConfig;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

pub(crate) use self::descriptors::room_for_callers;
use self::file::SettingsFile;
pub(crate) use self::p2p::Joining;
pub(crate) use self::zmq::zmq_publishers;
use crate::args::{
    AssumeValid, ChainArgs, CommonArgs, ConnectArgs, GrpcArgs, LedgerArgs, MetricsArgs,
    MonitorArgs, NodeLogArgs, WebArgs,
};
use crate::failure::Failure;
use crate::node_url;
use crate::source::{Directory, Server, ServerAddress, Source};

/// What every command needs to know.
#[derive(Clone)]
pub(crate) struct Settings {
    chain: ChainArgs,
    file: SettingsFile,
    /// Answers are JSON.
    pub(crate) json: bool,
    /// Where a node's binary log begins: warnings come in from the start.
    pub(crate) sink: Sink,
}

impl Settings {
    /// Reads the configuration file, if one is named.
    pub(crate) fn new(
        common: CommonArgs,
        chain: ChainArgs,
        sink: Sink,
    ) -> Result<Settings, Failure> {
        let file = match &common.config {
            Some(path) => SettingsFile::read(path)?,
            None => SettingsFile::default(),
        };
        Ok(Settings {
            chain,
            file,
            json: common.json,
            sink,
        })
    }

    /// The network, if the user named one.
    pub(crate) fn named_network(&self) -> Result<Option<Network>, Failure> {
        let name = self.chain.network.as_ref().or(self.file.network.as_ref());
        name.map(|name| Network::from_str(name).map_err(Failure::usage))
            .transpose()
    }

    /// The network's parameters; `default` is the network when none is named.
    pub(crate) fn params(&self, default: Network) -> Result<Params, Failure> {
        let network = self.named_network()?.unwrap_or(default);
        let challenge = self.chain.signet_challenge.as_ref();
        let mut params = match challenge.or(self.file.signet_challenge.as_ref()) {
            None => Params::new(network),
            Some(_) if network != Network::Signet => {
                return Err(Failure::usage(format!(
                    "a signet challenge is of no use on {network}; add --network signet"
                )));
            }
            Some(hex) => {
                let challenge = Vec::<u8>::from_hex(hex).map_err(|error| {
                    Failure::usage(format!("the signet challenge is not hexadecimal: {error}"))
                })?;
                Params::signet_with_challenge(challenge)
            }
        };
        let heights = &self.chain.testactivationheight;
        let heights = if heights.is_empty() {
            &self.file.testactivationheight
        } else {
            heights
        };
        for text in heights {
            let (name, height) = text
                .split_once('@')
                .and_then(|(name, height)| Some((name, height.parse().ok()?)))
                .ok_or_else(|| {
                    Failure::usage(format!(
                        "`{text}` is no activation height; write it like segwit@100"
                    ))
                })?;
            params
                .set_activation_height(name, height)
                .map_err(Failure::usage)?;
        }
        Ok(params)
    }

    /// The data directory that was named, if one was.
    pub(crate) fn named_datadir(&self) -> Option<&Path> {
        self.chain
            .datadir
            .as_deref()
            .or(self.file.datadir.as_deref())
    }

    /// The data directory: the named one, or `~/.everett/NETWORK`.
    pub(crate) fn datadir(&self, network: Network) -> Result<PathBuf, Failure> {
        if let Some(directory) = self.named_datadir() {
            return Ok(directory.to_owned());
        }
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let home = home.ok_or_else(|| {
            Failure::usage("there is no home directory to keep data in; name one with --datadir")
        })?;
        Ok(home.join(".everett").join(network.to_string()))
    }

    /// How a ledger is opened for writing in `directory`.
    pub(crate) fn ledger_config(
        &self,
        params: Params,
        directory: &Path,
        args: &LedgerArgs,
    ) -> Result<LedgerConfig, Failure> {
        let mut config = LedgerConfig::new(params, directory);
        config.horizon = args.horizon.or(self.file.horizon);
        config.tx_index = args.txindex.or(self.file.txindex).unwrap_or(false);
        let prune = args.prune.or(self.file.prune).filter(|mib| *mib > 0);
        config.prune_target = prune.map(|mib| mib.saturating_mul(1 << 20));
        if let Some(events) = args.retain_events.or(self.file.retain_events) {
            config.retained_events = events;
        }
        if let Some(events) = args.event_quota.or(self.file.event_quota) {
            config.event_quota = events;
        }
        if let Some(mib) = args.event_quota_mib.or(self.file.event_quota_mib) {
            config.event_quota_bytes = mib.saturating_mul(1 << 20);
        }
        let in_file = self.file.assumevalid.as_deref().map(AssumeValid::from_str);
        let in_file = in_file.transpose().map_err(Failure::usage)?;
        if let Some(AssumeValid(block)) = args.assumevalid.or(in_file) {
            config.assume_valid = block;
        }
        let par = args.par.or(self.file.par).unwrap_or(0);
        let verifier = ScriptVerifier::with_par(par);
        config.scripts = Arc::new(verifier.map_err(|error| Failure::named("NO_THREADS", error))?);
        Ok(config)
    }

    /// The server that is named, if one is rather than a data directory.
    pub(crate) fn server(&self, connect: ConnectArgs) -> Result<Option<ServerAddress>, Failure> {
        let url = connect.connect.or_else(|| {
            // A directory on the command line weighs more than a server in the file.
            let file = self.file.connect.clone();
            file.filter(|_| self.chain.datadir.is_none())
        });
        let Some(url) = url else {
            return Ok(None);
        };
        if self.chain.datadir.is_some() {
            return Err(Failure::usage(
                "--connect asks a server and --datadir a directory; leave one of them out",
            ));
        }
        Ok(Some(ServerAddress {
            url,
            token: connect.token.or_else(|| self.file.token.clone()),
            tls_ca: connect.tls_ca.or_else(|| self.file.tls_ca.clone()),
            found: None,
        }))
    }

    /// The running node that is asked: the one that is named, or the one on the data directory.
    ///
    /// # Errors
    ///
    /// Those of connecting, and `NO_NODE` where no node left word in the directory.
    pub(crate) fn node(&self, connect: ConnectArgs) -> Result<Server, Failure> {
        if let Some(address) = self.server(connect.clone())? {
            return Server::connect(&address, self.named_network()?);
        }
        let directory = self.datadir(self.params(Network::Mainnet)?.network)?;
        let Some(url) = node_url::find(&directory) else {
            return Err(Failure::named(
                "NO_NODE",
                format!(
                    "no node runs on {}; start one with `everett run`, or name one with --connect \
                     http://127.0.0.1:8390, or another directory with --datadir or --network",
                    directory.display()
                ),
            ));
        };
        let address = ServerAddress {
            url,
            token: connect.token.or_else(|| self.file.token.clone()),
            tls_ca: connect.tls_ca.or_else(|| self.file.tls_ca.clone()),
            found: Some(directory.join(node_url::FILE)),
        };
        Server::connect(&address, self.named_network()?)
    }

    /// The ledger of the data directory, for reading: also while a node is at work on it.
    pub(crate) fn reader(&self) -> Result<Ledger, Failure> {
        let params = self.params(Network::Mainnet)?;
        let directory = self.datadir(params.network)?;
        let mut config = LedgerConfig::new(params, &directory);
        config.access = Access::Reader;
        // It is read where the writer keeps one, and else not asked.
        config.tx_index = true;
        Ok(Ledger::open(config)?)
    }

    /// Where answers come from: the server that is named, or else the data directory.
    pub(crate) fn source(&self, connect: ConnectArgs) -> Result<Box<dyn Source>, Failure> {
        if let Some(address) = self.server(connect)? {
            let server = Server::connect(&address, self.named_network()?)?;
            return Ok(Box::new(server));
        }
        Ok(Box::new(Directory::new(self.reader()?)))
    }

    /// The gRPC options with what the file adds to them.
    pub(crate) fn grpc(&self, args: GrpcArgs) -> GrpcArgs {
        let file = self.file.clone();
        GrpcArgs {
            grpc: args.grpc.or(file.grpc),
            grpc_token: args.grpc_token.or(file.grpc_token),
            grpc_tls_cert: args.grpc_tls_cert.or(file.grpc_tls_cert),
            grpc_tls_key: args.grpc_tls_key.or(file.grpc_tls_key),
            grpc_allow_open: args.grpc_allow_open || file.grpc_allow_open.unwrap_or(false),
        }
    }

    /// The console's options with what the file adds to them.
    pub(crate) fn monitor(&self, args: MonitorArgs) -> MonitorArgs {
        let file = &self.file;
        // A socket on the command line weighs more than none in the file.
        let none_in_file = args.monitor.is_none() && file.no_monitor.unwrap_or(false);
        MonitorArgs {
            monitor: args.monitor.or_else(|| file.monitor.clone().map(Some)),
            no_monitor: args.no_monitor || none_in_file,
            console_allow_write: args.console_allow_write
                || file.console_allow_write.unwrap_or(false),
        }
    }

    /// The web page's options with what the file adds to them. A login on the command line or in the environment goes
    /// before any in the file, whichever way each is given.
    pub(crate) fn web(&self, args: WebArgs) -> WebArgs {
        let file = self.file.clone();
        let named = args.user.is_some() || args.user_file.is_some();
        let (user, user_file) = match named {
            true => (args.user, args.user_file),
            false => (file.user, file.user_file),
        };
        WebArgs {
            no_web: args.no_web || (args.webui.is_none() && file.no_web.unwrap_or(false)),
            webui: args.webui.or(file.webui),
            user,
            user_file,
        }
    }

    /// Where a node serves its figures, if it does.
    pub(crate) fn metrics(&self, args: &MetricsArgs) -> Option<MetricsConfig> {
        let file = self.file.metrics.map(Some);
        let listen = args.metrics.or(file)?;
        let mut config = MetricsConfig {
            allow_open: args.metrics_allow_open || self.file.metrics_allow_open.unwrap_or(false),
            ..MetricsConfig::default()
        };
        if let Some(listen) = listen {
            config.listen = listen;
        }
        Some(config)
    }

    /// The binary log of a node on this directory, if there is to be one.
    pub(crate) fn log(&self, args: &NodeLogArgs, directory: &Path) -> Option<LogConfig> {
        if args.no_log || self.file.no_log.unwrap_or(false) {
            return None;
        }
        let mut config = LogConfig::new(directory.join(LOG_DIRECTORY));
        if let Some(bytes) = args.log_size.or(self.file.log_size) {
            config.file_bytes = bytes;
        }
        if let Some(files) = args.log_files.or(self.file.log_files) {
            config.files = files as usize;
        }
        Some(config)
    }

    /// Whether `run` is a lab: by its option, or by the file.
    pub(crate) fn lab(&self, option: bool) -> bool {
        option || self.file.lab.unwrap_or(false)
    }
}
