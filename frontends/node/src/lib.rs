//! Owns the node: one ledger, the frontends around it, and their common life.
//! Promises that frontends start in the order given and stop in the reverse one, and that none of them blocks another.
//! Refuses to know any frontend: what is in-tree uses nothing that an outside crate could not use.
//!
//! ```text
//!   Node::builder(config) -> opens the ledger -> Frontend::start(Handle) … -> wait, restart what fails -> Frontend::stop … in reverse
//! ```

mod back_off;
mod config;
mod error;
mod frontend;
mod handle;
mod health;
mod heard;
pub mod import;
mod indexer;
mod initial_download;
mod interrupts;
mod mempool_keeper;
pub mod meters;
mod node;
mod peers;
mod phase;
pub mod snapshots;
mod steps;
mod stop;
mod stream;
mod supervisor;
mod wallet_keeper;

pub use back_off::{BackOff, FIRST_BACK_OFF, LONGEST_BACK_OFF, RAN_WELL};
pub use config::NodeConfig;
pub use error::NodeError;
pub use frontend::{Frontend, FrontendError, Starting, Stopping, Task};
pub use handle::{CallError, Handle};
pub use health::{FrontendHealth, FrontendState, Lag};
pub use heard::HeardTransaction;
pub use initial_download::DEFAULT_MAX_TIP_AGE;
pub use interrupts::Interrupts;
pub use node::{Node, NodeBuilder};
pub use peers::{
    AddedAddress, AddedPeer, AddressCount, BanState, DEFAULT_BAN, FetchError, KnownAddress,
    MAX_BAN, MessageCount, NetworkState, OwnAddress, PeerError, PeerEvent, PeerEventKind, PeerRef,
    PeerRelay, PeerState, PeerSync, PeerTraffic, Peers, SyncPhase, SyncProgress, parse_span,
    service_names,
};
pub use phase::Phase;
pub use steps::Steps;
pub use stop::StopSignal;
pub use stream::{EventStream, StreamError};
