//! Owns what a miner has to know of the next block.
//! Promises what the rules will ask of it. Refuses to choose: transactions and times are the miner's.

use bitcoin::block::Header;
use bitcoin::{Amount, CompactTarget};

use crate::ledger::Ledger;
use crate::rules::header::MAX_TIMEWARP;
use crate::rules::{Chain, HeaderFacts, median_time_past, required_bits};
use crate::sha256d::block_hash;
use crate::world::World;

/// What a block on top of some world has to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NextBlock {
    /// Its height.
    pub height: u32,
    /// The target it must meet, if its time is [`NextBlock::min_time`] or the clock's, whichever is later.
    pub bits: CompactTarget,
    /// Its parent's median time past, unix seconds.
    pub median_time_past: u32,
    /// The earliest time its header may carry, unix seconds: after the median time past, and as a period's first block at
    /// most ten minutes before its parent (BIP94, here on every network).
    pub min_time: u32,
    /// The header version to use.
    pub version: i32,
    /// What its coinbase may claim beside the fees.
    pub subsidy: Amount,
    /// Whether witnesses are committed to (BIP141).
    pub witness_active: bool,
}

impl Ledger {
    /// What a block on top of `parent` has to be.
    pub fn next_block(&self, parent: &World) -> NextBlock {
        self.next_block_after(parent, &[])
    }

    /// What a block on top of `headers` has to be, which stand on `parent`, one on the other. Nobody need know them: this
    /// is for who makes several blocks before the first of them is handed in. They are not checked.
    pub fn next_block_after(&self, parent: &World, headers: &[Header]) -> NextBlock {
        let params = &self.shared.params;
        let tree = self.shared.tree.read();
        let known = tree.chain(parent.state.id);
        let chain = Ahead { known, headers };
        let height = chain.height() + 1;
        let median_time_past = median_time_past(&chain, chain.height());
        let mut min_time = median_time_past + 1;
        // BIP94 holds on one testnet only, but miners follow it everywhere, as Bitcoin Core's do.
        if height.is_multiple_of(params.difficulty_interval()) {
            let parent_time = chain.header(chain.height()).time;
            min_time = min_time.max(parent_time.saturating_sub(MAX_TIMEWARP));
        }
        let time = u64::from(min_time)
            .max(self.shared.clock.now())
            .min(u64::from(u32::MAX)) as u32;
        NextBlock {
            height,
            bits: CompactTarget::from_consensus(required_bits(&chain, time, params)),
            median_time_past,
            min_time,
            version: 0x2000_0000,
            subsidy: params.subsidy(height),
            witness_active: height >= params.segwit_height,
        }
    }

    /// The target of a block on top of `parent` whose header says `time`, unix seconds. Only on testnets does the time
    /// matter.
    pub fn next_bits(&self, parent: &World, time: u32) -> CompactTarget {
        let tree = self.shared.tree.read();
        let chain = tree.chain(parent.state.id);
        CompactTarget::from_consensus(required_bits(&chain, time, &self.shared.params))
    }
}

/// A chain that goes on with headers which nobody need know.
struct Ahead<'a, C> {
    known: C,
    headers: &'a [Header],
}

impl<C: Chain> Chain for Ahead<'_, C> {
    fn height(&self) -> u32 {
        self.known.height() + self.headers.len() as u32
    }

    fn header(&self, height: u32) -> HeaderFacts {
        let above = height.checked_sub(self.known.height() + 1);
        let header = above.and_then(|above| self.headers.get(above as usize));
        match header {
            None => self.known.header(height),
            Some(header) => HeaderFacts {
                hash: block_hash(header),
                version: header.version.to_consensus(),
                time: header.time,
                bits: header.bits.to_consensus(),
            },
        }
    }

    fn headers_down(&self, height: u32) -> impl Iterator<Item = HeaderFacts> {
        let ahead = (self.known.height() + 1..=height).rev();
        let below = height.min(self.known.height());
        let ahead = ahead.map(|height| self.header(height));
        ahead.chain(self.known.headers_down(below))
    }
}

#[cfg(test)]
mod tests;
