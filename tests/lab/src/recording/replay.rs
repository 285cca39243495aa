//! Owns the replay of a recording on a ledger.
//! Promises the recorded order, and the recorded moments if they are asked for.
//! Refuses another network's recording before anything is handed in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bitcoin::BlockHash;
use everett_ledger::{BlockError, Clock, Ledger, Outcome, StoreError};

use super::{Ending, Happening, Moment, RecordingError, RecordingReader, UNKNOWN_MAGIC};

/// Blocks that one commit takes at most, and their bytes.
const MAX_GROUP: usize = 200;
const MAX_GROUP_BYTES: usize = 4 * 1024 * 1024;

/// Blocks that were refused and are told one by one.
const MAX_TOLD: usize = 1_000;

/// Longest sleep before it is looked whether to stop.
const NAP: Duration = Duration::from_millis(50);

/// How fast a replay goes.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Pace {
    /// As fast as the ledger takes it.
    #[default]
    Full,
    /// With the recorded time between entries, divided by this: 1 is as it was, 10 is ten times as fast. Not above 0
    /// counts as [`Pace::Full`].
    Times(f64),
}

/// Where a replay stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReplayProgress {
    /// Entries handed in.
    pub entries: u64,
    /// Bytes of the recording read.
    pub bytes: u64,
    /// Bytes of the recording.
    pub bytes_total: u64,
    /// Height of the best tip.
    pub height: u32,
}

/// What became of a recording.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// Entries handed in.
    pub entries: u64,
    /// Blocks among them.
    pub blocks: u64,
    /// Blocks that were new and kept; those that waited for their parent and were let in later count too.
    pub accepted: u64,
    /// Blocks that the ledger had already.
    pub known: u64,
    /// Blocks that were refused.
    pub refused: u64,
    /// The first 1,000 of them: each block's hash, if it is a block, and the reason in Bitcoin Core's words.
    pub refusals: Vec<(Option<BlockHash>, String)>,
    /// Blocks that still wait for their parent.
    pub waiting: u64,
    /// The best tip now.
    pub best_hash: BlockHash,
    /// Its height.
    pub best_height: u32,
    /// From the first recorded moment to the last.
    pub span: Duration,
    /// How long it took.
    pub took: Duration,
    /// How the recording ends.
    pub ending: Ending,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The recording is of another network.
    #[error(
        "the recording is of a network with magic {found} and genesis {genesis}, the ledger is {ledger}; replay it on a \
         ledger of its own network"
    )]
    OtherNetwork {
        /// The recording's magic, in hexadecimal.
        found: String,
        /// The recording's genesis block.
        genesis: BlockHash,
        /// The ledger's network.
        ledger: String,
    },
    /// The recording cannot be read on; what came before it was handed in.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The ledger could not store a block.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block could not be invalidated or reconsidered.
    #[error("entry {entry}: {source}")]
    Block {
        /// The entry, from 1.
        entry: u64,
        /// The ledger's reason.
        source: BlockError,
    },
}

/// A replay, before it runs.
pub struct Replay<'a> {
    ledger: &'a Ledger,
    pace: Pace,
    clock: Option<&'a Clock>,
    stop: Option<&'a AtomicBool>,
    watch: Option<&'a mut dyn FnMut(&ReplayProgress)>,
}

impl<'a> Replay<'a> {
    /// On this ledger, at full speed.
    pub fn new(ledger: &'a Ledger) -> Replay<'a> {
        Replay {
            ledger,
            pace: Pace::Full,
            clock: None,
            stop: None,
            watch: None,
        }
    }

    /// At this pace.
    pub fn pace(mut self, pace: Pace) -> Replay<'a> {
        self.pace = pace;
        self
    }

    /// Moves this clock on to each entry's moment: for a ledger whose clock stands still, which would else find the
    /// blocks to be from the future.
    pub fn moving(mut self, clock: &'a Clock) -> Replay<'a> {
        self.clock = Some(clock);
        self
    }

    /// Stops between two entries once this says so.
    pub fn stop_when(mut self, stop: &'a AtomicBool) -> Replay<'a> {
        self.stop = Some(stop);
        self
    }

    /// Tells of the progress after each commit.
    pub fn watched_by(mut self, watch: &'a mut dyn FnMut(&ReplayProgress)) -> Replay<'a> {
        self.watch = Some(watch);
        self
    }

    /// Hands in what was recorded.
    ///
    /// # Errors
    ///
    /// [`ReplayError`]; what was handed in before stays.
    pub fn run(self, mut recording: RecordingReader) -> Result<Replayed, ReplayError> {
        let params = self.ledger.params();
        let head = recording.head();
        let magic_fits = head.magic == params.magic || head.magic == UNKNOWN_MAGIC;
        if !magic_fits || head.genesis != params.genesis_hash() {
            return Err(ReplayError::OtherNetwork {
                found: head
                    .magic
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
                genesis: head.genesis,
                ledger: params.network.to_string(),
            });
        }
        let best = self.ledger.best();
        let run = Run {
            started: Instant::now(),
            first: None,
            last: Moment::default(),
            group: Vec::new(),
            group_bytes: 0,
            told: Replayed {
                entries: 0,
                blocks: 0,
                accepted: 0,
                known: 0,
                refused: 0,
                refusals: Vec::new(),
                waiting: 0,
                best_hash: best.hash(),
                best_height: best.height(),
                span: Duration::ZERO,
                took: Duration::ZERO,
                ending: Ending::Torn {
                    offset: 0,
                    bytes: 0,
                },
                stopped: false,
            },
            replay: self,
        };
        drop(best);
        run.all(&mut recording)
    }
}

/// A replay that runs.
struct Run<'a> {
    replay: Replay<'a>,
    started: Instant,
    first: Option<Moment>,
    last: Moment,
    /// Blocks that go into the next commit.
    group: Vec<Vec<u8>>,
    group_bytes: usize,
    told: Replayed,
}

impl Run<'_> {
    fn all(mut self, recording: &mut RecordingReader) -> Result<Replayed, ReplayError> {
        while let Some(entry) = recording.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.hand_in(recording)?;
                    return Err(error.into());
                }
            };
            let first = *self.first.get_or_insert(entry.at);
            if entry.at > self.last {
                if self.times().is_some() {
                    self.hand_in(recording)?;
                }
                self.last = entry.at;
                self.told.span = entry.at.since(first);
                self.wait(self.told.span);
            }
            if self.stopped() {
                self.told.stopped = true;
                break;
            }
            self.told.entries += 1;
            match entry.what {
                Happening::Block(block) => {
                    self.group_bytes += block.len();
                    self.group.push(block);
                    if self.group.len() >= MAX_GROUP || self.group_bytes >= MAX_GROUP_BYTES {
                        self.hand_in(recording)?;
                    }
                }
                by_hand => {
                    self.hand_in(recording)?;
                    let done = match by_hand {
                        Happening::Invalidated(hash) => self.replay.ledger.invalidate_block(&hash),
                        Happening::Reconsidered(hash) => self.replay.ledger.reconsider_block(&hash),
                        Happening::Block(_) => Ok(()),
                    };
                    let entry = self.told.entries;
                    done.map_err(|source| ReplayError::Block { entry, source })?;
                }
            }
        }
        self.hand_in(recording)?;
        self.told.took = self.started.elapsed();
        self.told.ending = recording.ending().unwrap_or(Ending::Torn {
            offset: recording.offset(),
            bytes: recording.length().saturating_sub(recording.offset()),
        });
        Ok(self.told)
    }

    /// By how much recorded time is divided, if it counts.
    fn times(&self) -> Option<f64> {
        match self.replay.pace {
            Pace::Full => None,
            Pace::Times(factor) => (factor > 0.0 && factor.is_finite()).then_some(factor),
        }
    }

    /// Waits until so much recorded time has passed since the first entry.
    fn wait(&self, recorded: Duration) {
        let Some(factor) = self.times() else {
            return;
        };
        let wanted = Duration::try_from_secs_f64(recorded.as_secs_f64() / factor);
        let wanted = wanted.unwrap_or(Duration::MAX);
        while let Some(left) = wanted.checked_sub(self.started.elapsed()) {
            if left.is_zero() || self.stopped() {
                return;
            }
            std::thread::sleep(left.min(NAP));
        }
    }

    fn stopped(&self) -> bool {
        self.replay
            .stop
            .is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Commits the blocks that were gathered.
    fn hand_in(&mut self, recording: &RecordingReader) -> Result<(), ReplayError> {
        if let Some(clock) = self.replay.clock {
            clock.set(clock.now().max(self.last.unix_seconds()));
        }
        let ledger = self.replay.ledger;
        let group = std::mem::take(&mut self.group);
        self.group_bytes = 0;
        let told = &mut self.told;
        if !group.is_empty() {
            for answer in ledger.submit_blocks(&group)? {
                told.blocks += 1;
                let joined = answer.joined.iter();
                let waited = joined.map(|(_, outcome)| {
                    told.waiting = told.waiting.saturating_sub(1);
                    outcome
                });
                let outcomes: Vec<&Outcome> =
                    std::iter::once(&answer.outcome).chain(waited).collect();
                for outcome in outcomes {
                    count(told, outcome);
                }
            }
        }
        let best = ledger.best();
        (told.best_hash, told.best_height) = (best.hash(), best.height());
        let progress = ReplayProgress {
            entries: told.entries,
            bytes: recording.offset(),
            bytes_total: recording.length(),
            height: told.best_height,
        };
        if let Some(watch) = &mut self.replay.watch {
            watch(&progress);
        }
        Ok(())
    }
}

fn count(told: &mut Replayed, outcome: &Outcome) {
    let hash = match outcome {
        Outcome::Accepted { .. } => {
            told.accepted += 1;
            return;
        }
        Outcome::Known { .. } => {
            told.known += 1;
            return;
        }
        Outcome::Orphan { .. } => {
            told.waiting += 1;
            return;
        }
        Outcome::Rejected { hash, .. } => Some(*hash),
        Outcome::Undecodable(_) => None,
    };
    told.refused += 1;
    if told.refusals.len() < MAX_TOLD {
        let reason = outcome.bip22().unwrap_or_default();
        told.refusals.push((hash, reason));
    }
}
