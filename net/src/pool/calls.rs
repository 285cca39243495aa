//! Owns who is called, and when: manual peers, calls asked for, and the pool's own.
//! Promises that no more calls are under way than are allowed, and that who failed is left alone for a while.
//! Refuses to call the banned and ourselves, and by itself the discouraged; a user may call those.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::p2p::ServiceFlags;
use bitcoin::p2p::address::AddrV2;
use bitcoin::secp256k1::rand::{Rng, thread_rng};

use super::event::FailedReason;
use super::members::Wanted;
use super::{Inner, Place, keep};
use crate::address_book::Known;
use crate::anchors;
use crate::dial::{Route, dial};
use crate::endpoint::{Endpoint, NetworkKind};
use crate::peer::Purpose;
use crate::seeds;

/// Longest time between two looks at whether there is somebody to call.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Draws from the address book before giving up until the next look.
const MAX_DRAWS: usize = 50;

/// Draws after which addresses that were tried just now are taken too, as in Bitcoin Core.
const PATIENT_DRAWS: usize = 30;

/// Seconds that an address is left alone after it was tried.
const TRIED_JUST_NOW: u64 = 600;

/// Time between decisions about addresses that wait for another's place.
const DECIDE_EVERY: Duration = Duration::from_secs(60);

/// Time between feelers: Bitcoin Core's, on average.
const FEELER_EVERY: Duration = Duration::from_secs(120);

/// Time between asking the seeds, while nobody is known.
const SEED_EVERY: Duration = Duration::from_secs(600);

const DAY: u64 = 24 * 3_600;

/// Seconds since when an address of a DNS seed is taken to have been there: Bitcoin Core's. Peers tell fresher ones.
pub(super) const SEED_AGE: Range<u64> = 3 * DAY..7 * DAY;

/// The same of a built-in address.
const FIXED_AGE: Range<u64> = 7 * DAY..14 * DAY;

/// What the caller remembers from one look to the next.
struct Caller {
    anchors: Vec<Endpoint>,
    next_deciding: Duration,
    next_feeler: Duration,
    next_seeding: Duration,
}

/// Calls whoever is to be called, until the pool is shut down.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut closing = inner.closing.subscribe();
    let mut caller = Caller {
        anchors: take_anchors(&inner),
        next_deciding: Duration::ZERO,
        next_feeler: FEELER_EVERY,
        next_seeding: Duration::ZERO,
    };
    loop {
        caller.look(&inner);
        tokio::select! {
            _ = tokio::time::sleep(LOOK_EVERY) => {}
            _ = inner.caller.notified() => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
    }
}

fn take_anchors(inner: &Inner) -> Vec<Endpoint> {
    let Some(directory) = &inner.config.directory else {
        return Vec::new();
    };
    anchors::take(&directory.join(keep::ANCHORS)).unwrap_or_else(|error| {
        tracing::warn!(%error, "the anchors of last time cannot be read");
        Vec::new()
    })
}

impl Caller {
    fn look(&mut self, inner: &Arc<Inner>) {
        if !inner.is_active() {
            // Calls that were asked for meanwhile are not made later.
            inner.state().once.clear();
            return;
        }
        if inner.is_unread() {
            return;
        }
        let now = inner.clock.now();
        for wanted in asked_for(inner, now) {
            start(inner, wanted.endpoint, wanted.purpose, wanted.v2);
        }
        if inner.config.connect.is_empty() {
            self.fill(inner, now);
        }
    }

    /// Calls of the pool's own.
    fn fill(&mut self, inner: &Arc<Inner>, now: Duration) {
        let config = &inner.config;
        if now >= self.next_deciding {
            self.next_deciding = now + DECIDE_EVERY;
            decide_collisions(inner);
        }
        let (outgoing, relaying, blocks_only, under_way) = {
            let state = inner.state();
            let relaying = state.count(Purpose::OutboundFullRelay);
            let blocks_only = state.count(Purpose::BlockRelayOnly);
            let outgoing = state.outgoing(now);
            (outgoing, relaying, blocks_only, state.calling.len())
        };
        let mut room = config.calls_at_once.saturating_sub(under_way);
        let mut blocks_wanted = config.block_relay_only.saturating_sub(blocks_only);
        while room > 0
            && blocks_wanted > 0
            && let Some(anchor) = self.anchors.pop()
        {
            if may_call(inner, &anchor, now) {
                start(inner, anchor, Purpose::BlockRelayOnly, true);
                room -= 1;
                blocks_wanted -= 1;
            }
        }
        let wanted = [
            (
                Purpose::OutboundFullRelay,
                outgoing.saturating_sub(relaying),
            ),
            (Purpose::BlockRelayOnly, blocks_wanted),
        ];
        let mut groups = inner.state().groups();
        for (purpose, count) in wanted {
            for _ in 0..count.min(room) {
                let Some(known) = draw(inner, false, now, |known| {
                    !config.one_per_group || !groups.contains(&known.endpoint.group())
                }) else {
                    self.ask_seeds(inner, now);
                    return;
                };
                groups.insert(known.endpoint.group());
                room -= 1;
                let v2 = may_speak_v2(&known);
                start(inner, known.endpoint, purpose, v2);
            }
        }
        if config.feelers && room > 0 && now >= self.next_feeler && config.outgoing > 0 {
            let late = thread_rng().gen_range(0.5..1.5);
            self.next_feeler = now + FEELER_EVERY.mul_f64(late);
            let collision = inner.book().select_collision();
            let collision = collision.filter(|known| may_call(inner, &known.endpoint, now));
            if let Some(known) = collision.or_else(|| draw(inner, true, now, |_| true)) {
                let v2 = may_speak_v2(&known);
                start(inner, known.endpoint, Purpose::Feeler, v2);
            }
        }
    }

    fn ask_seeds(&mut self, inner: &Arc<Inner>, now: Duration) {
        if now < self.next_seeding {
            return;
        }
        self.next_seeding = now + SEED_EVERY;
        let of_pool = inner.clone();
        inner.spawn(async move {
            let mut closing = of_pool.closing.subscribe();
            tokio::select! {
                _ = seed(&of_pool) => of_pool.caller.notify_one(),
                _ = closing.wait_for(|closing| *closing) => {}
            }
        });
    }
}

/// Decides who keeps a place in the address book that another one waits for.
pub(super) fn decide_collisions(inner: &Inner) {
    let reached = inner.state().reached();
    let now = inner.unix_time();
    let mut book = inner.book();
    // We are connected to it, maybe for so long that its last test seems old: as in Bitcoin Core it is good.
    for endpoint in book.contested() {
        if reached.contains(&endpoint) {
            book.good(&endpoint, now);
        }
    }
    book.resolve_collisions(now);
}

/// Calls that users asked for and that may be made now.
fn asked_for(inner: &Inner, now: Duration) -> Vec<Wanted> {
    let bans = inner.bans();
    let unix_time = inner.unix_time();
    let mut state = inner.state();
    let mut room = inner
        .config
        .calls_at_once
        .saturating_sub(state.calling.len());
    let mut chosen = Vec::new();
    while room > 0
        && let Some(wanted) = state.once.pop_front()
    {
        let twice = |one: &Wanted| one.endpoint == wanted.endpoint;
        if !state.is_called(&wanted.endpoint) && !chosen.iter().any(twice) {
            chosen.push(wanted);
            room -= 1;
        }
    }
    if room == 0 || state.manual.is_empty() {
        return chosen;
    }
    let now_called = chosen.iter().map(|wanted| &wanted.endpoint);
    let called: HashSet<&Endpoint> = state.called().chain(now_called).collect();
    let manual = state.manual.iter().filter(|manual| {
        let endpoint = &manual.endpoint;
        !called.contains(endpoint)
            && state.backoffs.until(endpoint, now).is_none()
            && !bans.is_banned(endpoint, unix_time)
            && !state.is_own(endpoint)
    });
    let manual: Vec<Wanted> = manual.take(room).cloned().collect();
    chosen.extend(manual);
    chosen
}

/// An address of the book that may be called, if one comes up.
fn draw(
    inner: &Inner,
    new_only: bool,
    now: Duration,
    fits: impl Fn(&Known) -> bool,
) -> Option<Known> {
    let unix_time = inner.unix_time();
    let networks = [NetworkKind::Ipv4, NetworkKind::Ipv6, NetworkKind::Onion];
    let networks: Vec<_> = networks
        .into_iter()
        .filter(|kind| inner.config.calls(*kind))
        .collect();
    let session = inner.session().clone();
    for drawn in 0..MAX_DRAWS {
        let known = inner.book().select(new_only, &networks, unix_time)?;
        let fresh =
            drawn >= PATIENT_DRAWS || unix_time.saturating_sub(known.last_try) >= TRIED_JUST_NOW;
        let serves = known.services == ServiceFlags::NONE || session.suffices(known.services);
        if fresh && serves && fits(&known) && may_call(inner, &known.endpoint, now) {
            return Some(known);
        }
    }
    None
}

fn may_call(inner: &Inner, endpoint: &Endpoint, now: Duration) -> bool {
    let bans = inner.bans();
    if bans.is_banned(endpoint, inner.unix_time()) || bans.is_discouraged(endpoint) {
        return false;
    }
    let state = inner.state();
    inner.config.calls(endpoint.kind())
        && !state.is_own(endpoint)
        && !state.is_called(endpoint)
        && state.backoffs.until(endpoint, now).is_none()
}

/// Whether it is worth a try: if nothing is known of it, it is.
fn may_speak_v2(known: &Known) -> bool {
    known.services == ServiceFlags::NONE || known.services.has(ServiceFlags::P2P_V2)
}

fn start(inner: &Arc<Inner>, endpoint: Endpoint, purpose: Purpose, v2: bool) {
    inner.state().calling.insert(endpoint.clone(), purpose);
    let of_pool = inner.clone();
    let task_endpoint = endpoint.clone();
    let spawned = inner.spawn(async move { call(of_pool, task_endpoint, purpose, v2).await });
    if !spawned {
        inner.state().calling.remove(&endpoint);
    }
}

/// One call to its end: dialled, and once more with v1 if the peer hangs up on v2.
async fn call(inner: Arc<Inner>, endpoint: Endpoint, purpose: Purpose, mut v2: bool) {
    v2 &= inner.config.session.v2;
    let mut closing = inner.closing.subscribe();
    loop {
        if let Some(refused) = refusal(&inner, &endpoint) {
            inner.state().calling.remove(&endpoint);
            return inner.fail(endpoint, purpose, refused);
        }
        // A manual call that fails is not held against an address: the user's network may be down.
        let counts = purpose != Purpose::Manual;
        inner.book().attempt(&endpoint, counts, inner.unix_time());
        let dialled = tokio::select! {
            dialled = dial(&inner.config.route, &endpoint, inner.config.dial_timeout) => dialled,
            _ = closing.wait_for(|closing| *closing) => {
                inner.state().calling.remove(&endpoint);
                return;
            }
        };
        match dialled {
            Ok(stream) => {
                let place = match take_place(&inner, purpose, &endpoint) {
                    Ok(place) => place,
                    Err(refused) => {
                        inner.state().calling.remove(&endpoint);
                        return inner.fail(endpoint, purpose, refused);
                    }
                };
                if !inner.run(stream, place, v2).await {
                    return;
                }
                v2 = false;
            }
            Err(error) => {
                let error = FailedReason::Dial(error);
                inner.call_failed(&endpoint, purpose, &error);
                inner.fail(endpoint, purpose, error);
                inner.caller.notify_one();
                return;
            }
        }
    }
}

/// Why an endpoint is not called, whoever wants it.
fn refusal(inner: &Inner, endpoint: &Endpoint) -> Option<FailedReason> {
    if inner.state().is_own(endpoint) {
        return Some(FailedReason::Ourselves);
    }
    let banned = inner.bans().is_banned(endpoint, inner.unix_time());
    banned.then_some(FailedReason::Banned)
}

/// A place for a call that got through, unless the endpoint was banned or the network switched off meanwhile.
fn take_place(
    inner: &Arc<Inner>,
    purpose: Purpose,
    endpoint: &Endpoint,
) -> Result<Place, FailedReason> {
    let bans = inner.bans();
    if bans.is_banned(endpoint, inner.unix_time()) {
        return Err(FailedReason::Banned);
    }
    let mut state = inner.state();
    if !inner.is_active() {
        return Err(FailedReason::Inactive);
    }
    Ok(Place::take(inner, &mut state, purpose, endpoint.clone()))
}

/// Fills the address book from the seeds, or from what is built in if none answers.
async fn seed(inner: &Inner) {
    let config = &inner.config;
    let mut found = 0;
    // Behind a proxy names are not looked up: that would tell the name server who we are.
    if !matches!(config.route, Route::Proxy(_)) {
        let sufficient = inner.session().sufficient_services.first().copied();
        let services = sufficient.unwrap_or(ServiceFlags::NONE);
        for name in &config.dns_seeds {
            match seeds::resolve(name, config.network, services).await {
                Ok((endpoints, chosen)) => {
                    let services = if chosen { services } else { ServiceFlags::NONE };
                    found += endpoints.len();
                    learn(inner, endpoints, services, SEED_AGE);
                }
                Err(error) => tracing::debug!(%error, "a seed did not answer"),
            }
        }
    }
    if found == 0 && config.fixed_seeds {
        let fixed = seeds::fixed(config.network);
        learn(inner, fixed, ServiceFlags::NONE, FIXED_AGE);
    }
}

pub(super) fn learn(
    inner: &Inner,
    endpoints: Vec<Endpoint>,
    services: ServiceFlags,
    age: Range<u64>,
) {
    let now = inner.unix_time();
    let messages: Vec<_> = endpoints
        .iter()
        .map(|endpoint| {
            let heard = now.saturating_sub(thread_rng().gen_range(age.clone()));
            endpoint.to_message(heard as u32, services)
        })
        .collect();
    // The seeds are one source, whatever they tell: they get no more than one source's places.
    let source = Endpoint::new(AddrV2::Ipv4(Ipv4Addr::UNSPECIFIED), 0);
    inner.book().add(&messages, &source, 0, now);
}
