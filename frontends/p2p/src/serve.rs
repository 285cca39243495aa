//! Owns the answers to what peers ask about the chain: headers, inventories, blocks, transactions of blocks.
//! Promises one message at a time, made when it is pulled, so that what waits for a slow peer is a list of hashes; and one
//! read of a block that a hundred peers ask for at once.
//! Refuses whole blocks that were not validated, and all that turned out to be invalid. Stale ones are served to whoever asks by hash.

use bitcoin::block::Header;
use bitcoin::hashes::{Hash, siphash24};
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::p2p::message_blockdata::{GetBlocksMessage, GetHeadersMessage, Inventory};
use bitcoin::{BlockHash, Work};
use bytes::Bytes;
use everett_ledger::decode::decode_block;
use everett_ledger::{BlockError, HeaderInfo, HeaderStatus, Ledger, MAX_LOCATOR_HASHES};
use everett_net::{MAX_HEADERS, Message};

use crate::compact::BlockTransactions;

mod recent_blocks;
mod requests;
#[cfg(test)]
mod tests;

pub use recent_blocks::{MAX_RECENT_BLOCKS, MAX_RECENT_BYTES};
use recent_blocks::{RecentBlock, RecentBlocks};
pub use requests::Requests;
use requests::{Form, Request};

/// Most entries of one `inv`, `getdata` or `notfound`: Bitcoin Core's `MAX_INV_SZ`.
pub const MAX_INVENTORY: usize = 50_000;

/// Most requests of one peer that wait for their answers. Whoever fills it up goes on asking without reading.
pub const MAX_WAITING_REQUESTS: usize = MAX_INVENTORY;

/// Most blocks of the answer to `getblocks`.
pub const MAX_BLOCK_INVENTORY: usize = 500;

/// How deep below the best tip a block is still sent as a compact one; deeper ones are sent whole.
pub const MAX_COMPACT_DEPTH: u32 = 5;

/// How deep below the best tip single transactions of a block are still sent; instead of them deeper ones are sent whole,
/// so that whoever makes us read a block also has to take it.
pub const MAX_BLOCKTXN_DEPTH: u32 = 10;

/// How many blocks below the best tip a pruned node serves: those that BIP159 promises, and two for those who have not yet
/// heard of the newest.
pub const LIMITED_DEPTH: u32 = 288 + 2;

/// How many blocks below the best tip a pruned node announces by `getblocks`: six fewer than it has, which is an hour to
/// ask for them.
const LIMITED_INVENTORY_DEPTH: u32 = 288 - 6;

/// Entries of one `notfound`. What nobody says anything about is not counted: a peer has [`MAX_WAITING_REQUESTS`] of it at
/// most, and leaving it out ends no answer.
const MAX_MISSING: usize = 1_000;

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A locator that no honest node sends. Bitcoin Core disconnects.
    #[error("a locator of {count} hashes; {MAX_LOCATOR_HASHES} are allowed")]
    LongLocator {
        /// How many hashes it has.
        count: usize,
    },
    /// More entries than a message may have. Bitcoin Core discourages for it.
    #[error("a getdata message with {count} entries; {MAX_INVENTORY} are allowed")]
    TooMany {
        /// How many it has.
        count: usize,
    },
    /// The peer asks on without waiting for answers.
    #[error("more than {MAX_WAITING_REQUESTS} requests wait for their answers")]
    Backlog,
    /// A transaction beyond a block's end. Bitcoin Core discourages for it.
    #[error("asked for transaction {index} of block {hash}, which has {count}")]
    NoSuchTransaction {
        /// The block.
        hash: BlockHash,
        /// The transaction's place.
        index: u64,
        /// How many there are.
        count: usize,
    },
    /// A block below what a pruned node serves. Bitcoin Core disconnects: the peer would wait in vain, and answers would
    /// tell how much is kept.
    #[error("asked for block {hash}, which is older than what is kept")]
    TooDeep {
        /// The block.
        hash: BlockHash,
    },
    /// Our own disk.
    #[error("block {hash} cannot be read: {source}")]
    Unreadable {
        /// The block.
        hash: BlockHash,
        /// What is wrong.
        source: BlockError,
    },
}

impl ServeError {
    /// Whether no honest peer asks so.
    pub fn is_misbehaviour(&self) -> bool {
        matches!(
            self,
            ServeError::TooMany { .. } | ServeError::NoSuchTransaction { .. }
        )
    }
}

/// What is found of a transaction that a peer asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// Its `tx` message.
    Here(Message),
    /// Nothing; the peer is told so.
    Missing,
    /// Nothing, and nobody says so: the connection is not for transactions.
    Ignored,
}

/// What is served, and by which rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ServeConfig {
    /// Whether only the last 288 blocks are offered (`NODE_NETWORK_LIMITED` without `NODE_NETWORK`).
    pub limited: bool,
    /// A best chain of less work is not told of: others would start a low-work sync of it in vain.
    pub minimum_chain_work: Work,
    /// Decides the short ids of compact blocks, with each block's hash. Not to be known to others.
    pub seed: u64,
}

/// Answers to peers, and the blocks that many ask for.
#[derive(Debug)]
pub struct Serving {
    config: ServeConfig,
    recent: RecentBlocks,
    /// The block that was last passed on before its verdict, while that is awaited.
    sound: Option<BlockHash>,
    /// The same, for those who want it in parts, whatever the verdict was: they were told of it.
    passed_on: Option<RecentBlock>,
}

impl Serving {
    /// Nothing was read yet.
    pub fn new(config: ServeConfig) -> Serving {
        Serving {
            config,
            recent: RecentBlocks::default(),
            sound: None,
            passed_on: None,
        }
    }

    /// A block has come that will be asked for: its bytes and nothing behind them, and its transactions those that the
    /// header commits to. It is served once it is validated.
    pub fn keep(&mut self, hash: BlockHash, block: Bytes) {
        self.recent.insert(hash, block, true);
    }

    /// A block has come that is to be passed on before the verdict: its `cmpctblock` message. Until then it is served to
    /// those who want it in parts, as BIP152 lets; whoever asks for it whole waits. `None` if the bytes are no block.
    pub fn keep_sound(&mut self, hash: BlockHash, block: Bytes) -> Option<Message> {
        let (_, length) = decode_block(&block).ok()?;
        let block = block.slice(..length);
        self.passed_on = Some(RecentBlock::new(hash, block.clone(), true));
        self.recent.insert(hash, block, true);
        self.sound = Some(hash);
        self.compact(&hash)
    }

    /// There is a verdict on a block.
    pub fn judged(&mut self, hash: &BlockHash) {
        self.sound.take_if(|sound| sound == hash);
    }

    /// A block turned out to be invalid.
    pub fn forget(&mut self, hash: &BlockHash) {
        self.recent.remove(hash);
    }

    /// The `cmpctblock` message of a block that was [kept](Serving::keep) or lately asked for; `None` for others.
    pub fn compact(&mut self, hash: &BlockHash) -> Option<Message> {
        let nonce = self.nonce(hash);
        self.recent.get(hash)?.compact(nonce)
    }

    /// The answer to `getheaders`: at most 2,000 headers after what the locator and our chain share, up to `stop_hash` if it
    /// is on the way. `None` for no answer.
    ///
    /// The chain is the best one, but the one of the stop if that is a validated block off it: so a peer that heard of a
    /// side branch gets its headers. (Bitcoin Core leaves such a stop alone, and no node of its kind sends one.) Without a
    /// locator it is the header of the stop alone, if its block may be served. No headers at all if the best chain has too
    /// little work to be told of.
    ///
    /// # Errors
    ///
    /// [`ServeError::LongLocator`].
    pub fn headers(
        &self,
        ledger: &Ledger,
        asked: &GetHeadersMessage,
    ) -> Result<Option<Vec<Header>>, ServeError> {
        let locator = limited(&asked.locator_hashes)?;
        let best = ledger.best();
        if best.chainwork() < self.config.minimum_chain_work {
            return Ok(Some(Vec::new()));
        }
        let stop = ledger.header(&asked.stop_hash);
        let stop = stop.filter(|stop| stop.status == HeaderStatus::Validated);
        if locator.is_empty() {
            return Ok(stop.map(|stop| vec![stop.header]));
        }
        let tip = match stop {
            Some(stop) if !stop.on_best_chain => stop.hash,
            _ => best.hash(),
        };
        let stop = stop.map(|stop| stop.hash);
        Ok(Some(ledger.headers_after(locator, stop, &tip, MAX_HEADERS)))
    }

    /// The answer to `getblocks`: an `inv` of at most 500 blocks of the best chain after what it shares with the locator,
    /// up to `stop_hash` without it. `None` if there are none.
    ///
    /// If there are more, the best tip is announced once the last of these was asked for, so that the peer asks on.
    ///
    /// # Errors
    ///
    /// [`ServeError::LongLocator`].
    pub fn inventory(
        &self,
        requests: &mut Requests,
        ledger: &Ledger,
        asked: &GetBlocksMessage,
    ) -> Result<Option<Message>, ServeError> {
        let locator = limited(&asked.locator_hashes)?;
        let best = ledger.best();
        let stop = Some(asked.stop_hash).filter(|stop| *stop != BlockHash::all_zeros());
        let headers = ledger.headers_after(locator, stop, &best.hash(), MAX_BLOCK_INVENTORY);
        let mut hashes: Vec<BlockHash> = headers.iter().map(Header::block_hash).collect();
        let full = hashes.len() == MAX_BLOCK_INVENTORY;
        let stopped = hashes.pop_if(|last| Some(*last) == stop).is_some();
        if self.config.limited {
            let floor = best.height().saturating_sub(LIMITED_INVENTORY_DEPTH);
            let first = hashes.first().and_then(|hash| ledger.header(hash));
            if first.is_none_or(|first| {
                best.height() > LIMITED_INVENTORY_DEPTH && first.height <= floor
            }) {
                return Ok(None);
            }
        }
        if full && !stopped {
            requests.continuation = hashes.last().copied();
        }
        let inventory: Vec<Inventory> = hashes.into_iter().map(Inventory::Block).collect();
        let any = !inventory.is_empty();
        Ok(any.then(|| Message::from(NetworkMessage::Inv(inventory))))
    }

    /// The next answer to what a peer asked for; `None` once all is answered. What is not found is told by `notfound`, of as
    /// many as stand in a row, also of blocks: Bitcoin Core says nothing then, and leaves such messages alone.
    ///
    /// `None` also if the next answer waits for a verdict on its block. Costs one read of a block at most.
    ///
    /// # Errors
    ///
    /// [`ServeError`] says what follows for the peer. What else it asked for still waits.
    pub fn next(
        &mut self,
        requests: &mut Requests,
        ledger: &Ledger,
    ) -> Result<Option<Message>, ServeError> {
        self.next_with(requests, ledger, |_| Found::Missing)
    }

    /// The same where there are transactions: `find` is asked for each that is wanted.
    ///
    /// # Errors
    ///
    /// As [`Serving::next`].
    pub fn next_with(
        &mut self,
        requests: &mut Requests,
        ledger: &Ledger,
        mut find: impl FnMut(&Inventory) -> Found,
    ) -> Result<Option<Message>, ServeError> {
        if let Some(message) = requests.ready.pop_front() {
            return Ok(Some(message));
        }
        let best = ledger.best();
        let mut missing = Vec::new();
        while missing.len() < MAX_MISSING && requests.ready.is_empty() {
            if requests
                .next_whole()
                .is_some_and(|hash| self.is_unjudged(ledger, hash))
            {
                break;
            }
            let sent = match requests.pop() {
                None => break,
                Some(Request::Transaction(entry)) => {
                    match find(&entry) {
                        Found::Here(message) => requests.ready.push_back(message),
                        Found::Missing => missing.push(entry),
                        Found::Ignored => {}
                    }
                    continue;
                }
                Some(Request::BlockTransactions(hash, places)) => {
                    self.block_transactions(ledger, best.height(), hash, &places)
                }
                Some(Request::Block(hash, form)) => {
                    let sent = self.block(ledger, best.height(), hash, form);
                    if matches!(sent, Ok(None)) {
                        missing.push(form.of(hash));
                    }
                    let then = (requests.continuation == Some(hash)).then(|| best.hash());
                    requests.ready.extend(sent?);
                    if let Some(tip) = then {
                        requests.continuation = None;
                        let tip = vec![Inventory::Block(tip)];
                        requests
                            .ready
                            .push_back(Message::from(NetworkMessage::Inv(tip)));
                    }
                    continue;
                }
            };
            requests.ready.extend(sent?);
        }
        if missing.is_empty() {
            return Ok(requests.ready.pop_front());
        }
        Ok(Some(Message::from(NetworkMessage::NotFound(missing))))
    }

    /// Whether a block was passed on before its verdict, and has none yet.
    fn is_unjudged(&self, ledger: &Ledger, hash: &BlockHash) -> bool {
        let judged = |info: HeaderInfo| {
            matches!(info.status, HeaderStatus::Validated | HeaderStatus::Invalid)
        };
        self.sound == Some(*hash) && !ledger.header(hash).is_some_and(judged)
    }

    fn block(
        &mut self,
        ledger: &Ledger,
        best: u32,
        hash: BlockHash,
        form: Form,
    ) -> Result<Option<Message>, ServeError> {
        if form == Form::Compact && self.is_unjudged(ledger, &hash) {
            return Ok(self.compact(&hash));
        }
        let nonce = self.nonce(&hash);
        let Some((header, block)) = self.find(ledger, best, hash)? else {
            return Ok(None);
        };
        let recent = header.height.saturating_add(MAX_COMPACT_DEPTH) >= best;
        let small = match form {
            Form::Stripped => block.stripped(),
            Form::Compact if recent => block.compact(nonce),
            Form::Compact | Form::Whole => None,
        };
        Ok(Some(small.unwrap_or_else(|| block.whole())))
    }

    fn block_transactions(
        &mut self,
        ledger: &Ledger,
        best: u32,
        hash: BlockHash,
        places: &[u16],
    ) -> Result<Option<Message>, ServeError> {
        let mut passed_on = self.passed_on.take_if(|block| block.hash() == hash);
        let answer = match &mut passed_on {
            Some(block) => parts(block, hash, places).map(Some),
            None => match self.find(ledger, best, hash)? {
                None => Ok(None),
                Some((header, block))
                    if header.height.saturating_add(MAX_BLOCKTXN_DEPTH) < best =>
                {
                    Ok(Some(block.whole()))
                }
                Some((_, block)) => parts(block, hash, places).map(Some),
            },
        };
        if passed_on.is_some() {
            self.passed_on = passed_on;
        }
        answer
    }

    /// A block that may be served, and its header.
    fn find(
        &mut self,
        ledger: &Ledger,
        best: u32,
        hash: BlockHash,
    ) -> Result<Option<(HeaderInfo, &mut RecentBlock)>, ServeError> {
        let Some(header) = ledger.header(&hash) else {
            return Ok(None);
        };
        if header.status != HeaderStatus::Validated {
            return Ok(None);
        }
        if self.config.limited && header.height.saturating_add(LIMITED_DEPTH) < best {
            return Err(ServeError::TooDeep { hash });
        }
        if !self.recent.contains(&hash) {
            let block = match ledger.block_bytes(&hash) {
                Ok(bytes) => Bytes::from(bytes),
                // Pruned ones too: of the 290 that are offered, 288 are sure to be here.
                Err(
                    BlockError::HeaderOnly { .. }
                    | BlockError::Unknown { .. }
                    | BlockError::Pruned { .. },
                ) => return Ok(None),
                Err(source) => return Err(ServeError::Unreadable { hash, source }),
            };
            self.recent.insert(hash, block, false);
        }
        Ok(self.recent.get(&hash).map(|block| (header, block)))
    }

    fn nonce(&self, hash: &BlockHash) -> u64 {
        siphash24::Hash::hash_to_u64_with_keys(self.config.seed, 0, hash.as_byte_array())
    }
}

fn limited(locator: &[BlockHash]) -> Result<&[BlockHash], ServeError> {
    match locator.len() {
        count if count > MAX_LOCATOR_HASHES => Err(ServeError::LongLocator { count }),
        _ => Ok(locator),
    }
}

/// The `blocktxn` message with the transactions at these places.
fn parts(block: &mut RecentBlock, hash: BlockHash, places: &[u16]) -> Result<Message, ServeError> {
    let transactions = block.transactions();
    let count = transactions.len();
    let found: Result<Vec<&[u8]>, ServeError> = places
        .iter()
        .map(|place| {
            let index = u64::from(*place);
            let found = transactions.get(usize::from(*place)).copied();
            found.ok_or(ServeError::NoSuchTransaction { hash, index, count })
        })
        .collect();
    Ok(BlockTransactions::encode(&hash, found?.into_iter()))
}
