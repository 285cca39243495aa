use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::config::{LedgerConfig, MIN_PRUNE_TARGET, MIN_PRUNE_TARGET_REGTEST};
use crate::fixtures::{self, Branch};
use crate::params::{Network, Params};
use crate::store::failpoint;
use crate::{
    BlockError, ChainStatus, HeaderStatus, Ledger, OpenError, Outcome, TransactionError, WorldError,
};

/// Blocks of the longest chain here: about 230 bytes each, so three times what is kept at least.
const LENGTH: usize = 900;

const SIGABRT: i32 = 6;

fn config(directory: &Path) -> LedgerConfig {
    let config = LedgerConfig::new(Params::new(Network::Regtest), directory);
    let mut config = fixtures::settings(config);
    config.prune_target = Some(MIN_PRUNE_TARGET_REGTEST);
    config
}

fn open(directory: &Path) -> Ledger {
    Ledger::open(config(directory)).unwrap()
}

fn trunk() -> Branch {
    Branch::genesis().grown(LENGTH, 1)
}

fn is_pruned(ledger: &Ledger, branch: &Branch, height: u32) -> bool {
    match ledger.block_bytes(&branch.hash_at(height)) {
        Ok(bytes) => {
            if height > 0 {
                let block = &branch.blocks[height as usize - 1];
                assert_eq!(bytes, fixtures::bytes(block));
            }
            false
        }
        Err(BlockError::Pruned { height: told, .. }) => {
            assert_eq!(told, height);
            true
        }
        Err(error) => panic!("{error}"),
    }
}

fn block_files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory.join("blocks")).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// What must hold of a pruned ledger with this best chain.
fn check(ledger: &Ledger, best: &Branch) {
    let (below, height) = (ledger.pruned_below(), best.blocks.len() as u32);
    let base = ledger.stats().unwrap().base_height;
    assert_eq!(ledger.best().hash(), best.tip());
    assert!(below > 0 && below <= base + 1 && below + super::MIN_BLOCKS_KEPT <= height + 1);
    for at in 0..=height {
        let pruned = is_pruned(ledger, best, at);
        assert!(at < below || !pruned, "{at}");
        let info = ledger.block_info(&best.hash_at(at)).unwrap();
        assert_eq!((info.tx_count, info.status), (1, ChainStatus::Active));
        assert_eq!((info.size == 0, info.arrival.is_none()), (pruned, pruned));
    }
    assert!(is_pruned(ledger, best, below - 1));
    assert_eq!(ledger.missing_blocks(&best.tip(), 0, 1), []);
    let plain = fixtures::in_memory();
    best.deliver(&plain, 0);
    assert_eq!(
        ledger.best().set_info().unwrap(),
        plain.best().set_info().unwrap()
    );
}

#[test]
fn old_block_files_go_and_nothing_else_does() {
    let directory = tempfile::tempdir().unwrap();
    let trunk = trunk();
    let ledger = open(directory.path());
    trunk.deliver(&ledger, 0);
    check(&ledger, &trunk);
    let bytes = ledger.block_file_bytes().unwrap();
    assert!(bytes <= MIN_PRUNE_TARGET_REGTEST + MIN_PRUNE_TARGET_REGTEST / 8);
    let files = block_files(directory.path());
    assert!(!files.contains(&"blk00000.dat".to_owned()));
    let below = ledger.pruned_below();
    drop(ledger);

    // Also for one that does not prune any more, and for a reader.
    let mut unpruned = config(directory.path());
    unpruned.prune_target = None;
    let ledger = Ledger::open(unpruned.clone()).unwrap();
    assert_eq!(
        (ledger.pruned_below(), block_files(directory.path())),
        (below, files)
    );
    check(&ledger, &trunk);
    drop(ledger);
    unpruned.access = crate::Access::Reader;
    let ledger = Ledger::open(unpruned).unwrap();
    assert_eq!(ledger.pruned_below(), below);
    assert!(is_pruned(&ledger, &trunk, below - 1));
    drop(ledger);

    // It goes on, and an old block is known without its bytes.
    let ledger = open(directory.path());
    let longer = trunk.grown(200, 1);
    longer.deliver(&ledger, LENGTH as u32);
    assert!(ledger.pruned_below() > below);
    check(&ledger, &longer);
    let again = longer.deliver_one(&ledger, 1);
    assert!(matches!(again, Outcome::Known { .. }), "{again:?}");
}

#[test]
fn in_memory_the_same_files_go() {
    let directory = tempfile::tempdir().unwrap();
    let on_disk = open(directory.path());
    let mut in_memory = config(directory.path());
    in_memory.place = crate::Place::Memory;
    let in_memory = Ledger::open(in_memory).unwrap();
    let trunk = trunk();
    for ledger in [&on_disk, &in_memory] {
        for height in (0..LENGTH as u32).step_by(100) {
            trunk.cut(height + 100).deliver(ledger, height);
        }
        check(ledger, &trunk);
    }
    assert_eq!(on_disk.pruned_below(), in_memory.pruned_below());
}

#[test]
fn a_ledger_below_its_target_keeps_all() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.prune_target = Some(1 << 20);
    let ledger = Ledger::open(config).unwrap();
    let trunk = trunk();
    trunk.deliver(&ledger, 0);
    ledger.checkpoint().unwrap();
    assert_eq!(ledger.pruned_below(), 0);
    assert!((0..=LENGTH as u32).all(|height| !is_pruned(&ledger, &trunk, height)));
}

#[test]
fn settings_that_cannot_be_kept_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |config: LedgerConfig| match Ledger::open(config) {
        Err(OpenError::Settings(why)) => why,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it opens"),
    };
    let mut small = config(directory.path());
    small.prune_target = Some(MIN_PRUNE_TARGET_REGTEST - 1);
    assert!(refused(small).contains("at least 65536"));
    let mut mainnet = LedgerConfig::new(Params::new(Network::Mainnet), directory.path());
    mainnet.prune_target = Some(MIN_PRUNE_TARGET - 1);
    assert!(refused(mainnet).contains("mainnet"));
    let mut indexed = config(directory.path());
    indexed.tx_index = true;
    assert!(refused(indexed.clone()).contains("transaction index"));
    // Nor later, once blocks are gone.
    trunk().deliver(&open(directory.path()), 0);
    indexed.prune_target = None;
    assert!(refused(indexed).contains("are pruned here"));
}

#[test]
fn of_stale_branches_what_was_validated_stays_known_and_what_was_not_is_a_header_again() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let trunk = trunk();
    trunk.cut(50).deliver(&ledger, 0);
    // Validated, from inside the horizon; not validated, from behind it; invalid.
    let valid = trunk.cut(45).grown(2, 2);
    let stored = trunk.cut(20).grown(3, 3);
    let invalid = trunk.cut(48).greedy();
    valid.deliver(&ledger, 45);
    stored.deliver(&ledger, 20);
    invalid.deliver(&ledger, 48);
    let status = |hash| ledger.block_info(&hash).unwrap().status;
    assert_eq!(status(valid.tip()), ChainStatus::ValidFork);
    assert_eq!(status(stored.tip()), ChainStatus::ValidHeaders);
    trunk.deliver(&ledger, 50);

    assert!(ledger.pruned_below() > 100);
    assert!(is_pruned(&ledger, &valid, 47));
    assert_eq!(status(valid.tip()), ChainStatus::ValidFork);
    assert_eq!(ledger.block_info(&valid.tip()).unwrap().tx_count, 1);
    let retired = ledger.world(&valid.tip()).err().unwrap();
    assert!(matches!(retired, WorldError::Retired { .. }));
    for height in 21..=23 {
        let hash = stored.hash_at(height);
        assert_eq!(status(hash), ChainStatus::HeadersOnly);
        assert_eq!(ledger.block_info(&hash).unwrap().tx_count, 0);
        let error = ledger.block_bytes(&hash).unwrap_err();
        assert!(matches!(error, BlockError::HeaderOnly { .. }));
        assert_eq!(
            ledger.header(&hash).unwrap().status,
            HeaderStatus::HeaderOnly
        );
    }
    assert_eq!(status(invalid.tip()), ChainStatus::Invalid);
    // Forgiven without its bytes it is a header, and can come again.
    ledger.reconsider_block(&invalid.tip()).unwrap();
    assert_eq!(status(invalid.tip()), ChainStatus::HeadersOnly);
    let outcome = stored.deliver_one(&ledger, 22);
    assert!(matches!(
        outcome,
        Outcome::Accepted {
            status: ChainStatus::HeadersOnly,
            ..
        }
    ));
    stored.deliver_one(&ledger, 21);
    assert_eq!(status(stored.hash_at(22)), ChainStatus::ValidHeaders);
    assert_eq!(status(stored.hash_at(23)), ChainStatus::HeadersOnly);
    assert_eq!(ledger.best().hash(), trunk.tip());
}

#[test]
fn a_heavier_branch_that_is_still_being_fetched_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let trunk = trunk();
    trunk.cut(400).deliver(&ledger, 0);
    let rival = trunk.cut(380).grown(LENGTH, 2);
    rival.announce(&ledger);
    for height in 382..400 {
        rival.deliver_one(&ledger, height);
    }
    trunk.deliver(&ledger, 400);
    assert!(ledger.pruned_below() > 0);
    for height in 382..400 {
        assert!(!is_pruned(&ledger, &rival, height));
    }
}

#[test]
fn blocks_are_taken_back_as_far_as_their_coins_can_be_had_and_no_further() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let trunk = trunk();
    trunk.deliver(&ledger, 0);
    let below = ledger.pruned_below();
    let deepest = below + 100;
    for height in [1, below, deepest - 1] {
        let error = ledger.invalidate_block(&trunk.hash_at(height)).unwrap_err();
        let BlockError::PrunedAbove { pruned_below, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(pruned_below, below);
        assert_eq!(ledger.best().hash(), trunk.tip());
    }
    ledger.invalidate_block(&trunk.hash_at(deepest)).unwrap();
    let best = ledger.best();
    assert_eq!(best.hash(), trunk.hash_at(deepest - 1));
    let plain = fixtures::in_memory();
    trunk.cut(deepest - 1).deliver(&plain, 0);
    assert_eq!(best.set_info().unwrap(), plain.best().set_info().unwrap());
    // The window is as deep as it can be.
    assert!(ledger.world(&trunk.hash_at(deepest - 2)).is_err());
    drop((best, ledger));

    let ledger = open(directory.path());
    assert_eq!(ledger.best().hash(), trunk.hash_at(deepest - 1));
    ledger.reconsider_block(&trunk.hash_at(deepest)).unwrap();
    check(&ledger, &trunk);
}

#[test]
fn a_heavier_branch_from_below_what_is_pruned_is_stored_and_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let trunk = trunk();
    trunk.deliver(&ledger, 0);
    let below = ledger.pruned_below();
    let rival = trunk.cut(below - 10).grown(LENGTH, 2);
    rival.deliver(&ledger, below - 10);
    let info = ledger.block_info(&rival.tip()).unwrap();
    assert_eq!(info.status, ChainStatus::ValidHeaders);
    assert!(info.chainwork > ledger.best().chainwork());
    check(&ledger, &trunk);
    // Neither this process nor the next is any worse for it.
    let longer = trunk.grown(1, 1);
    longer.deliver(&ledger, LENGTH as u32);
    assert_eq!(ledger.best().hash(), longer.tip());
    drop(ledger);
    let ledger = open(directory.path());
    assert_eq!(ledger.best().hash(), longer.tip());
    longer.grown(20, 1).deliver(&ledger, LENGTH as u32 + 1);
    assert_eq!(ledger.best().hash(), longer.grown(20, 1).tip());
    ledger.invalidate_block(&longer.tip()).unwrap();
    assert_eq!(ledger.best().hash(), trunk.tip());
}

#[test]
fn a_reorganisation_from_behind_the_horizon_works_above_what_is_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let trunk = trunk();
    trunk.deliver(&ledger, 0);
    let fork = ledger.pruned_below() + 99;
    let rival = trunk.cut(fork).grown(LENGTH - fork as usize + 1, 2);
    rival.deliver(&ledger, fork);
    check(&ledger, &rival);
    drop(ledger);
    check(&open(directory.path()), &rival);
}

#[test]
fn a_transaction_of_a_pruned_block_is_told_to_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let trunk = trunk();
    trunk.deliver(&ledger, 0);
    let txid = trunk.blocks[0].transactions[0].txid;
    let error = ledger
        .find_transaction(&ledger.best(), &txid, None)
        .unwrap_err();
    assert!(
        matches!(
            error,
            TransactionError::Block(BlockError::Pruned { height: 1, .. })
        ),
        "{error}"
    );
}

/// Not a test: what the next one starts in a process of its own, to die there.
#[test]
fn a_process_of_its_own_prunes_where_it_is_told_to() {
    if let Some(directory) = std::env::var_os("EVERETT_PRUNE_TEST") {
        trunk().deliver(&open(directory.as_ref()), 0);
    }
}

#[test]
fn a_process_that_dies_between_rows_and_file_leaves_a_file_that_the_next_one_removes() {
    let trunk = trunk();
    for (point, prunes) in [
        ("pruned:1", true),
        ("pruned:3", true),
        ("before-commit:1", false),
    ] {
        let directory = tempfile::tempdir().unwrap();
        trunk.cut(700).deliver(&open(directory.path()), 0);
        let files = block_files(directory.path());
        let status = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "engine::prune::tests::a_process_of_its_own_prunes_where_it_is_told_to",
            ])
            .env("EVERETT_PRUNE_TEST", directory.path())
            .env(failpoint::VARIABLE, point)
            .output()
            .unwrap()
            .status;
        assert_eq!(status.signal(), Some(SIGABRT), "{point} was reached");
        let left = block_files(directory.path());
        let oldest = &left[0];
        let ledger = open(directory.path());
        assert_eq!(
            block_files(directory.path()).contains(oldest),
            !prunes,
            "{point}"
        );
        if !prunes {
            assert_eq!(oldest, &files[0]);
        }
        trunk.deliver(&ledger, 0);
        check(&ledger, &trunk);
        drop(ledger);
        check(&open(directory.path()), &trunk);
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// So many blocks on the best chain less some of its tips.
    Grow(u8, u8),
    Invalidate(u8),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..14, 1u8..60).prop_map(|(below, blocks)| Step::Grow(below, blocks)),
        1 => (0u8..30).prop_map(Step::Invalidate),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_pruned_ledger_makes_the_choices_of_one_that_keeps_all(steps in vec(step(), 1..14)) {
        let directory = tempfile::tempdir().unwrap();
        let mut pruned = open(directory.path());
        let full = fixtures::in_memory();
        let mut best = Branch::genesis().grown(LENGTH - 200, 1);
        best.deliver(&pruned, 0);
        best.deliver(&full, 0);
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Grow(below, blocks) => {
                    let from = best.blocks.len() as u32 - u32::from(below);
                    let count = usize::from(below) + usize::from(blocks);
                    best = best.cut(from).grown(count, 2 + number as u64);
                    best.deliver(&pruned, from);
                    best.deliver(&full, from);
                }
                Step::Invalidate(below) => {
                    let height = best.blocks.len() as u32 - u32::from(below);
                    pruned.invalidate_block(&best.hash_at(height)).unwrap();
                    full.invalidate_block(&best.hash_at(height)).unwrap();
                    prop_assert_eq!(pruned.best().hash(), full.best().hash());
                    pruned.reconsider_block(&best.hash_at(height)).unwrap();
                    full.reconsider_block(&best.hash_at(height)).unwrap();
                }
                Step::Reopen => {
                    drop(pruned);
                    pruned = open(directory.path());
                }
            }
            prop_assert_eq!(pruned.best().hash(), full.best().hash());
            prop_assert_eq!(pruned.tips(), full.tips());
            for tip in full.tips().iter().filter(|tip| tip.live) {
                let (a, b) = (pruned.world(&tip.hash).unwrap(), full.world(&tip.hash).unwrap());
                prop_assert_eq!(a.set_info().unwrap(), b.set_info().unwrap());
            }
            prop_assert!(pruned.pruned_below() > 0);
        }
    }
}
