//! Blocks that break one rule each, with Core's answer.

use std::fs::read_to_string;

use bitcoin::hex::FromHex;
use everett_ledger::params::{Network, Params};
use everett_ledger::rules::Chain;
use serde_json::Value;

use crate::naive::{NaiveWorld, facts};
use crate::vectors::{find, frames};

#[test]
fn every_bad_block_gets_cores_answer() {
    let Some(folder) = find("vectors/bad-blocks") else {
        return;
    };
    let setup: Value =
        serde_json::from_str(&read_to_string(folder.join("setup.json")).unwrap()).unwrap();
    let now = setup["mock_time"].as_u64().unwrap();
    let mut world = NaiveWorld::new(Params::new(Network::Regtest));
    for bytes in &frames(&folder.join("base.dat"), world.params.magic)[1..] {
        let (block, delta) = world.judge(bytes, now).unwrap();
        world.apply(facts(&block), &delta);
    }
    assert_eq!(
        world.header(world.height()).hash.to_string(),
        setup["tip"].as_str().unwrap()
    );

    let mut judged = 0;
    for line in read_to_string(folder.join("cases.jsonl")).unwrap().lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let bytes = Vec::from_hex(case["block"].as_str().unwrap()).unwrap();
        let answer = world.judge(&bytes, now).err();
        assert_eq!(
            answer.as_deref(),
            case["answer"].as_str(),
            "{}",
            case["name"]
        );
        judged += 1;
    }
    assert!(judged > 90, "only {judged} cases were there");
}
