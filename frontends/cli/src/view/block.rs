//! Owns how a block is shown.

use bitcoin::consensus::encode::deserialize;
use bitcoin::hex::DisplayHex;
use bitcoin::{Block, block::Header};
use serde::Serialize;

use super::world::WorldView;
use crate::output::View;

/// A block, wherever it stands in the tree.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct BlockView {
    pub(crate) hash: String,
    pub(crate) height: u32,
    pub(crate) status: &'static str,
    pub(crate) best: bool,
    pub(crate) live: bool,
    pub(crate) previous_hash: String,
    /// The next block of the best chain, if this one is on it.
    pub(crate) next_hash: Option<String>,
    pub(crate) version: i32,
    pub(crate) merkle_root: String,
    pub(crate) time: u64,
    pub(crate) median_time_past: u64,
    /// Compact form, 8 hexadecimal characters.
    pub(crate) bits: String,
    pub(crate) nonce: u32,
    pub(crate) chainwork: String,
    pub(crate) fork_hash: String,
    pub(crate) fork_height: u32,
    pub(crate) first_seen: u64,
    /// Why it is invalid, if it is.
    pub(crate) reject_reason: Option<String>,
    /// What exactly is wrong, where more than the reason is known.
    pub(crate) reject_debug: Option<String>,
    pub(crate) size_bytes: u64,
    pub(crate) weight: u64,
    pub(crate) txids: Vec<String>,
    #[serde(skip)]
    pub(crate) bytes: Vec<u8>,
}

/// What a source says about a block, beside its bytes.
pub(crate) struct BlockFacts {
    pub(crate) world: WorldView,
    pub(crate) median_time_past: u64,
    pub(crate) next_hash: Option<String>,
    pub(crate) reject_reason: Option<String>,
    pub(crate) reject_debug: Option<String>,
}

impl BlockView {
    /// `None` if the bytes are no block.
    pub(crate) fn new(facts: BlockFacts, bytes: Vec<u8>) -> Option<BlockView> {
        let header: Header = deserialize(bytes.get(..80)?).ok()?;
        // A block that `bitcoin` cannot decode (a transaction without inputs) still has a header.
        let block: Option<Block> = deserialize(&bytes).ok();
        let txids = block.iter().flat_map(|block| &block.txdata);
        let world = facts.world;
        Some(BlockView {
            height: world.height,
            status: world.status,
            best: world.best,
            live: world.live,
            previous_hash: header.prev_blockhash.to_string(),
            next_hash: facts.next_hash,
            version: header.version.to_consensus(),
            merkle_root: header.merkle_root.to_string(),
            time: header.time.into(),
            median_time_past: facts.median_time_past,
            bits: format!("{:08x}", header.bits.to_consensus()),
            nonce: header.nonce,
            chainwork: world.chainwork,
            fork_hash: world.fork_hash,
            fork_height: world.fork_height,
            first_seen: world.first_seen,
            reject_reason: facts.reject_reason,
            reject_debug: facts.reject_debug,
            size_bytes: bytes.len() as u64,
            weight: block.as_ref().map_or(0, |block| block.weight().to_wu()),
            txids: txids.map(|tx| tx.compute_txid().to_string()).collect(),
            hash: world.tip_hash,
            bytes,
        })
    }

    /// The block as a world, whether one can be read there or not.
    pub(crate) fn world(&self) -> WorldView {
        WorldView {
            tip_hash: self.hash.clone(),
            height: self.height,
            chainwork: self.chainwork.clone(),
            fork_hash: self.fork_hash.clone(),
            fork_height: self.fork_height,
            status: self.status,
            first_seen: self.first_seen,
            best: self.best,
            live: self.live,
        }
    }

    /// The block's bytes in hexadecimal.
    pub(crate) fn hex(&self) -> String {
        self.bytes.to_lower_hex_string()
    }
}

impl View for BlockView {
    fn text(&self) -> String {
        let best = if self.best { ", best" } else { "" };
        let mut lines = vec![
            ("block", self.hash.clone()),
            ("height", self.height.to_string()),
            ("status", format!("{}{best}", self.status)),
            ("previous", self.previous_hash.clone()),
        ];
        if let Some(next) = &self.next_hash {
            lines.push(("next", next.clone()));
        }
        if let Some(reason) = &self.reject_reason {
            lines.push(("rejected for", reason.clone()));
        }
        if let Some(debug) = &self.reject_debug {
            lines.push(("because", debug.clone()));
        }
        lines.extend([
            (
                "forks off at",
                format!("{} (height {})", self.fork_hash, self.fork_height),
            ),
            ("merkle root", self.merkle_root.clone()),
            (
                "time",
                format!("{} (median {})", self.time, self.median_time_past),
            ),
            ("version", format!("{:#010x}", self.version)),
            ("bits, nonce", format!("{}, {}", self.bits, self.nonce)),
            ("chainwork", self.chainwork.clone()),
            (
                "size, weight",
                format!("{}, {}", self.size_bytes, self.weight),
            ),
            ("transactions", self.txids.len().to_string()),
        ]);
        let mut text = String::new();
        for (name, value) in lines {
            text.push_str(&format!("{name:<14}{value}\n"));
        }
        for txid in &self.txids {
            text.push_str(&format!("  {txid}\n"));
        }
        text
    }
}
