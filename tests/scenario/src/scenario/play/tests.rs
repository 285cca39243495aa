use everett_ledger::{LedgerConfig, Network, Params};
use tempfile::TempDir;

use super::super::{DEEP_REORGANISATION, DOUBLE_SPEND, SHIPPED, TIE};
use super::*;

fn regtest() -> (TempDir, Ledger) {
    let directory = tempfile::tempdir().unwrap();
    let params = Params::new(Network::Regtest);
    let config = LedgerConfig::new(params, directory.path());
    (directory, Ledger::open(config).unwrap())
}

fn play(text: &str) -> Result<Played, PlayError> {
    let (_directory, ledger) = regtest();
    Scenario::parse(text).unwrap().play(&ledger)
}

fn with_parties(steps: &str) -> String {
    format!("title = \"T\"\n[parties]\nalice = \"p2wpkh\"\nbob = \"p2tr\"\n{steps}")
}

#[test]
fn every_shipped_scenario_meets_its_expectations() {
    for (name, text) in SHIPPED {
        let played = play(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(played.unmet, [], "{name}");
    }
}

#[test]
fn the_double_spend_leaves_three_worlds_with_balances_of_their_own() {
    let played = play(DOUBLE_SPEND).unwrap();
    let shown: Vec<_> = played
        .worlds
        .iter()
        .map(|world| {
            let sats: Vec<i64> = world.balances.iter().map(|balance| balance.1).collect();
            (world.label.as_deref(), world.height, world.best, sats)
        })
        .collect();
    let btc = 100_000_000;
    assert_eq!(
        shown,
        [
            (
                Some("double-spend"),
                104,
                true,
                vec![0, 0, 50 * btc - 1_000, 0]
            ),
            (
                Some("delivered"),
                103,
                false,
                vec![30 * btc - 1_000, 20 * btc, 0, 0]
            ),
            (Some("behind"), 102, false, vec![50 * btc, 0, 0, 50 * btc]),
        ]
    );
    let names: Vec<_> = played
        .parties
        .iter()
        .map(|party| party.name.as_str())
        .collect();
    assert_eq!(names, ["alice", "bob", "carol", "dave"]);
}

#[test]
fn a_play_makes_the_same_blocks_on_every_ledger_and_again_on_the_same() {
    for text in [DOUBLE_SPEND, TIE] {
        let scenario = Scenario::parse(text).unwrap();
        let (_one, first) = regtest();
        let (_two, second) = regtest();
        let played = scenario.play(&first).unwrap();
        assert_eq!(scenario.play(&second).unwrap(), played);
    }
    let scenario = Scenario::parse(DOUBLE_SPEND).unwrap();
    let (_directory, ledger) = regtest();
    let played = scenario.play(&ledger).unwrap();
    let again = scenario.play(&ledger).unwrap();
    assert_eq!((again.worlds, again.blocks), (played.worlds, played.blocks));
}

#[test]
fn an_invalid_tip_is_listed_without_balances() {
    let text = TIE.split("[[step]]\nsay = \"A block more").next().unwrap();
    let played = play(text).unwrap();
    let invalid = &played.worlds[1];
    assert_eq!(invalid.status, ChainStatus::Invalid);
    assert_eq!(invalid.label.as_deref(), Some("left's"));
    assert!(invalid.balances.is_empty());
}

#[test]
fn expectations_that_do_not_hold_are_all_named_with_what_was_found() {
    let text = with_parties(
        r#"
[[step]]
mine = 1
by = "alice"
as = "one"
[[step]]
expect.best = "genesis"
expect.tips = 2
expect.status = { one = "valid-fork" }
expect.balances.one = { alice = "1 BTC", bob = 0 }
expect.conflicts = [{ between = ["one", "genesis"], coins = 1 }]
"#,
    );
    let unmet: Vec<String> = play(&text)
        .unwrap()
        .unmet
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        unmet,
        [
            "step 2 (line 10): expected the best world to be genesis, but it is one",
            "step 2 (line 10): expected 2 tips, but there are 1",
            "step 2 (line 10): expected one to be valid-fork, but it is active",
            "step 2 (line 10): expected alice to have 1 BTC at one, but it is 50 BTC",
            "step 2 (line 10): expected 1 coins in conflict between one and genesis, but there \
             are 0 (0 conflicts in all)",
        ]
    );
}

#[test]
fn a_step_that_cannot_be_done_names_itself_and_its_line() {
    let text = with_parties(
        r#"
[[step]]
mine = 1
by = "alice"
[[step]]
mine = 1
pay = [
  { from = "alice", to = "bob", amount = "1 BTC" },
]
"#,
    );
    let error = play(&text).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "step 2 (line 12): alice needs 1.00001000 BTC on this branch but has 0 BTC"
        ),
        "{error}"
    );
}

#[test]
fn spending_the_same_coins_twice_on_one_branch_fails() {
    let text = with_parties(
        r#"
[[step]]
mine = 1
by = "alice"
[[step]]
mine = 100
[[step]]
mine = 1
pay = [{ from = "alice", to = "bob", amount = "1 BTC", as = "first" }]
[[step]]
mine = 1
pay = [{ instead_of = "first", to = "alice" }]
"#,
    );
    let error = play(&text).unwrap_err().to_string();
    assert!(
        error.starts_with("step 4 (line 14): the block cannot be made"),
        "{error}"
    );
}

#[test]
fn a_replacement_cannot_pay_more_than_its_coins() {
    let text = with_parties(
        r#"
[[step]]
mine = 1
by = "alice"
[[step]]
mine = 100
as = "ready"
[[step]]
mine = 1
pay = [{ from = "alice", to = "bob", amount = "1 BTC", as = "first" }]
[[step]]
mine = 1
on = "ready"
pay = [{ instead_of = "first", to = "alice", amount = "50 BTC" }]
"#,
    );
    let error = play(&text).unwrap_err().to_string();
    assert!(
        error.contains("are worth 50 BTC, which does not reach for 50.00001000 BTC"),
        "{error}"
    );
}

#[test]
fn payments_of_one_block_can_build_on_each_other() {
    let text = with_parties(
        r#"
[[step]]
mine = 1
by = "alice"
[[step]]
mine = 100
[[step]]
mine = 1
as = "tip"
pay = [
  { from = "alice", to = "bob", amount = "10 BTC", fee = 0 },
  { from = "bob", to = "alice", amount = "4 BTC", fee = 0 },
  { from = "alice", to = "bob", amount = "1 BTC", fee = 0 },
]
[[step]]
expect.balances.tip = { alice = "43 BTC", bob = "7 BTC" }
"#,
    );
    assert_eq!(play(&text).unwrap().unmet, []);
}

#[test]
fn empty_siblings_are_two_blocks() {
    let text = with_parties(
        "[[step]]\nmine = 1\non = \"genesis\"\n[[step]]\nmine = 1\non = \"genesis\"\n",
    );
    assert_eq!(play(&text).unwrap().worlds.len(), 2);
}

#[test]
fn a_hundred_blocks_can_be_undone() {
    let played = play(DEEP_REORGANISATION).unwrap();
    assert_eq!(played.worlds[0].label.as_deref(), Some("revealed"));
    assert_eq!(played.worlds[1].fork_height, 103);
    assert_eq!(played.mined, 304);
}
