//! Owns what goes to the conversation's thread, and from it to the threads that hand blocks to the ledger.
//! Promises plain data; refuses to be sent by itself.

use std::sync::mpsc::Sender;

use bitcoin::{BlockHash, Txid};
use bytes::Bytes;
use everett_ledger::{Reject, StoreError, Submitted};
use everett_mempool::orphans::OrphanInfo;
use everett_net::{PeerId, PoolEvent};
use everett_node::FetchError;
use tokio::sync::OwnedSemaphorePermit;

use crate::transactions::MempoolAnswer;

/// What reaches the conversation.
pub(crate) enum Input {
    /// Something happened to a connection. What is no message, which its peer's budget bounds, comes with a permit.
    Pool(PoolEvent, Option<OwnedSemaphorePermit>),
    /// The ledger's answer to the oldest headers that it was handed.
    HeadersTaken(Result<(), (usize, Reject)>),
    /// A block that the ledger was handed stands on the best tip and holds by the rules that need no coins.
    SoundBlock(BlockHash),
    /// The ledger's answers to the oldest blocks that it was handed.
    BlocksTaken(Vec<(BlockHash, Submitted)>),
    /// What came of something that was done with the mempool.
    MempoolAnswered(MempoolAnswer),
    /// The mempool has changed, whoever did it.
    MempoolChanged,
    /// Peers are to be told of a pending transaction.
    Announce(Txid),
    /// Somebody wants to see the transactions that wait for what they spend.
    Orphans(Sender<Vec<OrphanInfo>>),
    /// The user wants a block of one peer.
    Fetch {
        /// Whom to ask.
        peer: PeerId,
        /// The block.
        hash: BlockHash,
        /// Its height.
        height: u32,
        /// Where to say what came of it.
        answer: Sender<Result<(), FetchError>>,
    },
    /// The disk failed.
    StoreFailed(StoreError),
    /// The ledger has committed something, whoever made it.
    LedgerChanged,
    /// The end.
    Stop,
}

/// A block on its way to the ledger.
pub(crate) struct PendingBlock {
    pub(crate) hash: BlockHash,
    pub(crate) bytes: Bytes,
}
