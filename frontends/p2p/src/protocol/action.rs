//! Owns what the protocol wants done by those who have sockets, disks and threads.
//! Promises plain data: an action can be carried to any thread.
//! Refuses to do any of it.

use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::p2p::address::AddrV2Message;
use bytes::Bytes;
use everett_net::{Message, PeerId};

use super::misbehaviour::Reason;
use crate::recent_transactions::RecentTransaction;
use crate::transactions::MempoolWork;

/// Something that the protocol wants done. In the order in which [`super::Protocol::take_actions`] gives them.
#[derive(Clone, Debug)]
pub enum Action {
    /// Send a message to a peer.
    Send(PeerId, Message),
    /// End a connection. The protocol has forgotten the peer already; no [`super::Protocol::disconnected`] is needed,
    /// and one does no harm.
    Disconnect(PeerId, Reason),
    /// End a connection, do not call that address by yourself, and let it in only while there is plenty of room. Not said
    /// of peers that the user asked for by address: those are only disconnected.
    Discourage(PeerId, Reason),
    /// A peer did something wrong that has no consequence yet: to be logged.
    Note(PeerId, Reason),
    /// Hand headers to [`everett_ledger::Ledger::submit_headers`], and its answer to
    /// [`super::Protocol::headers_taken`]. Answers are given in the order of these actions.
    SubmitHeaders {
        /// Who sent them.
        from: PeerId,
        /// At most [`everett_net::MAX_HEADERS`], each below the one before it.
        headers: Vec<Header>,
    },
    /// Hand a block to [`everett_ledger::Ledger::submit_blocks`], and its outcome to
    /// [`super::Protocol::blocks_taken`], in whatever groups. Answers are given in the order of these actions.
    SubmitBlock {
        /// Who sent it.
        from: PeerId,
        /// Its header's hash.
        hash: BlockHash,
        /// The block as it came, or as it was put together from a compact one.
        bytes: Bytes,
    },
    /// Tell the address book of addresses that a peer told of.
    AddAddresses {
        /// Who told of them.
        from: PeerId,
        /// Routable ones, their times in the past made plausible. At most 1,000.
        addresses: Vec<AddrV2Message>,
    },
    /// A peer asks for addresses: give [`super::Protocol::addresses_found`] a sample of the address book.
    FindAddresses {
        /// How many at most.
        limit: usize,
        /// How much of the address book at most.
        percent: usize,
    },
    /// Do something with the mempool beside this thread, all of it in the order of these actions, and give the answer, if
    /// there is one, to [`super::Protocol::mempool_answered`].
    Work(MempoolWork),
    /// A peer sent a transaction. It decodes; nothing else is known of it.
    HeardTransaction {
        /// Who sent it.
        from: PeerId,
        /// The transaction, as bytes with its ids.
        transaction: RecentTransaction,
    },
    /// A peer gave us something new: it is worth keeping when connections are short.
    Useful(PeerId, Useful),
    /// The best tip is old, perhaps because all our peers are on another chain: call one more than usual.
    CallOneMore,
}

/// What a peer gave that was new.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Useful {
    /// A block.
    Block,
    /// A transaction.
    Transaction,
}
