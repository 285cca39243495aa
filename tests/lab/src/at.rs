//! Owns how a block is named in the lab's calls.
//! Promises that whatever a test has at hand will do: a world, a hash, a height.
//! Refuses to look anything up.

use bitcoin::BlockHash;
use everett_ledger::World;

/// A block of the lab: where to mine, fork or look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// The best tip at that moment.
    Best,
    /// The best chain's block at this height; 0 is genesis.
    Height(u32),
    /// This block, on any branch.
    Block(BlockHash),
}

impl From<BlockHash> for At {
    fn from(hash: BlockHash) -> At {
        At::Block(hash)
    }
}

impl From<&BlockHash> for At {
    fn from(hash: &BlockHash) -> At {
        At::Block(*hash)
    }
}

impl From<World> for At {
    fn from(world: World) -> At {
        At::Block(world.hash())
    }
}

impl From<&World> for At {
    fn from(world: &World) -> At {
        At::Block(world.hash())
    }
}

impl From<u32> for At {
    fn from(height: u32) -> At {
        At::Height(height)
    }
}
