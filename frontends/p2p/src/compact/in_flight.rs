//! Owns the blocks that are being put together from compact ones: for each, from which peers.
//! Promises bounds for each block and each peer, and that one slow inbound peer cannot keep a block from us.
//! Refuses to keep time: who waits too long for an answer is for the download to say.

use std::collections::HashMap;

use bitcoin::BlockHash;
use everett_net::PeerId;

use super::PartialBlock;

/// From how many peers at a time one block is put together: Bitcoin Core's `MAX_CMPCTBLOCKS_INFLIGHT_PER_BLOCK`.
pub const MAX_RECONSTRUCTIONS_PER_BLOCK: usize = 3;

/// How many blocks at a time are put together from one peer. Compact blocks are for the tip and what competes with it.
pub const MAX_RECONSTRUCTIONS_PER_PEER: usize = 4;

/// Which attempt at a block this one is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Turn {
    /// The first: where it fails, the whole block is to be asked for from the same peer.
    First,
    /// Another peer's answer is awaited too: where it fails, that one remains.
    Further,
}

/// Why an attempt is not made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// This peer's answer for the block is awaited already.
    #[error("the block is already being put together from this peer")]
    Repeated,
    /// Enough peers were asked for it.
    #[error("the block is being put together from enough peers")]
    Block,
    /// Enough is asked of this peer.
    #[error("enough blocks are being put together from this peer")]
    Peer,
}

#[derive(Debug)]
struct Attempt {
    peer: PeerId,
    outbound: bool,
    partial: PartialBlock,
}

/// Blocks that wait for transactions.
#[derive(Default, Debug)]
pub struct Reconstructions {
    /// In the order in which they began. No list is empty.
    blocks: HashMap<BlockHash, Vec<Attempt>>,
}

impl Reconstructions {
    /// None.
    pub fn new() -> Reconstructions {
        Reconstructions::default()
    }

    /// Whether an attempt at a block with this peer may be made, and which it would be: to be asked before candidates are
    /// looked through, and before `getblocktxn` is sent.
    ///
    /// The last of the places for a block is for a peer that we called (`outbound`), unless one has a place already: those
    /// who call us can be one and the same, and none of them may answer.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why not.
    pub fn may_begin(
        &self,
        hash: &BlockHash,
        peer: PeerId,
        outbound: bool,
    ) -> Result<Turn, Refused> {
        let attempts = self.blocks.get(hash).map_or(&[][..], Vec::as_slice);
        if attempts.iter().any(|attempt| attempt.peer == peer) {
            return Err(Refused::Repeated);
        }
        if self.of_peer(peer) >= MAX_RECONSTRUCTIONS_PER_PEER {
            return Err(Refused::Peer);
        }
        let reserved = !outbound && !attempts.iter().any(|attempt| attempt.outbound);
        if attempts.len() + usize::from(reserved) >= MAX_RECONSTRUCTIONS_PER_BLOCK {
            return Err(Refused::Block);
        }
        Ok(match attempts {
            [] => Turn::First,
            _ => Turn::Further,
        })
    }

    /// Keeps a block that waits for what this peer was asked for.
    ///
    /// # Errors
    ///
    /// As [`Reconstructions::may_begin`]; the block is dropped then.
    pub fn begin(
        &mut self,
        peer: PeerId,
        outbound: bool,
        partial: PartialBlock,
    ) -> Result<Turn, Refused> {
        let hash = partial.hash();
        let turn = self.may_begin(&hash, peer, outbound)?;
        self.blocks.entry(hash).or_default().push(Attempt {
            peer,
            outbound,
            partial,
        });
        Ok(turn)
    }

    /// What waits for this peer's answer for a block, to be completed; it waits no longer. Beside it, which attempt it was.
    pub fn take(&mut self, hash: &BlockHash, peer: PeerId) -> Option<(PartialBlock, Turn)> {
        let attempts = self.blocks.get_mut(hash)?;
        let place = attempts.iter().position(|attempt| attempt.peer == peer)?;
        let attempt = attempts.remove(place);
        if attempts.is_empty() {
            self.blocks.remove(hash);
        }
        let turn = if place == 0 {
            Turn::First
        } else {
            Turn::Further
        };
        Some((attempt.partial, turn))
    }

    /// Whether this peer's answer for a block is awaited.
    pub fn awaits(&self, hash: &BlockHash, peer: PeerId) -> bool {
        let attempts = self.blocks.get(hash);
        attempts.is_some_and(|attempts| attempts.iter().any(|attempt| attempt.peer == peer))
    }

    /// How many peers' answers for a block are awaited.
    pub fn of_block(&self, hash: &BlockHash) -> usize {
        self.blocks.get(hash).map_or(0, Vec::len)
    }

    /// How many blocks are being put together.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// How many answers are awaited in all.
    pub fn attempts(&self) -> usize {
        self.blocks.values().map(Vec::len).sum()
    }

    /// How many blocks wait for this peer's answers.
    pub fn of_peer(&self, peer: PeerId) -> usize {
        let attempts = self.blocks.values().flatten();
        attempts.filter(|attempt| attempt.peer == peer).count()
    }

    /// The block has come: nothing waits for it any more. The peers whose answers are now useless.
    pub fn forget_block(&mut self, hash: &BlockHash) -> Vec<PeerId> {
        let attempts = self.blocks.remove(hash).unwrap_or_default();
        attempts.into_iter().map(|attempt| attempt.peer).collect()
    }

    /// A peer is gone. The blocks that nobody's answer is awaited for any more.
    pub fn forget_peer(&mut self, peer: PeerId) -> Vec<BlockHash> {
        let mut abandoned = Vec::new();
        self.blocks.retain(|hash, attempts| {
            attempts.retain(|attempt| attempt.peer != peer);
            if attempts.is_empty() {
                abandoned.push(*hash);
            }
            !attempts.is_empty()
        });
        abandoned.sort_unstable();
        abandoned
    }
}
