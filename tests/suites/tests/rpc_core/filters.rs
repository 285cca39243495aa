//! Filters of blocks and what happened to descriptors, beside Core with its index of filters.

use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::rpc_client::RpcClient;
use everett_tests::rpc_node::RpcNode;
use serde_json::json;

use crate::both::verdict;
use crate::chain::{Chain, KEY};

#[test]
fn filters_and_activity_are_those_of_core() {
    let Some(program) = program("filters") else {
        return;
    };
    let daemon = Bitcoind::start(&program, &["-blockfilterindex=1"]);
    let core = RpcClient::new(daemon.rpc_port(), &daemon.cookie());
    let chain = Chain::mine(&core);
    let everett = RpcNode::start_with(|config| config.block_filters = true);
    let ours = everett.client();
    chain.load(&ours);
    while core.call("getindexinfo", json!([]))["basic block filter index"]["synced"] != true {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let same = |method: &str, params: serde_json::Value| {
        let theirs = verdict(&core, method, &params);
        assert_eq!(verdict(&ours, method, &params), theirs, "{method} {params}");
        theirs[1].clone()
    };
    let tip = core
        .call("getblockcount", json!([]))
        .as_u64()
        .expect("a height");
    let hashes: Vec<String> = (0..=tip)
        .map(|height| core.text("getblockhash", json!([height])))
        .collect();
    // The tip first: all below it are made on the way.
    for hash in hashes.iter().rev() {
        same("getblockfilter", json!([hash]));
    }
    for wrong in [
        json!([hashes[1], "extended"]),
        json!(["ff"]),
        json!(["00000000000000000000000000000000000000000000000000000000000000ff"]),
        json!([]),
    ] {
        same("getblockfilter", wrong);
    }
    same("getindexinfo", json!(["basic block filter index"]));
    let combo = format!("combo({KEY})");
    let found = same("scanblocks", json!(["start", [combo]]))["relevant_blocks"].clone();
    let activity = same("getdescriptoractivity", json!([found, [combo]]));
    assert!(
        activity["activity"]
            .as_array()
            .is_some_and(|all| all.len() > 2)
    );
    for params in [
        json!([hashes, [combo, format!("tr({KEY})")], false]),
        json!([hashes, ["raw(51024e73)", { "desc": "raw()" }]]),
        json!([[], [combo]]),
        json!([hashes, []]),
        json!([["ff"], [combo]]),
        json!([[chain.names["SIDE"]], [combo]]),
        json!([
            ["00000000000000000000000000000000000000000000000000000000000000ff"],
            [combo]
        ]),
        json!([hashes, ["foo"]]),
        json!([hashes]),
        json!([]),
    ] {
        same("getdescriptoractivity", params);
    }
}
