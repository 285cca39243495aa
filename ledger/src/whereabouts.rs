//! Owns the whole answer about a transaction: itself, every block and world that holds it, and what conflicts with it.
//! Promises lists of bounded length, with how long they would be.
//! Refuses to call a list whole that was made without a complete transaction index.

use std::cmp::Reverse;

use bitcoin::{BlockHash, Txid};

use crate::chain_status::ChainStatus;
use crate::conflict::Conflict;
use crate::error::TransactionError;
use crate::ledger::{BlockInfo, Ledger};
use crate::transaction::FoundTransaction;
use crate::tx_index::TransactionPlace;
use crate::world::World;

/// Blocks that hold a transaction and are listed, at most.
pub const MAX_PLACES: usize = 100;
/// Worlds that are listed for each of those blocks, at most.
pub const MAX_PLACE_WORLDS: usize = 100;
/// Conflicts that are listed, at most.
pub const MAX_TRANSACTION_CONFLICTS: usize = 1_000;

/// Where a transaction is confirmed, and what stands against it.
pub struct Whereabouts {
    /// The world that it was found in, or the best one if none that can be read holds it.
    pub world: World,
    /// The transaction as that world's chain holds it.
    pub found: FoundTransaction,
    /// Whether a complete transaction index was asked. If not, `places` has the found block alone, and `conflicts` is
    /// empty.
    pub indexed: bool,
    /// The blocks that hold it: one of the best chain first, then other valid ones, each in the order of their headers. At most
    /// [`MAX_PLACES`].
    pub places: Vec<Held>,
    /// How many blocks hold it.
    pub place_count: usize,
    /// The conflicts of [`Ledger::transaction_conflicts`], at most [`MAX_TRANSACTION_CONFLICTS`].
    pub conflicts: Vec<Conflict>,
}

/// A block that holds a transaction, and the worlds whose chains hold that block.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The block.
    pub place: TransactionPlace,
    /// Those of [`Ledger::worlds_above`], at most [`MAX_PLACE_WORLDS`].
    pub worlds: Vec<BlockInfo>,
    /// How many there are.
    pub world_count: usize,
}

impl Whereabouts {
    /// The transaction's depth in [`Whereabouts::world`]: blocks from the one that holds it up to the tip, both counted;
    /// 0 if that world does not hold it.
    pub fn confirmations(&self) -> u32 {
        let (world, found) = (&self.world, &self.found);
        match world.block_hash_at(found.height) == Some(found.block) {
            true => world.height() + 1 - found.height,
            false => 0,
        }
    }
}

impl Ledger {
    /// Finds a transaction as [`Ledger::find_transaction`] does, and says where else it is. Without `world` the best one
    /// is read; or, where an index says that it does not hold the transaction, the world of the most work that does. One
    /// that only blocks hold that are retired or invalid is found in the first of them, and confirmed nowhere.
    ///
    /// # Errors
    ///
    /// Those of [`Ledger::find_transaction`].
    pub fn whereabouts(
        &self,
        txid: &Txid,
        world: Option<World>,
        in_block: Option<&BlockHash>,
    ) -> Result<Whereabouts, TransactionError> {
        let places = match self.tx_index_complete() {
            Some(true) => self.transaction_places(txid)?,
            _ => None,
        };
        let indexed = places.is_some();
        let mut places = places.unwrap_or_default();
        let mut place_count = places.len();
        places.sort_by_key(|place| place.status);
        places.truncate(MAX_PLACES);
        let mut places: Vec<Held> = places.into_iter().map(|place| self.held(place)).collect();
        let free = world.is_none() && in_block.is_none();
        let holding = free.then(|| self.holding(&places)).flatten();
        // Where no world holds it that can be read, a block does.
        let block_alone = match (free && holding.is_none(), places.first()) {
            (true, Some(held)) => Some(held.place.block),
            _ => None,
        };
        let world = world.or(holding).unwrap_or_else(|| self.best());
        let found = self.find_transaction(&world, txid, block_alone.as_ref().or(in_block))?;
        if !indexed {
            let status = self.block_info(&found.block).map(|info| info.status);
            place_count = 1;
            places.push(self.held(TransactionPlace {
                block: found.block,
                height: found.height,
                index: found.index as u32,
                status: status.unwrap_or(ChainStatus::HeadersOnly),
            }));
        }
        let conflicts = match indexed {
            true => self.transaction_conflicts(txid, MAX_TRANSACTION_CONFLICTS)?,
            false => None,
        };
        Ok(Whereabouts {
            world,
            found,
            indexed,
            places,
            place_count,
            conflicts: conflicts.unwrap_or_default(),
        })
    }

    fn held(&self, place: TransactionPlace) -> Held {
        let above = self.worlds_above(&place.block, MAX_PLACE_WORLDS);
        let (worlds, world_count) = above.unwrap_or_default();
        Held {
            place,
            worlds,
            world_count,
        }
    }

    /// The best of the worlds that can be read, first that of the best chain.
    fn holding(&self, places: &[Held]) -> Option<World> {
        let worlds = places.iter().flat_map(|held| &held.worlds);
        let live = worlds.filter(|tip| tip.live);
        let best = live.min_by_key(|tip| (tip.status, Reverse(tip.chainwork)))?;
        self.world(&best.hash).ok()
    }
}
