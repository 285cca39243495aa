//! Owns the addresses of nodes that we heard of: those that we never reached (*new*) and those that we did (*tried*).
//! Promises Bitcoin Core's defence (`AddrMan`): where an address lies is a secret hash of its group and of who told us,
//! so that one group of attackers fills only a part of each table, and what is in *tried* leaves it only after a test.
//! Refuses more than 65,536 new and 16,384 tried addresses, and those that nobody can call.
//!
//! ```text
//!  heard of ──> new: 1,024 buckets of 64 ── a connection ──> tried: 256 buckets of 64
//!                 an address in up to 8        │ place taken: both wait, the older is called;
//!                 <───────── lost its place ───┘ if it does not answer it goes back to new
//! ```
//!
//! Plain data: times are Unix seconds and passed in, randomness comes from the seed.

use std::collections::{BTreeSet, HashMap};

use bitcoin::hashes::siphash24;
use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::AddrV2Message;
use bitcoin::secp256k1::rand::rngs::StdRng;
use bitcoin::secp256k1::rand::{Rng, SeedableRng};

use crate::endpoint::{Endpoint, Group, NetworkKind};

mod disk;
mod entry;
mod table;

pub use disk::BookError;
pub use entry::Known;

use entry::Entry;
use table::{Place, Table};

#[cfg(test)]
mod tests;

/// Buckets of the table of addresses that were never reached.
const NEW_BUCKETS: u64 = 1_024;
/// Buckets of the table of addresses that were.
const TRIED_BUCKETS: u64 = 256;
/// Places of a bucket.
const BUCKET_SIZE: u64 = 64;
/// Tried buckets that one group of addresses is spread over.
const TRIED_BUCKETS_PER_GROUP: u64 = 8;
/// New buckets that the addresses told by one group are spread over.
const NEW_BUCKETS_PER_SOURCE_GROUP: u64 = 64;
/// New buckets that one address may be in.
const NEW_BUCKETS_PER_ADDRESS: usize = 8;
/// Addresses that wait for a test of the one whose place they would take.
const MAX_COLLISIONS: usize = 10;
/// Seconds for which one that we reached keeps its place without a test.
const REPLACEMENT: u64 = 4 * 3_600;
/// Seconds in which a test has to be made.
const TEST_WINDOW: u64 = 40 * 60;
/// Seconds that a test has to succeed.
const TEST_PATIENCE: u64 = 60;
/// Most addresses of an answer to `getaddr`.
pub const MAX_ANSWER: usize = 1_000;
/// Of how many in a hundred of the addresses an answer to `getaddr` consists at most.
pub const MAX_ANSWER_PERCENT: usize = 23;
/// Draws of one selection. The chance grows by a fifth with each: after 44 it is one, whatever the address.
const MAX_DRAWS: u32 = 100;

/// The number of an address in this process.
type Id = u64;

/// How many addresses of a network there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Never reached.
    pub new: usize,
    /// Reached at least once.
    pub tried: usize,
}

/// An address in its place. One that was never reached may be in several.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    /// The bucket, counted from 0 in its table.
    pub bucket: u64,
    /// The position in the bucket, 0 to 63.
    pub position: u64,
    /// What is known of the address.
    pub known: Known,
}

/// The addresses, and where each lies.
pub struct AddressBook {
    /// Keys the hash that gives an address its place.
    key: [u64; 2],
    random: StdRng,
    next_id: Id,
    entries: HashMap<Id, Entry>,
    by_endpoint: HashMap<Endpoint, Id>,
    /// All of them, for drawing; each knows where it is.
    order: Vec<Id>,
    new: Table,
    tried: Table,
    counts: HashMap<NetworkKind, Count>,
    collisions: BTreeSet<Id>,
    /// When an address was last reached: failures before that are not held against others, we may have been offline.
    last_good: u64,
    changed: bool,
}

impl AddressBook {
    /// An empty book. The seed must be secret and random: who knows it can fill the book.
    pub fn new(seed: [u8; 32]) -> AddressBook {
        let mut random = StdRng::from_seed(seed);
        let key = [random.r#gen(), random.r#gen()];
        AddressBook {
            key,
            random,
            next_id: 0,
            entries: HashMap::new(),
            by_endpoint: HashMap::new(),
            order: Vec::new(),
            new: Table::new(NEW_BUCKETS),
            tried: Table::new(TRIED_BUCKETS),
            counts: HashMap::new(),
            collisions: BTreeSet::new(),
            last_good: 1,
            changed: false,
        }
    }

    /// Addresses in all.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many addresses of each network there are.
    pub fn count(&self) -> Count {
        let sum = |of: fn(&Count) -> usize| self.counts.values().map(of).sum();
        Count {
            new: sum(|count| count.new),
            tried: sum(|count| count.tried),
        }
    }

    /// How many addresses of a network there are.
    pub fn count_of(&self, network: NetworkKind) -> Count {
        self.counts.get(&network).copied().unwrap_or_default()
    }

    /// Whether addresses differ from those that were last saved or loaded.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// What is known of an address.
    pub fn get(&self, endpoint: &Endpoint) -> Option<Known> {
        let id = self.by_endpoint.get(endpoint)?;
        self.entries.get(id).map(Entry::known)
    }

    /// Everything that is known, in no order.
    pub fn iter(&self) -> impl Iterator<Item = Known> + '_ {
        self.entries.values().map(Entry::known)
    }

    /// What lies where in one of the tables, bucket after bucket: of those that were reached (`tried`), or of the others.
    pub fn placed(&self, tried: bool) -> Vec<Placed> {
        let table = if tried { &self.tried } else { &self.new };
        let placed = table.filled().filter_map(|(place, id)| {
            let (bucket, position) = place.parts();
            Some(Placed {
                bucket,
                position,
                known: self.entries.get(&id)?.known(),
            })
        });
        placed.collect()
    }

    /// Takes addresses that `source` told of; how many found a new place.
    ///
    /// `penalty` seconds are taken off the times, but where a peer speaks of itself: Bitcoin Core takes two hours off
    /// what peers tell. Of a message of the network no more than 1,000 addresses come here; that is the caller's limit.
    pub fn add(
        &mut self,
        heard: &[AddrV2Message],
        source: &Endpoint,
        penalty: u64,
        now: u64,
    ) -> usize {
        let mut added = 0;
        for message in heard {
            added += usize::from(self.add_one(message, source, penalty, now));
        }
        added
    }

    fn add_one(
        &mut self,
        heard: &AddrV2Message,
        source: &Endpoint,
        penalty: u64,
        now: u64,
    ) -> bool {
        let endpoint = Endpoint::from(heard);
        if !endpoint.is_routable() {
            return false;
        }
        let penalty = match endpoint.host == source.host {
            true => 0,
            false => penalty,
        };
        let time = u64::from(heard.time);
        let id = match self.by_endpoint.get(&endpoint).copied() {
            Some(id) => {
                let Some(entry) = self.entries.get_mut(&id) else {
                    return false;
                };
                let is_online = now.saturating_sub(time) < 86_400;
                let interval = if is_online { 3_600 } else { 86_400 };
                if entry.time + interval + penalty < time {
                    entry.time = time.saturating_sub(penalty);
                    self.changed = true;
                }
                entry.services |= heard.services;
                let places = entry.places.len();
                // No new information, no second place.
                if time <= entry.time || entry.is_tried || places >= NEW_BUCKETS_PER_ADDRESS {
                    return false;
                }
                // Each place more is twice as hard to get.
                if places > 0 && self.random.gen_range(0..1u32 << places) != 0 {
                    return false;
                }
                id
            }
            None => {
                let time = time.saturating_sub(penalty);
                self.create(Entry::new(endpoint, heard.services, time, source.clone()))
            }
        };
        let place = self.new_place(id, source.group());
        let taken = self.new.get(place);
        if taken == Some(id) {
            return false;
        }
        let gives_way = |other: Id| {
            let own = self.entries.get(&id).map_or(0, |entry| entry.places.len());
            let other = self.entries.get(&other);
            other.is_none_or(|it| it.is_terrible(now) || (it.places.len() > 1 && own == 0))
        };
        if taken.is_some_and(|other| !gives_way(other)) {
            self.delete_if_nowhere(id);
            return false;
        }
        self.clear_new(place);
        self.put_new(id, place);
        true
    }

    /// Notes that we reached an address: it moves to the tried ones, or waits until the one in its place was tested.
    /// Whether it moved.
    pub fn good(&mut self, endpoint: &Endpoint, now: u64) -> bool {
        self.last_good = now;
        let Some(id) = self.by_endpoint.get(endpoint).copied() else {
            return false;
        };
        let Some(entry) = self.entries.get_mut(&id) else {
            return false;
        };
        entry.last_success = now;
        entry.last_try = now;
        entry.attempts = 0;
        self.changed = true;
        if entry.is_tried {
            return false;
        }
        let place = self.tried_place(id);
        if self.tried.get(place).is_some() {
            if self.collisions.len() < MAX_COLLISIONS {
                self.collisions.insert(id);
            }
            return false;
        }
        self.make_tried(id, place);
        true
    }

    /// Notes that we call an address. With `counts` a call that came to nothing is held against it, once for each time
    /// that we reached somebody else.
    pub fn attempt(&mut self, endpoint: &Endpoint, counts: bool, now: u64) {
        let last_good = self.last_good;
        if let Some(entry) = self.entry_mut(endpoint) {
            entry.last_try = now;
            if counts && entry.last_counted_try < last_good {
                entry.last_counted_try = now;
                entry.attempts = entry.attempts.saturating_add(1);
            }
            self.changed = true;
        }
    }

    /// Notes that we were connected to an address until now. It is only called at the end of a connection, and not more
    /// exactly than twenty minutes, so that what we tell others does not say whom we are connected to.
    pub fn connected(&mut self, endpoint: &Endpoint, now: u64) {
        const INTERVAL: u64 = 20 * 60;
        if let Some(entry) = self.entry_mut(endpoint)
            && now.saturating_sub(entry.time) > INTERVAL
        {
            entry.time = now;
            self.changed = true;
        }
    }

    /// Notes what a node said that it offers.
    pub fn set_services(&mut self, endpoint: &Endpoint, services: ServiceFlags) {
        if let Some(entry) = self.entry_mut(endpoint)
            && entry.services != services
        {
            entry.services = services;
            self.changed = true;
        }
    }

    /// Draws an address to call: of the new ones or of the tried ones with the same chance, those that failed or were
    /// tried just now less often. `networks` limits it to some, unless it is empty. `None` if there is none.
    pub fn select(&mut self, new_only: bool, networks: &[NetworkKind], now: u64) -> Option<Known> {
        let mut count = Count::default();
        for (network, of) in &self.counts {
            if networks.is_empty() || networks.contains(network) {
                count.new += of.new;
                count.tried += of.tried;
            }
        }
        let from_tried = match (count.new, count.tried) {
            (0, 0) => return None,
            (0, _) if new_only => return None,
            (_, 0) => false,
            (0, _) => true,
            _ => !new_only && self.random.r#gen(),
        };
        let table = if from_tried { &self.tried } else { &self.new };
        let buckets = table.buckets_with(networks);
        let mut factor = 1.0;
        for _ in 0..MAX_DRAWS {
            let bucket = *buckets.get(self.random.gen_range(0..buckets.len().max(1)))?;
            let start = self.random.gen_range(0..BUCKET_SIZE);
            let entry = table
                .first(bucket, start, networks)
                .and_then(|id| self.entries.get(&id))?;
            if self.random.r#gen::<f64>() < factor * entry.chance(now) {
                return Some(entry.known());
            }
            factor *= 1.2;
        }
        None
    }

    /// An answer to `getaddr`: at most `most` addresses drawn at random, and at most so many in a hundred of all, none of
    /// them terrible. Of one network, if one is given. Nought is no limit.
    pub fn sample(
        &mut self,
        most: usize,
        percent: usize,
        network: Option<NetworkKind>,
        now: u64,
    ) -> Vec<AddrV2Message> {
        let mut wanted = self.order.len();
        if percent != 0 {
            wanted = wanted * percent.min(100) / 100;
        }
        if most != 0 {
            wanted = wanted.min(most);
        }
        let mut answer = Vec::with_capacity(wanted);
        for place in 0..self.order.len() {
            if answer.len() >= wanted {
                break;
            }
            let other = self.random.gen_range(place..self.order.len());
            self.swap(place, other);
            let Some(entry) = self.entries.get(&self.order[place]) else {
                continue;
            };
            let fits = network.is_none_or(|network| entry.endpoint.network() == network);
            if fits && !entry.is_terrible(now) {
                let time = u32::try_from(entry.time).unwrap_or(u32::MAX);
                answer.push(entry.endpoint.to_message(time, entry.services));
            }
        }
        answer
    }

    /// An address in *tried* whose place another one waits for: it is to be called, to see whether it still answers.
    pub fn select_collision(&mut self) -> Option<Known> {
        if self.collisions.is_empty() {
            return None;
        }
        let nth = self.random.gen_range(0..self.collisions.len());
        let id = self.collisions.iter().nth(nth).copied()?;
        if !self.entries.contains_key(&id) {
            self.collisions.remove(&id);
            return None;
        }
        let old = self.tried.get(self.tried_place(id))?;
        self.entries.get(&old).map(Entry::known)
    }

    /// The addresses in *tried* whose place others wait for. Whom we are connected to needs no test: who knows that it
    /// is, calls [`AddressBook::good`] before [`AddressBook::resolve_collisions`].
    pub fn contested(&self) -> Vec<Endpoint> {
        let waiting = self.collisions.iter();
        let waiting = waiting.filter(|id| self.entries.contains_key(id));
        let old = waiting.filter_map(|id| self.tried.get(self.tried_place(*id)));
        old.filter_map(|old| self.entries.get(&old))
            .map(|entry| entry.endpoint.clone())
            .collect()
    }

    /// Decides about the addresses that wait for a place in *tried*, as far as that can be done now.
    pub fn resolve_collisions(&mut self, now: u64) {
        for id in std::mem::take(&mut self.collisions) {
            let Some(entry) = self.entries.get(&id).filter(|entry| !entry.is_tried) else {
                continue;
            };
            let last_success = entry.last_success;
            let place = self.tried_place(id);
            let Some(old) = self.tried.get(place).and_then(|old| self.entries.get(&old)) else {
                self.make_tried(id, place);
                continue;
            };
            let since = |time: u64| now.saturating_sub(time);
            if since(old.last_success) < REPLACEMENT {
                // The old one answers, and the new one stays where it is.
            } else if since(old.last_try) < REPLACEMENT {
                match since(old.last_try) > TEST_PATIENCE {
                    true => self.make_tried(id, place),
                    false => _ = self.collisions.insert(id),
                }
            } else if since(last_success) > TEST_WINDOW {
                // Nobody got round to the test: we were not able to call it.
                self.make_tried(id, place);
            } else {
                self.collisions.insert(id);
            }
        }
    }

    fn entry_mut(&mut self, endpoint: &Endpoint) -> Option<&mut Entry> {
        let id = self.by_endpoint.get(endpoint)?;
        self.entries.get_mut(id)
    }

    /// A new address, in no bucket yet.
    fn create(&mut self, mut entry: Entry) -> Id {
        let id = self.next_id;
        self.next_id += 1;
        entry.order = self.order.len();
        self.order.push(id);
        self.counts.entry(entry.network()).or_default().new += 1;
        self.by_endpoint.insert(entry.endpoint.clone(), id);
        self.entries.insert(id, entry);
        self.changed = true;
        id
    }

    fn delete_if_nowhere(&mut self, id: Id) {
        let Some(entry) = self.entries.get(&id) else {
            return;
        };
        if entry.is_tried || !entry.places.is_empty() {
            return;
        }
        let (order, network) = (entry.order, entry.network());
        self.by_endpoint.remove(&entry.endpoint.clone());
        self.swap(order, self.order.len() - 1);
        self.order.pop();
        self.entries.remove(&id);
        self.counts.entry(network).or_default().new -= 1;
        self.changed = true;
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.order.swap(a, b);
        for place in [a, b] {
            if let Some(entry) = self.entries.get_mut(&self.order[place]) {
                entry.order = place;
            }
        }
    }

    fn put_new(&mut self, id: Id, place: Place) {
        if let Some(entry) = self.entries.get_mut(&id) {
            self.new.put(place, id, entry.network());
            entry.places.push(place);
        }
        self.changed = true;
    }

    fn clear_new(&mut self, place: Place) {
        let Some(id) = self.new.get(place) else {
            return;
        };
        self.new.clear(place);
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.places.retain(|other| *other != place);
        }
        self.delete_if_nowhere(id);
    }

    /// Moves a new address to its place among the tried ones; who is there goes back to the new ones.
    fn make_tried(&mut self, id: Id, place: Place) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let network = entry.network();
        for place in std::mem::take(&mut entry.places) {
            self.new.clear(place);
        }
        entry.is_tried = true;
        let count = self.counts.entry(network).or_default();
        count.new -= 1;
        count.tried += 1;
        let old = self.tried.get(place);
        self.tried.put(place, id, network);
        self.changed = true;
        let Some(old) = old else {
            return;
        };
        let Some(entry) = self.entries.get_mut(&old) else {
            return;
        };
        entry.is_tried = false;
        let (network, group) = (entry.network(), entry.source.group());
        let count = self.counts.entry(network).or_default();
        count.tried -= 1;
        count.new += 1;
        let place = self.new_place(old, group);
        self.clear_new(place);
        self.put_new(old, place);
    }

    fn tried_place(&self, id: Id) -> Place {
        let Some(entry) = self.entries.get(&id) else {
            return Place::at(0, 0);
        };
        let key = entry.key();
        let nth = self.hash(&[&key]) % TRIED_BUCKETS_PER_GROUP;
        let bucket = self.hash(&[entry.group().as_bytes(), &nth.to_le_bytes()]) % TRIED_BUCKETS;
        Place::at(bucket, self.position(b'K', bucket, &key))
    }

    fn new_place(&self, id: Id, source: Group) -> Place {
        let Some(entry) = self.entries.get(&id) else {
            return Place::at(0, 0);
        };
        let source = source.as_bytes();
        let nth = self.hash(&[entry.group().as_bytes(), source]) % NEW_BUCKETS_PER_SOURCE_GROUP;
        let bucket = self.hash(&[source, &nth.to_le_bytes()]) % NEW_BUCKETS;
        Place::at(bucket, self.position(b'N', bucket, &entry.key()))
    }

    fn position(&self, table: u8, bucket: u64, key: &[u8]) -> u64 {
        self.hash(&[&[table], &bucket.to_le_bytes(), key]) % BUCKET_SIZE
    }

    fn hash(&self, parts: &[&[u8]]) -> u64 {
        let bytes = parts.concat();
        siphash24::Hash::hash_to_u64_with_keys(self.key[0], self.key[1], &bytes)
    }
}

/// The two hours that are taken off the times which peers tell (`addr`, `addrv2`).
pub const GOSSIP_PENALTY: u64 = 2 * 3_600;
