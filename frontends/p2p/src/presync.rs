//! Owns the headers of one peer's chain until that chain has shown enough work to be worth keeping.
//! Promises memory bounded by time, not by what the peer sends: one bit for hundreds of headers, then a window of them.
//! Refuses to keep a header, or to judge its place in the tree: what it releases is for the ledger to check.
//!
//! Headers cost nothing to make where the target is easy, and a header kept is kept for ever. So a chain whose work is not
//! known yet is downloaded twice, as Bitcoin Core does:
//!
//! ```text
//! Measuring    headers come, are checked for proof of work and for steps of the target that no chain may take, and are
//!              forgotten; of one in every `commitment_period` a bit of a salted hash stays: the commitment
//!    |         the chain has `minimum_work`
//! Fetching     the same headers come again, are held against the commitments, and wait in a window; from its front they
//!    |         are released once the window is full, so that each has some two dozen commitments above it
//! Ended        the chain reached `minimum_work` again: all are released; or something was wrong, or the peer fell silent
//! ```
//!
//! Whoever shows one chain and then sends another has to guess a bit for each commitment.

use std::collections::VecDeque;
use std::mem::size_of;

use bitcoin::block::Header;
use bitcoin::hashes::{Hash, siphash24};
use bitcoin::{BlockHash, CompactTarget, Work};
use everett_ledger::rules::difficulty::{is_met, permitted_difficulty_transition};
use everett_ledger::rules::header::MAX_FUTURE_BLOCK_TIME;
use everett_ledger::{HeaderInfo, Network, Params};

mod bits;
#[cfg(test)]
mod tests;
mod waiting;

use bits::Bits;
use waiting::Waiting;

/// Blocks a second that the rule about the median time past lets a chain have at most.
const BLOCKS_PER_SECOND: u64 = 6;

/// How much is remembered of the first download, and how much is held back in the second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PresyncParams {
    /// Of how many headers one leaves a bit; not zero.
    pub commitment_period: u32,
    /// How many headers wait in the second download before the first of them is released.
    pub window: usize,
}

impl PresyncParams {
    /// Bitcoin Core's figures for a network, which trade memory during the sync for what an attacker can make us keep.
    pub fn new(network: Network) -> PresyncParams {
        let (commitment_period, window) = match network {
            Network::Mainnet => (641, 15_218),
            Network::Testnet3 => (673, 14_460),
            Network::Testnet4 => (606, 16_092),
            Network::Signet => (620, 15_724),
            Network::Regtest => (275, 7_017),
        };
        PresyncParams {
            commitment_period,
            window,
        }
    }
}

/// The block that a peer's chain leaves ours at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChainStart {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: u32,
    /// Its target in compact form.
    pub bits: CompactTarget,
    /// The work of its chain.
    pub chainwork: Work,
    /// The median time past at it, unix seconds.
    pub median_time_past: u32,
    /// A locator from it down ([`everett_ledger::Ledger::locator`]).
    pub locator: Vec<BlockHash>,
}

impl ChainStart {
    /// A start from what the ledger knows of the block, and its locator.
    pub fn new(header: &HeaderInfo, locator: Vec<BlockHash>) -> ChainStart {
        ChainStart {
            hash: header.hash,
            height: header.height,
            bits: header.header.bits,
            chainwork: header.chainwork,
            median_time_past: header.median_time_past,
            locator,
        }
    }
}

/// What is wrong with the headers. The sync has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PresyncFailure {
    /// A hash is above its header's target, or the target above the network's.
    #[error("the header at height {height} has no proof of work")]
    ProofOfWork {
        /// Its height.
        height: u32,
    },
    /// A header does not follow the one before it in the same message.
    #[error("the header at height {height} does not follow the one before it")]
    NotContinuous {
        /// Its height.
        height: u32,
    },
    /// A message's first header does not follow what came before: the peer may have changed to another chain.
    #[error("the headers from height {height} on do not follow those before")]
    NotConnected {
        /// The height at which it should have followed.
        height: u32,
    },
    /// The target changes where it must not, or by more than it may.
    #[error("the target changes at height {height} by more than it may")]
    Difficulty {
        /// The header's height.
        height: u32,
    },
    /// More headers than a chain can have by now. It may have grown since the sync began: another try can succeed.
    #[error("the chain is longer at height {height} than the time since its start allows")]
    TooLong {
        /// The height reached.
        height: u32,
    },
    /// The chain is not the one that was shown before.
    #[error("the header at height {height} is not the one that was shown before")]
    OtherChain {
        /// The height at which it was noticed.
        height: u32,
    },
}

impl PresyncFailure {
    /// Whether no honest peer sends such headers, whatever happens to its chain meanwhile. Bitcoin Core discourages for
    /// these, and only ends the sync for the others.
    pub fn is_misbehaviour(self) -> bool {
        matches!(
            self,
            PresyncFailure::ProofOfWork { .. } | PresyncFailure::NotContinuous { .. }
        )
    }
}

/// Why a sync ended in which nothing was wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// All headers up to the needed work are released. What lies above is to be asked for as usual.
    Complete,
    /// The peer's chain ends, and has too little work.
    TooLittleWork,
    /// The peer showed enough work, and then did not send that chain again to its end.
    Withdrawn,
}

/// What follows from a message of headers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// `getheaders` is to be sent with this locator and no stop.
    More {
        /// From the last header that came down to our own chain.
        locator: Vec<BlockHash>,
    },
    /// These headers, which follow each other, are to be given to the ledger.
    Ready {
        /// In order, the first on top of those released before or of the start. As many as came in one message, but at
        /// the end all that waited.
        headers: Vec<Header>,
        /// Where to go on, as in [`Step::More`]; or why there is nothing to go on with.
        next: Result<Vec<BlockHash>, End>,
    },
    /// The sync has ended.
    Done(End),
    /// The sync has ended, for something is wrong.
    Failed(PresyncFailure),
}

/// What a sync is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PresyncPhase {
    /// Its chain is downloaded for the first time, to see what work it has.
    Measuring,
    /// Its chain is downloaded again, to be kept.
    Fetching,
    /// It is over, and holds no memory.
    Ended,
}

/// The low-work sync of headers with one peer.
///
/// Made when a full message of headers connects to our tree and its chain has too little work so far, and then given that
/// message first. A message that is not full needs no sync: the chain ends there and is not worth keeping.
#[derive(Debug)]
pub struct Presync {
    sizes: PresyncParams,
    start: ChainStart,
    minimum_work: Work,
    max_commitments: u64,
    salt: (u64, u64),
    /// Heights with this rest by the period are those that leave a bit; secret, as the salt is.
    offset: u32,
    commitments: Bits,
    phase: PresyncPhase,
    /// What the next header must follow, in either phase.
    last: Link,
    /// How far the first phase came, for those who watch.
    measured: Link,
    last_time: u32,
    window: VecDeque<Waiting>,
    /// The parent of the window's first header.
    window_parent: BlockHash,
}

/// The end of the chain so far.
#[derive(Clone, Copy, Debug)]
struct Link {
    hash: BlockHash,
    height: u32,
    bits: CompactTarget,
    chainwork: Work,
}

impl Presync {
    /// A sync that starts at a block of our tree and wants a chain of `minimum_work`.
    ///
    /// `now` is unix seconds. `seed` must not be known to the peer: it decides which headers leave a bit, and which.
    pub fn new(
        params: &Params,
        start: ChainStart,
        minimum_work: Work,
        now: u64,
        seed: [u8; 32],
    ) -> Presync {
        let sizes = PresyncParams::new(params.network);
        Presync::with_sizes(sizes, start, minimum_work, now, seed)
    }

    /// The same with other sizes; for tests and measurements.
    pub fn with_sizes(
        sizes: PresyncParams,
        start: ChainStart,
        minimum_work: Work,
        now: u64,
        seed: [u8; 32],
    ) -> Presync {
        let [a, b, c, _] = words(seed);
        let age = now.saturating_sub(u64::from(start.median_time_past)) + MAX_FUTURE_BLOCK_TIME;
        let period = sizes.commitment_period.max(1);
        let last = Link {
            hash: start.hash,
            height: start.height,
            bits: start.bits,
            chainwork: start.chainwork,
        };
        Presync {
            sizes,
            minimum_work,
            max_commitments: BLOCKS_PER_SECOND.saturating_mul(age) / u64::from(period),
            salt: (a, b),
            offset: (c % u64::from(period)) as u32,
            commitments: Bits::default(),
            phase: PresyncPhase::Measuring,
            last,
            measured: last,
            last_time: start.median_time_past,
            window: VecDeque::new(),
            window_parent: start.hash,
            start,
        }
    }

    /// Takes the headers of one message, and says what follows. `full` says whether there were as many as a message may
    /// have ([`everett_net::MAX_HEADERS`]), so that the peer may have more; `params` are the network's.
    ///
    /// An empty message ends the sync: the peer has nothing more to say of that chain.
    pub fn receive(&mut self, headers: &[Header], full: bool, params: &Params) -> Step {
        let step = match self.phase {
            PresyncPhase::Measuring => self.measure(headers, full, params),
            PresyncPhase::Fetching => self.fetch(headers, full, params),
            PresyncPhase::Ended => Ok(Step::Done(End::Withdrawn)),
        };
        let step = step.unwrap_or_else(Step::Failed);
        let goes_on = matches!(step, Step::More { .. } | Step::Ready { next: Ok(_), .. });
        if !goes_on {
            self.end();
        }
        step
    }

    /// What to ask for next: the locator of `getheaders`. Empty once the sync is over.
    pub fn locator(&self) -> Vec<BlockHash> {
        match self.phase {
            PresyncPhase::Ended => Vec::new(),
            _ if self.last.hash == self.start.hash => self.start.locator.clone(),
            _ => [&[self.last.hash], &self.start.locator[..]].concat(),
        }
    }

    /// What it is doing.
    pub fn phase(&self) -> PresyncPhase {
        self.phase
    }

    /// The height that the first download has reached.
    pub fn height(&self) -> u32 {
        self.measured.height
    }

    /// The time of the last header of the first download, unix seconds.
    pub fn time(&self) -> u32 {
        self.last_time
    }

    /// The work that the first download has shown.
    pub fn chainwork(&self) -> Work {
        self.measured.chainwork
    }

    /// Bytes that it holds: what it was made with, bits, and headers that wait.
    pub fn bytes(&self) -> usize {
        size_of::<Presync>()
            + self.start.locator.capacity() * size_of::<BlockHash>()
            + self.commitments.bytes()
            + self.window.capacity() * size_of::<Waiting>()
    }

    fn measure(
        &mut self,
        headers: &[Header],
        full: bool,
        params: &Params,
    ) -> Result<Step, PresyncFailure> {
        for (index, header) in headers.iter().enumerate() {
            let link = self.follow(index, header, params)?;
            if self.commits(link.height) {
                let bit = self.bit(&link.hash);
                self.commitments.push(bit);
                if self.commitments.len() > self.max_commitments {
                    return Err(PresyncFailure::TooLong {
                        height: link.height,
                    });
                }
            }
            self.last = link;
            self.measured = link;
            self.last_time = header.time;
        }
        if self.last.chainwork >= self.minimum_work {
            self.phase = PresyncPhase::Fetching;
            self.last = Link {
                hash: self.start.hash,
                height: self.start.height,
                bits: self.start.bits,
                chainwork: self.start.chainwork,
            };
        } else if !full {
            return Ok(Step::Done(End::TooLittleWork));
        }
        Ok(Step::More {
            locator: self.locator(),
        })
    }

    fn fetch(
        &mut self,
        headers: &[Header],
        full: bool,
        params: &Params,
    ) -> Result<Step, PresyncFailure> {
        // Not by doubling: the window is as large as it needs to be, but for one message.
        self.window.reserve_exact(headers.len());
        for (index, header) in headers.iter().enumerate() {
            let link = self.follow(index, header, params)?;
            // From there on there may be headers that the peer did not have the first time, and no bits for them.
            let reached = link.chainwork >= self.minimum_work;
            if !reached && self.commits(link.height) {
                let committed = self.commitments.pop();
                if committed != Some(self.bit(&link.hash)) {
                    return Err(PresyncFailure::OtherChain {
                        height: link.height,
                    });
                }
            }
            self.window.push_back(Waiting::new(header));
            self.last = link;
        }
        let complete = self.last.chainwork >= self.minimum_work;
        let held_back = if complete { 0 } else { self.sizes.window };
        let headers = self.release(self.window.len().saturating_sub(held_back));
        let next = match (complete, full) {
            (true, _) => Err(End::Complete),
            (false, true) => Ok(self.locator()),
            (false, false) => Err(End::Withdrawn),
        };
        Ok(match (headers.is_empty(), next) {
            (true, Ok(locator)) => Step::More { locator },
            (true, Err(end)) => Step::Done(end),
            (false, next) => Step::Ready { headers, next },
        })
    }

    /// The chain's end with this header on it, which is the message's `index`th.
    fn follow(
        &self,
        index: usize,
        header: &Header,
        params: &Params,
    ) -> Result<Link, PresyncFailure> {
        let height = self.last.height.saturating_add(1);
        if header.prev_blockhash != self.last.hash {
            return Err(match index {
                0 => PresyncFailure::NotConnected { height },
                _ => PresyncFailure::NotContinuous { height },
            });
        }
        let bits = header.bits.to_consensus();
        let before = self.last.bits.to_consensus();
        let hash = header.block_hash();
        if !is_met(&hash, bits, params) {
            return Err(PresyncFailure::ProofOfWork { height });
        }
        if !permitted_difficulty_transition(params, height, before, bits) {
            return Err(PresyncFailure::Difficulty { height });
        }
        Ok(Link {
            hash,
            height,
            bits: header.bits,
            // A sum of works that were really done is far from the end of 256 bits.
            chainwork: self.last.chainwork + header.work(),
        })
    }

    fn commits(&self, height: u32) -> bool {
        height % self.sizes.commitment_period.max(1) == self.offset
    }

    fn bit(&self, hash: &BlockHash) -> bool {
        let (k0, k1) = self.salt;
        siphash24::Hash::hash_to_u64_with_keys(k0, k1, hash.as_byte_array()) & 1 == 1
    }

    fn release(&mut self, count: usize) -> Vec<Header> {
        let mut headers = Vec::with_capacity(count);
        for waiting in self.window.drain(..count) {
            let header = waiting.header(self.window_parent);
            self.window_parent = header.block_hash();
            headers.push(header);
        }
        headers
    }

    fn end(&mut self) {
        self.phase = PresyncPhase::Ended;
        self.commitments = Bits::default();
        self.window = VecDeque::new();
        self.start.locator = Vec::new();
    }
}

fn words(seed: [u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(seed.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}
