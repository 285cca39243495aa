//! Owns how far a wallet has looked into the blocks of every branch.
//! Promises that a block is never taken for looked into when it was not, whatever happened to the branches since; one may
//! be looked into twice, which changes nothing.
//! Refuses to grow without end: see [`MAX_SCANNED`].

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use everett_ledger::{Ledger, World};

use crate::error::WalletError;

/// Ends of branches that are remembered, at most.
pub(crate) const MAX_SCANNED: usize = 4_096;

/// The blocks up to which everything was looked into: each with all blocks below it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Scanned(Vec<BlockHash>);

/// A stretch of a branch that was not looked into yet.
pub(crate) struct Unscanned {
    /// The branch's world.
    pub(crate) world: World,
    /// The first height of the stretch.
    pub(crate) from: u32,
    /// The last one.
    pub(crate) last: u32,
}

impl Scanned {
    /// Everything that is there now counts as looked into: what a new wallet starts from.
    pub(crate) fn all_of(ledger: &Ledger) -> Scanned {
        let tips = ledger.validated_tips();
        Scanned(
            tips.into_iter()
                .map(|tip| tip.hash)
                .take(MAX_SCANNED)
                .collect(),
        )
    }

    /// The next stretch, that of the best world first.
    pub(crate) fn next(&self, ledger: &Ledger) -> Option<Unscanned> {
        self.stretches(ledger, 1, None).next()
    }

    /// What of the live worlds was not looked into from a height on, up to another one or to the tips: a stretch for each world
    /// that has some, that of the best one first. Worlds that part later have what they share each.
    pub(crate) fn stretches(
        &self,
        ledger: &Ledger,
        from: u32,
        to: Option<u32>,
    ) -> impl Iterator<Item = Unscanned> {
        ledger.validated_tips().into_iter().filter_map(move |tip| {
            if self.0.contains(&tip.hash) {
                return None;
            }
            let forks = self.0.iter().filter_map(|end| {
                let fork = ledger.fork_point(&tip.hash, end)?;
                Some(fork.height)
            });
            let from = forks.max().map_or(from, |height| from.max(height + 1));
            let last = to.unwrap_or(tip.height).min(tip.height);
            if from > last {
                return None;
            }
            // A branch that was retired or invalidated this moment is no world any more.
            let world = ledger.world(&tip.hash).ok()?;
            Some(Unscanned { world, from, last })
        })
    }

    /// Whether all blocks that these stretches have are here. Costs a look at those alone that may be pruned, from above.
    ///
    /// # Errors
    ///
    /// [`WalletError::BlocksMissing`] with the first height from which they are.
    pub(crate) fn check_blocks(
        &self,
        ledger: &Ledger,
        from: u32,
        to: Option<u32>,
    ) -> Result<(), WalletError> {
        // What was never pruned is here, for the worlds that live were looked into whole.
        let last_pruned = ledger.pruned_below().saturating_sub(1);
        let missing = |stretch: &Unscanned| {
            let mut heights = (stretch.from..=stretch.last.min(last_pruned)).rev();
            heights.find(|height| {
                let hash = stretch.world.block_hash_at(*height);
                let info = hash.and_then(|hash| ledger.block_info(&hash));
                // One without a size has no bytes here.
                info.is_none_or(|info| info.size == 0)
            })
        };
        let stretches = self.stretches(ledger, from.max(1), to);
        match stretches.filter_map(|stretch| missing(&stretch)).max() {
            Some(height) => Err(WalletError::BlocksMissing {
                from,
                first: height + 1,
            }),
            None => Ok(()),
        }
    }

    /// Notes that a chain was looked into up to a height.
    pub(crate) fn advance(&mut self, ledger: &Ledger, world: &World, height: u32) {
        let Some(end) = world.block_hash_at(height) else {
            return;
        };
        // What lies below it on its chain says nothing more.
        self.0.retain(|other| {
            let fork = ledger.fork_point(&end, other);
            fork.is_none_or(|fork| fork.hash != *other)
        });
        self.0.push(end);
        if self.0.len() > MAX_SCANNED {
            self.0.remove(0);
        }
    }

    /// What of it lies below a height.
    pub(crate) fn below(&self, ledger: &Ledger, height: u32) -> Scanned {
        let mut below = Scanned::default();
        for end in &self.0 {
            let known = ledger.header(end);
            let last = known
                .and_then(|block| ledger.ancestor(end, block.height.min(height.checked_sub(1)?)));
            if let Some(last) = last.filter(|last| !below.0.contains(&last.hash)) {
                below.0.push(last.hash);
            }
        }
        below
    }

    /// The row: the hashes in internal byte order, 32 bytes each.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let hashes = self.0.iter();
        hashes.flat_map(|hash| *hash.as_byte_array()).collect()
    }

    /// Reads a row; `None` if it is cut.
    pub(crate) fn decode(row: &[u8]) -> Option<Scanned> {
        let (hashes, rest) = row.as_chunks::<32>();
        let hashes = hashes.iter().map(|hash| BlockHash::from_byte_array(*hash));
        rest.is_empty().then(|| Scanned(hashes.collect()))
    }
}
