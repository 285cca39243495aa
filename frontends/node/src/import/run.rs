//! Owns the run of an import: scan the files, hand over what was found, look again into what was broken.
//! Promises that it can be stopped between blocks and run again, and that what was accepted stays;
//! refuses to go on when the ledger cannot store or a file cannot be read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use everett_ledger::{Ledger, StoreError};

use super::frames::{Frame, Magics, Scan};
use super::progress::{Phase, Progress};
use super::report::{FileSummary, Problem, Summary};
use super::source::{Source, expand};
use super::submission::Submission;
use super::{MAX_FRAMES, MAX_RESCANS};

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
    pub(super) ledger: &'a Ledger,
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
        let mut run = Submission::new(&mut self, &sources, &frames, summary);
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
        let best = self.ledger.best();
        summary.best_hash = best.hash().to_string();
        summary.best_height = best.height();
        summary.tips = self.ledger.tips().len();
        summary.seconds = started.elapsed().as_secs_f64();
        Ok(summary)
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    pub(super) fn tell(&mut self, progress: &Progress) {
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

pub(super) fn unreadable(source: &Source, offset: u64, error: io::Error) -> ImportError {
    ImportError::Read {
        path: source.path.clone(),
        offset,
        source: error,
    }
}
