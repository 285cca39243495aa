//! Owns the choice of an incoming connection that makes room for another.
//! Promises Bitcoin Core's choice (`SelectNodeToEvict`): who can be shown to be useful or far from the others stays, so
//! that an attacker who fills all places has to be better than honest peers in every way at once.
//! Refuses to choose among connections that we made, and among those that are not to be touched.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::time::Duration;

use crate::endpoint::NetworkKind;
use crate::peer::PeerId;

#[cfg(test)]
mod tests;

/// Connections kept for the sake of their network groups.
const KEPT_BY_GROUP: usize = 4;
/// Connections kept because they answer fastest.
const KEPT_BY_PING: usize = 8;
/// Connections kept because they sent a transaction last.
const KEPT_BY_TRANSACTION: usize = 4;
/// Connections without transactions kept because they sent a block last.
const KEPT_BLOCK_RELAY_ONLY: usize = 8;
/// Connections kept because they sent a block last.
const KEPT_BY_BLOCK: usize = 4;

/// What the choice looks at. All times are since one start, the same for all candidates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The connection.
    pub id: PeerId,
    /// Whether the peer called.
    pub is_inbound: bool,
    /// Whether the user said that it is not to be disconnected.
    pub no_ban: bool,
    /// When it was connected.
    pub connected: Duration,
    /// The shortest time in which it answered a ping.
    pub min_ping: Option<Duration>,
    /// When it last sent a block that was new to us and valid.
    pub last_block: Option<Duration>,
    /// When it last sent a transaction that was new to us and accepted.
    pub last_transaction: Option<Duration>,
    /// Whether it offers what we want of a node: the chain, with witnesses.
    pub relevant_services: bool,
    /// Whether transactions are relayed to it.
    pub relays_transactions: bool,
    /// Whether it gave us a bloom filter (BIP37).
    pub bloom_filter: bool,
    /// Its network group, hashed with a secret so that nobody can choose a group that is kept.
    pub keyed_group: u64,
    /// Whether it is discouraged: such go first.
    pub prefer_evict: bool,
    /// Whether it called from this machine.
    pub is_local: bool,
    /// The network that it called over: [`crate::Endpoint::network`].
    pub network: NetworkKind,
}

/// The connection to give up; `None` if each one is worth keeping.
pub fn choose(mut candidates: Vec<Candidate>) -> Option<PeerId> {
    candidates.retain(|it| it.is_inbound && !it.no_ban);
    keep(
        &mut candidates,
        KEPT_BY_GROUP,
        |a, b| a.keyed_group.cmp(&b.keyed_group),
        |_| true,
    );
    let ping = |it: &Candidate| Reverse(it.min_ping.unwrap_or(Duration::MAX));
    keep(
        &mut candidates,
        KEPT_BY_PING,
        |a, b| ping(a).cmp(&ping(b)),
        |_| true,
    );
    keep(&mut candidates, KEPT_BY_TRANSACTION, by_transaction, |_| {
        true
    });
    keep(
        &mut candidates,
        KEPT_BLOCK_RELAY_ONLY,
        |a, b| {
            (!a.relays_transactions)
                .cmp(&!b.relays_transactions)
                .then_with(|| by_block(a, b))
        },
        |it| !it.relays_transactions && it.relevant_services,
    );
    keep(&mut candidates, KEPT_BY_BLOCK, by_block, |_| true);
    keep_half(&mut candidates);
    if candidates.iter().any(|it| it.prefer_evict) {
        candidates.retain(|it| it.prefer_evict);
    }
    youngest_of_largest_group(&candidates)
}

/// Takes the last `count` of an order out of the candidates, but for those that are not `meant`.
fn keep(
    candidates: &mut Vec<Candidate>,
    count: usize,
    order: impl Fn(&Candidate, &Candidate) -> Ordering,
    meant: impl Fn(&Candidate) -> bool,
) {
    candidates.sort_by(order);
    let first = candidates.len().saturating_sub(count);
    let mut place = 0;
    candidates.retain(|it| {
        place += 1;
        place <= first || !meant(it)
    });
}

fn by_transaction(a: &Candidate, b: &Candidate) -> Ordering {
    let key = |it: &Candidate| {
        (
            it.last_transaction,
            it.relays_transactions,
            !it.bloom_filter,
            Reverse(it.connected),
        )
    };
    key(a).cmp(&key(b))
}

fn by_block(a: &Candidate, b: &Candidate) -> Ordering {
    let key = |it: &Candidate| (it.last_block, it.relevant_services, Reverse(it.connected));
    key(a).cmp(&key(b))
}

/// Hosts that are slow through no fault of theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disadvantaged {
    Network(NetworkKind),
    Local,
}

impl Disadvantaged {
    fn has(self, it: &Candidate) -> bool {
        match self {
            Disadvantaged::Network(network) => it.network == network,
            Disadvantaged::Local => it.is_local,
        }
    }
}

/// Keeps half of the candidates: a quarter for disadvantaged networks, those with fewest candidates first, and beyond
/// that the ones that were connected longest.
fn keep_half(candidates: &mut Vec<Candidate>) {
    let before = candidates.len();
    let total = before / 2;
    let for_networks = total / 2;
    let mut networks = [
        Disadvantaged::Network(NetworkKind::Cjdns),
        Disadvantaged::Network(NetworkKind::I2p),
        Disadvantaged::Local,
        Disadvantaged::Network(NetworkKind::Onion),
    ]
    .map(|network| {
        (
            network,
            candidates.iter().filter(|it| network.has(it)).count(),
        )
    });
    networks.sort_by_key(|(_, count)| *count);
    // Each round keeps one at least or is the last, so there are no more rounds than candidates.
    loop {
        let left = for_networks - (before - candidates.len());
        let present = networks.iter().filter(|(_, count)| *count > 0).count();
        if left == 0 || present == 0 {
            break;
        }
        let each = (left / present).max(1);
        let at_start = candidates.len();
        for (network, count) in networks.iter_mut().filter(|(_, count)| *count > 0) {
            let length = candidates.len();
            let order = |it: &Candidate| (network.has(it), Reverse(it.connected));
            keep(
                candidates,
                each,
                |a, b| order(a).cmp(&order(b)),
                |it| network.has(it),
            );
            // A local candidate may also have been counted for its network.
            *count = count.saturating_sub(length - candidates.len());
            if before - candidates.len() >= for_networks {
                break;
            }
        }
        if candidates.len() == at_start {
            break;
        }
    }
    let left = total.saturating_sub(before - candidates.len());
    keep(
        candidates,
        left,
        |a, b| b.connected.cmp(&a.connected),
        |_| true,
    );
}

/// Candidates are in the order of their connections, the youngest first.
fn youngest_of_largest_group(candidates: &[Candidate]) -> Option<PeerId> {
    let mut groups: HashMap<u64, Vec<&Candidate>> = HashMap::new();
    for it in candidates {
        groups.entry(it.keyed_group).or_default().push(it);
    }
    let largest = groups.into_values().max_by_key(|group| {
        let youngest = group.first().map(|it| (it.connected, it.id));
        (group.len(), youngest)
    })?;
    largest.first().map(|it| it.id)
}
