//! The transactions' half of the protocol, as plain data: what is asked of whom, what waits for its parents, what is told
//! to whom and when.
//!
//! It owns no peer, no socket, no thread and no clock. It promises Bitcoin Core's rules (BIPs 35, 130, 133, 339; packages
//! of one parent and one child) and bounds for each peer. It refuses to judge transactions: that is the mempool's.
//!
//! ```text
//!   inv ──> Requests ──getdata──> tx ──> Incoming ──MempoolWork──> mempool ──MempoolAnswer──> Incoming
//!                                                                     │ its changes
//!   peers <──inv, by the clock of each── Outgoing <── Pending <───────┘
//! ```

pub(crate) mod fee_filter;
pub(crate) mod incoming;
pub(crate) mod outgoing;
pub(crate) mod pending;
pub mod requests;
pub(crate) mod rolling;
pub mod work;

pub use requests::{Requests, TransactionId};
pub use work::{MempoolAnswer, MempoolWork, Verdict};
