//! Laws over random histories: whatever happens, every world has the coins that a map of all coins has.
//!
//! `EVERETT_LAW_CASES` sets how many histories are lived through (default 24), `EVERETT_LAW_STEPS` how long the longest
//! is (default 16). Proptest prints the shortest history that breaks a law; `PROPTEST_RNG_SEED` repeats a run.

use everett_tests::history::{Growth, History, Order, Pick, Settings, Step, histories};
use everett_tests::walk::live_through;
use proptest::test_runner::{Config, TestRunner};

fn setting(name: &str, default: u32) -> u32 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

fn live_through_histories(in_memory: bool) {
    let config = Config {
        cases: setting("EVERETT_LAW_CASES", 24),
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..Config::default()
    };
    let steps = setting("EVERETT_LAW_STEPS", 16);
    TestRunner::new(config)
        .run(&histories(steps as usize), |history| {
            live_through(&history, in_memory);
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn every_world_answers_as_a_map_of_all_its_coins_would_whatever_happens() {
    live_through_histories(false);
}

#[test]
fn a_ledger_in_memory_keeps_the_same_laws() {
    live_through_histories(true);
}

#[test]
fn of_two_children_that_waited_the_block_that_came_first_is_the_best_one() {
    // Headers first, then the blocks from the top down: on the second block lie two, and the later header's block came
    // before the earlier one's.
    let growth = Growth {
        on: Pick::Best(0),
        blocks: 3,
        spends: 0,
        prong: Some(1),
        flaw: None,
        order: Order::Reversed,
        headers_first: true,
        held_back: Some(4),
        grouped: false,
        seed: 1,
    };
    let history = History {
        settings: Settings {
            horizon: 3,
            interval: 1,
            quota: 0,
        },
        steps: vec![Step::Grow(growth)],
    };
    live_through(&history, false);
    live_through(&history, true);
}
