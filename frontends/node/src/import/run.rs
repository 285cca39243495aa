//! Owns the run of an import: scan, plan, submit in groups, report.
//! Promises that it can be stopped between blocks and run again, and that what was accepted stays;
//! refuses to go on when the ledger cannot store or a file cannot be read.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bitcoin::BlockHash;
use everett_ledger::{ChainStatus, Ledger, Outcome, StoreError, Submitted};

use super::frames::{Frame, Magics, Scan};
use super::plan::plan;
use super::report::{FileSummary, Problem, ProblemKind, Summary};
use super::source::{Source, expand};
use super::{GROUP_BLOCKS, GROUP_BYTES, MAX_FRAMES, MAX_RESCANS};

#[cfg(test)]
mod tests;

/// Frames between two reports of progress while scanning.
const FRAMES_PER_REPORT: usize = 1_024;

/// Why an import could not go on. What the ledger accepted before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {} at offset {offset}: {source}; run the import again when it can be", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Where.
        offset: u64,
        /// What the system says.
        source: io::Error,
    },
    /// The files hold more blocks than one import indexes.
    #[error("the files hold more than {limit} blocks; import them one after the other")]
    TooManyFrames {
        /// [`MAX_FRAMES`].
        limit: usize,
    },
    /// The ledger cannot store.
    #[error("{source}; {} blocks were accepted before, run the import again to go on", summary.accepted)]
    Store {
        /// What the ledger says.
        source: StoreError,
        /// What the import had done until then.
        summary: Box<Summary>,
    },
}

/// What an import is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Looking for blocks in the files.
    Scanning,
    /// Handing them to the ledger.
    Submitting,
}

/// How far an import has come.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Blocks found, or done with.
    pub blocks: u64,
    /// Blocks in all; while scanning, those found so far.
    pub blocks_total: u64,
    /// Bytes of the files scanned, or of the blocks done with.
    pub bytes: u64,
    /// Bytes in all.
    pub bytes_total: u64,
    /// Height of the best world's tip.
    pub height: u32,
    /// Since the phase began.
    pub elapsed: Duration,
}

impl Progress {
    /// Megabytes (10^6 bytes) a second in this phase.
    pub fn megabytes_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 {
            self.bytes as f64 / 1e6 / seconds
        } else {
            0.0
        }
    }
}

/// An import of block files into a ledger.
///
/// ```no_run
/// # fn f(ledger: &everett_ledger::Ledger) -> Result<(), everett_node::import::ImportError> {
/// use everett_node::import::Import;
/// let summary = Import::new(ledger).run(&["bootstrap.dat".into()])?;
/// println!("{} accepted, {} problems", summary.accepted, summary.problems.len());
/// # Ok(()) }
/// ```
pub struct Import<'a> {
    ledger: &'a Ledger,
    stop: Option<&'a AtomicBool>,
    progress: Option<&'a mut dyn FnMut(&Progress)>,
}

impl<'a> Import<'a> {
    /// Into this ledger, to the end, in silence.
    pub fn new(ledger: &'a Ledger) -> Import<'a> {
        Import {
            ledger,
            stop: None,
            progress: None,
        }
    }

    /// Stops soon after `flag` turns true; the summary then says that it was interrupted.
    pub fn stop_when(mut self, flag: &'a AtomicBool) -> Import<'a> {
        self.stop = Some(flag);
        self
    }

    /// Tells `watch` how far it has come, every thousand frames and after every commit.
    pub fn watched_by(mut self, watch: &'a mut dyn FnMut(&Progress)) -> Import<'a> {
        self.progress = Some(watch);
        self
    }

    /// Imports these files, in this order. A directory stands for the `blk?????.dat` in it, `-` for
    /// standard input.
    ///
    /// Blocks may lie in any order and in several files: a block goes to the ledger as soon as its
    /// parent is known there. Blocks whose parent is nowhere are handed over last; the ledger keeps
    /// them, up to its own limit, until the parent comes.
    ///
    /// # Errors
    ///
    /// [`ImportError`]. Bad files are no errors of the import: see [`Summary::problems`].
    pub fn run(mut self, paths: &[PathBuf]) -> Result<Summary, ImportError> {
        let started = Instant::now();
        let mut summary = Summary::new(self.ledger.params().network);
        let sources = open_all(paths)?;
        let magics = Magics::new(self.ledger.params());
        let mut frames = self.scan(&sources, &magics, &mut summary)?;
        summary.blocks = frames.len() as u64;
        let mut run = Submission {
            import: &mut self,
            sources: &sources,
            summary,
            strays: Vec::new(),
            started: Instant::now(),
            blocks: 0,
            blocks_total: frames.len() as u64,
            bytes_total: frames.iter().map(|f| u64::from(f.length)).sum(),
            bytes: 0,
            seen: HashSet::new(),
            broken: Vec::new(),
        };
        let mut rescans = 0;
        // A frame that was no block may have swallowed good ones: a round more for those.
        while !frames.is_empty() {
            run.submit_all(&frames)?;
            let broken = std::mem::take(&mut run.broken);
            let allowed = broken.len().min(MAX_RESCANS - rescans);
            rescans += allowed;
            frames = rescan(&sources, &magics, &broken[..allowed])?;
            run.blocks_total += frames.len() as u64;
        }
        let mut summary = run.finish();
        let best = self.ledger.best();
        summary.best_hash = best.hash().to_string();
        summary.best_height = best.height();
        summary.tips = self.ledger.tips().len();
        summary.seconds = started.elapsed().as_secs_f64();
        Ok(summary)
    }

    fn stopped(&self) -> bool {
        self.stop.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    fn tell(&mut self, progress: &Progress) {
        if let Some(watch) = &mut self.progress {
            watch(progress);
        }
    }

    /// One pass over all files.
    fn scan(
        &mut self,
        sources: &[Source],
        magics: &Magics,
        summary: &mut Summary,
    ) -> Result<Vec<Frame>, ImportError> {
        let started = Instant::now();
        let height = self.ledger.best().height();
        let bytes_total = sources.iter().map(|source| source.length).sum();
        let mut bytes_before = 0;
        let mut frames = Vec::new();
        for (number, source) in (0u32..).zip(sources) {
            let first = frames.len();
            let mut scan = Scan::new(magics, source, number);
            loop {
                if frames.len() % FRAMES_PER_REPORT == 0 {
                    self.tell(&Progress {
                        phase: Phase::Scanning,
                        blocks: frames.len() as u64,
                        blocks_total: frames.len() as u64,
                        bytes: bytes_before + scan.offset(),
                        bytes_total,
                        height,
                        elapsed: started.elapsed(),
                    });
                    if self.stopped() {
                        break;
                    }
                }
                match scan
                    .next_frame()
                    .map_err(|e| unreadable(source, scan.offset(), e))?
                {
                    Some(frame) => frames.push(frame),
                    None => break,
                }
                if frames.len() > MAX_FRAMES {
                    return Err(ImportError::TooManyFrames { limit: MAX_FRAMES });
                }
            }
            let flaws = scan.into_flaws();
            summary.problems_not_listed += flaws.dropped;
            for flaw in flaws.listed {
                let network = self.ledger.params().network;
                summary.report(Problem::of_flaw(&flaw, source.path.clone(), network));
            }
            summary.files.push(FileSummary {
                path: source.path.clone(),
                bytes: source.length,
                blocks: (frames.len() - first) as u64,
            });
            bytes_before += source.length;
        }
        Ok(frames)
    }
}

/// The second half of an import: frames on their way into the ledger.
struct Submission<'r, 'a> {
    import: &'r mut Import<'a>,
    sources: &'r [Source],
    summary: Summary,
    /// Blocks that the ledger keeps until their parent comes.
    strays: Vec<(Frame, BlockHash)>,
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

impl Submission<'_, '_> {
    fn submit_all(&mut self, frames: &[Frame]) -> Result<(), ImportError> {
        let ledger = self.import.ledger.clone();
        let plan = plan(frames, |hash| ledger.block_info(hash).is_some());
        let mut group = Group::default();
        for index in plan.ready.into_iter().chain(plan.strays) {
            if self.import.stopped() {
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
        let Some(info) = self.import.ledger.block_info(&frame.hash) else {
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

    /// Hands a group over, in one commit.
    fn submit(&mut self, group: &mut Group) -> Result<(), ImportError> {
        let Group { frames, blocks, .. } = std::mem::take(group);
        if frames.is_empty() {
            return Ok(());
        }
        let submitted = match self.import.ledger.submit_blocks(&blocks) {
            Ok(submitted) => submitted,
            Err(source) => {
                return Err(ImportError::Store {
                    source,
                    summary: Box::new(self.summary.clone()),
                });
            }
        };
        for (frame, submitted) in frames.iter().zip(submitted) {
            self.summary.submitted_bytes += u64::from(frame.length);
            self.take(frame, submitted);
            self.look_behind(frame);
            self.done(frame.length);
        }
        let progress = self.progress();
        self.import.tell(&progress);
        Ok(())
    }

    fn take(&mut self, frame: &Frame, submitted: Submitted) {
        match submitted.outcome {
            Outcome::Accepted { .. } => {
                self.summary.accepted += 1;
                self.seen.insert(frame.hash);
            }
            Outcome::Known { height, status, .. } => self.known(frame, height, status),
            Outcome::Orphan { previous, .. } => self.strays.push((*frame, previous)),
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
                Outcome::Accepted { .. } => {
                    self.summary.accepted += 1;
                    self.seen.insert(hash);
                }
                Outcome::Rejected { height, reject, .. } => {
                    self.rejected(None, hash, height, &reject.reason, &reject.debug);
                }
                Outcome::Known { .. } | Outcome::Orphan { .. } | Outcome::Undecodable(_) => {}
            }
        }
    }

    /// A frame may be longer than its block, which is none the worse for it; but then its length is
    /// wrong, and what follows the block may be more blocks.
    fn look_behind(&mut self, frame: &Frame) {
        let stored = self
            .import
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
            let info = self.import.ledger.block_info(&frame.hash);
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
            height: self.import.ledger.best().height(),
            elapsed: self.started.elapsed(),
        }
    }

    /// Lists the blocks that still wait for their parent.
    fn finish(mut self) -> Summary {
        if self.import.stopped() {
            self.summary.interrupted = true;
        }
        for (frame, previous) in std::mem::take(&mut self.strays) {
            if self.import.ledger.block_info(&frame.hash).is_some() {
                continue; // Its parent came after all.
            }
            self.summary.unknown_parents += 1;
            let message = format!(
                "block {} at offset {} waits for its parent {previous}, which is in none of the \
                 files; import the file that has it",
                frame.hash, frame.offset
            );
            let mut problem = self.problem(ProblemKind::UnknownParent, &frame, &message);
            problem.previous_hash = Some(previous.to_string());
            self.summary.report(problem);
        }
        self.summary
    }
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

fn open_all(paths: &[PathBuf]) -> Result<Vec<Source>, ImportError> {
    let cannot = |path: &Path, source| ImportError::Open {
        path: path.to_owned(),
        source,
    };
    let mut sources = Vec::new();
    for path in paths {
        for file in expand(path).map_err(|error| cannot(path, error))? {
            sources.push(Source::open(&file).map_err(|error| cannot(&file, error))?);
        }
    }
    Ok(sources)
}

/// The frames that lie inside frames that were no blocks.
fn rescan(
    sources: &[Source],
    magics: &Magics,
    broken: &[Frame],
) -> Result<Vec<Frame>, ImportError> {
    let mut frames = Vec::new();
    for frame in broken {
        let source = &sources[frame.file as usize];
        let mut scan = Scan::inside(magics, source, frame);
        while let Some(inner) = scan
            .next_frame()
            .map_err(|error| unreadable(source, scan.offset(), error))?
        {
            frames.push(inner);
        }
    }
    Ok(frames)
}

fn unreadable(source: &Source, offset: u64, error: io::Error) -> ImportError {
    ImportError::Read {
        path: source.path.clone(),
        offset,
        source: error,
    }
}
