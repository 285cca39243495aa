//! Owns the settings of the JSON-RPC server and their defaults, which are Core's.
//! Promises that what cannot be is refused before anything listens.
//! Refuses to listen beyond loopback unless both an address to listen on and one to allow are named.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use everett_ledger::Network;
use everett_mining::MiningConfig;
use everett_node::DEFAULT_BAN;

/// Requests that are worked on at once unless it is configured otherwise.
pub const DEFAULT_THREADS: usize = 16;
/// Requests that may wait unless it is configured otherwise.
pub const DEFAULT_WORK_QUEUE: usize = 64;
/// How long a connection may be silent unless it is configured otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Whom `generate` pays unless it is configured otherwise: the key that Bitcoin Core's own tests mine to, whose address on
/// regtest is `mjTkW3DjgyZck4KbiRusZsqTgaYTxdSz6z`. Everybody knows it: what it is paid belongs to everybody.
pub const DEFAULT_GENERATE_TO: &str = "pkh(cVpF924EspNh8KjYsfhgY96mmxvT6DgdWiTYMtMjuM74hJaU5psW)";

/// The port of Core's RPC server on a network.
pub fn default_port(network: Network) -> u16 {
    match network {
        Network::Mainnet => 8332,
        Network::Testnet3 => 18332,
        Network::Testnet4 => 48332,
        Network::Signet => 38332,
        Network::Regtest => 18443,
    }
}

/// Who may read the cookie file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum CookiePermissions {
    /// The user of the node.
    #[default]
    Owner,
    /// The group of the user as well.
    Group,
    /// Everybody.
    All,
}

impl CookiePermissions {
    /// The file's mode.
    pub(crate) fn mode(self) -> u32 {
        match self {
            CookiePermissions::Owner => 0o600,
            CookiePermissions::Group => 0o640,
            CookiePermissions::All => 0o644,
        }
    }
}

/// What `getzmqnotifications` tells of a publisher.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ZmqPublisher {
    /// `pub` and the topic, such as `pubhashblock`.
    pub kind: String,
    /// Where, as it was given.
    pub address: String,
    /// Messages that may wait for a subscriber; 0 for any number.
    pub high_water_mark: u32,
}

/// The log of a node, as `logging` sees and changes it. Names are those of [`LOG_CATEGORIES`](crate::LOG_CATEGORIES).
pub trait LogCategories: Send + Sync {
    /// What is logged in detail.
    fn logged(&self) -> Vec<&'static str>;

    /// Logs these in detail from now on, and no others.
    fn set(&self, categories: &[&'static str]);
}

/// What the JSON-RPC server is started with.
#[derive(Clone)]
pub struct RpcConfig {
    /// The port; `None` takes Core's port of the network, or a free one where that is busy; 0 takes a free one.
    pub port: Option<u16>,
    /// Where to listen (`rpcbind`), as `ADDRESS` or `ADDRESS:PORT`. Ignored unless `allow` names somebody.
    pub bind: Vec<String>,
    /// Who may ask besides this machine (`rpcallowip`): addresses or subnets. Ignored unless `bind` names an address.
    pub allow: Vec<String>,
    /// A name (`rpcuser`) for the password.
    pub user: String,
    /// A password (`rpcpassword`); without one a cookie is made.
    pub password: String,
    /// More names with salted hashes of their passwords (`rpcauth`): `NAME:SALT$HMAC`.
    pub auth: Vec<String>,
    /// Which methods names may call (`rpcwhitelist`): `NAME:METHOD,METHOD`.
    pub whitelist: Vec<String>,
    /// Whether names without a whitelist may call nothing (`rpcwhitelistdefault`); `None`: if there is any whitelist.
    pub whitelist_default: Option<bool>,
    /// The cookie file; `None` makes none.
    pub cookie: Option<PathBuf>,
    /// Who may read it.
    pub cookie_permissions: CookiePermissions,
    /// Requests that are worked on at once; at least 1.
    pub threads: usize,
    /// Requests that may wait; at least 1.
    pub work_queue: usize,
    /// How long a connection may be silent.
    pub timeout: Duration,
    /// Whether REST is served on the same port, to whom may ask, without a login (`rest`).
    pub rest: bool,
    /// How long `setban` bans for unless it is given a time (`bantime`).
    pub ban_time: Duration,
    /// Whether `getblockfilter` answers (`blockfilterindex`).
    pub block_filters: bool,
    /// What is published over ZeroMQ, for `getzmqnotifications`.
    pub zmq: Vec<ZmqPublisher>,
    /// The node's log, for `getrpcinfo`.
    pub log_path: PathBuf,
    /// The log's categories, for `logging`; where there is none, what was asked for is remembered.
    pub log: Option<Arc<dyn LogCategories>>,
    /// How templates of blocks are made.
    pub mining: MiningConfig,
    /// The descriptor that `generate` pays, on regtest.
    pub generate_to: String,
    /// Where files are written whose paths are relative.
    pub directory: PathBuf,
}

impl RpcConfig {
    /// Core's defaults, with the cookie in the data directory.
    pub fn new(directory: impl Into<PathBuf>) -> RpcConfig {
        let directory = directory.into();
        RpcConfig {
            port: None,
            bind: Vec::new(),
            allow: Vec::new(),
            user: String::new(),
            password: String::new(),
            auth: Vec::new(),
            whitelist: Vec::new(),
            whitelist_default: None,
            cookie: Some(directory.join(".cookie")),
            cookie_permissions: CookiePermissions::Owner,
            threads: DEFAULT_THREADS,
            work_queue: DEFAULT_WORK_QUEUE,
            timeout: DEFAULT_TIMEOUT,
            rest: false,
            block_filters: false,
            ban_time: DEFAULT_BAN,
            log: None,
            zmq: Vec::new(),
            mining: MiningConfig::default(),
            generate_to: DEFAULT_GENERATE_TO.to_owned(),
            log_path: directory.join("debug.log"),
            directory,
        }
    }

    /// Where it listens, and whether it may take another port where one is busy.
    ///
    /// # Errors
    ///
    /// An address that is none.
    pub(crate) fn listen(&self, network: Network) -> Result<Listen, InvalidAddress> {
        let port = self.port.unwrap_or(default_port(network));
        if self.allow.is_empty() || self.bind.is_empty() {
            let loopback = [
                IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(Ipv6Addr::LOCALHOST),
            ];
            return Ok(Listen {
                addresses: loopback
                    .iter()
                    .map(|address| SocketAddr::new(*address, port))
                    .collect(),
                any_will_do: self.port.is_none(),
                bind_ignored: !self.bind.is_empty(),
                allow_ignored: !self.allow.is_empty(),
            });
        }
        let addresses = self.bind.iter().map(|text| address(text, port));
        Ok(Listen {
            addresses: addresses.collect::<Result<_, _>>()?,
            any_will_do: false,
            bind_ignored: false,
            allow_ignored: false,
        })
    }
}

/// Where to listen.
pub(crate) struct Listen {
    pub(crate) addresses: Vec<SocketAddr>,
    /// A free port is as good as a busy one.
    pub(crate) any_will_do: bool,
    /// `rpcbind` was given in vain.
    pub(crate) bind_ignored: bool,
    /// `rpcallowip` was given in vain.
    pub(crate) allow_ignored: bool,
}

/// A text is no address to listen on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "`{0}` is no address for rpcbind; write one like 192.0.2.1, 192.0.2.1:8332 or [2001:db8::1]:8332"
)]
pub struct InvalidAddress(pub String);

fn address(text: &str, port: u16) -> Result<SocketAddr, InvalidAddress> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let named = match bare {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => bare.parse::<IpAddr>().ok(),
    };
    named
        .map(|address| SocketAddr::new(address, port))
        .ok_or_else(|| InvalidAddress(text.to_owned()))
}

impl std::fmt::Debug for RpcConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RpcConfig")
            .field("port", &self.port)
            .field("bind", &self.bind)
            .field("allow", &self.allow)
            .field("cookie", &self.cookie)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_beyond_this_machine_only_where_both_options_are_given() {
        let mut config = RpcConfig::new("d");
        config.bind = vec!["0.0.0.0:1".to_owned()];
        let listen = config.listen(Network::Regtest).unwrap();
        assert!(
            listen
                .addresses
                .iter()
                .all(|address| address.ip().is_loopback())
        );
        assert!(listen.bind_ignored && listen.any_will_do);
        config.allow = vec!["192.0.2.0/24".to_owned()];
        config.bind.push("[::]".to_owned());
        let listen = config.listen(Network::Regtest).unwrap();
        let expected: Vec<SocketAddr> =
            vec!["0.0.0.0:1".parse().unwrap(), "[::]:18443".parse().unwrap()];
        assert_eq!(listen.addresses, expected);
        assert!(!listen.any_will_do);
    }

    #[test]
    fn what_is_no_address_is_named() {
        let mut config = RpcConfig::new("d");
        config.bind = vec!["nowhere".to_owned()];
        config.allow = vec!["::/0".to_owned()];
        let error = config.listen(Network::Regtest).err().unwrap();
        assert_eq!(error, InvalidAddress("nowhere".to_owned()));
    }
}
