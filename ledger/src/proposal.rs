//! Owns the judgement of blocks that are not to be kept: what a miner proposes, or is about to work on.
//! Promises the verdict that the same block would get with its proof of work, and the same reason.
//! Refuses to store anything, and to keep the writer waiting: it is a reader like any other.

use bitcoin::OutPoint;

use crate::coin::Coin;
use crate::decode::DecodedBlock;
use crate::error::ReadError;
use crate::ledger::Ledger;
use crate::rules::{
    Chain, CoinSource, ConnectError, HeaderFacts, Reject, check_block_in_context, check_draft,
    check_header, connect,
};
use crate::world::World;

#[cfg(test)]
mod tests;

impl Ledger {
    /// What the rules say of a block on top of `parent`, but for its proof of work and, on a signet, its solution; nothing
    /// is kept of it. Bitcoin Core's `TestBlockValidity`. Without `with_merkle_root` the header's merkle root may be any.
    ///
    /// Costs a read of each coin the block spends, and its scripts unless they were checked before.
    ///
    /// The reasons are those of the rules in their order; `inconclusive-not-best-prevblk` for a block on another parent.
    ///
    /// # Errors
    ///
    /// Coins of `parent` could not be read: nothing is known about the block.
    pub fn check_proposal(
        &self,
        parent: &World,
        block: &DecodedBlock,
        with_merkle_root: bool,
    ) -> Result<Result<(), Reject>, ReadError> {
        match self.judge(parent, block, with_merkle_root) {
            Ok(()) => Ok(Ok(())),
            Err(ConnectError::Reject(reject)) => Ok(Err(reject)),
            Err(ConnectError::Source(error)) => Err(error),
        }
    }

    fn judge(
        &self,
        parent: &World,
        block: &DecodedBlock,
        with_merkle_root: bool,
    ) -> Result<(), ConnectError<ReadError>> {
        if block.header.prev_blockhash != parent.hash() {
            let debug = format!("the block does not stand on {}", parent.hash());
            return Err(Reject::parent_other(debug).into());
        }
        let params = self.params();
        let chain = ChainOf(parent);
        check_draft(block, with_merkle_root)?;
        check_header(&block.header, &chain, params, self.clock().now())?;
        check_block_in_context(block, &chain, params)?;
        let scripts = &**self.scripts();
        connect(block, &chain, &CoinsOf(parent), params, scripts).map(drop)
    }
}

/// The headers of a world, each looked up by itself: the tree is not held while scripts run.
struct ChainOf<'a>(&'a World);

impl Chain for ChainOf<'_> {
    fn height(&self) -> u32 {
        self.0.height()
    }

    fn header(&self, height: u32) -> HeaderFacts {
        self.0.header_facts(height)
    }
}

struct CoinsOf<'a>(&'a World);

impl CoinSource for CoinsOf<'_> {
    type Error = ReadError;

    fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, ReadError> {
        self.0.coin(outpoint)
    }
}
