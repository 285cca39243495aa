//! Owns the state of Core's test deployment (BIP9), which exists on regtest alone: begun at once and never over, unless it
//! is told other times.
//! Promises the state after any block, on any branch, from what the blocks before it signal.
//! Refuses to walk a chain twice: it remembers the state after each period.

use std::collections::HashMap;

use bitcoin::BlockHash;
use everett_ledger::{Ledger, Network};
use parking_lot::Mutex;

/// Blocks of a period.
pub const PERIOD: u32 = 144;
/// Signals of a period that lock the deployment in.
pub const THRESHOLD: u32 = 108;
/// The bit of a header's version that signals it.
pub const TEST_BIT: u32 = 28;
/// What the top bits of a version are that has signals.
const TOP_BITS: u32 = 0x2000_0000;
/// Which bits those are.
const TOP_MASK: u32 = 0xe000_0000;
/// Periods that are remembered, at most.
const MAX_REMEMBERED: usize = 4_096;

/// A start that says that the deployment is active from the first block.
const ALWAYS_ACTIVE: i64 = -1;
/// A start that says that there is no such deployment.
const NEVER_ACTIVE: i64 = -2;

/// When the deployment may be signalled for, and from which block it may be active: `-vbparams`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SignalTimes {
    /// The median time past from which it is signalled for, unix seconds; -1: it is always active, -2: it never is.
    pub start: i64,
    /// The median time past from which it has failed unless it is locked in, unix seconds.
    pub timeout: i64,
    /// The height of the first block that it may be active for.
    pub min_activation_height: i64,
}

impl Default for SignalTimes {
    fn default() -> SignalTimes {
        SignalTimes {
            start: 0,
            timeout: i64::MAX,
            min_activation_height: 0,
        }
    }
}

/// How far a deployment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeploymentState {
    /// It is not begun.
    Defined,
    /// Blocks signal.
    Started,
    /// Enough did: it is active after another period.
    LockedIn,
    /// It is active.
    Active,
    /// Too few did in time.
    Failed,
}

impl DeploymentState {
    /// Bitcoin Core's word.
    pub fn as_str(self) -> &'static str {
        match self {
            DeploymentState::Defined => "defined",
            DeploymentState::Started => "started",
            DeploymentState::LockedIn => "locked_in",
            DeploymentState::Active => "active",
            DeploymentState::Failed => "failed",
        }
    }

    /// Whether a miner signals.
    pub fn is_signalled(self) -> bool {
        matches!(self, DeploymentState::Started | DeploymentState::LockedIn)
    }
}

/// A state, and since which height it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Since {
    /// The state.
    pub state: DeploymentState,
    /// The height of the first block that it holds for.
    pub height: u32,
}

/// The test deployment.
#[derive(Default)]
pub struct TestDeployment {
    times: SignalTimes,
    /// By the last block of a period, what holds after it.
    after: Mutex<HashMap<BlockHash, Since>>,
}

impl TestDeployment {
    /// One with times of its own.
    pub fn new(times: SignalTimes) -> TestDeployment {
        TestDeployment {
            times,
            ..TestDeployment::default()
        }
    }

    /// Its times.
    pub fn times(&self) -> SignalTimes {
        self.times
    }

    /// Whether the network has it.
    pub fn is_on(&self, network: Network) -> bool {
        network == Network::Regtest && self.times.start != NEVER_ACTIVE
    }

    /// What holds for the block at `height` of the chain that ends at `tip`, or on top of it: `height` is at most one
    /// above the tip's. `None` where the tree does not know these blocks. Costs a look at each header of the periods
    /// that were not asked for before.
    pub fn at(&self, ledger: &Ledger, tip: &BlockHash, height: u32) -> Option<Since> {
        let always = match self.times.start {
            ALWAYS_ACTIVE => Some(DeploymentState::Active),
            NEVER_ACTIVE => Some(DeploymentState::Failed),
            _ => None,
        };
        if let Some(state) = always {
            return Some(Since { state, height: 0 });
        }
        let mut period = height / PERIOD;
        let mut unknown = Vec::new();
        let mut now = loop {
            if period == 0 {
                break Since {
                    state: DeploymentState::Defined,
                    height: 0,
                };
            }
            let last = ledger.ancestor(tip, period * PERIOD - 1)?;
            if let Some(known) = self.after.lock().get(&last.hash) {
                break *known;
            }
            unknown.push((last, period * PERIOD));
            period -= 1;
        };
        for (last, next) in unknown.into_iter().rev() {
            let time = i64::from(last.median_time_past);
            let state = match now.state {
                DeploymentState::Defined if time >= self.times.start => DeploymentState::Started,
                DeploymentState::Started => {
                    let signals = TestDeployment::signals(ledger, tip, next - PERIOD, next - 1)?;
                    let count = signals.iter().filter(|signal| **signal).count();
                    match count >= THRESHOLD as usize {
                        true => DeploymentState::LockedIn,
                        false if time >= self.times.timeout => DeploymentState::Failed,
                        false => DeploymentState::Started,
                    }
                }
                DeploymentState::LockedIn
                    if i64::from(next) >= self.times.min_activation_height =>
                {
                    DeploymentState::Active
                }
                same => same,
            };
            if state != now.state {
                now = Since {
                    state,
                    height: next,
                };
            }
            let mut after = self.after.lock();
            if after.len() >= MAX_REMEMBERED {
                after.clear();
            }
            after.insert(last.hash, now);
        }
        Some(now)
    }

    /// The version of a header on top of `tip`, which is at `height`: Bitcoin Core's `ComputeBlockVersion`.
    pub fn version_after(&self, ledger: &Ledger, tip: &BlockHash, height: u32) -> i32 {
        let signalled = self.is_on(ledger.params().network)
            && (self.at(ledger, tip, height.saturating_add(1)))
                .is_some_and(|since| since.state.is_signalled());
        let signal = if signalled { 1 << TEST_BIT } else { 0 };
        (TOP_BITS | signal) as i32
    }

    /// Whether each block from a height to another one signals, of the chain that ends at `tip`.
    pub fn signals(ledger: &Ledger, tip: &BlockHash, first: u32, last: u32) -> Option<Vec<bool>> {
        let signals = |height| {
            let info = ledger.ancestor(tip, height)?;
            let version = info.header.version.to_consensus() as u32;
            Some(version & TOP_MASK == TOP_BITS && version & (1 << TEST_BIT) != 0)
        };
        (first..=last).map(signals).collect()
    }
}
