//! Owns how far the headers of one peer are. Promises nothing by itself; refuses to decide what to ask for.

use std::collections::VecDeque;
use std::time::Duration;

use bitcoin::BlockHash;

use crate::presync::Presync;

/// How far the headers of one peer are.
#[derive(Default)]
pub(super) struct HeaderSync {
    /// It was asked for its headers once.
    pub(super) started: bool,
    /// It has told of all it has.
    pub(super) finished: bool,
    /// Its last answer was the end of a chain, as opposed to nothing of use.
    pub(super) told: bool,
    /// An empty answer had us ask from our best block on, where our headers reach higher.
    pub(super) asked_lower: bool,
    /// When the first download must be done.
    pub(super) deadline: Option<Duration>,
    /// When it was asked for what it has not answered.
    pub(super) asked: Option<Duration>,
    /// Which tip it was asked for.
    pub(super) stop: Option<BlockHash>,
    /// When its last headers came.
    pub(super) progress: Duration,
    /// Its batches at the ledger.
    pub(super) waiting: usize,
    /// Tips whose headers are to be asked for, one after the other.
    pub(super) wanted: VecDeque<BlockHash>,
    /// A block that it told of by `inv` had us ask before its turn.
    pub(super) asked_by_inv: bool,
    /// Headers of a chain of too little work so far.
    pub(super) presync: Option<Presync>,
}
