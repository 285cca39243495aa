//! Owns what one peer has asked for and not got yet.
//! Promises a bound, and hashes instead of answers.

use std::collections::VecDeque;

use bitcoin::BlockHash;
use bitcoin::p2p::message_blockdata::Inventory;
use bitcoin::p2p::message_compact_blocks::GetBlockTxn;
use everett_net::Message;

use super::{MAX_INVENTORY, MAX_WAITING_REQUESTS, ServeError};

/// In what form a block is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Without witnesses.
    Stripped,
    /// As it is stored.
    Whole,
    /// As a compact block, if it is recent.
    Compact,
}

impl Form {
    /// How a block is asked for in this form.
    pub(super) fn of(self, hash: BlockHash) -> Inventory {
        match self {
            Form::Stripped => Inventory::Block(hash),
            Form::Whole => Inventory::WitnessBlock(hash),
            Form::Compact => Inventory::CompactBlock(hash),
        }
    }
}

/// Something that was asked for and not answered yet.
#[derive(Debug)]
pub(super) enum Request {
    Block(BlockHash, Form),
    Transaction(Inventory),
    BlockTransactions(BlockHash, Box<[u16]>),
}

impl Request {
    /// What it costs to keep, in requests for blocks.
    fn weight(&self) -> usize {
        match self {
            Request::Block(..) | Request::Transaction(_) => 1,
            Request::BlockTransactions(_, places) => 1 + places.len() / 16,
        }
    }
}

/// What one peer has asked for, in the order in which it did.
#[derive(Default, Debug)]
pub struct Requests {
    pub(super) queue: VecDeque<Request>,
    pub(super) weight: usize,
    /// The last block of the answer to `getblocks`: once it is fetched, the peer is told of the best tip, so that it asks
    /// for the next ones.
    pub(super) continuation: Option<BlockHash>,
    /// Made already, to be sent before anything else: a block behind what was not found before it, an announcement behind
    /// a block. Two at most.
    pub(super) ready: VecDeque<Message>,
}

impl Requests {
    /// None.
    pub fn new() -> Requests {
        Requests::default()
    }

    /// Takes the entries of a `getdata`. What nobody has an answer to (filtered blocks, unknown kinds) is left out.
    ///
    /// # Errors
    ///
    /// [`ServeError::TooMany`] and [`ServeError::Backlog`]; nothing is taken then.
    pub fn getdata(&mut self, entries: &[Inventory]) -> Result<(), ServeError> {
        if entries.len() > MAX_INVENTORY {
            let count = entries.len();
            return Err(ServeError::TooMany { count });
        }
        if self.weight + entries.len() > MAX_WAITING_REQUESTS {
            return Err(ServeError::Backlog);
        }
        for entry in entries {
            self.push(match *entry {
                Inventory::Block(hash) => Request::Block(hash, Form::Stripped),
                Inventory::WitnessBlock(hash) => Request::Block(hash, Form::Whole),
                Inventory::CompactBlock(hash) => Request::Block(hash, Form::Compact),
                Inventory::Transaction(_)
                | Inventory::WTx(_)
                | Inventory::WitnessTransaction(_) => Request::Transaction(*entry),
                Inventory::Error | Inventory::Unknown { .. } => continue,
            });
        }
        Ok(())
    }

    /// Takes a `getblocktxn`.
    ///
    /// # Errors
    ///
    /// [`ServeError::NoSuchTransaction`] for a place that no block has, [`ServeError::Backlog`].
    pub fn getblocktxn(&mut self, asked: &GetBlockTxn) -> Result<(), ServeError> {
        let asked = &asked.txs_request;
        let place = |index: &u64| {
            u16::try_from(*index).map_err(|_| ServeError::NoSuchTransaction {
                hash: asked.block_hash,
                index: *index,
                count: usize::from(u16::MAX),
            })
        };
        let places: Result<Box<[u16]>, ServeError> = asked.indexes.iter().map(place).collect();
        let request = Request::BlockTransactions(asked.block_hash, places?);
        if self.weight + request.weight() > MAX_WAITING_REQUESTS {
            return Err(ServeError::Backlog);
        }
        self.push(request);
        Ok(())
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.ready.is_empty()
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.queue.len() + self.ready.len()
    }

    fn push(&mut self, request: Request) {
        self.weight += request.weight();
        self.queue.push_back(request);
    }

    /// The block that is to be sent next, if it is to be sent whole or without its witnesses.
    pub(super) fn next_whole(&self) -> Option<&BlockHash> {
        match self.queue.front()? {
            Request::Block(hash, Form::Whole | Form::Stripped) => Some(hash),
            _ => None,
        }
    }

    pub(super) fn pop(&mut self) -> Option<Request> {
        let request = self.queue.pop_front()?;
        self.weight -= request.weight();
        if self.queue.is_empty() {
            // A peer that once asked for much does not keep the room for it.
            self.queue = VecDeque::new();
        }
        Some(request)
    }
}
