//! Owns what the node's faces ask of its network: who is connected, how far it has synced, and what to change.
//! Promises one way to ask, whoever keeps the connections.
//! Refuses to keep any: a frontend that does gives itself to [`Handle::serve_peers`](crate::Handle::serve_peers).

mod services;
mod span;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bitcoin::p2p::ServiceFlags;
use bitcoin::{BlockHash, Txid};
use everett_mempool::orphans::OrphanInfo;
use everett_net::address_book::Placed;
use everett_net::{Command, Endpoint, NetworkKind, PeerId, PeerInfo, Purpose};
use tokio::sync::broadcast;

pub use services::service_names;
pub use span::parse_span;

/// How long a ban lasts that was given no length: a day, as in Bitcoin Core.
pub const DEFAULT_BAN: Duration = Duration::from_secs(24 * 3600);

/// The longest ban: a hundred years.
pub const MAX_BAN: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The node's connections, for those who show or steer them. None of these calls waits for the network.
pub trait Peers: Send + Sync {
    /// Those that are connected, the oldest connection first.
    fn list(&self) -> Vec<PeerState>;

    /// Brings what is known of peers to the disk now, where it is kept on one. Blocks for as long as that takes.
    fn save(&self) {}

    /// How far the node has synced.
    fn progress(&self) -> SyncProgress;

    /// The network as a whole.
    fn network(&self) -> NetworkState;

    /// Calls a peer: `once`, or whenever it is not connected; with `v1` in the clear, without trying encryption first, which
    /// some old nodes take for an attack. The endpoint that is called is given back, with the
    /// network's port where the text had none.
    ///
    /// # Errors
    ///
    /// [`PeerError::Address`], [`PeerError::Known`].
    fn add(&self, address: &str, once: bool, v1: bool) -> Result<Endpoint, PeerError>;

    /// Ends a connection, and forgets that the peer was added, if it was.
    ///
    /// # Errors
    ///
    /// [`PeerError::Address`], [`PeerError::Unknown`].
    fn disconnect(&self, peer: PeerRef<'_>) -> Result<(), PeerError>;

    /// Has nothing to do with an address or a subnet for this long.
    ///
    /// # Errors
    ///
    /// [`PeerError::Subnet`].
    fn ban(&self, subnet: &str, length: Duration) -> Result<BanState, PeerError>;

    /// Takes a ban back.
    ///
    /// # Errors
    ///
    /// [`PeerError::Subnet`], [`PeerError::NotBanned`].
    fn unban(&self, subnet: &str) -> Result<(), PeerError>;

    /// The bans that hold, by subnet.
    fn bans(&self) -> Vec<BanState>;

    /// Has each peer told of a pending transaction that does not know it: for whoever takes transactions from users. That
    /// no peer has asked for one yet is noted in the mempool ([`accept_own`](everett_mempool::Mempool::accept_own)); what is
    /// noted there is told again every ten to fifteen minutes. A node without a network tells nobody.
    fn announce_transaction(&self, txid: &Txid) {
        let _ = txid;
    }

    /// Addresses of other nodes that are known and worth a call, at most so many (0: all), in random order; of one
    /// network if one is given. A network without an address book has none.
    fn addresses(&self, most: usize, network: Option<NetworkKind>) -> Vec<KnownAddress> {
        let _ = (most, network);
        Vec::new()
    }

    /// Enters an address into the address book, as if its node had told of itself; with `reached`, as one that was
    /// reached. A network without an address book enters none.
    fn add_address(&self, endpoint: Endpoint, reached: bool) -> AddedAddress {
        let _ = (endpoint, reached);
        AddedAddress::NotNew
    }

    /// Switches the network on or off: off, all connections end, nobody is called and nobody let in.
    fn set_active(&self, active: bool) {
        let _ = active;
    }

    /// Calls an endpoint once, for a purpose that the node otherwise chooses itself: for tests.
    fn call_for(&self, endpoint: Endpoint, purpose: Purpose, v2: bool) {
        let _ = (endpoint, purpose, v2);
    }

    /// Sends a peer a message as it stands, for tests; whether it was taken.
    fn send(&self, peer: PeerId, command: Command, payload: Vec<u8>) -> bool {
        let _ = (peer, command, payload);
        false
    }

    /// Transactions of peers that wait for what they spend. Waits for the conversation with the peers, for a moment.
    fn orphans(&self) -> Vec<OrphanInfo> {
        Vec::new()
    }

    /// Asks a peer for a block whose header is known. Waits for the conversation with the peers, for a moment.
    ///
    /// # Errors
    ///
    /// [`FetchError`]: nothing was asked.
    fn fetch_block(&self, peer: PeerId, hash: &BlockHash) -> Result<(), FetchError> {
        let _ = (peer, hash);
        Err(FetchError::Unknown)
    }

    /// The address book place by place: of the addresses that were reached (`tried`), or of the others.
    fn placed_addresses(&self, tried: bool) -> Vec<Placed> {
        let _ = tried;
        Vec::new()
    }

    /// What happens to connections from now on.
    fn events(&self) -> broadcast::Receiver<PeerEvent>;
}

/// Why a peer is not asked for a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FetchError {
    /// No such peer is connected.
    #[error("Peer does not exist")]
    Unknown,
    /// It gives no blocks with their witnesses.
    #[error("Pre-SegWit peer")]
    NoWitness,
    /// It was asked already.
    #[error("Already requested from this peer")]
    Asked,
    /// Nobody answers here: the node stops, or the disk is slow.
    #[error("the conversation with the peers did not answer in time; try again")]
    Busy,
}

/// An address of our own that others are told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnAddress {
    /// The address.
    pub endpoint: Endpoint,
    /// How sure it is, in Bitcoin Core's figures: 2 for one that is listened on, 4 for one that the user named.
    pub score: u32,
}

/// How many addresses of other nodes on a network are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressCount {
    /// The network.
    pub network: NetworkKind,
    /// Never reached.
    pub new: usize,
    /// Reached at least once.
    pub tried: usize,
}

/// An address of another node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownAddress {
    /// The address.
    pub endpoint: Endpoint,
    /// When its node was last heard of, unix seconds.
    pub time: u64,
    /// What the node offers.
    pub services: ServiceFlags,
}

/// What became of an address that was to be entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddedAddress {
    /// It is in the address book.
    Added,
    /// It is, but not among those that were reached: another one has its place.
    NotReached,
    /// It is not, or was before.
    NotNew,
}

/// How somebody names a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerRef<'a> {
    /// By its number.
    Id(PeerId),
    /// By its address, with or without a port.
    Address(&'a str),
}

/// Why peers are not as somebody wants them.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PeerError {
    /// The text is no address.
    #[error(
        "`{text}` is no address of a node: {problem}; write one like 203.0.113.7:8333, [fd00::7]:8333 or NAME.onion"
    )]
    Address {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The text is no subnet.
    #[error("`{text}` is neither an address nor a subnet like 203.0.113.0/24: {problem}")]
    Subnet {
        /// What was given.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It was added before.
    #[error("{0} was added before, and is connected or being called")]
    Known(String),
    /// It is banned.
    #[error("{address} is banned; `everett ban --remove {subnet}` takes that back")]
    Banned {
        /// Where it is.
        address: String,
        /// The subnet that is banned.
        subnet: String,
    },
    /// No such peer is connected.
    #[error("no peer {0} is connected; `everett peers` lists those that are")]
    Unknown(String),
    /// No such ban holds.
    #[error("{0} is not banned; `everett ban --list` lists the bans")]
    NotBanned(String),
}

/// A connected peer.
#[derive(Clone, Debug)]
pub struct PeerState {
    /// Who it is.
    pub info: PeerInfo,
    /// What the connection has carried.
    pub traffic: PeerTraffic,
    /// How it stands with blocks.
    pub sync: PeerSync,
    /// Our side of its socket.
    pub local: Option<SocketAddr>,
}

/// What a connection has carried.
#[derive(Clone, Debug)]
pub struct PeerTraffic {
    /// Since when it is connected.
    pub connected: SystemTime,
    /// When anything last came.
    pub last_received: Option<SystemTime>,
    /// When anything was last sent.
    pub last_sent: Option<SystemTime>,
    /// The last ping's round trip.
    pub ping: Option<Duration>,
    /// The shortest round trip.
    pub min_ping: Option<Duration>,
    /// Bytes received, with frames and the transport's handshake.
    pub bytes_received: u64,
    /// Bytes sent, with frames and the transport's handshake.
    pub bytes_sent: u64,
    /// By name of the message, in alphabetical order.
    pub messages: Vec<MessageCount>,
}

/// What went back and forth of one type of message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MessageCount {
    /// Its name; `~other` for all that are not known.
    pub command: String,
    /// Messages received.
    pub received: u64,
    /// Bytes received, with their frames.
    pub bytes_received: u64,
    /// Messages sent.
    pub sent: u64,
    /// Bytes sent, with their frames.
    pub bytes_sent: u64,
}

/// How a peer stands with blocks, transactions and addresses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PeerSync {
    /// The best block it is known to have, and its height.
    pub best: Option<(BlockHash, u32)>,
    /// Height of the last block that it and we have on one chain.
    pub common_height: Option<u32>,
    /// Heights of the blocks that it was asked for, in the order of the requests.
    pub in_flight: Vec<u32>,
    /// Height up to which its headers were looked at in presync, while they are.
    pub presync_height: Option<u32>,
    /// Whether it sends new blocks as compact blocks without being asked (BIP152).
    pub compact_from: bool,
    /// Whether it is sent new blocks so.
    pub compact_to: bool,
    /// When it last gave us a block that was new.
    pub last_block: Option<SystemTime>,
    /// When it last gave us a transaction that was new.
    pub last_transaction: Option<SystemTime>,
    /// Addresses of other nodes that were taken from it.
    pub addresses_processed: u64,
    /// Addresses that it sent faster than they are taken.
    pub addresses_rate_limited: u64,
    /// What it did wrong, if anything.
    pub misbehavior: Option<String>,
    /// How it stands with transactions that wait for a block.
    pub relay: PeerRelay,
}

/// How a peer stands with transactions that wait for a block.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PeerRelay {
    /// The least fee rate that it wants to hear of, satoshis for 1,000 virtual bytes; 0 if it has told none.
    pub fee_filter: u64,
    /// The mempool's sequence when it was last told of transactions: it may ask for what came before.
    pub last_sequence: u64,
    /// Transactions that it is to be told of in its next turns.
    pub waiting: usize,
    /// What the user lets it do, in Bitcoin Core's words.
    pub permissions: Vec<&'static str>,
}

/// What the node is doing to catch up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SyncPhase {
    /// No peer has shown headers yet.
    #[default]
    Waiting,
    /// It looks at headers without keeping them, until their work is enough.
    Presync,
    /// It fetches headers.
    Headers,
    /// It fetches blocks.
    Blocks,
    /// Its best world is the best that its peers know.
    Synced,
}

impl SyncPhase {
    /// One word: `waiting`, `presync`, `headers`, `blocks`, `synced`.
    pub fn as_str(self) -> &'static str {
        match self {
            SyncPhase::Waiting => "waiting",
            SyncPhase::Presync => "presync",
            SyncPhase::Headers => "headers",
            SyncPhase::Blocks => "blocks",
            SyncPhase::Synced => "synced",
        }
    }
}

/// How far the node has synced.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SyncProgress {
    /// What it is doing.
    pub phase: SyncPhase,
    /// Height of the best world.
    pub best_height: u32,
    /// Height of the header with the most work.
    pub header_height: u32,
    /// Height up to which headers were looked at in presync; 0 outside of it.
    pub presync_height: u32,
    /// Blocks asked for and not there yet.
    pub blocks_in_flight: u32,
    /// Tips on other branches whose blocks are being fetched.
    pub branches_in_flight: u32,
    /// Bytes of blocks taken since the start.
    pub block_bytes: u64,
    /// How long the rest may take, as far as the last minute tells.
    pub remaining: Option<Duration>,
}

/// A peer that was added by hand, and how its calls go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddedPeer {
    /// Where it is.
    pub endpoint: Endpoint,
    /// Whether it is connected.
    pub connected: bool,
    /// Calls that failed in a row.
    pub failures: u32,
    /// Why the last one failed, if any did.
    pub last_error: Option<String>,
    /// When it is called next, if it waits for that.
    pub next_call: Option<SystemTime>,
}

/// The network as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NetworkState {
    /// What others are told that this node is (BIP14).
    pub user_agent: String,
    /// Whether it is switched on.
    pub active: bool,
    /// What others are told that this node offers.
    pub services: ServiceFlags,
    /// Whether transactions of others are taken and passed on.
    pub relay: bool,
    /// Networks whose addresses are called.
    pub reachable: Vec<NetworkKind>,
    /// The SOCKS5 proxy that all calls go through.
    pub proxy: Option<SocketAddr>,
    /// Addresses of our own that others are told of.
    pub own_addresses: Vec<OwnAddress>,
    /// How many addresses of each network are known, in the order of [`NetworkKind::CALLABLE`].
    pub address_counts: Vec<AddressCount>,
    /// Where connections are taken.
    pub listening: Vec<SocketAddr>,
    /// Peers that were added by hand and are called whenever they are not connected.
    pub added: Vec<AddedPeer>,
    /// Addresses of other nodes that are known.
    pub known_addresses: usize,
    /// Bytes received from all peers since the start.
    pub bytes_received: u64,
    /// Bytes sent to all peers since the start.
    pub bytes_sent: u64,
    /// The same by name of the message, in alphabetical order: of all peers since the start, also of those that are
    /// gone.
    pub messages: Vec<MessageCount>,
}

impl Default for NetworkState {
    fn default() -> NetworkState {
        NetworkState {
            user_agent: String::new(),
            active: false,
            services: ServiceFlags::NONE,
            relay: true,
            reachable: Vec::new(),
            proxy: None,
            own_addresses: Vec::new(),
            address_counts: Vec::new(),
            listening: Vec::new(),
            added: Vec::new(),
            known_addresses: 0,
            bytes_received: 0,
            bytes_sent: 0,
            messages: Vec::new(),
        }
    }
}

/// A subnet that the node has nothing to do with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BanState {
    /// An address, or a subnet such as `203.0.113.0/24`.
    pub subnet: String,
    /// Since when.
    pub created: SystemTime,
    /// Until when.
    pub until: SystemTime,
    /// Why.
    pub reason: String,
}

/// Something happened to a connection.
#[derive(Clone, Debug)]
pub struct PeerEvent {
    /// When.
    pub time: SystemTime,
    /// Where the peer is.
    pub endpoint: Endpoint,
    /// The connection's number; none for one that failed before it had any.
    pub peer: Option<PeerId>,
    /// What happened.
    pub kind: PeerEventKind,
}

/// What happened to a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerEventKind {
    /// The handshake is done.
    Established,
    /// The connection ended; why.
    Lost(String),
    /// The peer could not be reached, or the handshake failed; why.
    Failed(String),
    /// The peer did something wrong; what.
    Misbehaved(String),
}
