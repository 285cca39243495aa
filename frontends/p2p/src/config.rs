//! Owns the settings of the node on the network.
//! Promises defaults that suit a node of one's own at home: it calls others, and takes calls only where it is told to.
//! Refuses to read them from anywhere.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bitcoin::Work;
use everett_ledger::Network;
use everett_net::{Endpoint, NetworkKind};

use crate::protocol::ForkLimits;
use crate::whitelist::{Whitebound, Whitelisted};

/// Connections that the node makes for blocks, transactions and addresses, by default: as Bitcoin Core.
pub const DEFAULT_OUTGOING: usize = 8;
/// Connections that it makes for blocks alone, beside them.
pub const BLOCK_RELAY_ONLY: usize = 2;
/// Connections that it takes, by default: Bitcoin Core's 125 less those that it makes.
pub const DEFAULT_INCOMING: usize = 115;

/// How the node meets its network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct P2pConfig {
    /// Where to take connections; port 0 takes a free one. Empty: nowhere.
    pub listen: Vec<SocketAddr>,
    /// Only these are called, and kept connected. Empty: addresses are found.
    pub connect: Vec<Endpoint>,
    /// These are kept connected besides.
    pub add: Vec<Endpoint>,
    /// Connections to make for blocks, transactions and addresses.
    pub outgoing: usize,
    /// Connections to take at most.
    pub incoming: usize,
    /// A SOCKS5 proxy that all calls go through.
    pub proxy: Option<SocketAddr>,
    /// A SOCKS5 proxy for Tor's hidden services, where there is none for all calls.
    pub onion_proxy: Option<SocketAddr>,
    /// Whether each connection through a proxy gets a login of its own, so that Tor keeps them apart.
    pub isolate: bool,
    /// How long a direct call may take until the socket is connected; `None`: the usual time.
    pub dial_timeout: Option<Duration>,
    /// How long a handshake may take; `None`: the usual time.
    pub handshake_timeout: Option<Duration>,
    /// These are called once, for addresses.
    pub seeds: Vec<Endpoint>,
    /// Whether the network's DNS seeds may be asked when too few addresses are known.
    pub dns_seeds: bool,
    /// Whether connections are encrypted (BIP324) where the other side can.
    pub v2: bool,
    /// Whether transactions of others are taken and passed on; without it (`--blocksonly`) only our own are told.
    pub relay: bool,
    /// Who may do more than others. Nobody by default.
    pub whitelist: Vec<Whitelisted>,
    /// What those may do who call certain addresses of `listen`.
    pub whitebind: Vec<Whitebound>,
    /// What others are told that this node is (BIP14).
    pub user_agent: String,
    /// Whether others are told of our own address. What it is, is taken from `listen`; nothing is guessed.
    pub discover: bool,
    /// Addresses of our own that others are told of, whatever is listened on (`-externalip`).
    pub external: Vec<Endpoint>,
    /// Whether anybody is called or let in at first (`-networkactive`).
    pub active: bool,
    /// Networks that addresses which are found have to be on (`-onlynet`); empty: any.
    pub only_networks: Vec<NetworkKind>,
    /// What of losing branches is fetched.
    pub forks: ForkLimits,
    /// Chains with less work are not followed, instead of the network's own limit.
    pub minimum_chain_work: Option<Work>,
    /// Where addresses, bans and anchors are kept; nowhere means that they are forgotten at the end.
    pub directory: Option<PathBuf>,
    /// Whether old blocks may be gone: others are told so.
    pub pruned: bool,
}

/// The name in a node's user agent.
pub(crate) const CLIENT_NAME: &str = "Everett";

/// What a node calls itself, with comments of its operator (`-uacomment`).
pub fn user_agent(comments: &[String]) -> String {
    everett_net::user_agent(CLIENT_NAME, env!("CARGO_PKG_VERSION"), comments)
}

impl P2pConfig {
    /// The defaults on a network. Regtest has no seeds and nobody to find.
    pub fn new(network: Network) -> P2pConfig {
        let public = network != Network::Regtest;
        P2pConfig {
            listen: Vec::new(),
            connect: Vec::new(),
            add: Vec::new(),
            outgoing: DEFAULT_OUTGOING,
            incoming: DEFAULT_INCOMING,
            proxy: None,
            onion_proxy: None,
            isolate: true,
            dial_timeout: None,
            handshake_timeout: None,
            seeds: Vec::new(),
            dns_seeds: public,
            v2: true,
            relay: true,
            whitelist: Vec::new(),
            whitebind: Vec::new(),
            user_agent: user_agent(&[]),
            discover: false,
            external: Vec::new(),
            active: true,
            only_networks: Vec::new(),
            forks: ForkLimits::default(),
            minimum_chain_work: None,
            directory: None,
            pruned: false,
        }
    }
}
