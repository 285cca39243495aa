//! Blocks that touch scripts, beside Core with its index of block filters.

use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::rpc_client::RpcClient;
use serde_json::{Value, json};

use crate::chain::{Chain, KEY};
use everett_tests::rpc_node::RpcNode;

#[test]
fn the_blocks_that_touch_scripts_are_those_that_core_finds_with_its_filters() {
    let Some(program) = program("scan_blocks") else {
        return;
    };
    let core = Bitcoind::start(&program, &["-blockfilterindex=1"]);
    let core_rpc = RpcClient::new(core.rpc_port(), &core.cookie());
    let chain = Chain::mine(&core_rpc);
    let everett = RpcNode::start();
    let ours = everett.client();
    chain.load(&ours);
    let indexed = |core: &RpcClient| {
        while core.call("getindexinfo", json!([]))["basic block filter index"]["synced"] != true {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    indexed(&core_rpc);
    let combo = format!("combo({KEY})");
    let calls = [
        json!(["start", [combo]]),
        json!(["start", [combo], 100]),
        json!(["start", [combo], 100, 250, "basic", { "filter_false_positives": true }]),
        json!({ "action": "start", "scanobjects": [combo], "filter_false_positives": false }),
        json!([
            "start",
            [format!("tr({KEY})"), format!("pkh({KEY})")],
            0,
            290
        ]),
        json!(["start", ["raw(6a)"]]),
        json!(["start", ["raw()"]]),
        json!(["start", ["raw(51)"], 287]),
        json!(["start", [combo], 290, 290]),
        json!(["start", [combo], 291]),
        json!(["start", [combo], -1]),
        json!(["start", [combo], 7, 6]),
        json!(["start", [combo], 7, 291]),
        json!(["start", [combo], 0, 1, "extended"]),
        json!(["start", ["foo"]]),
        json!(["start"]),
        json!(["status"]),
        json!(["abort"]),
        json!(["nonsense"]),
    ];
    let compare = |ours_asked: &Value, core_asked: &Value| {
        let there = core_rpc.answer("scanblocks", core_asked);
        let here = ours.answer("scanblocks", ours_asked);
        assert_eq!(here.status, there.status, "{ours_asked}");
        assert_eq!(here.body, there.body, "{ours_asked}");
        there.body
    };
    let mut found = 0;
    for call in &calls {
        found += compare(call, call).matches("\",\"").count();
    }
    assert!(found > 20, "the chain has blocks to find: {found}");

    // Of a rival tip, which Core has to be moved to.
    let above = core_rpc.text("getblockhash", json!([286]));
    core_rpc.call("invalidateblock", json!([above]));
    indexed(&core_rpc);
    let mut asked = json!({ "action": "start", "scanobjects": [combo], "start_height": 280 });
    let there = asked.clone();
    asked["at"] = json!(chain.names["SIDE"]);
    compare(&asked, &there);
}
