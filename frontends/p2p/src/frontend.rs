//! Owns the life of the network as a frontend of the node: start, threads, stop.
//! Promises that stopping closes every socket, and that blocks on their way to the ledger are taken or dropped whole.
//! Refuses to know the protocol: that lives on its own thread.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use bitcoin::p2p::ServiceFlags;
use bitcoin::secp256k1::rand::{Rng, thread_rng};
use everett_ledger::{Ledger, Network, StoreError};
use everett_net::capture::Capture;
use everett_net::socks::Proxy;
use everett_net::{
    Command, Pool, PoolConfig, PoolEvent, PoolEvents, Purpose, Route, SessionConfig, Spared,
    WallClock, seeds,
};
use everett_node::{Frontend, FrontendError, Handle, OwnAddress, Starting, Task};
use parking_lot::RwLock;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::addr_relay::Standing;
use crate::compact_meters::CompactMeters;
use crate::config::{BLOCK_RELAY_ONLY, CLIENT_NAME, P2pConfig};
use crate::conversation::Conversation;
use crate::input::Input;
use crate::protocol::{Grants, Judge, Permissions, Protocol, ProtocolConfig, TIPS_FEATURE};
use crate::roster::{Added, Roster};
use crate::takers::{take_blocks, take_headers, work_on_mempool};
use crate::throttle::Throttle;
use crate::whitelist::{Whitebound, Whitelisted};

/// Events of connections, other than messages, that may wait for the conversation.
const MAX_EVENTS: usize = 1_024;
/// How sure an address of our own is that is listened on: Bitcoin Core's `LOCAL_BIND`.
const BOUND: u32 = 2;
/// How sure one is that the user named: `LOCAL_MANUAL`.
const NAMED: u32 = 4;

/// The node on the network.
pub struct P2p {
    config: P2pConfig,
    /// Where every message goes besides.
    capture: Option<Capture>,
    bound: BoundAddresses,
    /// Peers that were added by hand while it ran.
    added: Added,
}

/// What those may do who called this address of ours.
fn whitebound(whitebind: &[Whitebound], local: SocketAddr) -> Permissions {
    let covering = whitebind.iter().filter(|one| one.covers(local));
    covering.fold(Permissions::default(), |all, one| {
        all.union(one.permissions)
    })
}

/// Where the node takes connections, once it has started: for those who gave port 0.
#[derive(Clone, Debug, Default)]
pub struct BoundAddresses(Arc<RwLock<Vec<SocketAddr>>>);

impl BoundAddresses {
    /// The addresses, in the order of the settings; empty before the start, and where nothing is listened on.
    pub fn get(&self) -> Vec<SocketAddr> {
        self.0.read().clone()
    }
}

impl P2p {
    /// The network with these settings.
    pub fn new(config: P2pConfig) -> P2p {
        P2p {
            added: Added::default(),
            config,
            capture: None,
            bound: BoundAddresses::default(),
        }
    }

    /// Hands every message that comes and goes to this, too.
    #[must_use]
    pub fn capturing(self, capture: Capture) -> P2p {
        P2p {
            capture: Some(capture),
            ..self
        }
    }

    /// Where it takes connections, to be asked after the start.
    pub fn bound_addresses(&self) -> BoundAddresses {
        self.bound.clone()
    }

    fn services(&self, ledger: &Ledger) -> ServiceFlags {
        let mut services = ServiceFlags::NETWORK_LIMITED | ServiceFlags::WITNESS;
        // A directory that was pruned once lacks blocks for ever.
        if !self.config.pruned && ledger.pruned_below() == 0 {
            services |= ServiceFlags::NETWORK;
        }
        if self.config.v2 {
            services |= ServiceFlags::P2P_V2;
        }
        services
    }

    fn pool_config(&self, ledger: &Ledger) -> PoolConfig {
        let config = &self.config;
        let params = ledger.params();
        let network = params.network.to_bitcoin();
        let magic = bitcoin::p2p::Magic::from_bytes(params.magic);
        let mut pool = PoolConfig::new(network);
        pool.session = SessionConfig {
            services: self.services(ledger),
            user_agent: config.user_agent.clone(),
            start_height: ledger.best().height() as i32,
            relay: config.relay,
            v2: config.v2,
            features: vec![Command::new(TIPS_FEATURE).expect("a short name")],
            features_to: format!("/{CLIENT_NAME}:"),
            sufficient_services: vec![ServiceFlags::NETWORK | ServiceFlags::WITNESS],
            capture: self.capture.clone(),
            ..SessionConfig::new(magic)
        };
        pool.listen.clone_from(&config.listen);
        pool.connect.clone_from(&config.connect);
        let (whitelist, whitebind) = (config.whitelist.clone(), config.whitebind.clone());
        pool.spared = Spared(Some(Arc::new(move |caller, local| {
            let listed = whitelist.iter().filter(|one| one.inbound);
            let mut listed = listed.filter(|one| one.subnet.contains(&caller.host));
            listed.any(|one| one.permissions.no_ban)
                || local.is_some_and(|local| whitebound(&whitebind, local).no_ban)
        })));
        pool.active = config.active;
        pool.only_networks.clone_from(&config.only_networks);
        let clock = ledger.clock().clone();
        pool.wall_clock = WallClock(Arc::new(move || clock.now()));
        pool.outgoing = config.outgoing;
        pool.block_relay_only = BLOCK_RELAY_ONLY.min(config.outgoing);
        pool.incoming = config.incoming;
        let isolate = config.isolate;
        let through = |address| Proxy { address, isolate };
        pool.route = match (config.proxy, config.onion_proxy) {
            (Some(address), _) => Route::Proxy(through(address)),
            (None, Some(address)) => Route::OnionProxy(through(address)),
            (None, None) => Route::Direct,
        };
        if let Some(limit) = config.dial_timeout {
            pool.dial_timeout = limit;
        }
        if let Some(limit) = config.handshake_timeout {
            pool.session.timeouts.handshake = limit;
        }
        if config.dns_seeds {
            let seeds = seeds::dns_seeds(network).iter();
            pool.dns_seeds = seeds.map(|seed| (*seed).to_owned()).collect();
            pool.fixed_seeds = true;
        }
        // Tests have many nodes on one address.
        pool.one_per_group = params.network != Network::Regtest;
        pool.directory.clone_from(&config.directory);
        pool
    }

    fn protocol_config(&self, pool: &Pool, ledger: &Ledger) -> ProtocolConfig {
        let route = pool.config().route;
        let judge = pool.clone();
        let standing = move |endpoint: &everett_net::Endpoint| Standing {
            routable: endpoint.is_routable(),
            reachable: route.reaches(endpoint.kind()),
            banned: judge.is_refused(endpoint),
        };
        let whitelist = self.config.whitelist.clone();
        let (whitebind, bound) = (self.config.whitebind.clone(), pool.clone());
        ProtocolConfig {
            services: self.services(ledger),
            relay: self.config.relay,
            permissions: Grants(Arc::new(move |info| {
                let listed = Whitelisted::permissions(&whitelist, info);
                let local = bound.peer(info.id).and_then(|peer| peer.local_address());
                let local = local.filter(|_| info.purpose.is_inbound());
                let there = local.map(|local| whitebound(&whitebind, local));
                listed.union(there.unwrap_or_default())
            })),
            forks: self.config.forks,
            outgoing: self.config.outgoing,
            minimum_chain_work: self.config.minimum_chain_work,
            standing: Judge(Arc::new(standing)),
            announced: self.own_addresses().first().map(|own| own.endpoint.clone()),
            ..ProtocolConfig::default()
        }
    }

    /// Addresses of our own that others are told of, those that the user named first.
    fn own_addresses(&self) -> Vec<OwnAddress> {
        let named = self.config.external.iter().map(|endpoint| OwnAddress {
            endpoint: endpoint.clone(),
            score: NAMED,
        });
        let bound = self.config.listen.iter().map(|address| OwnAddress {
            endpoint: (*address).into(),
            score: BOUND,
        });
        let bound = bound.filter(|_| self.config.discover);
        let all = named.chain(bound);
        all.filter(|own| own.endpoint.is_routable()).collect()
    }

    fn begin(&self, handle: Handle) -> Result<Task, FrontendError> {
        let ledger = handle.ledger().clone();
        let (pool, events) = Pool::start(self.pool_config(&ledger))?;
        *self.bound.0.write() = pool.listening().to_vec();
        let (inputs, inbox) = channel();
        let cut_off = CutOff {
            pool: pool.clone(),
            inputs: inputs.clone(),
        };
        {
            let mut added = self.added.lock();
            for endpoint in self.config.connect.iter().chain(&self.config.add) {
                if !added.contains(endpoint) {
                    added.push(endpoint.clone());
                }
            }
            for endpoint in &*added {
                pool.connect(endpoint.clone(), Purpose::Manual);
            }
        }
        for seed in &self.config.seeds {
            pool.connect(seed.clone(), Purpose::AddrFetch);
        }
        let roster = Arc::new(Roster::new(
            pool.clone(),
            ledger.clone(),
            self.added.clone(),
            inputs.clone(),
            self.own_addresses(),
        ));
        handle.serve_peers(roster.clone());
        let protocol = Protocol::new(
            self.protocol_config(&pool, &ledger),
            handle.mempool().clone(),
            thread_rng().r#gen(),
            pool.now(),
        );
        let (headers, new_headers) = channel();
        let (blocks, new_blocks) = channel();
        let (works, new_works) = channel();
        let answers = inputs.clone();
        let taking = ledger.clone();
        let headers_taker = spawn("p2p-headers", move || {
            take_headers(&taking, &new_headers, &answers);
        })?;
        let answers = inputs.clone();
        let blocks_taker = spawn("p2p-blocks", move || {
            take_blocks(&ledger, &new_blocks, &answers);
        })?;
        let answers = inputs.clone();
        let mempool = handle.mempool().clone();
        let mempool_worker = spawn("p2p-mempool", move || {
            work_on_mempool(&mempool, &new_works, &answers);
        })?;
        let changed = Arc::new(AtomicBool::new(false));
        let mempool_changed = Arc::new(AtomicBool::new(false));
        let conversation = Conversation {
            protocol,
            pool: pool.clone(),
            handle: handle.clone(),
            roster,
            inbox,
            changed: changed.clone(),
            headers,
            blocks,
            works,
            mempool_changed: mempool_changed.clone(),
            held: BTreeSet::new(),
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            asking: BTreeSet::new(),
            near_tip: false,
            warnings: Throttle::default(),
            cut_off: false,
            compact_meters: CompactMeters::new(handle.meters()),
        };
        let talk = tokio::task::spawn_blocking(move || conversation.run());
        for address in pool.listening() {
            info!(%address, "taking connections");
        }
        let running = Running {
            handle,
            pool,
            inputs,
            changed,
            mempool_changed,
            talk,
            takers: [headers_taker, blocks_taker, mempool_worker],
            _cut_off: cut_off,
        };
        Ok(tokio::spawn(running.serve(events)))
    }
}

fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work)
}

/// Ends the threads and the pool of a frontend that is cut off, or did not come to run. After an orderly end there is
/// nothing left to do.
struct CutOff {
    pool: Pool,
    inputs: Sender<Input>,
}

impl Drop for CutOff {
    fn drop(&mut self) {
        // Who has ended already does not hear it.
        let _ = self.inputs.send(Input::Stop);
        self.pool.abandon();
    }
}

/// The network while it runs.
struct Running {
    handle: Handle,
    pool: Pool,
    inputs: Sender<Input>,
    /// Whether the conversation has been told that the ledger changed, and has not looked yet.
    changed: Arc<AtomicBool>,
    /// The same of the mempool.
    mempool_changed: Arc<AtomicBool>,
    talk: JoinHandle<Result<(), StoreError>>,
    takers: [std::thread::JoinHandle<()>; 3],
    _cut_off: CutOff,
}

impl Running {
    /// Carries events to the conversation until the node stops or the conversation ends.
    async fn serve(mut self, mut events: PoolEvents) -> Result<(), FrontendError> {
        let mut changes = self.handle.event_seq();
        let mut mempool = self.handle.mempool().change_number();
        let places = Arc::new(Semaphore::new(MAX_EVENTS));
        let ended = loop {
            let input = tokio::select! {
                event = events.next() => match event {
                    Some(event @ PoolEvent::Message(..)) => Input::Pool(event, None),
                    Some(event) => {
                        let place = places.clone().acquire_owned().await?;
                        Input::Pool(event, Some(place))
                    }
                    None => break None,
                },
                Ok(()) = changes.changed() => match self.changed.swap(true, Ordering::AcqRel) {
                    true => continue,
                    false => Input::LedgerChanged,
                },
                Ok(()) = mempool.changed() => {
                    match self.mempool_changed.swap(true, Ordering::AcqRel) {
                        true => continue,
                        false => Input::MempoolChanged,
                    }
                },
                () = self.handle.stop_signal().wait() => break None,
                ended = &mut self.talk => break Some(ended),
            };
            if self.inputs.send(input).is_err() {
                break None;
            }
        };
        self.pool.shut_down().await;
        let ended = match ended {
            Some(ended) => ended,
            None => {
                // It may have ended already.
                let _ = self.inputs.send(Input::Stop);
                (&mut self.talk).await
            }
        };
        // Blocks that the ledger is taking are taken whole, before anybody else opens it.
        let takers = self.takers;
        let joined = tokio::task::spawn_blocking(|| {
            for taker in takers {
                if taker.join().is_err() {
                    warn!("a thread that hands blocks or transactions over panicked");
                }
            }
        });
        joined.await?;
        ended??;
        match self.handle.stop_signal().is_given() {
            true => Ok(()),
            false => Err("the conversation with the peers ended by itself".into()),
        }
    }
}

impl Frontend for P2p {
    fn name(&self) -> &str {
        "p2p"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        Box::pin(async move { self.begin(handle) })
    }
}
