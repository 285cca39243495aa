//! 98 blocks on one parent, each breaking one rule or none, against Bitcoin Core's answers.

use bitcoin::hex::FromHex;
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params};
use everett_tests::data;
use everett_tests::random::Random;
use serde::Deserialize;

#[derive(Deserialize)]
struct Setup {
    mock_time: u64,
    tip: String,
    height: u32,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    block: String,
    accepted: bool,
    answer: Option<String>,
}

struct Fixture {
    setup: Setup,
    base: Vec<Vec<u8>>,
    cases: Vec<Case>,
}

fn load(name: &str) -> Option<Fixture> {
    let directory = data::find(name, "vectors/bad-blocks")?;
    Some(Fixture {
        setup: data::json(&directory.join("setup.json")),
        base: data::blocks(&directory.join("base.dat")),
        cases: data::json_lines(&directory.join("cases.jsonl")),
    })
}

fn open(fixture: &Fixture, directory: &std::path::Path) -> Ledger {
    let mut config = LedgerConfig::new(Params::new(Network::Regtest), directory);
    config.clock = Clock::fixed(fixture.setup.mock_time);
    let ledger = Ledger::open(config).expect("the ledger opens");
    ledger.submit_blocks(&fixture.base).expect("the disk works");
    assert_eq!(ledger.best().hash().to_string(), fixture.setup.tip);
    assert_eq!(ledger.best().height(), fixture.setup.height);
    ledger
}

#[test]
fn each_case_alone_gets_cores_answer() {
    let Some(fixture) = load("bad_blocks") else {
        return;
    };
    for case in &fixture.cases {
        let directory = tempfile::tempdir().unwrap();
        let ledger = open(&fixture, directory.path());
        let block = Vec::<u8>::from_hex(&case.block).expect("hexadecimal");
        let answer = ledger
            .submit_block(&block)
            .expect("the disk works")
            .outcome
            .bip22();
        assert_eq!(answer, case.answer, "{}", case.name);
        let at_its_parent = ledger.best().hash().to_string() == fixture.setup.tip;
        assert_eq!(at_its_parent, !case.accepted, "{}", case.name);
    }
}

#[test]
fn in_any_order_between_good_blocks_no_case_leaves_a_trace() {
    let Some(fixture) = load("bad_blocks") else {
        return;
    };
    for seed in 1..=5u64 {
        let directory = tempfile::tempdir().unwrap();
        let ledger = open(&fixture, directory.path());
        let mut cases: Vec<&Case> = fixture.cases.iter().collect();
        Random::new(seed).shuffle(&mut cases);
        let mut good = Vec::new();
        for case in &cases {
            let block = Vec::<u8>::from_hex(&case.block).expect("hexadecimal");
            let best = ledger.best();
            let submitted = ledger.submit_block(&block).expect("the disk works");
            assert_eq!(
                submitted.outcome.bip22(),
                case.answer,
                "{} with seed {seed}",
                case.name
            );
            if case.accepted {
                good.push(block);
            } else {
                assert_eq!(
                    ledger.best().hash(),
                    best.hash(),
                    "{} moved the tip",
                    case.name
                );
            }
        }
        // Every good block stands as a tip of its own, live, and a second submission says so.
        let live = ledger.tips().iter().filter(|tip| tip.live).count();
        assert_eq!(live, good.len());
        for block in &good {
            let answer = ledger
                .submit_block(block)
                .expect("the disk works")
                .outcome
                .bip22();
            assert_eq!(answer.as_deref(), Some("duplicate"));
        }
    }
}
