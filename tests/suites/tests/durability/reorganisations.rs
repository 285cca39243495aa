//! Reorganisations from behind the horizon: committed in parts and interrupted, and back to a branch that is still held.

use std::os::unix::process::ExitStatusExt;

use everett_ledger::{Ledger, LedgerConfig};
use everett_tests::durability::comparison::{compare, compare_blocks, compare_worlds};
use everett_tests::durability::forest::{Filling, Forest};
use everett_tests::durability::history::{History, Shape};
use everett_tests::durability::model::{Model, Operation};
use everett_tests::random::Random;

use super::processes::{Job, opened, place, rounds};

const SHAPE: Shape = Shape {
    operations: 24,
    padding: 0,
};

/// Coin changes a commit: a deep reorganisation of these histories has hundreds.
const FEW_CHANGES: usize = 60;

#[test]
fn a_long_reorganisation_that_dies_in_the_middle_is_taken_up_at_the_next_start() {
    let mut dead = 0;
    for seed in 7_000..7_000 + 4 * rounds() {
        let history = History::new(seed, SHAPE);
        let place = place();
        let mut job = Job {
            role: "work",
            directory: place.path().to_path_buf(),
            seed,
            shape: SHAPE,
            horizon: history.horizon,
            from: 0,
            staged_changes: FEW_CHANGES,
        };
        let mut model = history.model();
        for count in [1 + seed % 4, 1] {
            let end = job.start(&format!("part-committed:{count}")).end();
            let died = end.status.signal().is_some();
            assert!(died || end.status.success(), "{}", end.complaints);
            dead += usize::from(died);
            let operations = &history.operations;
            for operation in &operations[job.from..end.done] {
                model.apply(&history.forest, operation);
            }
            job.from = end.done;
            let ledger = opened(|| Ledger::open(history.config(place.path()))).unwrap();
            let when = format!("seed {seed}, {} operations, then part {count}", end.done);
            if died {
                // What was stored of the branch has the most work: opening went on until it was the best one, without
                // what its group had behind it.
                let in_flight = &operations[end.done];
                let as_found = parts(in_flight).into_iter().find_map(|part| {
                    let mut model = model.clone();
                    model.apply(&history.forest, &part);
                    compare_blocks(&ledger, &history.forest, &model).ok()?;
                    Some(model)
                });
                let as_found =
                    as_found.unwrap_or_else(|| panic!("{when}: no part of {in_flight:?}"));
                let same = compare_worlds(&ledger, &history.forest, &as_found);
                assert_eq!(same, Ok(()), "{when}");
                history.perform(&ledger, in_flight).unwrap();
                model.apply(&history.forest, in_flight);
                job.from += 1;
            }
            // Only events may be told twice.
            let same = compare_blocks(&ledger, &history.forest, &model);
            assert_eq!(same, Ok(()), "{when}");
            let same = compare_worlds(&ledger, &history.forest, &model);
            assert_eq!(same, Ok(()), "{when}");
        }
    }
    println!("{dead} processes died between the parts of a reorganisation");
    assert!(dead > 3);
}

/// What may be found of an operation that is committed in parts: a group ends with the block that caused it.
fn parts(operation: &Operation) -> Vec<Operation> {
    match operation {
        Operation::Submit(blocks) => (1..=blocks.len())
            .map(|length| Operation::Submit(blocks[..length].to_vec()))
            .collect(),
        other => vec![other.clone()],
    }
}

/// Mines `count` blocks of a few transactions each.
fn chain(forest: &mut Forest, chance: &mut Random, mut parent: usize, count: u64) -> Vec<usize> {
    let filling = Filling {
        transactions: 4,
        ..Filling::default()
    };
    let mut blocks = Vec::new();
    for _ in 0..count {
        parent = forest.mine(parent, chance, filling);
        blocks.push(parent);
    }
    blocks
}

#[test]
fn a_retired_branch_that_somebody_holds_comes_back_as_it_was() {
    const HORIZON: u32 = 8;
    const TIME: u64 = 2_000_000_000;
    let (mut forest, mut chance) = (Forest::new(), Random::new(1));
    let trunk = chain(&mut forest, &mut chance, 0, 125);
    let (fork, old) = (trunk[110], trunk[124]);
    let rival = chain(&mut forest, &mut chance, fork, 16);
    let longer = chain(&mut forest, &mut chance, rival[15], 20);
    let again = chain(&mut forest, &mut chance, old, 30);

    let place = place();
    let open = || {
        let mut config = LedgerConfig::new(forest.params().clone(), place.path());
        config.horizon = Some(HORIZON);
        config.checkpoint_interval = 1;
        config.clock = everett_ledger::Clock::fixed(TIME);
        Ledger::open(config)
    };
    let mut ledger = opened(open).unwrap();
    let mut model = Model::new(HORIZON, TIME);
    let submit = |ledger: &Ledger, model: &mut Model, blocks: &[usize]| {
        let bytes: Vec<&[u8]> = blocks
            .iter()
            .map(|block| &*forest.block(*block).bytes)
            .collect();
        ledger.submit_blocks(&bytes).unwrap();
        model.apply(&forest, &Operation::Submit(blocks.to_vec()));
        assert_eq!(compare(ledger, &forest, model), Ok(()));
    };
    submit(&ledger, &mut model, &trunk);
    let held = ledger.best();
    // The trunk's end is behind the horizon now, and stays in memory for the one who holds it.
    submit(&ledger, &mut model, &rival);
    submit(&ledger, &mut model, &longer);
    assert_eq!(ledger.stats().unwrap().held_worlds, 1);
    submit(&ledger, &mut model, &again);
    assert_eq!(ledger.best().hash(), forest.block(again[29]).hash);
    let same =
        everett_tests::durability::comparison::compare_world(&held, &forest, forest.block(old));
    assert_eq!(same, Ok(()));
    drop((held, ledger));
    ledger = opened(open).unwrap();
    assert_eq!(compare(&ledger, &forest, &model), Ok(()));
}
