//! Owns the life of the network as a frontend of the node: start, threads, stop.
//! Promises that stopping closes every socket, and that blocks on their way to the ledger are taken or dropped whole.
//! Refuses to know the protocol: that lives on its own thread.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use bitcoin::p2p::ServiceFlags;
use bitcoin::secp256k1::rand::{Rng, thread_rng};
use everett_ledger::{Ledger, Network, StoreError};
use everett_net::capture::{Capture, CaptureConfig, CaptureFile};
use everett_net::socks::Proxy;
use everett_net::{Command, Pool, PoolConfig, PoolEvents, Purpose, Route, SessionConfig, seeds};
use everett_node::{Frontend, FrontendError, Handle, Starting, Task};
use parking_lot::RwLock;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::addr_relay::Standing;
use crate::config::{BLOCK_RELAY_ONLY, P2pConfig};
use crate::conversation::{Conversation, Input};
use crate::protocol::{Judge, Protocol, ProtocolConfig, TIPS_FEATURE};
use crate::roster::Roster;
use crate::takers::{take_blocks, take_headers};

/// What the node calls itself.
const USER_AGENT: &str = concat!("/Everett:", env!("CARGO_PKG_VERSION"), "/");

/// The node on the network.
pub struct P2p {
    config: P2pConfig,
    bound: BoundAddresses,
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
            config,
            bound: BoundAddresses::default(),
        }
    }

    /// Where it takes connections, to be asked after the start.
    pub fn bound_addresses(&self) -> BoundAddresses {
        self.bound.clone()
    }

    fn services(&self) -> ServiceFlags {
        let mut services = ServiceFlags::NETWORK_LIMITED | ServiceFlags::WITNESS;
        if !self.config.pruned {
            services |= ServiceFlags::NETWORK;
        }
        if self.config.v2 {
            services |= ServiceFlags::P2P_V2;
        }
        services
    }

    fn pool_config(&self, ledger: &Ledger, capture: Option<Capture>) -> PoolConfig {
        let config = &self.config;
        let params = ledger.params();
        let network = params.network.to_bitcoin();
        let magic = bitcoin::p2p::Magic::from_bytes(params.magic);
        let mut pool = PoolConfig::new(network);
        pool.session = SessionConfig {
            services: self.services(),
            user_agent: USER_AGENT.to_owned(),
            start_height: ledger.best().height() as i32,
            relay: config.relay,
            v2: config.v2,
            features: vec![Command::new(TIPS_FEATURE).expect("a short name")],
            required_services: ServiceFlags::NETWORK_LIMITED | ServiceFlags::WITNESS,
            capture,
            ..SessionConfig::new(magic)
        };
        pool.listen.clone_from(&config.listen);
        pool.connect.clone_from(&config.connect);
        pool.outgoing = config.outgoing;
        pool.block_relay_only = BLOCK_RELAY_ONLY.min(config.outgoing);
        pool.incoming = config.incoming;
        if let Some(address) = config.proxy {
            pool.route = Route::Proxy(Proxy {
                address,
                isolate: true,
            });
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

    fn protocol_config(&self, pool: &Pool) -> ProtocolConfig {
        let route = pool.config().route;
        let judge = pool.clone();
        let standing = move |endpoint: &everett_net::Endpoint| Standing {
            routable: endpoint.is_routable(),
            reachable: route.reaches(endpoint.kind()),
            banned: judge.is_refused(endpoint),
        };
        let own = self.config.listen.iter().map(|address| (*address).into());
        let mut own = own.filter(everett_net::Endpoint::is_routable);
        ProtocolConfig {
            services: self.services(),
            relay: self.config.relay,
            forks: self.config.forks,
            outgoing: self.config.outgoing,
            minimum_chain_work: self.config.minimum_chain_work,
            standing: Judge(Arc::new(standing)),
            announced: self.config.discover.then(|| own.next()).flatten(),
            ..ProtocolConfig::default()
        }
    }

    fn begin(&self, handle: Handle) -> Result<Task, FrontendError> {
        let ledger = handle.ledger().clone();
        let capture = self.config.capture.as_ref().map(CaptureConfig::new);
        let capture = capture.map(CaptureFile::open).transpose()?;
        let recorder = capture.as_ref().map(CaptureFile::capture);
        let (pool, events) = Pool::start(self.pool_config(&ledger, recorder))?;
        *self.bound.0.write() = pool.listening().to_vec();
        for endpoint in &self.config.add {
            pool.connect(endpoint.clone(), Purpose::Manual);
        }
        let added = self.config.connect.iter().chain(&self.config.add);
        let roster = Roster::new(pool.clone(), ledger.clone(), added.cloned().collect());
        let roster = Arc::new(roster);
        handle.serve_peers(roster.clone());
        let protocol = Protocol::new(
            self.protocol_config(&pool),
            ledger.clone(),
            thread_rng().r#gen(),
            pool.now(),
        );
        let (inputs, inbox) = channel();
        let (headers, new_headers) = channel();
        let (blocks, new_blocks) = channel();
        let answers = inputs.clone();
        let taking = ledger.clone();
        spawn("p2p-headers", move || {
            take_headers(&taking, &new_headers, &answers)
        })?;
        let answers = inputs.clone();
        spawn("p2p-blocks", move || {
            take_blocks(&ledger, &new_blocks, &answers)
        })?;
        let conversation = Conversation {
            protocol,
            pool: pool.clone(),
            handle: handle.clone(),
            roster,
            inbox,
            headers,
            blocks,
            waiting: HashMap::new(),
            turns: VecDeque::new(),
            asking: BTreeSet::new(),
        };
        let talk = tokio::task::spawn_blocking(move || conversation.run());
        for address in pool.listening() {
            info!(%address, "taking connections");
        }
        Ok(tokio::spawn(serve(handle, pool, events, inputs, talk, capture)))
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(drop)
}

/// Carries events to the conversation until the node stops or the conversation ends.
async fn serve(
    handle: Handle,
    pool: Pool,
    mut events: PoolEvents,
    inputs: Sender<Input>,
    mut talk: JoinHandle<Result<(), StoreError>>,
    capture: Option<CaptureFile>,
) -> Result<(), FrontendError> {
    let mut changes = handle.event_seq();
    let ended = loop {
        let input = tokio::select! {
            event = events.next() => match event {
                Some(event) => Input::Pool(event),
                None => break None,
            },
            Ok(()) = changes.changed() => Input::LedgerChanged,
            () = handle.stop_signal().wait() => break None,
            ended = &mut talk => break Some(ended),
        };
        if inputs.send(input).is_err() {
            break None;
        }
    };
    pool.shut_down().await;
    let ended = match ended {
        Some(ended) => ended,
        None => {
            // It may have ended already.
            let _ = inputs.send(Input::Stop);
            talk.await
        }
    };
    if let Some(capture) = capture {
        let closed = tokio::task::spawn_blocking(|| capture.close()).await?;
        match closed {
            Ok(totals) => info!(written = totals.written, dropped = totals.dropped, "capture ended"),
            Err(error) => warn!(%error, "the capture of packets lacks some"),
        }
    }
    ended??;
    match handle.stop_signal().is_given() {
        true => Ok(()),
        false => Err("the conversation with the peers ended by itself".into()),
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
