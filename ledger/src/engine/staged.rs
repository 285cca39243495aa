//! Owns what a group holds until its commit: connected blocks, blocks that the base gives back, branches that retire.
//! Promises plain data. Refuses to be published by itself.

use std::sync::Arc;

use bitcoin::BlockHash;

use super::orphans::Orphan;
use crate::delta::Delta;
use crate::id::BlockId;
use crate::world::WorldState;

/// A change of the waiting blocks that a rollback takes back.
pub(super) enum OrphanChange {
    Added(BlockHash),
    Removed(Orphan),
}

/// A connected block that is not committed yet.
pub(super) struct Staged {
    pub(super) world: Arc<WorldState>,
    pub(super) delta: Delta,
}

/// A block that the base gives back with the next commit.
pub(super) struct Lowered {
    pub(super) height: u32,
    pub(super) id: BlockId,
    pub(super) delta: Delta,
}

/// The worlds that a new best world leaves behind the horizon.
#[derive(Default)]
pub(super) struct Retirement {
    pub(super) worlds: Vec<Arc<WorldState>>,
    /// For each branch among them its tip, and the block where it left the best chain.
    pub(super) tips: Vec<(BlockHash, BlockHash)>,
    /// The lowest fork of a branch that stays.
    pub(super) earliest_fork: u32,
}
