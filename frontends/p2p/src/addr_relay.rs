//! Owns the gossip of addresses: what is taken from a peer, what is passed on and to whom, what is answered.
//! Promises that a peer's addresses cost no more than its tokens, that each peer hears of an address once, and that an
//! address is passed on to the same one or two peers for a day, so that repeating it does not spread it.
//! Refuses to know the address book: it is told where addresses come from and says which are to be kept.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use bitcoin::hashes::siphash24;
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::AddrV2Message;
use bitcoin::secp256k1::rand::rngs::StdRng;
use bitcoin::secp256k1::rand::seq::SliceRandom;
use bitcoin::secp256k1::rand::{Rng, SeedableRng};
use everett_net::address_book::{MAX_ANSWER, MAX_ANSWER_PERCENT};
use everett_net::{Endpoint, Message, PeerId, PeerInfo, Purpose};

mod encoding;
mod known;
#[cfg(test)]
mod tests;

pub use encoding::{encode, from_addr};
use encoding::{is_relayed, network_of, v1};
use known::KnownAddresses;

/// Most addresses of one message: Bitcoin Core's `MAX_ADDR_TO_SEND`.
pub const MAX_ADDRESSES: usize = 1_000;

/// Addresses that are taken from a peer a second, after what it has saved up.
pub const TOKENS_PER_SECOND: f64 = 0.1;

/// What a peer can save up. Whoever was asked for addresses may answer with as many beside that.
pub const MAX_TOKENS: f64 = MAX_ADDRESSES as f64;

/// What a peer begins with: enough to tell its own address.
const FIRST_TOKENS: f64 = 1.0;

/// Addresses of larger messages are not passed on: they are answers to `getaddr`.
const MAX_RELAYED_MESSAGE: usize = 10;

/// Addresses seen longer ago than this, in seconds, are not passed on.
const MAX_RELAYED_AGE: u64 = 10 * 60;

/// What the time of an address is set back to if it is implausible, in seconds before now.
const IMPLAUSIBLE_AGE: u64 = 5 * 24 * 60 * 60;

/// Times before this are no times: Bitcoin Core's bound, in 1973.
const FIRST_TIME: u32 = 100_000_000;

/// For how long an address goes to the same peers.
const ROTATION: u64 = 24 * 60 * 60;

/// How long addresses wait to be sent, on average.
const SEND_INTERVAL: Duration = Duration::from_secs(30);

/// How often a peer is told of our own address, on average, if at all.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// For how long an answer to `getaddr` is repeated, at least, and by how much longer at most.
const ANSWER_AGE: Duration = Duration::from_secs(21 * 60 * 60);
const ANSWER_AGE_SPREAD: Duration = Duration::from_secs(6 * 60 * 60);

/// Most answers to `getaddr` that are kept: one for each network and each address that we listen at.
const MAX_ANSWERS: usize = 64;

/// What the node thinks of an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// It can be an address of the network, not one of a home or of documentation. Others are not passed on.
    pub routable: bool,
    /// It is of a network that we can call. Others are passed on to fewer, and not kept.
    pub reachable: bool,
    /// It is banned or discouraged: neither passed on nor kept.
    pub banned: bool,
}

/// More addresses than a message may have. Bitcoin Core discourages for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a message of {count} addresses; {MAX_ADDRESSES} are allowed")]
pub struct TooManyAddresses {
    /// How many it has.
    pub count: usize,
}

/// What came of a message of addresses.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Heard {
    /// To be told to the address book, their times made plausible. At most 1,000.
    pub keep: Vec<AddrV2Message>,
    /// How many were looked at.
    pub processed: usize,
    /// How many were left out because the peer sent too many in too short a time.
    pub limited: usize,
    /// Whether it is an answer to `getaddr`, not the peer's own address alone: a call that was only made for addresses
    /// ([`Purpose::AddrFetch`]) has done what it was for.
    pub answered: bool,
}

/// What a `getaddr` leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asked {
    /// Nothing: the peer did not call us, or has asked before.
    Ignored,
    /// The answer is on its way.
    Answered,
    /// A sample of the address book is wanted, at most so many and no more than so much of it, for
    /// [`AddrRelay::found`]. The same sample serves all peers of that network for about a day.
    Wanted {
        /// How many addresses at most.
        limit: usize,
        /// How much of the address book at most.
        percent: usize,
    },
}

/// Where an answer to `getaddr` is the same: so nobody learns from two answers on two networks that they are one node's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct AnswerKey {
    network: u8,
    listener: u32,
}

#[derive(Debug)]
struct Answer {
    addresses: Vec<AddrV2Message>,
    until: Duration,
}

#[derive(Debug)]
struct Peer {
    network: u8,
    inbound: bool,
    addrv2: bool,
    /// It takes part: we called it, or it sent a message about addresses.
    active: bool,
    tokens: f64,
    refilled: Duration,
    /// We asked it for addresses, and its answer may not be complete.
    asked: bool,
    /// It asked us.
    answered: bool,
    known: KnownAddresses,
    waiting: Vec<AddrV2Message>,
    next_send: Duration,
    /// `None` before the first time.
    next_announcement: Option<Duration>,
}

/// The gossip of addresses with all peers.
#[derive(Debug)]
pub struct AddrRelay {
    /// In order, so that the same seed and the same messages lead to the same choices.
    peers: BTreeMap<PeerId, Peer>,
    answers: HashMap<AnswerKey, Answer>,
    /// Samples of the address book that were asked for, oldest first, with those who wait for them.
    wanted: VecDeque<(AnswerKey, Vec<PeerId>)>,
    announced: Option<(Endpoint, ServiceFlags)>,
    salt: (u64, u64),
    rng: StdRng,
}

impl AddrRelay {
    /// No peers yet. Our own address is not announced. `seed` must not be known to peers.
    pub fn new(seed: [u8; 32]) -> AddrRelay {
        let mut rng = StdRng::from_seed(seed);
        AddrRelay {
            peers: BTreeMap::new(),
            answers: HashMap::new(),
            wanted: VecDeque::new(),
            announced: None,
            salt: (rng.r#gen(), rng.r#gen()),
            rng,
        }
    }

    /// Announces an address of our own to every peer, once and then about once a day; or none.
    pub fn announce(&mut self, address: Option<(Endpoint, ServiceFlags)>) {
        self.announced = address;
    }

    /// A peer has shaken hands. Whether it is to be sent `getaddr`: those are that we called for everything, or only for
    /// addresses.
    pub fn connected(&mut self, info: &PeerInfo, now: Duration) -> bool {
        if !takes_part(info.purpose) {
            return false;
        }
        let inbound = info.purpose.is_inbound();
        let peer = Peer {
            network: network_of(&info.endpoint.host),
            inbound,
            addrv2: info.addrv2,
            // Those who call us may want nothing of it: they show that they do.
            active: !inbound,
            tokens: FIRST_TOKENS + if inbound { 0.0 } else { MAX_TOKENS },
            refilled: now,
            asked: !inbound,
            answered: false,
            known: KnownAddresses::default(),
            waiting: Vec::new(),
            next_send: now,
            next_announcement: None,
        };
        self.peers.insert(info.id, peer);
        !inbound
    }

    /// A connection ended.
    pub fn disconnected(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        for (_, waiting) in &mut self.wanted {
            waiting.retain(|other| *other != peer);
        }
    }

    /// Takes the addresses of an `addr` or `addrv2` message ([`from_addr`] makes one kind of them), keeps or passes on what
    /// is worth it, and says which the address book is to be told.
    ///
    /// `time` is unix seconds; `standing` says what the node thinks of an address.
    ///
    /// # Errors
    ///
    /// [`TooManyAddresses`].
    pub fn received(
        &mut self,
        from: PeerId,
        mut addresses: Vec<AddrV2Message>,
        standing: impl Fn(&Endpoint) -> Standing,
        now: Duration,
        time: u64,
    ) -> Result<Heard, TooManyAddresses> {
        let count = addresses.len();
        let Some(peer) = self.peers.get_mut(&from) else {
            return Ok(Heard::default());
        };
        if count > MAX_ADDRESSES {
            return Err(TooManyAddresses { count });
        }
        peer.active = true;
        peer.refill(now);
        // Which of too many are taken is not for the peer to say.
        addresses.shuffle(&mut self.rng);
        let relayed = !peer.asked && count <= MAX_RELAYED_MESSAGE;
        let mut heard = Heard {
            answered: count > 1,
            ..Heard::default()
        };
        let mut fresh = Vec::new();
        for mut address in addresses {
            if peer.tokens < 1.0 {
                heard.limited += 1;
                continue;
            }
            peer.tokens -= 1.0;
            if !may_be_useful(address.services) {
                continue;
            }
            let latest = time.saturating_add(MAX_RELAYED_AGE);
            if address.time <= FIRST_TIME || u64::from(address.time) > latest {
                address.time = time
                    .saturating_sub(IMPLAUSIBLE_AGE)
                    .min(u64::from(u32::MAX)) as u32;
            }
            let endpoint = endpoint(&address);
            peer.known.insert(key(self.salt, &endpoint));
            let standing = standing(&endpoint);
            if standing.banned {
                continue;
            }
            heard.processed += 1;
            let is_fresh = u64::from(address.time) > time.saturating_sub(MAX_RELAYED_AGE);
            if relayed && is_fresh && standing.routable && is_relayed(&address.addr) {
                fresh.push((address.clone(), standing.reachable));
            }
            if standing.reachable && is_relayed(&address.addr) {
                heard.keep.push(address);
            }
        }
        if count < MAX_ADDRESSES {
            peer.asked = false;
        }
        for (address, reachable) in fresh {
            self.pass_on(from, &address, reachable, time);
        }
        Ok(heard)
    }

    /// A peer asks for addresses. It is answered once, if it called us: to those whom we call, an answer would tell what we
    /// know. `listener` is a number for the address that it called, for each the same.
    pub fn getaddr(&mut self, from: PeerId, listener: u32, now: Duration) -> Asked {
        let Some(peer) = self.peers.get_mut(&from) else {
            return Asked::Ignored;
        };
        if !peer.inbound || peer.answered {
            return Asked::Ignored;
        }
        peer.active = true;
        peer.answered = true;
        peer.waiting.clear();
        let key = AnswerKey {
            network: peer.network,
            listener,
        };
        if let Some(answer) = self.answers.get(&key)
            && answer.until > now
        {
            let addresses = answer.addresses.clone();
            self.push_all(from, addresses);
            return Asked::Answered;
        }
        if let Some((_, waiting)) = self.wanted.iter_mut().find(|(wanted, _)| *wanted == key) {
            waiting.push(from);
            return Asked::Answered;
        }
        self.wanted.push_back((key, vec![from]));
        Asked::Wanted {
            limit: MAX_ANSWER,
            percent: MAX_ANSWER_PERCENT,
        }
    }

    /// The sample of the address book that the oldest [`Asked::Wanted`] without one was about: in random order, without
    /// banned addresses. What is beyond its limit is left out.
    pub fn found(&mut self, mut addresses: Vec<AddrV2Message>, now: Duration) {
        let Some((key, waiting)) = self.wanted.pop_front() else {
            return;
        };
        addresses.truncate(MAX_ADDRESSES);
        let spread = self.rng.gen_range(Duration::ZERO..ANSWER_AGE_SPREAD);
        let until = now + ANSWER_AGE + spread;
        for peer in waiting {
            self.push_all(peer, addresses.clone());
        }
        self.answers.retain(|_, answer| answer.until > now);
        if self.answers.len() < MAX_ANSWERS {
            self.answers.insert(key, Answer { addresses, until });
        }
    }

    /// The messages that are due: about every 30 s, at random, what a peer has not heard of yet. Ours is told alone the
    /// first time. `time` is unix seconds.
    pub fn due(&mut self, now: Duration, time: u64) -> Vec<(PeerId, Message)> {
        let mut messages = Vec::new();
        let announced = self
            .announced
            .as_ref()
            .map(|(endpoint, services)| AddrV2Message {
                time: time.min(u64::from(u32::MAX)) as u32,
                services: *services,
                addr: endpoint.host.clone(),
                port: endpoint.port,
            });
        for (id, peer) in &mut self.peers {
            if !peer.active {
                continue;
            }
            if let Some(own) = &announced
                && peer.takes(own)
                && peer.next_announcement.is_none_or(|next| next <= now)
            {
                if peer.next_announcement.is_none() {
                    messages.push((*id, encode(vec![own.clone()], peer.addrv2)));
                } else {
                    // It heard of it a day ago; it is to hear of it again.
                    peer.known.clear();
                    push(peer, self.salt, own.clone(), &mut self.rng);
                }
                peer.next_announcement = Some(now + exponential(&mut self.rng, ANNOUNCE_INTERVAL));
            }
            if peer.next_send > now {
                continue;
            }
            peer.next_send = now + exponential(&mut self.rng, SEND_INTERVAL);
            let mut addresses = std::mem::take(&mut peer.waiting);
            addresses.retain(|address| peer.known.insert(key(self.salt, &endpoint(address))));
            if !addresses.is_empty() {
                messages.push((*id, encode(addresses, peer.addrv2)));
            }
        }
        messages
    }

    /// Addresses that wait to be sent to a peer.
    pub fn waiting(&self, peer: PeerId) -> usize {
        self.peers.get(&peer).map_or(0, |peer| peer.waiting.len())
    }

    /// Passes an address on to two peers, or one where it is of a network that we cannot call: the same ones for a day.
    fn pass_on(&mut self, from: PeerId, address: &AddrV2Message, reachable: bool, time: u64) {
        let endpoint = endpoint(address);
        let hash = key((0, 0), &endpoint);
        // Each address has its own midnight.
        let day = time.wrapping_add(hash) / ROTATION;
        let mut seed = [0; 24];
        seed[..8].copy_from_slice(&hash.to_le_bytes());
        seed[8..16].copy_from_slice(&day.to_le_bytes());
        let (k0, k1) = self.salt;
        let draw = |number: u64| {
            let mut seed = seed;
            seed[16..].copy_from_slice(&number.to_le_bytes());
            siphash24::Hash::hash_to_u64_with_keys(k0, k1, &seed)
        };
        let count = match reachable || draw(u64::MAX) & 1 == 1 {
            true => 2,
            false => 1,
        };
        let others = self.peers.iter();
        let others = others.filter(|(id, peer)| peer.active && **id != from && peer.takes(address));
        let mut chosen: Vec<(u64, PeerId)> = others.map(|(id, _)| (draw(id.0), *id)).collect();
        chosen.sort_unstable_by(|a, b| b.cmp(a));
        for (_, id) in chosen.into_iter().take(count) {
            if let Some(peer) = self.peers.get_mut(&id) {
                push(peer, self.salt, address.clone(), &mut self.rng);
            }
        }
    }

    fn push_all(&mut self, to: PeerId, addresses: Vec<AddrV2Message>) {
        let Some(peer) = self.peers.get_mut(&to) else {
            return;
        };
        for address in addresses {
            push(peer, self.salt, address, &mut self.rng);
        }
    }
}

impl Peer {
    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.refilled).as_secs_f64();
        if self.tokens < MAX_TOKENS {
            self.tokens = (self.tokens + passed * TOKENS_PER_SECOND).min(MAX_TOKENS);
        }
        self.refilled = now;
    }

    /// Whether it understands an address of that kind.
    fn takes(&self, address: &AddrV2Message) -> bool {
        is_relayed(&address.addr) && (self.addrv2 || v1(&address.addr).is_some())
    }
}

/// Lets an address wait to be sent; where too many do, it takes the place of one of them.
fn push(peer: &mut Peer, salt: (u64, u64), address: AddrV2Message, rng: &mut StdRng) {
    if !peer.takes(&address) || peer.known.contains(key(salt, &endpoint(&address))) {
        return;
    }
    match peer.waiting.len() < MAX_ADDRESSES {
        true => peer.waiting.push(address),
        false => {
            let place = rng.gen_range(0..peer.waiting.len());
            peer.waiting[place] = address;
        }
    }
}

/// Whether addresses are exchanged on such a connection. Not on those for blocks only: gossip would show who is connected
/// to whom; and not on those that end at once.
fn takes_part(purpose: Purpose) -> bool {
    match purpose {
        Purpose::Inbound | Purpose::OutboundFullRelay | Purpose::Manual | Purpose::AddrFetch => {
            true
        }
        Purpose::BlockRelayOnly | Purpose::Feeler => false,
    }
}

/// Whether a node that offers this is worth knowing: it has blocks, if only the last ones.
fn may_be_useful(services: ServiceFlags) -> bool {
    services.has(ServiceFlags::NETWORK) || services.has(ServiceFlags::NETWORK_LIMITED)
}

fn endpoint(address: &AddrV2Message) -> Endpoint {
    Endpoint {
        host: address.addr.clone(),
        port: address.port,
    }
}

/// A number for a host and port.
fn key((k0, k1): (u64, u64), endpoint: &Endpoint) -> u64 {
    let mut bytes = bitcoin::consensus::serialize(&endpoint.host);
    bytes.extend(endpoint.port.to_be_bytes());
    siphash24::Hash::hash_to_u64_with_keys(k0, k1, &bytes)
}

/// A random time with this average, as between events that know nothing of each other.
fn exponential(rng: &mut StdRng, average: Duration) -> Duration {
    let part: f64 = rng.gen_range(f64::EPSILON..1.0);
    average.mul_f64(-part.ln())
}
