//! Owns how a world is told apart from others on every page: its name, its standing, where it left the best chain.

use bitcoin::BlockHash;
use everett_ledger::{BlockInfo, ChainStatus, Ledger, World};

use crate::show;

/// What a block is, seen from the best chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Standing {
    /// The class in the style sheet.
    pub(super) class: &'static str,
    pub(super) words: &'static str,
    /// More about it, such as the rule that an invalid block breaks.
    pub(super) reason: Option<String>,
}

impl Standing {
    pub(super) fn of(info: &BlockInfo, best: BlockHash) -> Standing {
        let (class, words) = match info.status {
            ChainStatus::Active if info.hash == best => ("best", "the best world"),
            ChainStatus::Active => ("best", "on the best chain"),
            ChainStatus::ValidFork if info.live => ("rival", "on a rival branch"),
            ChainStatus::ValidFork => ("retired", "on a branch behind the horizon"),
            ChainStatus::ValidHeaders => ("pending", "not validated"),
            ChainStatus::HeadersOnly => ("pending", "only its header is known"),
            ChainStatus::Invalid => ("invalid", "invalid"),
        };
        Standing {
            class,
            words,
            reason: info.reject_reason.clone(),
        }
    }
}

/// Tips that are looked through, at most.
const MAX_TIPS: usize = 10_000;

/// The worlds whose chains hold a block: tips that were validated, the best one first, then by work.
pub(super) fn above(ledger: &Ledger, hash: &BlockHash) -> Vec<BlockInfo> {
    ledger.worlds_above(hash, MAX_TIPS).unwrap_or_default().0
}

/// A world in a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct WorldRow {
    pub(super) hash: String,
    pub(super) short: String,
    pub(super) height: u32,
    pub(super) class: &'static str,
    /// `8 blocks since 410`; nothing for the best one.
    pub(super) branch: String,
    pub(super) age: String,
}

/// Tips, in their order.
pub(super) fn rows(tips: &[BlockInfo], best: &World, now: u64) -> Vec<WorldRow> {
    tips.iter().map(|tip| row(tip, best, now)).collect()
}

/// One tip.
pub(super) fn row(tip: &BlockInfo, best: &World, now: u64) -> WorldRow {
    let length = u64::from(tip.height - tip.fork_height);
    WorldRow {
        hash: tip.hash.to_string(),
        short: show::short(&tip.hash),
        height: tip.height,
        class: Standing::of(tip, best.hash()).class,
        branch: match tip.hash == best.hash() {
            true => String::new(),
            false => format!(
                "{} since {}",
                show::count(length, "block", "blocks"),
                tip.fork_height
            ),
        },
        age: show::age(now, u64::from(tip.header.time)),
    }
}
