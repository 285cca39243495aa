//! Owns a test double of the node's network: peers that were written down, without a socket.
//! Promises to answer as the seam says, so that what is built on it can be tested for shapes, refusals and words.
//! Refuses to be taken for the network: nobody is called, and what it shows never happened.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::AddrV2;
use everett_net::{Endpoint, PeerId, PeerInfo, Purpose, TransportVersion};
use everett_node::{
    AddedPeer, BanState, MessageCount, NetworkState, PeerError, PeerEvent, PeerEventKind, PeerRef,
    PeerRelay, PeerState, PeerSync, PeerTraffic, Peers, SyncPhase, SyncProgress,
};
use tokio::sync::broadcast;

/// Events that wait for somebody who reads slowly; of more, the oldest are missed.
pub const EVENTS: usize = 16;

/// The port of addresses that have none.
const PORT: u16 = 18_444;

/// The double. What it shows can be changed at any time.
#[derive(Debug)]
pub struct PeersDouble {
    shown: Mutex<Shown>,
    events: broadcast::Sender<PeerEvent>,
}

/// What a double shows.
#[derive(Debug, Default)]
pub struct Shown {
    /// The peers.
    pub peers: Vec<PeerState>,
    /// How far the node has synced.
    pub progress: SyncProgress,
    /// The network as a whole.
    pub network: NetworkState,
    /// The bans.
    pub bans: Vec<BanState>,
}

impl Default for PeersDouble {
    fn default() -> PeersDouble {
        PeersDouble {
            shown: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
        }
    }
}

impl PeersDouble {
    /// Two peers, one each way, in the middle of catching up; one ban.
    pub fn sample() -> PeersDouble {
        let double = PeersDouble::default();
        double.change(|shown| {
            shown.peers = vec![outbound(), inbound()];
            shown.progress = SyncProgress {
                phase: SyncPhase::Blocks,
                best_height: 1_000,
                header_height: 4_000,
                presync_height: 0,
                blocks_in_flight: 3,
                branches_in_flight: 1,
                block_bytes: 5_000_000,
                remaining: Some(Duration::from_secs(90)),
            };
            shown.network = NetworkState {
                user_agent: "/Everett:0.0.0/".to_owned(),
                listening: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))],
                added: vec![added(endpoint([203, 0, 113, 7], 8333))],
                known_addresses: 42,
                bytes_received: 7_000_000,
                bytes_sent: 9_000,
                active: true,
                messages: vec![
                    count("block", (30, 6_900_000), (0, 0)),
                    count("ping", (50, 100_000), (45, 9_000)),
                ],
                ..NetworkState::default()
            };
            shown.bans = vec![BanState {
                subnet: "198.51.100.0/24".to_owned(),
                created: at(1_700_000_000),
                until: at(1_700_086_400),
                reason: "by the user".to_owned(),
            }];
        });
        double
    }

    /// Changes what is shown.
    pub fn change<T>(&self, work: impl FnOnce(&mut Shown) -> T) -> T {
        work(&mut self.look())
    }

    /// Tells whoever follows of an event at a peer of that address.
    pub fn tell(&self, kind: PeerEventKind, peer: Option<u64>) {
        // Nobody may be listening.
        let _ = self.events.send(PeerEvent {
            time: at(1_700_000_100),
            endpoint: endpoint([203, 0, 113, 7], 8333),
            peer: peer.map(PeerId),
            kind,
        });
    }

    fn look(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peers for PeersDouble {
    fn list(&self) -> Vec<PeerState> {
        self.look().peers.clone()
    }

    fn progress(&self) -> SyncProgress {
        self.look().progress.clone()
    }

    fn network(&self) -> NetworkState {
        self.look().network.clone()
    }

    fn add(&self, address: &str, once: bool, _: bool) -> Result<Endpoint, PeerError> {
        let endpoint = parse(address)?;
        let mut shown = self.look();
        if (shown.network.added.iter()).any(|peer| peer.endpoint == endpoint) {
            return Err(PeerError::Known(endpoint.to_string()));
        }
        if !once {
            shown.network.added.push(added(endpoint.clone()));
        }
        Ok(endpoint)
    }

    fn disconnect(&self, peer: PeerRef<'_>) -> Result<(), PeerError> {
        let mut shown = self.look();
        let before = shown.peers.len();
        let name = match peer {
            PeerRef::Id(id) => {
                shown.peers.retain(|peer| peer.info.id != id);
                id.to_string()
            }
            PeerRef::Address(text) => {
                parse(text)?;
                let there = |peer: &PeerState| peer.info.endpoint.to_string();
                shown
                    .peers
                    .retain(|peer| there(peer) != text && host(&there(peer)) != text);
                text.to_owned()
            }
        };
        match shown.peers.len() < before {
            true => Ok(()),
            false => Err(PeerError::Unknown(name)),
        }
    }

    fn ban(&self, subnet: &str, length: Duration) -> Result<BanState, PeerError> {
        check_subnet(subnet)?;
        let ban = BanState {
            subnet: subnet.to_owned(),
            created: at(1_700_000_000),
            until: at(1_700_000_000) + length,
            reason: "by the user".to_owned(),
        };
        let mut shown = self.look();
        shown.bans.retain(|ban| ban.subnet != subnet);
        shown.bans.push(ban.clone());
        Ok(ban)
    }

    fn unban(&self, subnet: &str) -> Result<(), PeerError> {
        check_subnet(subnet)?;
        let mut shown = self.look();
        let before = shown.bans.len();
        shown.bans.retain(|ban| ban.subnet != subnet);
        match shown.bans.len() < before {
            true => Ok(()),
            false => Err(PeerError::NotBanned(subnet.to_owned())),
        }
    }

    fn bans(&self) -> Vec<BanState> {
        self.look().bans.clone()
    }

    fn events(&self) -> broadcast::Receiver<PeerEvent> {
        self.events.subscribe()
    }
}

/// A moment, in Unix seconds.
pub fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn endpoint(ip: [u8; 4], port: u16) -> Endpoint {
    Endpoint {
        host: AddrV2::Ipv4(Ipv4Addr::from(ip)),
        port,
    }
}

/// One that is being called for the first time.
fn added(endpoint: Endpoint) -> AddedPeer {
    AddedPeer {
        endpoint,
        connected: false,
        failures: 0,
        last_error: None,
        next_call: None,
    }
}

fn count(command: &str, received: (u64, u64), sent: (u64, u64)) -> MessageCount {
    MessageCount {
        command: command.to_owned(),
        received: received.0,
        bytes_received: received.1,
        sent: sent.0,
        bytes_sent: sent.1,
    }
}

/// One that was called, over an encrypted connection, and from which blocks come.
fn outbound() -> PeerState {
    PeerState {
        info: PeerInfo {
            id: PeerId(1),
            endpoint: endpoint([203, 0, 113, 7], 8333),
            purpose: Purpose::OutboundFullRelay,
            transport: TransportVersion::V2,
            session_id: Some([0xab; 32]),
            version: 70_016,
            services: ServiceFlags::NETWORK | ServiceFlags::WITNESS | ServiceFlags::P2P_V2,
            user_agent: "/Everett:0.1.0/".to_owned(),
            start_height: 4_000,
            relay: true,
            wtxid_relay: true,
            addrv2: true,
            features: vec!["sendtips".to_owned()],
            time_offset: -2,
            our_address: None,
        },
        traffic: PeerTraffic {
            connected: at(1_700_000_000),
            last_received: Some(at(1_700_000_090)),
            last_sent: Some(at(1_700_000_091)),
            ping: Some(Duration::from_micros(12_345)),
            min_ping: Some(Duration::from_micros(10_000)),
            bytes_received: 2_300_064,
            bytes_sent: 1_298,
            messages: vec![
                count("block", (10, 2_300_000), (0, 0)),
                count("getdata", (0, 0), (5, 1_234)),
                count("ping", (2, 64), (2, 64)),
            ],
        },
        sync: PeerSync {
            best: Some((BlockHash::from_byte_array([7; 32]), 4_000)),
            common_height: Some(1_000),
            in_flight: vec![1_001, 1_002, 1_003],
            presync_height: None,
            compact_from: true,
            compact_to: false,
            last_block: Some(at(1_700_000_080)),
            last_transaction: None,
            addresses_processed: 12,
            addresses_rate_limited: 3,
            misbehavior: None,
            relay: PeerRelay::default(),
        },
        local: None,
    }
}

/// One that called, in the clear, whose name for itself tries to leave the table, and which did something wrong.
fn inbound() -> PeerState {
    PeerState {
        info: PeerInfo {
            id: PeerId(2),
            endpoint: Endpoint {
                host: AddrV2::Ipv6("2001:db8::9".parse().expect("an address")),
                port: 51_000,
            },
            purpose: Purpose::Inbound,
            transport: TransportVersion::V1,
            session_id: None,
            version: 70_015,
            services: ServiceFlags::NONE,
            user_agent: "/x\u{1b}[31m<b>:1/\n".to_owned(),
            start_height: -1,
            relay: false,
            wtxid_relay: false,
            addrv2: false,
            features: Vec::new(),
            time_offset: 0,
            our_address: None,
        },
        traffic: PeerTraffic {
            connected: at(1_700_000_050),
            last_received: None,
            last_sent: None,
            ping: None,
            min_ping: None,
            bytes_received: 0,
            bytes_sent: 0,
            messages: Vec::new(),
        },
        sync: PeerSync {
            misbehavior: Some("sent a header without work".to_owned()),
            ..PeerSync::default()
        },
        local: None,
    }
}

fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

fn parse(text: &str) -> Result<Endpoint, PeerError> {
    let address = text.parse::<SocketAddr>().or_else(|_| {
        let ip = text.parse::<IpAddr>();
        ip.map(|ip| SocketAddr::new(ip, PORT))
    });
    let address = address.map_err(|_| PeerError::Address {
        text: text.to_owned(),
        problem: "it is no IP address".to_owned(),
    })?;
    let host = match address.ip() {
        IpAddr::V4(ip) => AddrV2::Ipv4(ip),
        IpAddr::V6(ip) => AddrV2::Ipv6(ip),
    };
    Ok(Endpoint {
        host,
        port: address.port(),
    })
}

fn check_subnet(text: &str) -> Result<(), PeerError> {
    let ip = text.split('/').next().unwrap_or_default();
    match ip.parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(PeerError::Subnet {
            text: text.to_owned(),
            problem: "it does not begin with an IP address".to_owned(),
        }),
    }
}
