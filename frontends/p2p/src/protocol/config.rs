//! Owns the numbers that an operator may choose.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::Work;
use bitcoin::p2p::ServiceFlags;
use everett_net::Endpoint;

use super::permissions::Grants;
use crate::addr_relay::Standing;

/// Says what the node thinks of an address that it hears of: whether it is one of the network's, one that it can call,
/// one that is banned.
#[derive(Clone)]
pub struct Judge(pub Arc<dyn Fn(&Endpoint) -> Standing + Send + Sync>);

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

impl Default for Judge {
    /// All addresses are fine.
    fn default() -> Judge {
        Judge(Arc::new(|_| Standing {
            routable: true,
            reachable: true,
            banned: false,
        }))
    }
}

/// How the node behaves towards its peers.
#[derive(Clone, Debug)]
pub struct ProtocolConfig {
    /// What we offer: without `NETWORK`, only the last 288 blocks are served.
    pub services: ServiceFlags,
    /// Whether transactions of others are taken; without it, only our own are told.
    pub relay: bool,
    /// What single peers may do beside the usual.
    pub permissions: Grants,
    /// Overrides the ledger's minimum chain work; for tests.
    pub minimum_chain_work: Option<Work>,
    /// How much of losing branches is fetched.
    pub forks: ForkLimits,
    /// How many outgoing connections are usual: beyond it, the one that told of new blocks least recently is let go.
    pub outgoing: usize,
    /// How old the best tip may be before we count as being in initial download.
    pub max_tip_age: Duration,
    /// What is thought of addresses that are heard of.
    pub standing: Judge,
    /// Our own address, to be told to peers; none by default.
    pub announced: Option<Endpoint>,
}

/// What losing branches may cost. Blocks of the chain of most work are never held back by these.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ForkLimits {
    /// Blocks that the peers of one network group may have us fetch before they have to wait for the refill. In private
    /// networks it is each machine's, and from this machine each connection's.
    pub peer_blocks: u32,
    /// Blocks that all peers together may have us fetch before they have to wait for the refill.
    pub blocks: u32,
    /// Bytes that all peers together may have us store before they have to wait for the refill.
    pub bytes: u64,
    /// How long an empty budget takes to be full again.
    pub refill: Duration,
    /// Blocks of losing branches in flight at a time, from all peers.
    pub in_flight: usize,
}

impl Default for ForkLimits {
    /// One peer 2,016 blocks, all 20,160 and 4 GB, refilled over a day; 32 in flight.
    fn default() -> ForkLimits {
        ForkLimits {
            peer_blocks: 2_016,
            blocks: 20_160,
            bytes: 4_000_000_000,
            refill: Duration::from_secs(24 * 60 * 60),
            in_flight: 32,
        }
    }
}

impl Default for ProtocolConfig {
    fn default() -> ProtocolConfig {
        ProtocolConfig {
            services: ServiceFlags::NETWORK | ServiceFlags::NETWORK_LIMITED | ServiceFlags::WITNESS,
            relay: true,
            permissions: Grants::default(),
            minimum_chain_work: None,
            forks: ForkLimits::default(),
            outgoing: 8,
            max_tip_age: Duration::from_secs(24 * 60 * 60),
            standing: Judge::default(),
            announced: None,
        }
    }
}
