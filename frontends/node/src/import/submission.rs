//! Owns the second half of an import: frames on their way into the ledger, and what it says of them.
//! Promises one commit for a group of blocks, and an entry for whatever was not accepted.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use bitcoin::BlockHash;
use everett_ledger::{ChainStatus, Outcome, StoreError, Submitted};

use super::error::{ImportError, unreadable};
use super::frames::Frame;
use super::headers;
use super::plan::plan;
use super::progress::{Phase, Progress};
use super::report::{Problem, ProblemKind, Summary};
use super::source::Source;
use super::task::Task;
use super::{GROUP_BLOCKS, GROUP_BYTES};

/// The second half of an import: frames on their way into the ledger.
pub(super) struct Submission<'r, 'a> {
    task: &'r mut Task<'a>,
    sources: &'r [Source],
    summary: Summary,
    /// Blocks that the ledger keeps until their parent comes, or another ancestor's block.
    strays: Vec<Frame>,
    /// Blocks that the ledger has without having connected them; those whose ancestors came are accepted in the end.
    waiting: HashSet<BlockHash>,
    /// Blocks of this import that were refused, each with the reason.
    refused: HashMap<BlockHash, String>,
    started: Instant,
    blocks: u64,
    blocks_total: u64,
    bytes: u64,
    bytes_total: u64,
    /// Blocks of this import that the ledger has taken, to tell copies from blocks it had before.
    seen: HashSet<BlockHash>,
    /// Frames that were no block.
    broken: Vec<Frame>,
}

impl<'r, 'a> Submission<'r, 'a> {
    /// Of these frames, found in these files.
    pub(super) fn new(
        task: &'r mut Task<'a>,
        sources: &'r [Source],
        frames: &[Frame],
        summary: Summary,
    ) -> Submission<'r, 'a> {
        Submission {
            task,
            sources,
            summary,
            strays: Vec::new(),
            waiting: HashSet::new(),
            refused: HashMap::new(),
            started: Instant::now(),
            blocks: 0,
            blocks_total: frames.len() as u64,
            bytes: 0,
            bytes_total: frames.iter().map(|f| u64::from(f.length)).sum(),
            seen: HashSet::new(),
            broken: Vec::new(),
        }
    }

    /// More frames have been found.
    pub(super) fn expect_more(&mut self, frames: &[Frame]) {
        self.blocks_total += frames.len() as u64;
    }

    /// The frames since the last time it was asked whose bytes are no block, or not only one.
    pub(super) fn take_broken(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.broken)
    }
}

impl Submission<'_, '_> {
    /// Hands all of them over, in the order of a plan.
    pub(super) fn submit_all(&mut self, frames: &[Frame]) -> Result<(), ImportError> {
        let ledger = self.task.ledger.clone();
        // The ledger keeps these, and a header lets them in without a word.
        let orphans = ledger.orphans();
        self.waiting
            .extend(orphans.iter().map(|orphan| orphan.hash));
        // A header alone, from an import that was stopped, must not change the order of blocks.
        let plan = plan(frames, |hash| {
            let info = ledger.block_info(hash);
            info.is_some_and(|info| info.tx_count > 0 || info.height == 0)
        });
        let ready = plan.ready.iter().map(|index| &frames[*index as usize]);
        headers::submit(&ledger, self.sources, ready, || self.task.stopped())?
            .map_err(|error| self.failed(error))?;
        let mut group = Group::default();
        for index in plan.ready.into_iter().chain(plan.strays) {
            if self.task.stopped() {
                self.summary.interrupted = true;
                break;
            }
            let frame = frames[index as usize];
            if self.skip_known(&frame) {
                continue;
            }
            let bytes = self.read(&frame)?;
            group.push(frame, bytes);
            if group.is_full() {
                self.submit(&mut group)?;
            }
        }
        // What has been read is handed over also when told to stop: it is one commit.
        self.submit(&mut group)
    }

    /// Whether the ledger has the block already, in which case it need not be read.
    fn skip_known(&mut self, frame: &Frame) -> bool {
        let Some(info) = self.task.ledger.block_info(&frame.hash) else {
            return false;
        };
        if info.tx_count == 0 && info.height > 0 {
            return false; // The header alone is known.
        }
        self.known(frame, info.height, info.status);
        self.look_behind(frame);
        self.done(frame.length);
        true
    }

    fn read(&self, frame: &Frame) -> Result<Vec<u8>, ImportError> {
        let source = &self.sources[frame.file as usize];
        let mut bytes = vec![0; frame.length as usize];
        source
            .read_exact(frame.block_offset(), &mut bytes)
            .map_err(|error| unreadable(source, frame.offset, error))?;
        Ok(bytes)
    }

    fn failed(&self, source: StoreError) -> ImportError {
        ImportError::Store {
            source,
            summary: Box::new(self.summary.clone()),
        }
    }

    /// Hands a group over, in one commit.
    fn submit(&mut self, group: &mut Group) -> Result<(), ImportError> {
        let Group { frames, blocks, .. } = std::mem::take(group);
        if frames.is_empty() {
            return Ok(());
        }
        let submitted = match self.task.ledger.submit_blocks(&blocks) {
            Ok(submitted) => submitted,
            Err(source) => return Err(self.failed(source)),
        };
        for (frame, submitted) in frames.iter().zip(submitted) {
            self.summary.submitted_bytes += u64::from(frame.length);
            self.take(frame, submitted);
            self.look_behind(frame);
            self.done(frame.length);
        }
        let progress = self.progress();
        self.task.tell(&progress);
        Ok(())
    }

    fn take(&mut self, frame: &Frame, submitted: Submitted) {
        match submitted.outcome {
            Outcome::Accepted { status, .. } => {
                self.accepted(frame.hash, status);
                if status == ChainStatus::HeadersOnly {
                    self.strays.push(*frame);
                }
            }
            Outcome::Known { height, status, .. } => self.known(frame, height, status),
            Outcome::Orphan { .. } => self.strays.push(*frame),
            Outcome::Rejected { height, reject, .. } => {
                self.rejected(
                    Some(frame),
                    frame.hash,
                    height,
                    &reject.reason,
                    &reject.debug,
                );
            }
            Outcome::Undecodable(error) => {
                self.summary.undecodable += 1;
                let why = format!("the bytes under its header are no block: {error}");
                self.refused.insert(frame.hash, why);
                let message = format!(
                    "the frame at offset {} holds no block: {error}; its inside was searched for \
                     other frames",
                    frame.offset
                );
                let mut problem = self.problem(ProblemKind::Undecodable, frame, &message);
                problem.hash = None;
                problem.length = Some(u64::from(frame.length));
                self.summary.report(problem);
                self.broken.push(*frame);
            }
        }
        for (hash, outcome) in submitted.joined {
            match outcome {
                Outcome::Accepted { status, .. } => self.accepted(hash, status),
                Outcome::Rejected { height, reject, .. } => {
                    self.rejected(None, hash, height, &reject.reason, &reject.debug);
                }
                Outcome::Known { .. } | Outcome::Orphan { .. } | Outcome::Undecodable(_) => {}
            }
        }
    }

    fn accepted(&mut self, hash: BlockHash, status: ChainStatus) {
        self.seen.insert(hash);
        if status == ChainStatus::HeadersOnly {
            self.waiting.insert(hash);
        } else {
            self.waiting.remove(&hash);
            self.summary.accepted += 1;
        }
    }

    /// A frame may be longer than its block, which is none the worse for it; but then its length is
    /// wrong, and what follows the block may be more blocks.
    fn look_behind(&mut self, frame: &Frame) {
        let stored = self
            .task
            .ledger
            .block_info(&frame.hash)
            .map_or(0, |info| info.size);
        if stored == 0 || stored >= frame.length {
            return;
        }
        let behind = Frame {
            offset: frame.offset + u64::from(stored),
            length: frame.length - stored,
            ..*frame
        };
        let message = format!(
            "the frame at offset {} is {} bytes longer than its block; they were searched for other \
             frames",
            frame.offset, behind.length
        );
        let mut problem = self.problem(ProblemKind::Garbage, frame, &message);
        problem.offset = Some(behind.block_offset());
        problem.length = Some(u64::from(behind.length));
        self.summary.report(problem);
        self.broken.push(behind);
    }

    fn known(&mut self, frame: &Frame, height: u32, status: ChainStatus) {
        if status == ChainStatus::Invalid {
            let info = self.task.ledger.block_info(&frame.hash);
            let reason = info
                .and_then(|info| info.reject_reason)
                .unwrap_or_else(|| "duplicate-invalid".to_owned());
            self.rejected(Some(frame), frame.hash, Some(height), &reason, "");
        } else if self.seen.contains(&frame.hash) {
            self.summary.duplicates += 1;
            let message = format!(
                "block {} at offset {} (height {height}) was in the files before; skipped",
                frame.hash, frame.offset
            );
            let mut problem = self.problem(ProblemKind::Duplicate, frame, &message);
            problem.height = Some(height);
            self.summary.report(problem);
        } else if status == ChainStatus::HeadersOnly {
            self.accepted(frame.hash, status);
            self.strays.push(*frame);
        } else {
            self.summary.known += 1;
            self.seen.insert(frame.hash);
        }
    }

    fn rejected(
        &mut self,
        frame: Option<&Frame>,
        hash: BlockHash,
        height: Option<u32>,
        reason: &str,
        debug: &str,
    ) {
        self.summary.rejected += 1;
        self.refused.insert(hash, reason.to_owned());
        let at_height = height.map_or_else(String::new, |height| format!(" (height {height})"));
        let why = if debug.is_empty() || debug == reason {
            reason.to_owned()
        } else {
            format!("{reason}: {debug}")
        };
        let mut problem = match frame {
            Some(frame) => {
                let message = format!(
                    "block {hash} at offset {}{at_height} is refused: {why}",
                    frame.offset
                );
                self.problem(ProblemKind::Rejected, frame, &message)
            }
            None => {
                let message = format!(
                    "block {hash}{at_height}, which had been waiting for its parent, is refused: {why}"
                );
                Problem::new(ProblemKind::Rejected, message)
            }
        };
        problem.hash = Some(hash.to_string());
        problem.height = height;
        problem.reason = Some(reason.to_owned());
        self.summary.report(problem);
    }

    fn problem(&self, kind: ProblemKind, frame: &Frame, message: &str) -> Problem {
        let path = &self.sources[frame.file as usize].path;
        let mut problem = Problem::new(kind, format!("{}: {message}", path.display()));
        problem.file = Some(path.clone());
        problem.offset = Some(frame.offset);
        problem.hash = Some(frame.hash.to_string());
        problem
    }

    fn done(&mut self, length: u32) {
        self.blocks += 1;
        self.bytes += u64::from(length);
    }

    fn progress(&self) -> Progress {
        Progress {
            phase: Phase::Submitting,
            blocks: self.blocks,
            blocks_total: self.blocks_total,
            bytes: self.bytes,
            bytes_total: self.bytes_total.max(self.bytes),
            height: self.task.ledger.best().height(),
            elapsed: self.started.elapsed(),
        }
    }

    /// Lists the blocks that still wait for their parent.
    pub(super) fn finish(mut self) -> Summary {
        if self.task.stopped() {
            self.summary.interrupted = true;
        }
        let strays = std::mem::take(&mut self.strays);
        let missing = missing_ancestors(&strays);
        for frame in strays {
            let info = self.task.ledger.block_info(&frame.hash);
            match info.as_ref().map(|info| info.status) {
                None | Some(ChainStatus::HeadersOnly) => self.still_waits(&frame, &missing),
                Some(ChainStatus::Invalid) => {
                    let height = info.as_ref().map(|info| info.height);
                    let reason = info.and_then(|info| info.reject_reason);
                    let reason = reason.unwrap_or_else(|| "bad-prevblk".to_owned());
                    if !self.refused.contains_key(&frame.hash) {
                        self.rejected(Some(&frame), frame.hash, height, &reason, "");
                    }
                }
                Some(_) => {} // Its ancestors came after all.
            }
        }
        for hash in std::mem::take(&mut self.waiting) {
            let Some(info) = self.task.ledger.block_info(&hash) else {
                continue;
            };
            match info.status {
                ChainStatus::HeadersOnly => {}
                ChainStatus::Invalid if self.refused.contains_key(&hash) => {}
                ChainStatus::Invalid => {
                    let reason = info.reject_reason.unwrap_or_default();
                    self.rejected(None, hash, Some(info.height), &reason, "");
                }
                _ => self.summary.accepted += 1,
            }
        }
        self.summary
    }

    /// Reports a block that is not connected, because an ancestor is missing or was refused.
    fn still_waits(&mut self, frame: &Frame, missing: &HashMap<BlockHash, BlockHash>) {
        let ancestor = missing.get(&frame.hash).unwrap_or(&frame.previous);
        let mut problem = if let Some(reason) = self.refused.get(ancestor) {
            let message = format!(
                "block {} at offset {} stands on {ancestor}, which was refused: {reason}",
                frame.hash, frame.offset
            );
            let reason = reason.clone();
            self.summary.refused_ancestors += 1;
            let mut problem = self.problem(ProblemKind::RefusedAncestor, frame, &message);
            problem.ancestor_hash = Some(ancestor.to_string());
            problem.reason = Some(reason);
            problem
        } else {
            let whose = match *ancestor == frame.previous {
                true => "parent",
                false => "ancestor",
            };
            let message = format!(
                "block {} at offset {} waits for its {whose} {ancestor}, which is in none of the \
                 files; import the file that has it",
                frame.hash, frame.offset
            );
            self.summary.unknown_parents += 1;
            self.problem(ProblemKind::UnknownParent, frame, &message)
        };
        problem.previous_hash = Some(frame.previous.to_string());
        self.summary.report(problem);
    }
}

/// For each of these blocks the nearest ancestor that is none of them.
fn missing_ancestors(strays: &[Frame]) -> HashMap<BlockHash, BlockHash> {
    let parents: HashMap<BlockHash, BlockHash> = strays
        .iter()
        .map(|frame| (frame.hash, frame.previous))
        .collect();
    let mut missing: HashMap<BlockHash, BlockHash> = HashMap::with_capacity(parents.len());
    let mut way = Vec::new();
    for frame in strays {
        let mut at = frame.hash;
        let found = loop {
            if let Some(known) = missing.get(&at) {
                break *known;
            }
            let Some(parent) = parents.get(&at) else {
                break at;
            };
            way.push(at);
            at = *parent;
        };
        missing.extend(way.drain(..).map(|hash| (hash, found)));
    }
    missing
}

/// Blocks that go to the ledger in one commit.
#[derive(Default)]
struct Group {
    frames: Vec<Frame>,
    blocks: Vec<Vec<u8>>,
    bytes: usize,
}

impl Group {
    fn push(&mut self, frame: Frame, block: Vec<u8>) {
        self.bytes += block.len();
        self.frames.push(frame);
        self.blocks.push(block);
    }

    fn is_full(&self) -> bool {
        self.bytes >= GROUP_BYTES || self.frames.len() >= GROUP_BLOCKS
    }
}
