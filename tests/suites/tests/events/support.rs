//! Ledgers in memory file systems, and blocks for them.

use std::path::{Path, PathBuf};

use bitcoin::{BlockHash, ScriptBuf};
use everett_lab::assemble;
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params, World};
use tempfile::TempDir;

/// A directory for data: in memory where that can be had, since a killed process leaves the same there.
pub(crate) fn place() -> TempDir {
    let memory = Path::new("/dev/shm");
    let wanted = std::env::var_os("EVERETT_DURABILITY_DIRECTORY").map(PathBuf::from);
    let made = match wanted {
        Some(wanted) => tempfile::tempdir_in(wanted),
        None if memory.is_dir() => tempfile::tempdir_in(memory),
        None => tempfile::tempdir(),
    };
    made.or_else(|_| tempfile::tempdir()).unwrap()
}

/// A regtest ledger whose clock stands a day after genesis.
pub(crate) fn config(directory: &Path) -> LedgerConfig {
    let params = Params::new(Network::Regtest);
    let now = u64::from(params.genesis.header.time) + 86_400;
    LedgerConfig {
        clock: Clock::fixed(now),
        ..LedgerConfig::new(params, directory)
    }
}

/// Puts an empty block on a world; `payout` tells it from its siblings.
pub(crate) fn mine_on(ledger: &Ledger, parent: &World, payout: u8) -> World {
    let script = ScriptBuf::from_bytes(vec![0x51, payout, 0x75]);
    let block = assemble::mine(ledger, parent, vec![], &script, None).unwrap();
    ledger.submit_block(&block).unwrap();
    let header: bitcoin::block::Header = bitcoin::consensus::deserialize(&block[..80]).unwrap();
    ledger.world(&header.block_hash()).unwrap()
}

/// Puts so many empty blocks on a world, one on the other.
pub(crate) fn mine_chain(ledger: &Ledger, parent: &World, payout: u8, count: usize) -> Vec<World> {
    let mut worlds: Vec<World> = Vec::new();
    for _ in 0..count {
        let parent = worlds.last().unwrap_or(parent).clone();
        worlds.push(mine_on(ledger, &parent, payout));
    }
    worlds
}

/// Their hashes.
pub(crate) fn hashes(worlds: &[World]) -> Vec<BlockHash> {
    worlds.iter().map(World::hash).collect()
}
