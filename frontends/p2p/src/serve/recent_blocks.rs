//! Owns the bytes of blocks that were asked for or came lately, in the forms in which they are sent.
//! Promises bounds in number and bytes, and that each form is made once.
//! Refuses to know which blocks may be served.

use bitcoin::BlockHash;
use bitcoin::consensus::Encodable;
use bitcoin::consensus::encode::VarInt;
use bytes::Bytes;
use everett_ledger::decode::{HEADER_SIZE, decode_block};
use everett_net::Message;

use crate::compact::compact_block;

/// How many blocks are kept: those of the tip and of its rivals.
pub const MAX_RECENT_BLOCKS: usize = 16;

/// How many bytes they take, in all forms; one block is kept whatever its size.
pub const MAX_RECENT_BYTES: usize = 32 << 20;

/// How many of the places are for blocks that only were asked for: a peer that downloads the chain does not push out what
/// all others are about to want.
const MAX_ASKED_FOR: usize = 4;

/// A block in the forms in which it was sent so far.
#[derive(Debug)]
pub(super) struct RecentBlock {
    hash: BlockHash,
    whole: Bytes,
    /// It came, as opposed to being asked for.
    came: bool,
    stripped: Option<Message>,
    compact: Option<Message>,
    /// Where the transactions end, after where the first starts.
    ends: Vec<u32>,
}

impl RecentBlock {
    pub(super) fn new(hash: BlockHash, whole: Bytes, came: bool) -> RecentBlock {
        RecentBlock {
            hash,
            whole,
            came,
            stripped: None,
            compact: None,
            ends: Vec::new(),
        }
    }

    pub(super) fn hash(&self) -> BlockHash {
        self.hash
    }

    /// A `block` message with everything that is stored.
    pub(super) fn whole(&self) -> Message {
        Message::block(self.whole.clone())
    }

    /// A `block` message without witnesses. `None` if the bytes are no block.
    pub(super) fn stripped(&mut self) -> Option<Message> {
        if self.stripped.is_none() {
            self.stripped = strip(&self.whole).map(Message::block);
        }
        self.stripped.clone()
    }

    /// A `cmpctblock` message; the first nonce stays. `None` if the bytes are no block.
    pub(super) fn compact(&mut self, nonce: u64) -> Option<Message> {
        if self.compact.is_none() {
            self.compact = compact_block(&self.whole, nonce).ok();
        }
        self.compact.clone()
    }

    /// The bytes of its transactions; none if the bytes are no block.
    pub(super) fn transactions(&mut self) -> Vec<&[u8]> {
        if self.ends.is_empty()
            && let Ok((block, length)) = decode_block(&self.whole)
        {
            let size = block.transactions.iter().map(|tx| tx.size).sum::<usize>();
            let mut at = length - size;
            self.ends.push(at as u32);
            for transaction in &block.transactions {
                at += transaction.size;
                self.ends.push(at as u32);
            }
        }
        let ranges = self.ends.windows(2);
        ranges
            .map(|ends| &self.whole[ends[0] as usize..ends[1] as usize])
            .collect()
    }

    fn bytes(&self) -> usize {
        let forms = [&self.stripped, &self.compact];
        let forms = forms.into_iter().flatten().map(|form| form.payload.len());
        self.whole.len() + forms.sum::<usize>() + 4 * self.ends.len()
    }
}

/// Blocks that were asked for or came lately.
#[derive(Default, Debug)]
pub(super) struct RecentBlocks {
    /// Least recently used first.
    blocks: Vec<RecentBlock>,
}

impl RecentBlocks {
    pub(super) fn contains(&self, hash: &BlockHash) -> bool {
        self.blocks.iter().any(|block| block.hash == *hash)
    }

    /// Keeps a block that came if `came`, else one that was only asked for. One that is here stays.
    pub(super) fn insert(&mut self, hash: BlockHash, whole: Bytes, came: bool) {
        if let Some(known) = self.get(&hash) {
            known.came |= came;
            return;
        }
        self.blocks.push(RecentBlock::new(hash, whole, came));
        let asked_for = self.blocks.iter().filter(|block| !block.came);
        if !came && asked_for.count() > MAX_ASKED_FOR {
            self.drop_oldest(|block| !block.came);
        }
        if self.blocks.len() > MAX_RECENT_BLOCKS {
            self.drop_oldest(|_| true);
        }
        while self.blocks.len() > 1 && self.bytes() > MAX_RECENT_BYTES {
            self.drop_oldest(|_| true);
        }
    }

    pub(super) fn remove(&mut self, hash: &BlockHash) {
        self.blocks.retain(|block| block.hash != *hash);
    }

    /// Bytes of all forms of all blocks.
    pub(super) fn bytes(&self) -> usize {
        self.blocks.iter().map(RecentBlock::bytes).sum()
    }

    fn drop_oldest(&mut self, which: impl Fn(&RecentBlock) -> bool) {
        if let Some(place) = self.blocks.iter().position(which) {
            self.blocks.remove(place);
        }
    }

    /// The block, which thereby is the most recently used.
    pub(super) fn get(&mut self, hash: &BlockHash) -> Option<&mut RecentBlock> {
        let place = self.blocks.iter().position(|block| block.hash == *hash)?;
        self.blocks[place..].rotate_left(1);
        self.blocks.last_mut()
    }
}

/// A block without witnesses. `None` if the bytes are no block.
fn strip(whole: &[u8]) -> Option<Vec<u8>> {
    let (block, length) = decode_block(whole).ok()?;
    if block.size == block.stripped_size {
        return Some(whole[..length].to_vec());
    }
    let mut stripped = Vec::with_capacity(block.stripped_size);
    stripped.extend(&whole[..HEADER_SIZE]);
    let to = &mut stripped;
    put(&VarInt::from(block.transactions.len()), to);
    for transaction in &block.transactions {
        // Part by part: where there are no inputs, the `bitcoin` crate writes the witness form.
        let tx = &transaction.tx;
        put(&tx.version, to);
        put(&tx.input, to);
        put(&tx.output, to);
        put(&tx.lock_time, to);
    }
    Some(stripped)
}

fn put(part: &impl Encodable, to: &mut Vec<u8>) {
    part.consensus_encode(to)
        .expect("writing to a Vec cannot fail");
}
