//! Owns what an import says when it is done.
//! Promises one entry for each thing that was not as it should be, with file and offset, and one
//! message that says what to do; refuses to grow without bound: past a limit it only counts.

use std::path::PathBuf;

use everett_ledger::params::Network;
use serde::Serialize;

use super::MAX_PROBLEMS;
use super::frames::Flaw;

#[cfg(test)]
mod tests;

/// What kind of thing was not as it should be.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// The file ends inside its last frame.
    TornTail,
    /// Bytes that belong to no frame.
    Garbage,
    /// Frames of another network.
    OtherNetwork,
    /// A frame longer than any block.
    OversizedFrame,
    /// A frame shorter than any block.
    UndersizedFrame,
    /// A frame whose length points past the file's end, with other frames inside it.
    OverrunFrame,
    /// A frame whose bytes are no block.
    Undecodable,
    /// A block that breaks a rule, or stands on one that does.
    Rejected,
    /// A block that the files hold more than once.
    Duplicate,
    /// A block that stands on one of the files' blocks that was refused, and may come in other bytes.
    RefusedAncestor,
    /// A block whose parent, or an ancestor further back, is unknown; the ledger keeps it until that comes.
    UnknownParent,
}

/// One thing that was not as it should be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[non_exhaustive]
pub struct Problem {
    /// What kind of thing.
    pub kind: ProblemKind,
    /// The file; `None` for a block that waited in the ledger since before this import.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Where in the file, in bytes from its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// How many bytes it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// The block's hash (hexadecimal, display order).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// The block's height, if it has a place in the tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// The hash of the parent of a block that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_hash: Option<String>,
    /// The hash of the ancestor that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ancestor_hash: Option<String>,
    /// The rule's name in Bitcoin Core's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The other network's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// All of it in one sentence.
    pub message: String,
}

impl Problem {
    pub(super) fn new(kind: ProblemKind, message: impl Into<String>) -> Problem {
        Problem {
            kind,
            file: None,
            offset: None,
            length: None,
            hash: None,
            height: None,
            previous_hash: None,
            ancestor_hash: None,
            reason: None,
            network: None,
            message: message.into(),
        }
    }

    /// What is wrong at a place of a file, on a ledger of network `own`.
    pub(super) fn of_flaw(flaw: &Flaw, file: PathBuf, own: Network) -> Problem {
        let name = file.display();
        let (mut problem, at) = match flaw {
            Flaw::TornTail { offset, missing } => (
                Problem::new(
                    ProblemKind::TornTail,
                    format!(
                        "{name}: the frame at offset {offset} is torn: the file ends {missing} \
                         bytes too early; import the complete file again"
                    ),
                ),
                *offset,
            ),
            Flaw::Garbage { offset, length } => {
                let message = format!(
                    "{name}: {length} bytes at offset {offset} belong to no frame; skipped to the \
                     next magic"
                );
                let mut problem = Problem::new(ProblemKind::Garbage, message);
                problem.length = Some(*length);
                (problem, *offset)
            }
            Flaw::OtherNetwork {
                offset,
                network,
                count,
            } => {
                let message = format!(
                    "{name}: {count} frames from offset {offset} on are of {network}, but this is \
                     a {own} ledger; import them with --network {network} into a directory of \
                     their own"
                );
                let mut problem = Problem::new(ProblemKind::OtherNetwork, message);
                problem.network = Some(network.to_string());
                (problem, *offset)
            }
            Flaw::Oversized { offset, length } => {
                let message = format!(
                    "{name}: the frame at offset {offset} says it has {length} bytes, more than \
                     the {} of any block; skipped to the next magic",
                    super::MAX_FRAME_BYTES
                );
                let mut problem = Problem::new(ProblemKind::OversizedFrame, message);
                problem.length = Some(u64::from(*length));
                (problem, *offset)
            }
            Flaw::Undersized { offset, length } => {
                let message = format!(
                    "{name}: the frame at offset {offset} says it has {length} bytes, fewer than \
                     the {} of any block; skipped to the next magic",
                    super::MIN_FRAME_BYTES
                );
                let mut problem = Problem::new(ProblemKind::UndersizedFrame, message);
                problem.length = Some(u64::from(*length));
                (problem, *offset)
            }
            Flaw::Overrun { offset, length } => {
                let message = format!(
                    "{name}: the frame at offset {offset} says it has {length} bytes, past the \
                     file's end; went on at the next magic inside it"
                );
                let mut problem = Problem::new(ProblemKind::OverrunFrame, message);
                problem.length = Some(u64::from(*length));
                (problem, *offset)
            }
        };
        problem.offset = Some(at);
        problem.file = Some(file);
        problem
    }
}

/// One of the files.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FileSummary {
    /// Its path as it was given.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many frames of this network it holds.
    pub blocks: u64,
}

/// What an import did.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// The network whose blocks were wanted.
    pub network: String,
    /// The files, in the order in which they were read.
    pub files: Vec<FileSummary>,
    /// How many frames the files hold.
    pub blocks: u64,
    /// How many blocks the ledger accepted, those that it had waiting included.
    pub accepted: u64,
    /// How many it had already.
    pub known: u64,
    /// How many of the files' blocks were in them a second time.
    pub duplicates: u64,
    /// How many broke a rule.
    pub rejected: u64,
    /// How many frames were no block.
    pub undecodable: u64,
    /// How many stand on a block that was refused but may come in other bytes.
    pub refused_ancestors: u64,
    /// How many wait for their parent, or for an ancestor further back, that no file holds.
    pub unknown_parents: u64,
    /// The best world's tip afterwards.
    pub best_hash: String,
    /// Its height.
    pub best_height: u32,
    /// How many leaves the tree has afterwards.
    pub tips: usize,
    /// Whether it was told to stop before its end; what was accepted stays, and the rest comes
    /// when the import is run again.
    pub interrupted: bool,
    /// How many bytes of blocks went to the ledger.
    pub submitted_bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// What was not as it should be, up to [`super::MAX_PROBLEMS`].
    pub problems: Vec<Problem>,
    /// How many problems are not listed, because there are too many.
    pub problems_not_listed: u64,
}

impl Summary {
    pub(super) fn new(network: Network) -> Summary {
        Summary {
            network: network.to_string(),
            files: Vec::new(),
            blocks: 0,
            accepted: 0,
            known: 0,
            duplicates: 0,
            rejected: 0,
            undecodable: 0,
            refused_ancestors: 0,
            unknown_parents: 0,
            best_hash: String::new(),
            best_height: 0,
            tips: 0,
            interrupted: false,
            submitted_bytes: 0,
            seconds: 0.0,
            problems: Vec::new(),
            problems_not_listed: 0,
        }
    }

    /// Lists a problem, or counts it when there are too many.
    pub(super) fn report(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.problems_not_listed += 1;
        }
    }

    /// Whether the files held nothing but good blocks of this network, and all of it was read.
    /// Blocks that are there twice or wait for their parent do no harm.
    pub fn clean(&self) -> bool {
        let harmless = [ProblemKind::Duplicate, ProblemKind::UnknownParent];
        let listed = |problem: &Problem| harmless.contains(&problem.kind);
        !self.interrupted
            && self.problems.iter().all(listed)
            && self.rejected == 0
            && self.undecodable == 0
            && self.refused_ancestors == 0
    }
}
