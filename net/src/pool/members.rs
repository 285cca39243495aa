//! Owns who is connected, who is being called and who is to be.
//! Promises that each connection and each call is counted once, from its first byte to its last.
//! Refuses to do anything itself: it is plain data behind the pool's lock.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use bitcoin::p2p::ServiceFlags;
use bitcoin::secp256k1::rand::{Rng, thread_rng};

use super::backoff::Backoffs;
use super::{PoolConfig, Spared, Useful};
use crate::connection::Peer;
use crate::endpoint::{Endpoint, Group};
use crate::eviction::{self, Candidate};
use crate::peer::{PeerId, Purpose};

/// Most addresses of our own that are remembered.
const MAX_OWN: usize = 100;

/// How long a connection has to last for earlier failures to be forgotten.
const LASTED: Duration = Duration::from_secs(60);

/// The longest wait before a peer that the user wants is called again: as in Bitcoin Core.
const LONGEST_MANUAL_WAIT: Duration = Duration::from_secs(60);

/// Most calls that may be asked for and not made yet.
const MAX_WANTED: usize = 10_000;

/// A connection, from before its handshake on.
pub(super) struct Member {
    peer: Peer,
    established: bool,
    /// It was evicted: its place is another's already, though its connection still ends.
    leaving: bool,
    connected: Duration,
    last_block: Option<Duration>,
    last_transaction: Option<Duration>,
}

/// A call that somebody asked for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) endpoint: Endpoint,
    pub(super) purpose: Purpose,
    /// Whether encryption is tried first.
    pub(super) v2: bool,
}

/// All of them.
pub(super) struct State {
    pub(super) members: HashMap<PeerId, Member>,
    /// Calls that are under way, until their connection is a member.
    pub(super) calling: HashMap<Endpoint, Purpose>,
    /// Manual peers, called again and again.
    pub(super) manual: Vec<Wanted>,
    /// Calls to be made once.
    pub(super) once: VecDeque<Wanted>,
    /// Peers of blocks only that were there when the pool was shut down.
    pub(super) anchors: Vec<Endpoint>,
    pub(super) backoffs: Backoffs,
    /// Outgoing full-relay connections of the config.
    outgoing: usize,
    /// Until when there is to be one more of them; `None` once it is made.
    one_more_until: Option<Duration>,
    own: HashSet<Endpoint>,
    /// A secret, so that nobody can choose which groups are kept.
    group_key: u64,
}

impl State {
    pub(super) fn new(config: &PoolConfig) -> State {
        let mut state = State {
            members: HashMap::new(),
            calling: HashMap::new(),
            manual: Vec::new(),
            once: VecDeque::new(),
            anchors: Vec::new(),
            backoffs: Backoffs::new(config.backoff),
            outgoing: config.outgoing,
            one_more_until: None,
            own: HashSet::new(),
            group_key: thread_rng().r#gen(),
        };
        for endpoint in &config.connect {
            state.want(Wanted {
                endpoint: endpoint.clone(),
                purpose: Purpose::Manual,
                v2: true,
            });
        }
        state
    }

    pub(super) fn peer(&self, id: PeerId) -> Option<Peer> {
        self.members.get(&id).map(|member| member.peer.clone())
    }

    pub(super) fn peers(&self) -> Vec<Peer> {
        let peers = self.members.values();
        peers.map(|member| member.peer.clone()).collect()
    }

    /// Has a peer called: a manual one again and again.
    pub(super) fn want(&mut self, wanted: Wanted) {
        if wanted.purpose != Purpose::Manual {
            return self.want_once(wanted);
        }
        self.backoffs.answered(&wanted.endpoint);
        let room = self.manual.len() < MAX_WANTED;
        let mut manual = self.manual.iter_mut();
        match manual.find(|manual| manual.endpoint == wanted.endpoint) {
            Some(manual) => manual.v2 = wanted.v2,
            None if room => self.manual.push(wanted),
            None => {}
        }
    }

    /// Has a peer called once, whatever the purpose.
    pub(super) fn want_once(&mut self, wanted: Wanted) {
        self.backoffs.answered(&wanted.endpoint);
        if self.once.len() < MAX_WANTED {
            self.once.push_back(wanted);
        }
    }

    pub(super) fn is_manual(&self, endpoint: &Endpoint) -> bool {
        self.manual.iter().any(|it| it.endpoint == *endpoint)
    }

    pub(super) fn forget(&mut self, endpoint: &Endpoint) -> bool {
        let before = self.manual.len() + self.once.len();
        self.manual.retain(|manual| manual.endpoint != *endpoint);
        self.once
            .retain(|it| it.endpoint != *endpoint || it.purpose != Purpose::Manual);
        self.manual.len() + self.once.len() < before
    }

    pub(super) fn join(&mut self, peer: Peer, now: Duration) {
        self.calling.remove(peer.endpoint());
        let member = Member {
            established: false,
            leaving: false,
            connected: now,
            last_block: None,
            last_transaction: None,
            peer,
        };
        self.members.insert(member.peer.id(), member);
    }

    pub(super) fn established(&mut self, id: PeerId) {
        if let Some(member) = self.members.get_mut(&id) {
            member.established = true;
        }
        let relaying = self.members.values().filter(|member| {
            member.established && member.peer.purpose() == Purpose::OutboundFullRelay
        });
        if relaying.count() > self.outgoing {
            self.one_more_until = None;
        }
    }

    /// One outgoing full-relay connection more is wanted until then.
    pub(super) fn want_one_more(&mut self, until: Duration) {
        self.one_more_until = Some(until);
    }

    /// Outgoing full-relay connections that are wanted.
    pub(super) fn outgoing(&self, now: Duration) -> usize {
        let one_more = self.one_more_until.is_some_and(|until| now < until);
        self.outgoing + usize::from(one_more)
    }

    /// Endpoints that we called and whose handshake is over.
    pub(super) fn reached(&self) -> HashSet<Endpoint> {
        let members = self.members.values();
        let reached = members
            .filter(|member| member.established && !member.peer.purpose().is_inbound())
            .map(|member| member.peer.endpoint().clone());
        reached.collect()
    }

    /// Its connection is over; `again` if it is called once more, which counts as a call from now on.
    pub(super) fn leave(&mut self, id: PeerId, again: bool) {
        let Some(member) = self.members.remove(&id) else {
            return;
        };
        if again {
            let (endpoint, purpose) = (member.peer.endpoint().clone(), member.peer.purpose());
            self.calling.insert(endpoint, purpose);
        }
    }

    /// Notes whom to call first next time.
    pub(super) fn drop_anchors(&mut self) {
        let members = self.members.values();
        let anchors = members.filter(|member| {
            member.established && member.peer.purpose() == Purpose::BlockRelayOnly
        });
        self.anchors = anchors
            .map(|member| member.peer.endpoint().clone())
            .collect();
    }

    /// A call came to nothing; how many have in a row now.
    pub(super) fn failed(&mut self, endpoint: &Endpoint, now: Duration, reason: String) -> u32 {
        self.calling.remove(endpoint);
        let most = match self.is_manual(endpoint) {
            true => LONGEST_MANUAL_WAIT,
            false => Duration::MAX,
        };
        let jitter = thread_rng().r#gen();
        self.backoffs.failed(endpoint, now, jitter, most, reason)
    }

    /// A connection that was called for is over, after it was there for `lasted`: the next call has to wait, longer each
    /// time if none of them lasts.
    pub(super) fn lost(
        &mut self,
        endpoint: &Endpoint,
        now: Duration,
        lasted: Duration,
        reason: String,
    ) {
        if lasted >= LASTED {
            self.backoffs.lost(endpoint, now, reason);
        } else {
            self.failed(endpoint, now, reason);
        }
    }

    pub(super) fn note_useful(&mut self, id: PeerId, useful: Useful, now: Duration) {
        if let Some(member) = self.members.get_mut(&id) {
            match useful {
                Useful::Block => member.last_block = Some(now),
                Useful::Transaction => member.last_transaction = Some(now),
            }
        }
    }

    /// Our own address: never called again. The connections that were made to it.
    pub(super) fn is_ourselves(&mut self, endpoint: &Endpoint) -> Vec<Peer> {
        if self.own.len() < MAX_OWN {
            self.own.insert(endpoint.clone());
        }
        self.forget(endpoint);
        let mut peers = self.peers();
        peers.retain(|peer| !peer.purpose().is_inbound() && peer.endpoint() == endpoint);
        peers
    }

    pub(super) fn is_own(&self, endpoint: &Endpoint) -> bool {
        self.own.contains(endpoint)
    }

    /// Connections and calls for this purpose, without the evicted.
    pub(super) fn count(&self, purpose: Purpose) -> usize {
        let connected = self.members.values();
        let connected =
            connected.filter(|member| member.peer.purpose() == purpose && !member.leaving);
        let calling = self.calling.values().filter(|called| **called == purpose);
        connected.count() + calling.count()
    }

    /// Whether an endpoint is called already, or connected because it was.
    pub(super) fn is_called(&self, endpoint: &Endpoint) -> bool {
        let mut members = self.members.values().map(|member| &member.peer);
        self.calling.contains_key(endpoint)
            || members.any(|peer| !peer.purpose().is_inbound() && peer.endpoint() == endpoint)
    }

    /// All whom [`State::is_called`] is true of.
    pub(super) fn called(&self) -> impl Iterator<Item = &Endpoint> {
        let members = self.members.values().map(|member| &member.peer);
        let connected = members.filter(|peer| !peer.purpose().is_inbound());
        connected.map(Peer::endpoint).chain(self.calling.keys())
    }

    /// Network groups of those that the pool called by itself.
    pub(super) fn groups(&self) -> HashSet<Group> {
        let counts = |purpose: Purpose| {
            matches!(
                purpose,
                Purpose::OutboundFullRelay | Purpose::BlockRelayOnly
            )
        };
        let connected = self.members.values().map(|member| &member.peer);
        let connected = connected.filter(|peer| counts(peer.purpose()));
        let calling = self.calling.iter().filter(|(_, purpose)| counts(**purpose));
        connected
            .map(|peer| peer.endpoint().group())
            .chain(calling.map(|(endpoint, _)| endpoint.group()))
            .collect()
    }

    /// Handshakes that are under way with callers from this address.
    pub(super) fn handshakes_of(&self, ip: IpAddr) -> usize {
        let of_ip = |endpoint: &Endpoint| endpoint.socket_address().is_some_and(|at| at.ip() == ip);
        let mut members: Vec<&Member> = self.members.values().collect();
        members.retain(|member| {
            !member.established
                && member.peer.purpose().is_inbound()
                && of_ip(member.peer.endpoint())
        });
        members.len()
    }

    /// The caller to give up for another, which no longer counts from now on; `None` if each is worth keeping.
    pub(super) fn evict(
        &mut self,
        spared: &Spared,
        discouraged: impl Fn(&Endpoint) -> bool,
    ) -> Option<Peer> {
        let staying = self.members.values().filter(|member| !member.leaving);
        let candidates = staying.map(|member| {
            let peer = &member.peer;
            let info = peer.info();
            let services = info.map_or(ServiceFlags::NONE, |info| info.services);
            Candidate {
                id: peer.id(),
                is_inbound: peer.purpose().is_inbound(),
                no_ban: spared.covers(peer.endpoint(), peer.local_address()),
                connected: member.connected,
                min_ping: peer.min_ping(),
                last_block: member.last_block,
                last_transaction: member.last_transaction,
                relevant_services: services.has(ServiceFlags::NETWORK | ServiceFlags::WITNESS),
                relays_transactions: info.is_some_and(|info| info.relay),
                bloom_filter: false,
                keyed_group: self.keyed(&peer.endpoint().group()),
                prefer_evict: discouraged(peer.endpoint()),
                is_local: peer.endpoint().is_local(),
                network: peer.endpoint().network(),
            }
        });
        let chosen = eviction::choose(candidates.collect())?;
        let member = self.members.get_mut(&chosen)?;
        member.leaving = true;
        Some(member.peer.clone())
    }

    fn keyed(&self, group: &Group) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (self.group_key, group).hash(&mut hasher);
        hasher.finish()
    }
}
