//! Owns the run of an import: scan the files, hand over what was found, look again into what was broken.
//! Promises that it can be stopped between blocks and run again, and that what was accepted stays;
//! refuses to go on when the ledger cannot store or a file cannot be read.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use everett_ledger::Ledger;

use super::error::{ImportError, unreadable};
use super::frames::{Frame, Magics, Scan};
use super::progress::{Phase, Progress};
use super::report::{FileSummary, Problem, Summary};
use super::source::{Source, expand};
use super::submission::Submission;
use super::task::Task;
use super::{MAX_FRAMES, MAX_RESCANS};

#[cfg(test)]
mod tests;

/// Frames between two reports of progress while scanning.
const FRAMES_PER_REPORT: usize = 1_024;

/// An import of block files into a ledger.
///
/// ```no_run
/// # fn f(ledger: &everett_ledger::Ledger) -> Result<(), everett_node::import::ImportError> {
/// use everett_node::import::Import;
/// let summary = Import::new(ledger).run(&["bootstrap.dat".into()])?;
/// println!("{} accepted, {} problems", summary.accepted, summary.problems.len());
/// # Ok(()) }
/// ```
pub struct Import<'a>(Task<'a>);

impl<'a> Import<'a> {
    /// Into this ledger, to the end, in silence.
    pub fn new(ledger: &'a Ledger) -> Import<'a> {
        Import(Task {
            ledger,
            stop: None,
            progress: None,
        })
    }

    /// Stops soon after `flag` turns true; the summary then says that it was interrupted.
    pub fn stop_when(mut self, flag: &'a AtomicBool) -> Import<'a> {
        self.0.stop = Some(flag);
        self
    }

    /// Tells `watch` how far it has come, every thousand frames and after every commit.
    pub fn watched_by(mut self, watch: &'a mut dyn FnMut(&Progress)) -> Import<'a> {
        self.0.progress = Some(watch);
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
        let mut summary = Summary::new(self.0.ledger.params().network);
        let sources = open_all(paths)?;
        let magics = Magics::new(self.0.ledger.params());
        let mut frames = self.scan(&sources, &magics, &mut summary)?;
        summary.blocks = frames.len() as u64;
        let mut run = Submission::new(&mut self.0, &sources, &frames, summary);
        let mut rescans = 0;
        // A frame that was no block may have swallowed good ones: a round more for those.
        while !frames.is_empty() {
            run.submit_all(&frames)?;
            let broken = run.take_broken();
            let allowed = broken.len().min(MAX_RESCANS - rescans);
            rescans += allowed;
            frames = rescan(&sources, &magics, &broken[..allowed])?;
            run.expect_more(&frames);
        }
        let mut summary = run.finish();
        let best = self.0.ledger.best();
        summary.best_hash = best.hash().to_string();
        summary.best_height = best.height();
        summary.tips = self.0.ledger.tips().len();
        summary.seconds = started.elapsed().as_secs_f64();
        Ok(summary)
    }

    /// One pass over all files.
    fn scan(
        &mut self,
        sources: &[Source],
        magics: &Magics,
        summary: &mut Summary,
    ) -> Result<Vec<Frame>, ImportError> {
        let started = Instant::now();
        let height = self.0.ledger.best().height();
        let bytes_total = sources.iter().map(|source| source.length).sum();
        let mut bytes_before = 0;
        let mut frames = Vec::new();
        for (number, source) in (0u32..).zip(sources) {
            let first = frames.len();
            let mut scan = Scan::new(magics, source, number);
            loop {
                if frames.len() % FRAMES_PER_REPORT == 0 {
                    self.0.tell(&Progress {
                        phase: Phase::Scanning,
                        blocks: frames.len() as u64,
                        blocks_total: frames.len() as u64,
                        bytes: bytes_before + scan.offset(),
                        bytes_total,
                        height,
                        elapsed: started.elapsed(),
                    });
                    if self.0.stopped() {
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
                let network = self.0.ledger.params().network;
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
