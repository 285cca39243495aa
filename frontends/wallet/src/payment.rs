//! Owns what becomes of a transaction of ours in one world.
//! Promises one answer for each world: there, waiting, stood in the way of, or gone; with what stands in its way.

use bitcoin::{BlockHash, OutPoint, Txid};

use crate::coins::Place;

/// What becomes of a transaction in one world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PaymentState {
    /// A block of this world has it.
    Confirmed {
        /// Where.
        place: Place,
        /// Blocks from that one up to the tip, both counted.
        confirmations: u32,
    },
    /// Nothing in this world stands against it.
    Pending {
        /// Whether the node's mempool has it or would have it, on this world. If not it was not accepted, or has left:
        /// it may be sent again.
        in_mempool: bool,
    },
    /// Another transaction spends what it spends.
    Conflicted {
        /// That coin.
        outpoint: OutPoint,
        /// The other transaction, where it is known: spends of other people's coins at the base or below it are not.
        by: Option<Txid>,
        /// The block of this world that has the other one; `None` if it waits in the mempool, too, or is not known.
        block: Option<BlockHash>,
    },
    /// It cannot be confirmed here, for something that it spends was never made in this world; a coinbase of another world
    /// is always so.
    Gone {
        /// What is missing; `None` for a coinbase.
        missing: Option<OutPoint>,
    },
}

impl PaymentState {
    /// One word for it.
    pub fn word(&self) -> &'static str {
        match self {
            PaymentState::Confirmed { .. } => "confirmed",
            PaymentState::Pending { .. } => "pending",
            PaymentState::Conflicted { .. } => "conflicted",
            PaymentState::Gone { .. } => "gone",
        }
    }

    /// Whether another state is the same, however deep both are.
    pub fn is_as(&self, other: &PaymentState) -> bool {
        match (self, other) {
            (
                PaymentState::Confirmed { place, .. },
                PaymentState::Confirmed { place: other, .. },
            ) => place == other,
            _ => self == other,
        }
    }

    /// How deep it is; 0 unless it is confirmed.
    pub fn confirmations(&self) -> u32 {
        match self {
            PaymentState::Confirmed { confirmations, .. } => *confirmations,
            _ => 0,
        }
    }
}
