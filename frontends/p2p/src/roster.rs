//! Owns what the node's faces see of its peers, and what they may change: [`Peers`] over a pool and a protocol.
//! Promises not to make the protocol wait: what it knows is copied here now and then.
//! Refuses to decide anything by itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::AddrV2Message;
use bitcoin::{BlockHash, Network, Txid};
use everett_ledger::Ledger;
use everett_mempool::orphans::OrphanInfo;
use everett_net::address_book::Placed;
use everett_net::bans::{BanError, Subnet, SubnetError};
use everett_net::{
    Command, Counters, Endpoint, ManualPeer, Message, NetworkKind, PeerId, Pool, PoolEvent,
    Purpose, Route, default_port,
};
use everett_node::{
    AddedAddress, AddedPeer, AddressCount, BanState, FetchError, KnownAddress, MessageCount,
    NetworkState, OwnAddress, PeerError, PeerEvent, PeerEventKind, PeerRef, PeerRelay, PeerState,
    PeerSync, PeerTraffic, Peers, Phase, SyncPhase, SyncProgress,
};
use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::input::Input;
use crate::protocol::{self, Protocol, Reason};

/// Peer events that somebody who does not take them may be behind, before it misses some.
const EVENTS_KEPT: usize = 1_024;
/// The end of the year 9999, as far as timestamps of gRPC go, in seconds since 1970.
const LAST_SECOND: u64 = 253_402_300_799;
/// How long somebody waits for what the conversation has to say.
const PATIENCE: Duration = Duration::from_secs(5);
/// How old the best block of a public network may be before a node without peers counts as being behind.
const MAX_TIP_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Peers that were added by hand: known to the frontend, too, which may be started again.
pub(crate) type Added = Arc<Mutex<Vec<Endpoint>>>;

/// The node's peers, as its faces see them.
pub(crate) struct Roster {
    pool: Pool,
    ledger: Ledger,
    network: Network,
    /// The time at zero of the pool's clock.
    start: SystemTime,
    seen: Mutex<Seen>,
    /// Peers that were added by hand.
    added: Added,
    events: broadcast::Sender<PeerEvent>,
    /// Where the conversation listens.
    inputs: Sender<Input>,
    /// Addresses of our own that others are told of.
    own: Vec<OwnAddress>,
}

/// What the protocol was last seen to know.
#[derive(Default)]
struct Seen {
    peers: HashMap<PeerId, PeerSync>,
    progress: SyncProgress,
}

impl Roster {
    /// For a pool that has just started.
    pub(crate) fn new(
        pool: Pool,
        ledger: Ledger,
        added: Added,
        inputs: Sender<Input>,
        own: Vec<OwnAddress>,
    ) -> Roster {
        Roster {
            network: ledger.params().network.to_bitcoin(),
            start: SystemTime::now() - pool.now(),
            pool,
            ledger,
            seen: Mutex::default(),
            added,
            events: broadcast::Sender::new(EVENTS_KEPT),
            inputs,
            own,
        }
    }

    /// Seconds since 1970, by the ledger's clock, which may be held.
    pub(crate) fn unix_time(&self) -> u64 {
        self.ledger.clock().now()
    }

    /// Asks the conversation and waits for what it says; `None` if it takes too long.
    fn ask<T>(&self, input: impl FnOnce(Sender<T>) -> Input) -> Option<T> {
        let (sender, answer) = channel();
        self.inputs.send(input(sender)).ok()?;
        answer.recv_timeout(PATIENCE).ok()
    }

    /// The wall clock's time at a time of the pool's clock.
    fn time(&self, at: Duration) -> SystemTime {
        self.start + at
    }

    /// Passes on what happened to a connection.
    pub(crate) fn tell(&self, event: &PoolEvent) {
        let (peer, endpoint, kind) = match event {
            PoolEvent::Established(info) => {
                (Some(info.id), &info.endpoint, PeerEventKind::Established)
            }
            PoolEvent::Lost {
                peer,
                endpoint,
                reason,
            } => (
                Some(*peer),
                endpoint,
                PeerEventKind::Lost(reason.to_string()),
            ),
            PoolEvent::Failed {
                endpoint, error, ..
            } => (None, endpoint, PeerEventKind::Failed(error.to_string())),
            PoolEvent::Message(..) | PoolEvent::Drained(_) => return,
        };
        self.send(peer, endpoint, kind);
    }

    /// Tells of a peer that did something wrong.
    pub(crate) fn misbehaved(&self, peer: PeerId, endpoint: &Endpoint, reason: &Reason) {
        let kind = PeerEventKind::Misbehaved(reason.to_string());
        self.send(Some(peer), endpoint, kind);
    }

    fn send(&self, peer: Option<PeerId>, endpoint: &Endpoint, kind: PeerEventKind) {
        // Nobody needs to listen.
        let _ = self.events.send(PeerEvent {
            time: SystemTime::now(),
            endpoint: endpoint.clone(),
            peer,
            kind,
        });
    }

    /// Copies what the protocol knows; whether the node is up to date by it.
    pub(crate) fn update(&self, protocol: &Protocol, now: Duration) -> Phase {
        let peers = protocol.peers().into_iter();
        let peers = peers.map(|peer| (peer.id, self.peer_sync(peer)));
        let peers: HashMap<PeerId, PeerSync> = peers.collect();
        let progress = protocol.progress(now);
        let alone = peers.is_empty();
        let recent = SystemTime::now() - MAX_TIP_AGE;
        let phase = match progress.phase {
            protocol::Phase::Presync => SyncPhase::Presync,
            protocol::Phase::Blocks => SyncPhase::Blocks,
            protocol::Phase::Headers if !alone => SyncPhase::Headers,
            protocol::Phase::Synced if !alone => SyncPhase::Synced,
            protocol::Phase::Headers | protocol::Phase::Synced => SyncPhase::Waiting,
        };
        let behind = match phase {
            SyncPhase::Presync | SyncPhase::Headers | SyncPhase::Blocks => true,
            SyncPhase::Synced => false,
            // On regtest blocks are as old as the test wants them.
            SyncPhase::Waiting => {
                self.network != Network::Regtest
                    && u64::from(progress.best_time) < unix_seconds(recent)
            }
        };
        let mut seen = self.seen.lock();
        seen.progress = SyncProgress {
            phase,
            best_height: progress.best_height,
            header_height: progress.headers_height,
            presync_height: progress.presync_height.unwrap_or(0),
            blocks_in_flight: progress.in_flight as u32,
            branches_in_flight: progress.branches as u32,
            block_bytes: progress.block_bytes,
            remaining: progress.left,
        };
        seen.peers = peers;
        match behind {
            true => Phase::CatchingUp,
            false => Phase::Ready,
        }
    }

    fn peer_sync(&self, peer: protocol::PeerSync) -> PeerSync {
        PeerSync {
            best: peer.best_known.map(|(height, hash)| (hash, height)),
            common_height: peer.common_height,
            in_flight: peer.in_flight,
            presync_height: peer.presync_height,
            compact_from: peer.compact_from,
            compact_to: peer.compact_to,
            last_block: peer.last_block.map(|at| self.time(at)),
            last_transaction: peer.last_transaction.map(|at| self.time(at)),
            addresses_processed: peer.addresses_processed,
            addresses_rate_limited: peer.addresses_rate_limited,
            misbehavior: peer.last_noted,
            relay: PeerRelay {
                fee_filter: peer.fee_filter,
                last_sequence: peer.last_sequence,
                waiting: peer.waiting,
                permissions: peer.permissions.words(),
            },
        }
    }

    fn traffic(&self, counters: &Counters) -> PeerTraffic {
        PeerTraffic {
            connected: self.time(counters.connected),
            last_received: counters.last_received.map(|at| self.time(at)),
            last_sent: counters.last_sent.map(|at| self.time(at)),
            ping: counters.ping,
            min_ping: counters.min_ping,
            bytes_received: counters.bytes_received,
            bytes_sent: counters.bytes_sent,
            messages: message_counts(counters),
        }
    }

    fn added_peers(&self) -> Vec<AddedPeer> {
        let (manual, peers) = (self.pool.manual(), self.pool.peers());
        let (now, unix_time) = (self.pool.now(), self.unix_time());
        let added = self.added.lock().clone();
        let bans = self.pool.bans();
        let shown = added.iter().map(|endpoint| {
            let connected = (peers.iter())
                .any(|peer| !peer.info.purpose.is_inbound() && peer.info.endpoint == *endpoint);
            let banned = bans.is_banned(endpoint, unix_time);
            let calls = manual.iter().find(|peer| peer.endpoint == *endpoint);
            // What failed before it was there is past.
            let failures = calls.and_then(|calls| calls.failures.as_ref());
            let failures = failures.filter(|_| !connected);
            let waits = calls.is_some_and(|calls| !calls.called) && !banned;
            let next = failures.map(|failures| failures.until).filter(|_| waits);
            AddedPeer {
                endpoint: endpoint.clone(),
                connected,
                failures: failures.map_or(0, |failures| failures.count),
                last_error: match banned {
                    true => Some("it is banned, and not called".to_owned()),
                    false => failures.map(|failures| failures.reason.clone()),
                },
                next_call: next.map(|next| self.time(next.max(now))),
            }
        });
        shown.collect()
    }

    fn parse(&self, text: &str) -> Result<Endpoint, PeerError> {
        let port = default_port(self.network);
        Endpoint::parse(text, port).map_err(|problem| PeerError::Address {
            text: text.to_owned(),
            problem: problem.reason.to_owned(),
        })
    }
}

fn message_counts(counters: &Counters) -> Vec<MessageCount> {
    let mut messages: Vec<MessageCount> = Vec::new();
    for (command, tally) in counters.received() {
        let count = count_of(&mut messages, command);
        count.received = tally.messages;
        count.bytes_received = tally.bytes;
    }
    for (command, tally) in counters.sent() {
        let count = count_of(&mut messages, command);
        count.sent = tally.messages;
        count.bytes_sent = tally.bytes;
    }
    messages.sort_by(|a, b| a.command.cmp(&b.command));
    messages
}

fn count_of<'m>(messages: &'m mut Vec<MessageCount>, command: &str) -> &'m mut MessageCount {
    let place = messages.iter().position(|count| count.command == command);
    let place = place.unwrap_or_else(|| {
        messages.push(MessageCount {
            command: command.to_owned(),
            received: 0,
            bytes_received: 0,
            sent: 0,
            bytes_sent: 0,
        });
        messages.len() - 1
    });
    &mut messages[place]
}

fn unix_seconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn parse_subnet(text: &str) -> Result<Subnet, PeerError> {
    text.parse()
        .map_err(|problem: SubnetError| subnet_error(text, problem.reason))
}

fn subnet_error(text: &str, problem: impl ToString) -> PeerError {
    PeerError::Subnet {
        text: text.to_owned(),
        problem: problem.to_string(),
    }
}

fn ban_state(ban: &everett_net::bans::Ban) -> BanState {
    // The file of bans may say anything.
    let time = |seconds: u64| UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND));
    BanState {
        subnet: ban.subnet.to_string(),
        created: time(ban.created),
        until: time(ban.until),
        reason: ban.reason.clone(),
    }
}

impl Peers for Roster {
    fn announce_transaction(&self, txid: &Txid) {
        // A conversation that has ended tells nobody.
        let _ = self.inputs.send(Input::Announce(*txid));
    }

    fn save(&self) {
        self.pool.save();
    }

    fn list(&self) -> Vec<PeerState> {
        let snapshots = self.pool.peers();
        let seen = self.seen.lock();
        let states = snapshots.into_iter().map(|peer| PeerState {
            sync: seen.peers.get(&peer.info.id).cloned().unwrap_or_default(),
            traffic: self.traffic(&peer.counters),
            local: peer.local,
            info: peer.info,
        });
        states.collect()
    }

    fn progress(&self) -> SyncProgress {
        // The protocol looks at the clock now and then; the best world is what it is now.
        let mut progress = self.seen.lock().progress.clone();
        progress.best_height = self.ledger.best().height();
        progress.header_height = self.ledger.best_header().height;
        progress
    }

    fn network(&self) -> NetworkState {
        let traffic = self.pool.traffic();
        let config = self.pool.config();
        let book = self.pool.address_book();
        let known_addresses = book.len();
        let counts = NetworkKind::CALLABLE.map(|network| {
            let count = book.count_of(network);
            AddressCount {
                network,
                new: count.new,
                tried: count.tried,
            }
        });
        drop(book);
        let reachable = NetworkKind::CALLABLE.into_iter();
        NetworkState {
            user_agent: config.session.user_agent.clone(),
            active: self.pool.is_active(),
            services: config.session.services,
            relay: config.session.relay,
            reachable: reachable.filter(|kind| config.calls(*kind)).collect(),
            proxy: match config.route {
                Route::Proxy(proxy) => Some(proxy.address),
                _ => None,
            },
            own_addresses: self.own.clone(),
            address_counts: counts.to_vec(),
            bytes_received: traffic.bytes_received,
            bytes_sent: traffic.bytes_sent,
            messages: message_counts(&traffic),
            listening: self.pool.listening().to_vec(),
            added: self.added_peers(),
            known_addresses,
        }
    }

    fn add(&self, address: &str, once: bool, v1: bool) -> Result<Endpoint, PeerError> {
        let endpoint = self.parse(address)?;
        let wrong = |problem: &str| PeerError::Address {
            text: address.to_owned(),
            problem: problem.to_owned(),
        };
        if endpoint.port == 0 && endpoint.kind() != NetworkKind::I2p {
            return Err(wrong("nobody listens on port 0"));
        }
        if !endpoint.is_valid() {
            return Err(wrong("no host has that address"));
        }
        if let Some(ban) = (self.pool.bans()).find(&endpoint.host, self.unix_time()) {
            return Err(PeerError::Banned {
                address: endpoint.to_string(),
                subnet: ban.subnet.to_string(),
            });
        }
        let mut added = self.added.lock();
        let known = added.contains(&endpoint);
        let called = |it: ManualPeer| it.endpoint == endpoint && it.called;
        if known && self.pool.manual().into_iter().any(called) {
            return Err(PeerError::Known(endpoint.to_string()));
        }
        if once {
            self.pool
                .connect_once(endpoint.clone(), Purpose::Manual, !v1);
            return Ok(endpoint);
        }
        if !known {
            added.push(endpoint.clone());
        }
        // One that waited for its next call is called now.
        self.pool
            .connect_with(endpoint.clone(), Purpose::Manual, !v1);
        Ok(endpoint)
    }

    fn disconnect(&self, peer: PeerRef<'_>) -> Result<(), PeerError> {
        let handles = self.pool.handles();
        let (found, name) = match peer {
            PeerRef::Id(id) => {
                let found = handles.iter().find(|peer| peer.id() == id);
                (found.map(|peer| peer.endpoint().clone()), id.to_string())
            }
            PeerRef::Address(text) => (Some(self.parse(text)?), text.to_owned()),
        };
        let endpoint = found.ok_or_else(|| PeerError::Unknown(name.clone()))?;
        let before = {
            let mut added = self.added.lock();
            let before = added.len();
            added.retain(|it| *it != endpoint);
            before > added.len()
        };
        let forgotten = self.pool.forget(&endpoint);
        let ended = handles.iter().filter(|peer| *peer.endpoint() == endpoint);
        let ended = ended.map(|peer| peer.disconnect("asked for by the user"));
        match ended.count() == 0 && !before && !forgotten {
            true => Err(PeerError::Unknown(name)),
            false => Ok(()),
        }
    }

    fn ban(&self, subnet: &str, length: Duration) -> Result<BanState, PeerError> {
        let refused = parse_subnet(subnet)?;
        let now = self.unix_time();
        let until = now.saturating_add(length.as_secs());
        let mut bans = self.pool.bans();
        match bans.ban(refused.clone(), until, "by the user", now) {
            // What holds longer holds.
            Ok(()) | Err(BanError::Already { .. }) => {}
            Err(error) => return Err(subnet_error(subnet, error)),
        }
        let made = bans.list(now).iter().find(|ban| ban.subnet == refused);
        let state = made.map(ban_state);
        drop(bans);
        self.pool.save_bans();
        let reason = format!("{refused} was banned");
        let banned = |endpoint: &Endpoint| refused.contains(&endpoint.host);
        self.pool.disconnect_all(banned, &reason);
        state.ok_or_else(|| subnet_error(subnet, "a ban has to last a second at least"))
    }

    fn unban(&self, subnet: &str) -> Result<(), PeerError> {
        let subnet = parse_subnet(subnet)?;
        let removed = self.pool.bans().remove(&subnet);
        self.pool.save_bans();
        match removed {
            true => Ok(()),
            false => Err(PeerError::NotBanned(subnet.to_string())),
        }
    }

    fn bans(&self) -> Vec<BanState> {
        let mut bans = self.pool.bans();
        let mut bans: Vec<BanState> = bans.list(self.unix_time()).iter().map(ban_state).collect();
        bans.sort_by(|a, b| a.subnet.cmp(&b.subnet));
        bans
    }

    fn addresses(&self, most: usize, network: Option<NetworkKind>) -> Vec<KnownAddress> {
        let sample = self
            .pool
            .address_book()
            .sample(most, 0, network, self.unix_time());
        let known = |message: &AddrV2Message| KnownAddress {
            endpoint: Endpoint::from(message),
            time: u64::from(message.time),
            services: message.services,
        };
        sample.iter().map(known).collect()
    }

    fn add_address(&self, endpoint: Endpoint, reached: bool) -> AddedAddress {
        let now = self.unix_time();
        let time = u32::try_from(now).unwrap_or(u32::MAX);
        let services = ServiceFlags::NETWORK | ServiceFlags::WITNESS;
        let message = endpoint.to_message(time, services);
        let mut book = self.pool.address_book();
        if book.add(&[message], &endpoint, 0, now) == 0 {
            return AddedAddress::NotNew;
        }
        match reached && !book.good(&endpoint, now) {
            true => AddedAddress::NotReached,
            false => AddedAddress::Added,
        }
    }

    fn set_active(&self, active: bool) {
        self.pool.set_active(active);
    }

    fn call_for(&self, endpoint: Endpoint, purpose: Purpose, v2: bool) {
        self.pool.connect_once(endpoint, purpose, v2);
    }

    fn send(&self, peer: PeerId, command: Command, payload: Vec<u8>) -> bool {
        let message = Message::new(command, payload);
        self.pool.send(peer, message).is_ok()
    }

    fn orphans(&self) -> Vec<OrphanInfo> {
        self.ask(Input::Orphans).unwrap_or_default()
    }

    fn fetch_block(&self, peer: PeerId, hash: &BlockHash) -> Result<(), FetchError> {
        let header = self.ledger.header(hash);
        let height = header.ok_or(FetchError::Unknown)?.height;
        let asked = self.ask(|answer| Input::Fetch {
            peer,
            hash: *hash,
            height,
            answer,
        });
        asked.unwrap_or(Err(FetchError::Busy))
    }

    fn placed_addresses(&self, tried: bool) -> Vec<Placed> {
        self.pool.address_book().placed(tried)
    }

    fn events(&self) -> broadcast::Receiver<PeerEvent> {
        self.events.subscribe()
    }
}
