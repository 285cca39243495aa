//! Owns the comparison of what the two engines say of one block after the other.
//! Promises to know when they may differ: Everett holds a block of a side branch against its coins when it comes,
//! Core when the branch becomes the best. Until then Core's verdict is open, and so is that of all built on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use bitcoin::BlockHash;
use bitcoin::block::Header;
use bitcoin::consensus::deserialize;
use bitcoin::hashes::Hash;
use bitcoinkernel::BlockValidationResult;
use everett_ledger::{
    ChainStatus, Ledger, LedgerConfig, Network, Outcome, Params, Reject, RejectKind,
};

use crate::kernel::{Answer, Checked, Fault, Node};

/// Bytes of a header.
const HEADER_SIZE: usize = 80;
/// What a script's failure starts with: which of several fails first is not Core's promise.
const SCRIPT_FAILURE: &str = "block-script-verify-flag-failed";

/// Something that both engines are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// A block, or a header alone.
    pub bytes: Vec<u8>,
    /// Whether only the header is handed in.
    pub header_only: bool,
}

/// The two say different things.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The block that it is about.
    pub block: BlockHash,
    /// What Everett says.
    pub everett: String,
    /// What Core says.
    pub core: String,
}

/// How often things happened.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Blocks and headers handed to both.
    pub submitted: u64,
    /// Blocks that Core connected.
    pub connected: u64,
    /// Blocks that Core took off its best chain.
    pub reorganisations: u64,
    /// Blocks of side branches that were invalid for Everett, and that Core later found to be too.
    pub judged_late: u64,
    /// Core's reasons, without what is in parentheses or behind a comma.
    pub reasons: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: &Tally) {
        self.submitted += other.submitted;
        self.connected += other.connected;
        self.reorganisations += other.reorganisations;
        self.judged_late += other.judged_late;
        for (reason, count) in &other.reasons {
            *self.reasons.entry(reason.clone()).or_default() += count;
        }
    }
}

/// Two engines with the same blocks.
pub struct Judge {
    ledger: Ledger,
    node: Node,
    /// What Everett finds of each block: `None` if it holds.
    own: BTreeMap<BlockHash, Option<Reject>>,
    /// Blocks that wait for their parents.
    orphans: BTreeMap<BlockHash, Vec<u8>>,
    /// Blocks that Everett knows to be invalid, and Core does not know yet.
    open: BTreeSet<BlockHash>,
    /// Blocks built on those while they were open: Core has their headers, Everett never takes them.
    core_only: BTreeSet<BlockHash>,
    tip: BlockHash,
    /// What happened.
    pub tally: Tally,
    _directory: tempfile::TempDir,
}

impl Judge {
    /// Two engines with the genesis block, in a directory below `root`.
    pub fn open(root: &Path) -> Result<Judge> {
        let directory = tempfile::tempdir_in(root).context("no directory for the chains")?;
        let config = LedgerConfig::new(
            Params::new(Network::Regtest),
            directory.path().join("everett"),
        );
        let ledger = Ledger::open(config)?;
        let node = Node::open(directory.path())?;
        let tip = ledger.best().hash();
        if node.tip().0 != tip {
            bail!("the two begin with different blocks");
        }
        Ok(Judge {
            ledger,
            node,
            own: BTreeMap::from([(tip, None)]),
            orphans: BTreeMap::new(),
            open: BTreeSet::new(),
            core_only: BTreeSet::new(),
            tip,
            tally: Tally::default(),
            _directory: directory,
        })
    }

    /// Everett's best block.
    pub fn tip(&self) -> BlockHash {
        self.tip
    }

    /// Whether Everett takes the block for valid.
    pub fn is_valid(&self, hash: &BlockHash) -> bool {
        matches!(self.own.get(hash), Some(None))
    }

    /// Hands it to both and compares.
    pub fn submit(&mut self, submission: &Submission) -> Result<Option<Mismatch>> {
        self.tally.submitted += 1;
        let bytes = &submission.bytes;
        if submission.header_only {
            return self.submit_header(bytes);
        }
        let submitted = self.ledger.submit_block(bytes)?;
        if let Some(mismatch) = self.compare(bytes, &submitted.outcome)? {
            return Ok(Some(mismatch));
        }
        for (hash, outcome) in &submitted.joined {
            let Some(bytes) = self.orphans.remove(hash) else {
                bail!("block {hash} came to Everett from nowhere");
            };
            if let Some(mismatch) = self.compare(&bytes, outcome)? {
                return Ok(Some(mismatch));
            }
        }
        self.tip = self.ledger.best().hash();
        let (core, height) = self.node.tip();
        if core == self.tip {
            return Ok(None);
        }
        Ok(Some(Mismatch {
            block: core,
            everett: format!("best block {} at {}", self.tip, self.ledger.best().height()),
            core: format!("best block {core} at {height}"),
        }))
    }

    fn submit_header(&mut self, bytes: &[u8]) -> Result<Option<Mismatch>> {
        let header: Header = deserialize(bytes)?;
        let own = self.ledger.submit_headers(&[header])?;
        let own = own.err().map(|(_, reject)| reject);
        let core = self.node.submit_header(bytes.try_into()?)?;
        let same = match (&own, core) {
            (None, None) => true,
            (Some(reject), Some(kind)) => kind == kernel_kind(reject.kind),
            _ => false,
        };
        let hash = header.block_hash();
        let parent = header.prev_blockhash;
        let excused = own
            .as_ref()
            .is_some_and(|reject| self.excuses(reject.kind, hash, parent));
        if excused {
            self.core_only.insert(hash);
        }
        if same || excused || self.open.contains(&hash) {
            return Ok(None);
        }
        Ok(Some(Mismatch {
            block: hash,
            everett: format!("header: {own:?}"),
            core: format!("header: {core:?}"),
        }))
    }

    fn compare(&mut self, bytes: &[u8], outcome: &Outcome) -> Result<Option<Mismatch>> {
        let (answer, checked) = self.node.submit(bytes)?;
        let Some(header) = header_of(bytes) else {
            let same = matches!(outcome, Outcome::Undecodable(_)) && answer == Answer::Undecodable;
            return Ok((!same).then(|| mismatch_of(BlockHash::all_zeros(), outcome, &answer)));
        };
        let hash = header.block_hash();
        let mine = checked.iter().find(|checked| checked.hash == hash);
        let fault = mine.and_then(|checked| checked.fault.as_ref());
        let agreed = match (outcome, &answer) {
            (Outcome::Undecodable(_), Answer::Undecodable) => true,
            (Outcome::Accepted { .. }, Answer::New) => {
                self.own.insert(hash, None);
                fault.is_none()
            }
            (Outcome::Orphan { previous, .. }, _) if self.core_only.contains(previous) => {
                self.orphans.insert(hash, bytes.to_vec());
                self.core_only.insert(hash);
                true
            }
            (Outcome::Orphan { .. }, Answer::Rejected(fault)) => {
                self.orphans.insert(hash, bytes.to_vec());
                self.count(fault);
                fault.kind == BlockValidationResult::MissingPrev
            }
            (Outcome::Known { status, .. }, answer) => {
                let invalid = *status == ChainStatus::Invalid;
                match answer {
                    // Core looks at the bytes before it looks whether it knows the hash.
                    Answer::Rejected(fault) => {
                        invalid || fault.kind != BlockValidationResult::CachedInvalid
                    }
                    Answer::Duplicate => !invalid || self.open.contains(&hash),
                    _ => false,
                }
            }
            (Outcome::Rejected { reject, .. }, answer) => {
                self.own.insert(hash, Some(reject.clone()));
                let parent = header.prev_blockhash;
                self.rejection(hash, parent, reject, answer, fault)
            }
            _ => false,
        };
        if !agreed {
            return Ok(Some(mismatch_of(hash, outcome, &answer)));
        }
        Ok(self.judge(&checked))
    }

    /// Whether Core agrees with a rejection, or may still come to.
    fn rejection(
        &mut self,
        hash: BlockHash,
        parent: BlockHash,
        reject: &Reject,
        answer: &Answer,
        fault: Option<&Fault>,
    ) -> bool {
        if self.excuses(reject.kind, hash, parent) {
            self.core_only.insert(hash);
            return true;
        }
        match (answer, fault) {
            (Answer::Rejected(fault), _) => {
                self.count(fault);
                same(reject, fault)
            }
            // Compared with all else that was connected.
            (Answer::New, Some(_)) => true,
            (Answer::New, None) => {
                self.own.insert(hash, Some(reject.clone()));
                self.open.insert(hash);
                reject.kind == RejectKind::Consensus
            }
            _ => false,
        }
    }

    /// Looks at what Core found while it connected blocks.
    fn judge(&mut self, checked: &[Checked]) -> Option<Mismatch> {
        let connected = checked.iter().filter(|checked| checked.fault.is_none());
        let connected = connected.count() as u64;
        self.tally.connected += connected;
        self.tally.reorganisations += u64::from(connected > 1);
        for checked in checked {
            let own = self.own.get(&checked.hash).cloned();
            let agreed = match (&own, &checked.fault) {
                (Some(None), None) => true,
                (Some(Some(reject)), Some(fault)) => same(reject, fault),
                _ => false,
            };
            if !agreed {
                return Some(Mismatch {
                    block: checked.hash,
                    everett: format!("{own:?}"),
                    core: format!("connected with {:?}", checked.fault),
                });
            }
            if let Some(fault) = &checked.fault {
                self.count(fault);
                self.tally.judged_late += u64::from(self.open.remove(&checked.hash));
            }
        }
        None
    }

    /// Whether a block that Everett rejects for its parent is one that Core could not know to be so, now or when it
    /// came for the first time.
    fn excuses(&self, kind: RejectKind, hash: BlockHash, parent: BlockHash) -> bool {
        match kind {
            RejectKind::InvalidPrevious => {
                self.open.contains(&parent) || self.core_only.contains(&hash)
            }
            RejectKind::MissingPrevious => self.core_only.contains(&parent),
            _ => false,
        }
    }

    fn count(&mut self, fault: &Fault) {
        let end = fault.text.find([',', '(']).unwrap_or(fault.text.len());
        let reason = fault.text[..end].trim_end().to_owned();
        *self.tally.reasons.entry(reason).or_default() += 1;
    }
}

/// Whether a rejection is Core's, in kind and text.
fn same(reject: &Reject, fault: &Fault) -> bool {
    if fault.kind != kernel_kind(reject.kind) {
        return false;
    }
    if let Some(rest) = fault.text.strip_prefix(&*reject.reason)
        && (rest.is_empty() || rest.starts_with(", "))
    {
        return true;
    }
    // Several inputs fail: Everett names the first, Core the one that was found first.
    let both_scripts =
        reject.reason.starts_with(SCRIPT_FAILURE) && fault.text.starts_with(SCRIPT_FAILURE);
    both_scripts && !fault.text.contains(&reject.debug)
}

/// The header that the bytes start with.
pub fn header_of(bytes: &[u8]) -> Option<Header> {
    deserialize(bytes.get(..HEADER_SIZE)?).ok()
}

fn mismatch_of(block: BlockHash, outcome: &Outcome, answer: &Answer) -> Mismatch {
    Mismatch {
        block,
        everett: format!("{outcome:?}"),
        core: format!("{answer:?}"),
    }
}

fn kernel_kind(kind: RejectKind) -> BlockValidationResult {
    match kind {
        RejectKind::Consensus => BlockValidationResult::Consensus,
        RejectKind::CachedInvalid => BlockValidationResult::CachedInvalid,
        RejectKind::InvalidHeader => BlockValidationResult::InvalidHeader,
        RejectKind::Mutated => BlockValidationResult::Mutated,
        RejectKind::MissingPrevious => BlockValidationResult::MissingPrev,
        RejectKind::InvalidPrevious => BlockValidationResult::InvalidPrev,
        RejectKind::TimeFuture => BlockValidationResult::TimeFuture,
        RejectKind::HeaderLowWork => BlockValidationResult::HeaderLowWork,
    }
}
