//! Owns what a transaction is that a peer told of.

use bitcoin::{Txid, Wtxid};
use bytes::Bytes;
use everett_net::PeerId;

/// Transactions that somebody who does not take them may be behind, before it misses some.
pub(crate) const HEARD_KEPT: usize = 1_024;

/// A transaction that a peer sent. It decodes; nothing else is known of it.
#[derive(Clone, Debug)]
pub struct HeardTransaction {
    /// Who sent it.
    pub from: PeerId,
    /// Its id.
    pub txid: Txid,
    /// Its id with the witnesses.
    pub wtxid: Wtxid,
    /// The transaction in consensus encoding.
    pub bytes: Bytes,
}
