//! Blocks whose headers came first, in any order.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::fixtures::{self, Branch, in_memory};
use crate::header_info::HeaderStatus;
use crate::rules::{BlockScripts, ScriptCheck, ScriptFailure};
use crate::submission::Submitted;

fn deliver(ledger: &Ledger, branch: &Branch, height: u32) -> Submitted {
    let block = fixtures::bytes(&branch.blocks[height as usize - 1]);
    ledger.submit_block(&block).unwrap()
}

#[test]
fn the_last_missing_block_lets_in_all_that_waited_on_every_branch() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(8, 1);
    let fork = trunk.cut(3).grown(3, 2);
    trunk.announce(&ledger);
    fork.announce(&ledger);
    for height in (2..=8).rev() {
        let submitted = deliver(&ledger, &trunk, height);
        let Outcome::Accepted { status, best, .. } = submitted.outcome else {
            panic!("{:?}", submitted.outcome);
        };
        assert_eq!((status.as_str(), best), ("headers-only", false));
        assert!(submitted.completed.is_empty());
    }
    for height in [5, 6, 4] {
        deliver(&ledger, &fork, height);
    }
    assert!(ledger.orphans().is_empty());
    assert_eq!(ledger.best().height(), 0);

    let submitted = deliver(&ledger, &trunk, 1);
    let completed: Vec<_> = submitted.completed.iter().map(|(hash, _)| *hash).collect();
    let mut expected: Vec<_> = (2..=8).map(|height| trunk.hash_at(height)).collect();
    expected.extend((4..=6).map(|height| fork.hash_at(height)));
    assert_eq!(completed.len(), expected.len());
    assert!(expected.iter().all(|hash| completed.contains(hash)));
    assert_eq!(ledger.best().hash(), trunk.tip());
    assert!(ledger.world(&fork.tip()).is_ok());
}

#[test]
fn a_bad_block_that_waited_is_told_and_the_rest_goes_on() {
    let ledger = in_memory();
    let trunk = Branch::genesis().grown(3, 1);
    let bad = trunk.cut(2).greedy().grown(3, 2);
    trunk.announce(&ledger);
    bad.announce(&ledger);
    for height in 2..=6 {
        deliver(&ledger, &bad, height);
    }
    deliver(&ledger, &trunk, 3);
    let submitted = deliver(&ledger, &trunk, 1);
    let told: Vec<_> = submitted
        .completed
        .iter()
        .map(|(hash, outcome)| match outcome {
            Outcome::Rejected { reject, .. } => (*hash, Some(reject.reason.to_string())),
            _ => (*hash, None),
        })
        .collect();
    assert_eq!(
        told,
        [
            (trunk.hash_at(2), None),
            (bad.hash_at(3), Some("bad-cb-amount".to_owned())),
            (trunk.hash_at(3), None),
        ]
    );
    assert_eq!(ledger.best().hash(), trunk.tip());
    let status = |hash| ledger.header(&hash).unwrap().status;
    assert_eq!(status(bad.tip()), HeaderStatus::Invalid);
    assert_eq!(ledger.best_header().hash, trunk.tip());
}

/// Lets so many blocks through, then panics, so that the group that is under way comes to no commit.
struct Fuse(AtomicUsize);

impl ScriptCheck for Fuse {
    fn check(&self, _: BlockScripts<'_>) -> Result<(), ScriptFailure> {
        let left = self.0.fetch_sub(1, Ordering::Relaxed);
        assert!(left > 0, "the fuse is blown");
        Ok(())
    }
}

#[test]
fn many_that_waited_are_committed_in_parts_and_the_next_start_lets_in_the_rest() {
    let directory = tempfile::tempdir().unwrap();
    let trunk = Branch::genesis().grown(30, 1);
    let fork = trunk.cut(6).grown(9, 2);
    let open = |blocks: usize, horizon| {
        let config = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
        let mut config = fixtures::settings(config);
        config.horizon = Some(horizon);
        config.staged_changes = 4;
        config.scripts = Arc::new(Fuse(AtomicUsize::new(blocks)));
        Ledger::open(config).unwrap()
    };
    let ledger = open(0, 100);
    trunk.announce(&ledger);
    fork.announce(&ledger);
    trunk.deliver(&ledger, 1);
    fork.deliver(&ledger, 6);
    drop(ledger);

    let ledger = open(20, 100);
    let first = std::panic::AssertUnwindSafe(|| deliver(&ledger, &trunk, 1));
    assert!(std::panic::catch_unwind(first).is_err());
    let reached = ledger.best().height();
    assert!((10..20).contains(&reached), "{reached}");
    // The next group of the same process goes on with it, too.
    assert!(ledger.world(&fork.tip()).is_err());
    drop(ledger);

    let ledger = open(100, 100);
    assert_eq!(ledger.best().hash(), trunk.tip());
    assert!(ledger.world(&fork.tip()).is_ok(), "and on other branches");
    drop(ledger);
    // Nothing is left over.
    assert_eq!(open(0, 100).best().hash(), trunk.tip());
}

#[test]
fn a_group_that_was_cut_short_is_finished_by_the_next_one() {
    let trunk = Branch::genesis().grown(30, 1);
    let fork = trunk.cut(6).grown(9, 2);
    let fuse = Arc::new(Fuse(AtomicUsize::new(20)));
    let mut config = LedgerConfig::in_memory(Params::new(Network::Regtest));
    config = fixtures::settings(config);
    config.horizon = Some(100);
    config.staged_changes = 4;
    config.scripts = fuse.clone();
    let ledger = Ledger::open(config).unwrap();
    trunk.announce(&ledger);
    fork.announce(&ledger);
    trunk.deliver(&ledger, 1);
    fork.deliver(&ledger, 6);
    let first = std::panic::AssertUnwindSafe(|| deliver(&ledger, &trunk, 1));
    assert!(std::panic::catch_unwind(first).is_err());
    fuse.0.store(100, Ordering::Relaxed);
    assert_eq!(ledger.submit_headers(&[]).unwrap(), Ok(()));
    assert_eq!(ledger.best().hash(), trunk.tip());
    assert!(ledger.world(&fork.tip()).is_ok());
}

/// A horizon that branches fall behind, and one that all stay inside of.
const NARROW: u32 = 10;
const WIDE: u32 = 100;

/// A tree of blocks: a trunk, and branches each from some height of an earlier one.
fn branches(forks: &[(u16, u16, u8)]) -> Vec<Branch> {
    let mut branches = vec![Branch::genesis().grown(12, 1)];
    for (number, (from, at, length)) in forks.iter().enumerate() {
        let from = &branches[usize::from(*from) % branches.len()];
        let at = u32::from(*at) % (from.blocks.len() as u32 + 1);
        let branch = from
            .cut(at)
            .grown(1 + usize::from(*length) % 6, 2 + number as u64);
        branches.push(branch);
    }
    branches
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn after_their_headers_blocks_may_come_in_any_order(
        forks in vec((any::<u16>(), any::<u16>(), any::<u8>()), 0..8),
        order in any::<[u8; 32]>(),
        groups in vec(1usize..12, 1..6),
        reopen in vec(any::<bool>(), 6),
        staged_changes in prop_oneof![Just(2usize), Just(1000)],
        horizon in prop_oneof![Just(NARROW), Just(WIDE)],
    ) {
        let branches = branches(&forks);
        let straight = in_memory();
        let directory = tempfile::tempdir().unwrap();
        let open = || {
            let config = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
            let mut config = fixtures::settings(config);
            config.horizon = Some(horizon);
            config.staged_changes = staged_changes;
            Ledger::open(config).unwrap()
        };
        let mut ledger = open();
        let mut blocks = Vec::new();
        for branch in &branches {
            branch.announce(&ledger);
            branch.deliver(&straight, 0);
            for block in &branch.blocks {
                blocks.push((block.hash, fixtures::bytes(block)));
            }
        }
        blocks.sort();
        blocks.dedup();
        let rng = proptest::test_runner::TestRng::from_seed(
            proptest::test_runner::RngAlgorithm::ChaCha,
            &order,
        );
        shuffle(&mut blocks, rng);
        let mut rest = &blocks[..];
        let mut turn = 0;
        while !rest.is_empty() {
            let (group, later) = rest.split_at(groups[turn % groups.len()].min(rest.len()));
            rest = later;
            let bytes: Vec<&Vec<u8>> = group.iter().map(|(_, bytes)| bytes).collect();
            for answer in ledger.submit_blocks(&bytes).unwrap() {
                let accepted = matches!(answer.outcome, Outcome::Accepted { .. });
prop_assert!(accepted);
                prop_assert!(answer.joined.is_empty());
            }
            prop_assert!(ledger.orphans().is_empty());
            if reopen[turn % reopen.len()] {
                drop(ledger);
                ledger = open();
            }
            turn += 1;
        }
        prop_assert_eq!(ledger.best().chainwork(), straight.best().chainwork());
        prop_assert!(ledger.missing_blocks(&ledger.best_header().hash, 0, 1).is_empty());
        for (hash, _) in &blocks {
            // Which of two with the same work is the best one may differ, and so which branches were retired.
            let (Ok(world), Ok(other)) = (ledger.world(hash), straight.world(hash)) else {
                continue;
            };
            prop_assert_eq!(world.set_info().unwrap(), other.set_info().unwrap());
        }
        for tip in ledger.fork_tips() {
            prop_assert!(tip.stored);
            // What came while its branch lay behind the horizon is not validated until that would be the best one.
            prop_assert!(tip.validated || horizon == NARROW, "{:?}", tip);
        }
    }
}

fn shuffle<T>(items: &mut [T], mut rng: proptest::test_runner::TestRng) {
    for last in (1..items.len()).rev() {
        let other = rng.next_u32() as usize % (last + 1);
        items.swap(last, other);
    }
}
