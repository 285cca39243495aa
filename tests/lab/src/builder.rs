//! Owns how a lab is set up.
//! Promises that what is left out is what most tests want: memory, no files, a clock that stands still.

use std::path::{Path, PathBuf};

use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params};

use crate::error::LabError;
use crate::lab::Lab;

/// Seconds from block to block, on average, unless told otherwise.
const SPACING: u32 = 600;

/// What a lab is made with; [`Lab::builder`] begins one.
#[derive(Clone, Debug)]
pub struct LabBuilder {
    seed: u64,
    directory: Option<PathBuf>,
    horizon: Option<u32>,
    spacing: u32,
    live: bool,
}

impl LabBuilder {
    pub(crate) fn new() -> LabBuilder {
        LabBuilder {
            seed: 0,
            directory: None,
            horizon: None,
            spacing: SPACING,
            live: false,
        }
    }

    /// What keys, block times and coinbases follow from; 0 if left out.
    pub fn seed(mut self, seed: u64) -> LabBuilder {
        self.seed = seed;
        self
    }

    /// Keeps the ledger in files in this directory instead of memory. What is in there already stays.
    pub fn in_directory(mut self, directory: impl AsRef<Path>) -> LabBuilder {
        self.directory = Some(directory.as_ref().to_path_buf());
        self
    }

    /// How many blocks behind the best tip a branch may fork off and stay live; without, all stay live until the best
    /// chain is higher than 10,000 blocks.
    pub fn horizon(mut self, blocks: u32) -> LabBuilder {
        self.horizon = Some(blocks);
        self
    }

    /// Seconds from block to block, on average; 600 if left out, at least 1.
    pub fn spacing(mut self, seconds: u32) -> LabBuilder {
        self.spacing = seconds.max(1);
        self
    }

    /// Lets the machine's clock tell block times, instead of one that stands still but for the blocks made: for labs
    /// that people watch. Hashes then differ from run to run.
    pub fn live(mut self) -> LabBuilder {
        self.live = true;
        self
    }

    /// Opens the lab.
    ///
    /// # Errors
    ///
    /// [`LabError::Open`], which a lab in memory never answers.
    pub fn open(self) -> Result<Lab, LabError> {
        let params = Params::new(Network::Regtest);
        let start = u64::from(params.genesis.header.time);
        let mut config = match &self.directory {
            Some(directory) => LedgerConfig::new(params, directory),
            None => LedgerConfig::in_memory(params),
        };
        config.horizon = self.horizon;
        config.clock = match self.live {
            true => Clock::system(),
            false => Clock::fixed(start),
        };
        let ledger = Ledger::open(config)?;
        if !self.live {
            // In a directory there may be a history already.
            let best = u64::from(ledger.best().header().time);
            ledger.clock().set(best.max(start));
        }
        Ok(Lab::on(ledger, self.seed, self.spacing, self.live))
    }
}
