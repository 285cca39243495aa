//! The mempool over JSON-RPC, beside Core: the same calls, and after each the same pool in every view of it.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{OutPoint, ScriptBuf, Sequence, Transaction, Txid, Witness};
use serde_json::{Value, json};

use crate::both::{Both, START};
use crate::chain::{ADDRESS, WIF};
use crate::coins::{COIN, TRUE_OUTPUT, coinbase_of, spend};
use crate::rest::get;
use everett_tests::rpc_node::RpcNode;

/// With the flag of witnesses, and no inputs.
const NO_INPUTS: &str = "02000000000100010000000000000000015100000000";

fn id(tx: &Transaction) -> String {
    tx.compute_txid().to_string()
}

fn outpoint(tx: &Transaction, vout: u32) -> OutPoint {
    OutPoint::new(tx.compute_txid(), vout)
}

/// What pays to a key that both know.
fn to_key(mut tx: Transaction) -> Transaction {
    tx.output[0].script_pubkey =
        ScriptBuf::from_hex("0014751e76e8199196d454941c45d1b3a323f1433bd6").expect("hexadecimal");
    tx
}

impl Both {
    /// Gives a transaction to both.
    pub(crate) fn send(&self, tx: &Transaction) -> Value {
        self.same("sendrawtransaction", json!([serialize_hex(tx)]))
    }

    /// Asks both whether they would take transactions, and for several what becomes of them as a package.
    fn test(&self, transactions: &[&Transaction]) {
        let hex: Vec<String> = transactions.iter().map(|tx| serialize_hex(*tx)).collect();
        self.same("testmempoolaccept", json!([hex]));
    }

    fn package(&self, transactions: &[&Transaction]) -> Value {
        let hex: Vec<String> = transactions.iter().map(|tx| serialize_hex(*tx)).collect();
        self.same("submitpackage", json!([hex]))
    }

    /// Asks for all that tells of the pool.
    pub(crate) fn same_pool(&self) {
        for (method, params) in [
            ("getmempoolinfo", json!([])),
            ("getrawmempool", json!([true])),
            ("getrawmempool", json!([false, true])),
            ("getmempoolfeeratediagram", json!([])),
            ("getprioritisedtransactions", json!([])),
            ("gettxoutsetinfo", json!([])),
        ] {
            self.same(method, params);
        }
        let pending = self.same("getrawmempool", json!([]));
        for txid in pending.as_array().expect("a list") {
            for method in [
                "getmempoolentry",
                "getmempoolancestors",
                "getmempooldescendants",
                "getmempoolcluster",
            ] {
                self.same(method, json!([txid]));
            }
            self.same("getmempoolancestors", json!([txid, true]));
            self.same("getmempooldescendants", json!([txid, true]));
            self.same("getrawtransaction", json!([txid]));
            self.same("getrawtransaction", json!([txid, 2]));
            for vout in 0..3 {
                self.same("gettxout", json!([txid, vout]));
                self.same("gettxout", json!([txid, vout, false]));
                let asked = json!([{ "txid": txid, "vout": vout }]);
                self.same("gettxspendingprevout", json!([asked]));
            }
        }
    }
}

/// Both with so many blocks, and the first coins of them.
fn start(name: &str, blocks: u32, coins: usize) -> Option<(Both, Vec<OutPoint>)> {
    let both = Both::start(name)?;
    let raw = format!("raw({TRUE_OUTPUT})");
    let hashes = both.same("generatetodescriptor", json!([blocks, raw]));
    let coins = (0..coins)
        .map(|at| coinbase_of(&both, &hashes[at]))
        .collect();
    Some((both, coins))
}

#[test]
fn wrong_calls_about_the_mempool_are_refused_alike() {
    let Some((both, coins)) = start("wrong_calls_about_the_mempool_are_refused_alike", 103, 3)
    else {
        return;
    };
    let good = serialize_hex(&spend(&coins[..1], &[COIN - 1_000]));
    let waits = spend(&coins[1..2], &[COIN - 1_000]);
    both.send(&waits);
    let unknown = "ff".repeat(32);
    let one = json!([{ "txid": id(&waits), "vout": 0 }]);
    let spent = json!([{ "txid": coins[1].txid, "vout": 0 }]);
    for (method, params) in [
        ("sendrawtransaction", json!([])),
        ("sendrawtransaction", json!([1])),
        ("sendrawtransaction", json!(["00"])),
        ("sendrawtransaction", json!(["zz"])),
        ("sendrawtransaction", json!(["02000000000000000000"])),
        ("sendrawtransaction", json!(["020000000001000000000000"])),
        ("sendrawtransaction", json!([NO_INPUTS])),
        ("decoderawtransaction", json!(["02000000000000000000"])),
        ("decoderawtransaction", json!(["020000000001000000000000"])),
        ("decoderawtransaction", json!([NO_INPUTS])),
        ("decoderawtransaction", json!([NO_INPUTS, true])),
        ("decoderawtransaction", json!([NO_INPUTS, false])),
        ("sendrawtransaction", json!([""])),
        ("sendrawtransaction", json!([good, "x"])),
        ("sendrawtransaction", json!([good, 1])),
        ("sendrawtransaction", json!([good, -1])),
        ("sendrawtransaction", json!([good, true])),
        ("sendrawtransaction", json!([good, 0.1, "x"])),
        ("sendrawtransaction", json!([good, 0.1, {}])),
        ("sendrawtransaction", json!([good, "0.00000001"])),
        ("sendrawtransaction", json!([good, 0.1, 0, 1])),
        ("testmempoolaccept", json!([])),
        ("testmempoolaccept", json!([[]])),
        ("testmempoolaccept", json!(["x"])),
        ("testmempoolaccept", json!([[1]])),
        ("testmempoolaccept", json!([["00"]])),
        ("testmempoolaccept", json!([[good], "0.00000001"])),
        ("testmempoolaccept", json!([[good], 1])),
        ("testmempoolaccept", json!([[good], 0])),
        ("testmempoolaccept", json!([[good, good]])),
        ("testmempoolaccept", json!([vec!["00"; 26]])),
        ("testmempoolaccept", json!([[serialize_hex(&waits)]])),
        ("testmempoolaccept", json!([[serialize_hex(&waits), good]])),
        (
            "testmempoolaccept",
            json!({ "rawtxs": [good], "maxfeerate": "0.5" }),
        ),
        ("submitpackage", json!([])),
        ("submitpackage", json!([[]])),
        ("submitpackage", json!(["x"])),
        ("submitpackage", json!([[1]])),
        ("submitpackage", json!([["00"]])),
        ("submitpackage", json!([["00"], 1])),
        ("submitpackage", json!([[good], "0.00000001"])),
        ("submitpackage", json!([[good, good]])),
        ("submitpackage", json!([[good, serialize_hex(&waits)]])),
        ("submitpackage", json!([vec!["00"; 26]])),
        ("getmempoolinfo", json!([1])),
        ("getmempoolfeeratediagram", json!([1])),
        ("getrawmempool", json!([1])),
        ("getrawmempool", json!([true, true])),
        ("getrawmempool", json!([true, false])),
        ("getrawmempool", json!([false, 1])),
        ("getrawmempool", json!({ "mempool_sequence": true })),
        ("getmempoolentry", json!([])),
        ("getmempoolentry", json!([unknown])),
        ("getmempoolentry", json!(["abc"])),
        ("getmempoolentry", json!([5])),
        ("getmempoolancestors", json!([unknown])),
        ("getmempoolancestors", json!([unknown, 1])),
        ("getmempoolancestors", json!(["abc", true])),
        ("getmempooldescendants", json!([unknown])),
        ("getmempooldescendants", json!([])),
        ("getmempoolcluster", json!([unknown])),
        ("getmempoolcluster", json!(["abc"])),
        ("gettxspendingprevout", json!([])),
        ("gettxspendingprevout", json!([[]])),
        ("gettxspendingprevout", json!([[1]])),
        ("gettxspendingprevout", json!([[{}]])),
        ("gettxspendingprevout", json!([[{ "txid": "abc" }]])),
        (
            "gettxspendingprevout",
            json!([[{ "txid": "abc", "vout": 0 }]]),
        ),
        (
            "gettxspendingprevout",
            json!([[{ "txid": unknown, "vout": -1 }]]),
        ),
        (
            "gettxspendingprevout",
            json!([[{ "txid": unknown, "vout": 1.5 }]]),
        ),
        (
            "gettxspendingprevout",
            json!([[{ "txid": unknown, "vout": "1" }]]),
        ),
        (
            "gettxspendingprevout",
            json!([[{ "txid": 1, "vout": "1" }]]),
        ),
        (
            "gettxspendingprevout",
            json!([[{ "vout": 1, "txid": unknown, "more": 1 }]]),
        ),
        (
            "gettxspendingprevout",
            json!([[{ "vout": 1, "txid": unknown }]]),
        ),
        ("gettxspendingprevout", json!([one, { "mempool_only": 1 }])),
        ("gettxspendingprevout", json!([one, { "nonsense": 1 }])),
        (
            "gettxspendingprevout",
            json!([one, { "mempool_only": false }]),
        ),
        (
            "gettxspendingprevout",
            json!([one, { "mempool_only": null }]),
        ),
        (
            "gettxspendingprevout",
            json!([spent, { "mempool_only": false }]),
        ),
        (
            "gettxspendingprevout",
            json!([spent, { "return_spending_tx": true }]),
        ),
        (
            "gettxspendingprevout",
            json!({ "outputs": spent, "return_spending_tx": true }),
        ),
        ("gettxspendingprevout", json!([spent, 1])),
        ("gettxout", json!([id(&waits), 0, 1])),
        ("importmempool", json!([])),
        ("importmempool", json!([1])),
        ("importmempool", json!(["/nowhere/mempool.dat"])),
        (
            "importmempool",
            json!(["/nowhere", { "use_current_time": 1 }]),
        ),
        (
            "importmempool",
            json!(["/nowhere", { "apply_fee_delta_priority": "x" }]),
        ),
        ("importmempool", json!(["/nowhere", 1])),
        (
            "importmempool",
            json!({ "filepath": "/nowhere", "use_current_time": false }),
        ),
        ("savemempool", json!([1])),
        ("savemempool", json!([])),
        ("syncwithvalidationinterfacequeue", json!([])),
        ("estimatesmartfee", json!([])),
        ("estimatesmartfee", json!([0])),
        ("estimatesmartfee", json!([1])),
        ("estimatesmartfee", json!([2])),
        ("estimatesmartfee", json!([1008])),
        ("estimatesmartfee", json!([1009])),
        ("estimatesmartfee", json!([-1])),
        ("estimatesmartfee", json!(["x"])),
        ("estimatesmartfee", json!([6, "conservative"])),
        ("estimatesmartfee", json!([6, "ECONOMICAL"])),
        ("estimatesmartfee", json!([6, "unset"])),
        ("estimatesmartfee", json!([6, "nonsense"])),
        ("estimatesmartfee", json!([6, 1])),
        ("estimaterawfee", json!([])),
        ("estimaterawfee", json!([0])),
        ("estimaterawfee", json!([1])),
        ("estimaterawfee", json!([13])),
        ("estimaterawfee", json!([100, 0.5])),
        ("estimaterawfee", json!([6, 2])),
        ("estimaterawfee", json!([6, -0.1])),
        ("estimaterawfee", json!([6, "x"])),
        ("estimaterawfee", json!([1009])),
    ] {
        both.same(method, params);
    }
    for method in [
        "sendrawtransaction",
        "testmempoolaccept",
        "submitpackage",
        "getmempoolinfo",
        "getmempoolentry",
        "getmempoolancestors",
        "getmempooldescendants",
        "getmempoolcluster",
        "getmempoolfeeratediagram",
        "getrawmempool",
        "gettxspendingprevout",
        "savemempool",
        "importmempool",
        "estimatesmartfee",
        "estimaterawfee",
    ] {
        both.same("help", json!([method]));
    }
    both.same_pool();
}

#[test]
fn a_pool_with_families_packages_and_replacements_is_told_alike() {
    let name = "a_pool_with_families_packages_and_replacements_is_told_alike";
    let Some((both, coins)) = start(name, 130, 25) else {
        return;
    };
    both.same_pool();
    // A family of five, with a child of two parents.
    let mother = spend(&coins[..1], &[COIN / 2 - 1_000, COIN / 2 - 1_000, 0]);
    let father = to_key(spend(&coins[1..2], &[COIN / 2, COIN / 2 - 300]));
    let child = spend(
        &[outpoint(&mother, 1), outpoint(&father, 1)],
        &[COIN - 40_000],
    );
    let second = spend(&[outpoint(&mother, 0)], &[COIN / 2 - 60_000]);
    let grandchild = spend(&[outpoint(&child, 0), coins[2]], &[COIN]);
    let burning = {
        let mut tx = spend(&coins[3..4], &[1_000, COIN - 3_000]);
        tx.output[0].script_pubkey = ScriptBuf::from_hex("6a0474657374").expect("hexadecimal");
        tx
    };
    both.test(&[&mother, &father, &child]);
    both.test(&[&child, &mother]);
    both.test(&[&mother, &child, &father]);
    both.send(&child);
    let orphan = both.package(&[&father, &child]);
    assert_ne!(orphan["package_msg"], "success");
    for tx in [&mother, &father, &child, &second, &grandchild, &burning] {
        both.send(tx);
    }
    both.same_pool();
    let hex = serialize_hex(&burning);
    both.same("sendrawtransaction", json!([hex, 0.1, "0.00001"]));
    both.same("submitpackage", json!([[hex]]));
    both.same("submitpackage", json!([[hex], 0.1, 0.00001]));
    // Its fee, but not its rate.
    let dear = spend(&coins[4..5], &[COIN / 2]);
    both.send(&dear);
    both.test(&[&dear]);
    both.package(&[&dear]);
    let rate = json!([serialize_hex(&dear), 0]);
    both.same("sendrawtransaction", rate.clone());
    both.same("sendrawtransaction", rate);
    both.same_pool();
    // What is wrong with one by itself.
    let mut unsigned = spend(&coins[5..6], &[COIN - 1_000]);
    unsigned.input[0].witness = Witness::new();
    let mut wrong = spend(&coins[5..6], &[COIN - 1_000]);
    wrong.input[0].witness = Witness::from_slice(&[vec![0x00]]);
    let mut late = spend(&coins[5..6], &[COIN - 1_000]);
    late.lock_time = bitcoin::absolute::LockTime::from_consensus(5_000);
    late.input[0].sequence = Sequence::ZERO;
    let mut young = spend(&coins[5..6], &[COIN - 1_000]);
    young.input[0].sequence = Sequence::from_height(1_000);
    let mut odd = spend(&coins[5..6], &[COIN - 1_000]);
    odd.version = bitcoin::transaction::Version(9);
    let mut twice = spend(&coins[5..6], &[COIN - 1_000]);
    twice.input.push(twice.input[0].clone());
    let nowhere = OutPoint::new(Txid::from_raw_hash(mother.compute_txid().to_raw_hash()), 9);
    for tx in [
        &unsigned,
        &wrong,
        &late,
        &young,
        &odd,
        &twice,
        &spend(&coins[5..6], &[COIN + 1]),
        &spend(&coins[5..6], &[COIN - 1]),
        &spend(&coins[5..6], &[COIN - 5_000, 100]),
        &spend(&coins[5..6], &[]),
        &spend(&coins[5..6], &[22_000_000 * 100_000_000]),
        &spend(&[nowhere], &[1_000]),
        &spend(&coins[..1], &[COIN - 1_500]),
        &spend(&coins[..1], &[COIN - 200_000]),
    ] {
        both.test(&[tx]);
        both.send(tx);
        both.package(&[tx]);
    }
    both.same_pool();
    // The same with another witness.
    let mut other = spend(&coins[6..7], &[COIN - 1_000]);
    both.send(&other);
    other.input[0].witness.push([0x51]);
    both.test(&[&other]);
    both.send(&other);
    both.package(&[&other]);
    // Packages: a parent that pays too little, dust, TRUC, a replacement by two.
    let free = spend(&coins[7..8], &[COIN]);
    let payer = spend(&[outpoint(&free, 0)], &[COIN - 20_000]);
    both.test(&[&free, &payer]);
    both.package(&[&free, &payer]);
    both.package(&[&free, &payer]);
    let rebel = spend(&coins[7..8], &[COIN]);
    let backer = spend(&[outpoint(&rebel, 0), coins[8]], &[2 * COIN - 80_000]);
    both.package(&[&rebel, &backer]);
    let mut first = spend(&coins[7..8], &[COIN - 10, 0]);
    first.version = bitcoin::transaction::Version(3);
    let mut spends = spend(
        &[outpoint(&first, 0), outpoint(&first, 1)],
        &[COIN - 100_000],
    );
    spends.version = bitcoin::transaction::Version(3);
    both.test(&[&first, &spends]);
    both.package(&[&first, &spends]);
    both.same_pool();
    let mut sibling = spend(&[outpoint(&first, 0)], &[COIN - 300_000]);
    sibling.version = bitcoin::transaction::Version(3);
    both.test(&[&sibling]);
    both.send(&sibling);
    both.send(&spend(&[outpoint(&spends, 0)], &[COIN - 300_000]));
    both.same_pool();
    // One parent is here already, one pays by itself, one does not.
    let known = spend(&coins[9..10], &[COIN - 2_000]);
    both.send(&known);
    let pays = spend(&coins[10..11], &[COIN - 3_000]);
    let poor = spend(&coins[11..12], &[COIN - 5]);
    let heir = spend(
        &[outpoint(&known, 0), outpoint(&pays, 0), outpoint(&poor, 0)],
        &[3 * COIN - 90_000],
    );
    both.same(
        "submitpackage",
        json!([[serialize_hex(&poor), serialize_hex(&heir)], "0.00000500"]),
    );
    both.package(&[&heir]);
    both.package(&[&known, &pays, &poor, &heir]);
    both.package(&[&known, &pays, &poor, &heir]);
    both.same_pool();
    // Blocks take them, and branches bring them back.
    both.same(
        "prioritisetransaction",
        json!([id(&second), null, 5_000_000]),
    );
    both.same_pool();
    let made = both.same("generateblock", json!([ADDRESS, [id(&mother), id(&known)]]));
    both.same_pool();
    both.send(&mother);
    both.send(&known);
    both.same("invalidateblock", json!([made["hash"]]));
    both.same_pool();
    both.same("reconsiderblock", json!([made["hash"]]));
    both.same_pool();
    both.same("generatetoaddress", json!([1, ADDRESS]));
    both.same_pool();
}

#[test]
fn what_branches_give_back_came_when_core_says_so() {
    let Some((both, coins)) = start("what_branches_give_back_came_when_core_says_so", 120, 3)
    else {
        return;
    };
    let paid = spend(&coins[..1], &[COIN - 1_000]);
    let young = coinbase_of(&both, &both.same("getblockhash", json!([21])));
    let spends_young = spend(&[young], &[COIN - 1_000]);
    both.send(&paid);
    both.send(&spends_young);
    let old = both.same("generatetoaddress", json!([3, ADDRESS]));
    both.same_pool();
    // Down to a height at which one of them is not possible; the other one comes back.
    both.same("invalidateblock", json!([old[0]]));
    both.same("setmocktime", json!([START + 10]));
    both.same_pool();
    let blocks: Vec<Value> = (0..7)
        .map(|_| both.same("generateblock", json!([ADDRESS, []])))
        .collect();
    both.same_pool();
    both.same("invalidateblock", json!([blocks[0]["hash"]]));
    both.same("reconsiderblock", json!([old[0]]));
    both.same_pool();
    // To a branch that is longer by four blocks.
    both.same("reconsiderblock", json!([blocks[0]["hash"]]));
    both.same_pool();
    both.same("invalidateblock", json!([blocks[0]["hash"]]));
    both.same_pool();
}

#[test]
fn what_waits_is_signed_and_read_as_what_is_confirmed() {
    let Some((both, coins)) = start("what_waits_is_signed_and_read_as_what_is_confirmed", 110, 4)
    else {
        return;
    };
    let first = to_key(spend(&coins[..1], &[COIN - 1_000]));
    both.send(&first);
    let spending = json!([{ "txid": id(&first), "vout": 0 }]);
    let raw = both.same(
        "createrawtransaction",
        json!([spending, [{ ADDRESS: 49.9999 }]]),
    );
    let signed = both.same("signrawtransactionwithkey", json!([raw, [WIF]]));
    assert_eq!(signed["complete"], true);
    both.same("combinerawtransaction", json!([[raw, signed["hex"]]]));
    let psbt = both.same("converttopsbt", json!([raw]));
    let updated = both.same("utxoupdatepsbt", json!([psbt]));
    both.same("decodepsbt", json!([updated]));
    let descriptor = format!("wpkh({WIF})");
    both.same("descriptorprocesspsbt", json!([psbt, [descriptor]]));
    let missing = json!([{ "txid": id(&first), "vout": 1 }]);
    let raw_missing = both.same("createrawtransaction", json!([missing, [{ ADDRESS: 1 }]]));
    both.same("signrawtransactionwithkey", json!([raw_missing, [WIF]]));
    both.same("combinerawtransaction", json!([[raw_missing, raw_missing]]));
    both.same("sendrawtransaction", json!([signed["hex"]]));
    // Spent by one that waits, and still there for whoever signs.
    both.same("signrawtransactionwithkey", json!([raw, [WIF]]));
    both.same("gettxout", json!([id(&first), 0]));
    both.same("gettxout", json!([coins[0].txid, 0]));
    both.same("gettxout", json!([coins[0].txid, 0, false]));
    both.same("getrawtransaction", json!([id(&first), true]));
    let tip = both.same("getbestblockhash", json!([]));
    both.same("getrawtransaction", json!([id(&first), 1, tip]));
    both.same_pool();
}

#[test]
fn a_pool_goes_to_disk_and_into_the_other_server() {
    let Some((both, coins)) = start("a_pool_goes_to_disk_and_into_the_other_server", 110, 6) else {
        return;
    };
    let parent = spend(&coins[..1], &[COIN - 1_000]);
    let child = spend(&[outpoint(&parent, 0)], &[COIN - 9_000]);
    for tx in [&parent, &child, &spend(&coins[1..2], &[COIN - 700])] {
        both.core
            .call("sendrawtransaction", json!([serialize_hex(tx)]));
    }
    both.core
        .call("prioritisetransaction", json!([id(&child), null, 444]));
    let saved = both.core.call("savemempool", json!([]));
    both.same("setmocktime", json!([START + 100]));
    let options = json!({
        "use_current_time": false,
        "apply_fee_delta_priority": true,
        "apply_unbroadcast_set": true,
    });
    let answer = both
        .ours
        .call("importmempool", json!([saved["filename"], options]));
    assert_eq!(answer, json!({}));
    both.same_pool();
    // And back.
    let saved = both.ours.call("savemempool", json!([]));
    let file = saved["filename"].as_str().expect("a path");
    let directory = both.everett.directory.path().join("mempool.dat");
    assert_eq!(std::path::Path::new(file), directory);
    both.same("importmempool", json!([file]));
    both.same("generatetoaddress", json!([1, ADDRESS]));
    both.same_pool();
    both.same("importmempool", json!([file]));
    both.same_pool();
}

#[test]
fn what_waits_stays_where_a_block_cannot_be_invalidated_and_is_noted_until_a_peer_asks() {
    let everett = RpcNode::start();
    let ours = everett.client();
    ours.call("setmocktime", json!([START]));
    let raw = format!("raw({TRUE_OUTPUT})");
    let hashes = ours.call("generatetodescriptor", json!([110, raw]));
    let block = ours.call("getblock", json!([hashes[0]]));
    let txid = block["tx"][0].as_str().expect("an id").to_owned();
    let coinbase = OutPoint::new(txid.parse().expect("an id"), 0);
    let tx = spend(&[coinbase], &[COIN - 1_000]);
    for _ in 0..2 {
        // Once more does no harm.
        ours.call("sendrawtransaction", json!([serialize_hex(&tx)]));
    }
    let entry = ours.call("getmempoolentry", json!([id(&tx)]));
    assert_eq!(entry["unbroadcast"], true);
    let genesis = ours.text("getblockhash", json!([0]));
    assert_eq!(
        ours.answer("invalidateblock", &json!([genesis])).status,
        500
    );
    assert_eq!(ours.call("getrawmempool", json!([])), json!([id(&tx)]));
    assert_eq!(ours.call("getblockcount", json!([])), 110);
}

#[test]
fn a_named_world_tells_what_would_confirm_there() {
    let everett = RpcNode::start();
    let ours = everett.client();
    ours.call("setmocktime", json!([START]));
    let raw = format!("raw({TRUE_OUTPUT})");
    let hashes = ours.call("generatetodescriptor", json!([110, raw]));
    let coinbase = |at: usize| {
        let block = ours.call("getblock", json!([hashes[at]]));
        let txid = block["tx"][0].as_str().expect("an id").to_owned();
        OutPoint::new(txid.parse().expect("an id"), 0)
    };
    let old = spend(&[coinbase(0)], &[COIN - 1_000]);
    let child = spend(&[outpoint(&old, 0)], &[COIN - 2_000]);
    let young = spend(&[coinbase(8)], &[COIN - 1_000]);
    for tx in [&old, &child, &young] {
        ours.call("sendrawtransaction", json!([serialize_hex(tx)]));
    }
    let at = |height: u32| ours.call("getrawmempool", json!({ "at": height }));
    let all = at(110);
    assert_eq!(all.as_array().expect("a list").len(), 3);
    assert_eq!(all, ours.call("getrawmempool", json!([])));
    assert_eq!(
        at(103),
        json!([id(&old), id(&child)]),
        "a coinbase is too young"
    );
    assert_eq!(at(50), json!([]));
    let verbose = json!({ "verbose": true, "at": 103 });
    let verbose = ours.call("getrawmempool", verbose);
    assert_eq!(verbose[id(&child)]["ancestorcount"], 2);
    let coin = |tx: &Transaction, at: Value| {
        ours.call("gettxout", json!({ "txid": id(tx), "n": 0, "at": at }))
    };
    assert_eq!(coin(&young, json!("best"))["confirmations"], 0);
    assert_eq!(coin(&young, json!(110))["confirmations"], 0);
    assert_eq!(coin(&young, json!(103)), Value::Null);
    assert_eq!(coin(&old, json!(103)), Value::Null, "its child spends it");
    let spent = |at: Value| {
        let txid = coinbase(8).txid;
        ours.call("gettxout", json!({ "txid": txid, "n": 0, "at": at }))
    };
    assert_eq!(spent(json!(110)), Value::Null);
    assert_eq!(spent(json!(103))["confirmations"], 95);
    let verdict = |at: u32| {
        let params = json!({ "rawtxs": [serialize_hex(&young)], "at": at });
        ours.call("testmempoolaccept", params)[0]["reject-reason"].clone()
    };
    assert_eq!(verdict(110), "txn-already-in-mempool");
    assert_eq!(verdict(103), "bad-txns-premature-spend-of-coinbase");
}

#[test]
fn what_the_best_chain_confirmed_waits_on_a_rival_until_that_confirms_or_conflicts() {
    let everett = RpcNode::start_with(|config| config.rest = true);
    let ours = everett.client();
    ours.call("setmocktime", json!([START]));
    let raw = format!("raw({TRUE_OUTPUT})");
    let hashes = ours.call("generatetodescriptor", json!([110, raw]));
    let coinbase = |at: usize| {
        let block = ours.call("getblock", json!([hashes[at]]));
        let txid = block["tx"][0].as_str().expect("an id").to_owned();
        OutPoint::new(txid.parse().expect("an id"), 0)
    };
    let paid = spend(&[coinbase(0)], &[COIN - 1_000]);
    let child = spend(&[outpoint(&paid, 0)], &[COIN - 2_000]);
    let other = spend(&[coinbase(1)], &[COIN - 3_000]);
    for tx in [&paid, &child, &other] {
        ours.call("sendrawtransaction", json!([serialize_hex(tx)]));
    }
    let before = ours.call("getrawmempool", json!([]));
    let confirmed = json!(["raw(51)", [id(&paid), id(&other)]]);
    let best = ours.call("generateblock", confirmed)["hash"].clone();
    assert_eq!(ours.call("getrawmempool", json!([])), json!([id(&child)]));
    // At the fork all of it waits again; the best chain stays where it is.
    let at = |method: &str, world: &Value| ours.call(method, json!({ "at": world }));
    assert_eq!(at("getrawmempool", &hashes[109]), before);
    assert_eq!(at("getmempoolinfo", &hashes[109])["size"], 3);
    assert_eq!(at("getmempoolinfo", &best)["size"], 1);
    let rest = |path: &str, more: &str| {
        let fork = hashes[109].as_str().expect("a hash");
        let answer = get(&ours, &format!("/rest/{path}.json?at={fork}{more}"));
        serde_json::from_str::<Value>(&answer.body).expect("JSON")
    };
    assert_eq!(rest("mempool/contents", "&verbose=false"), before);
    assert_eq!(rest("mempool/info", "")["size"], 3);
    let coins = format!("getutxos/checkmempool/{}-0/{}-0", id(&child), id(&paid));
    assert_eq!(rest(&coins, "")["bitmap"], "10");
    // One rival confirms the child's parent, too, and another spends its coin otherwise.
    let on_fork = |transactions: Value| {
        let params =
            json!({ "output": "raw(52)", "transactions": transactions, "at": hashes[109] });
        ours.call("generateblock", params)["hash"].clone()
    };
    let mut double = spend(&[coinbase(0)], &[COIN - 9_000]);
    let same = on_fork(json!([serialize_hex(&paid)]));
    let conflict = on_fork(json!([serialize_hex(&double)]));
    let list = |world: &Value| at("getrawmempool", world);
    assert_eq!(list(&same), json!([id(&other), id(&child)]));
    assert_eq!(list(&conflict), json!([id(&other)]));
    let coin = |tx: &Transaction, world: &Value, waits: bool| {
        let params = json!({ "txid": id(tx), "n": 0, "at": world, "include_mempool": waits });
        ours.call("gettxout", params)["confirmations"].clone()
    };
    assert_eq!(coin(&child, &same, true), 0);
    assert_eq!(coin(&other, &same, true), 0);
    assert_eq!(coin(&other, &same, false), Value::Null);
    assert_eq!(coin(&paid, &same, true), Value::Null, "its child spends it");
    assert_eq!(coin(&paid, &same, false), 1);
    assert_eq!(coin(&double, &conflict, true), 1);
    let template = |world: &Value| {
        let params = json!({ "template_request": { "rules": ["segwit"] }, "at": world });
        let template = ours.call("getblocktemplate", params);
        let transactions = template["transactions"].as_array().expect("a list");
        json!(
            transactions
                .iter()
                .map(|tx| tx["txid"].clone())
                .collect::<Vec<_>>()
        )
    };
    assert_eq!(template(&same), list(&same));
    assert_eq!(template(&hashes[109]), before);
    // A fee that counts more changes the answer.
    ours.call("prioritisetransaction", json!([id(&child), 0, 50_000]));
    assert_eq!(list(&same), json!([id(&child), id(&other)]));
    // What was told comes true.
    let told = ours.call("getrawmempool", json!({ "verbose": true, "at": conflict }));
    assert_eq!(told[id(&other)]["fees"]["base"].to_string(), "0.00003");
    ours.call("invalidateblock", json!([same]));
    ours.call("invalidateblock", json!([best]));
    assert_eq!(ours.call("getbestblockhash", json!([])), conflict);
    let mut here = ours.call("getrawmempool", json!([true]));
    // The invalidated block gave it back one block below.
    assert_eq!(told[id(&other)]["height"], 111);
    here[id(&other)]["height"] = json!(111);
    assert_eq!(here, told);
    // Mined there, it is confirmed there.
    let params = json!({ "nblocks": 1, "address": ADDRESS, "at": conflict });
    let made = ours.call("generatetoaddress", params);
    assert_eq!(list(&made[0]), json!([]));
    double.version = bitcoin::transaction::Version::ONE;
    let params = json!({ "rawtxs": [serialize_hex(&double)], "at": hashes[109] });
    let verdict = ours.call("testmempoolaccept", params);
    assert_eq!(verdict[0]["allowed"], false, "the fork has the other spend");
}
