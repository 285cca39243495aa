//! Blocks made over JSON-RPC, beside Core: the same calls, and after each the same answers and the same best block.

use bitcoin::consensus::encode::{deserialize, serialize_hex};
use bitcoin::hex::FromHex;
use bitcoin::{Amount, Block, OutPoint, Sequence, Transaction, Witness};
use serde_json::{Value, json};

use crate::both::{Both, START, verdict};
use crate::chain::{ADDRESS, KEY};
use crate::coins::{COIN, TRUE_OUTPUT, coinbase_of, spend};
use everett_mining::SignalTimes;
use everett_rpc::RpcConfig;
use everett_tests::rpc_node::RpcNode;

/// Whom Core's own tests mine to, and the hash that a hundred blocks of theirs have.
const DETERMINISTIC: &str = "mjTkW3DjgyZck4KbiRusZsqTgaYTxdSz6z";
const GOLDEN: &str = "220aee93f0f5409631f35488898258f0930952bd620063cb4d7d87f7c28a8f50";
/// A second after regtest's first block.
const GOLDEN_TIME: u64 = 1_296_688_603;

/// What is done to a block, and its name.
type Spoilt = (&'static str, fn(&mut Block));

impl Both {
    /// Asks for all that tells of a chain and of mining.
    fn same_state(&self) {
        for (method, params) in [
            ("getbestblockhash", json!([])),
            ("getmininginfo", json!([])),
            ("getnetworkhashps", json!([])),
            ("getnetworkhashps", json!([-1])),
            ("getnetworkhashps", json!([7, 5])),
            ("getblocktemplate", json!([{ "rules": ["segwit"] }])),
            ("getmininginfo", json!([])),
            ("getprioritisedtransactions", json!([])),
            ("getblockchaininfo", json!([])),
            ("getdeploymentinfo", json!([])),
        ] {
            self.same(method, params);
        }
    }
}

#[test]
fn the_old_generate_makes_cores_golden_chain() {
    let everett = RpcNode::start();
    let ours = everett.client();
    ours.call("setmocktime", json!([GOLDEN_TIME]));
    // As `bitcoin-cli` gives it: as text.
    assert_eq!(
        ours.call("generate", json!([1]))
            .as_array()
            .expect("hashes")
            .len(),
        1
    );
    ours.call("generate", json!(["9"]));
    ours.call("generatetoaddress", json!([80, DETERMINISTIC]));
    let hashes = ours.call(
        "generatetodescriptor",
        json!([10, format!("addr({DETERMINISTIC})")]),
    );
    assert_eq!(hashes[9], GOLDEN);
    assert_eq!(ours.text("getbestblockhash", json!([])), GOLDEN);
    assert_eq!(ours.call("getmininginfo", json!([]))["pooledtx"], 0);
}

#[test]
fn both_make_the_same_blocks_and_refuse_the_same() {
    let Some(both) = Both::start("both_make_the_same_blocks_and_refuse_the_same") else {
        return;
    };
    both.same_state();
    let wif = "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA";
    let xpub = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";
    let uncompressed = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
    for (method, params) in [
        ("generatetoaddress", json!([3, ADDRESS])),
        ("generatetoaddress", json!([0, ADDRESS])),
        ("generatetoaddress", json!([-1, ADDRESS])),
        ("generatetoaddress", json!([3, ADDRESS, 0])),
        ("generatetoaddress", json!([3, ADDRESS, 5])),
        ("generatetoaddress", json!([2, ADDRESS, -1])),
        ("generatetoaddress", json!([1, "nonsense"])),
        (
            "generatetoaddress",
            json!([1, "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"]),
        ),
        ("generatetoaddress", json!(["1", ADDRESS])),
        ("generatetoaddress", json!([1.5, ADDRESS])),
        ("generatetoaddress", json!([5_000_000_000u64, ADDRESS])),
        ("generatetoaddress", json!([1, ADDRESS, 5_000_000_000u64])),
        ("generatetoaddress", json!([])),
        (
            "generatetoaddress",
            json!({ "nblocks": 1, "address": ADDRESS, "maxtries": 100_000 }),
        ),
        ("generatetodescriptor", json!([1, format!("wpkh({KEY})")])),
        ("generatetodescriptor", json!([1, format!("combo({KEY})")])),
        (
            "generatetodescriptor",
            json!([1, format!("combo({uncompressed})")]),
        ),
        ("generatetodescriptor", json!([1, format!("tr({wif})")])),
        ("generatetodescriptor", json!([1, "raw(51)"])),
        (
            "generatetodescriptor",
            json!([1, format!("wpkh({xpub}/*)")]),
        ),
        (
            "generatetodescriptor",
            json!([1, format!("wpkh({xpub}/<0;1>)")]),
        ),
        (
            "generatetodescriptor",
            json!([1, format!("wpkh({xpub}/0')")]),
        ),
        ("generatetodescriptor", json!([1, "nonsense"])),
        ("generatetodescriptor", json!([1, "addr(nonsense)"])),
        ("generatetodescriptor", json!([1, "raw(51)", -1])),
        ("generatetodescriptor", json!([1, "raw(51)", 0])),
        ("generateblock", json!([ADDRESS, []])),
        ("generateblock", json!(["raw(51)", []])),
        ("generateblock", json!([ADDRESS, [], false])),
        ("generateblock", json!(["nonsense", []])),
        ("generateblock", json!([format!("wpkh({xpub}/*)"), []])),
        ("generateblock", json!([ADDRESS, ["00"]])),
        ("generateblock", json!([ADDRESS, ["zz"]])),
        ("generateblock", json!([ADDRESS, [1]])),
        ("generateblock", json!([ADDRESS, ["ff".repeat(32)]])),
        ("generateblock", json!([ADDRESS])),
        ("getblocktemplate", json!([])),
        ("getblocktemplate", json!([1])),
        ("getblocktemplate", json!([{}])),
        ("getblocktemplate", json!([{ "rules": ["signet"] }])),
        ("getblocktemplate", json!([{ "rules": [1] }])),
        (
            "getblocktemplate",
            json!([{ "mode": 1, "rules": ["segwit"] }]),
        ),
        (
            "getblocktemplate",
            json!([{ "mode": "other", "rules": ["segwit"] }]),
        ),
        (
            "getblocktemplate",
            json!([{ "mode": "template", "rules": ["segwit", "csv", "other"] }]),
        ),
        (
            "getblocktemplate",
            json!([{ "rules": ["segwit"], "longpollid": "00" }]),
        ),
        (
            "getblocktemplate",
            json!([{ "rules": ["segwit"], "longpollid": "ff".repeat(32) }]),
        ),
        (
            "getblocktemplate",
            json!([{ "mode": "proposal", "rules": ["segwit"] }]),
        ),
        (
            "getblocktemplate",
            json!([{ "mode": "proposal", "data": 1 }]),
        ),
        (
            "getblocktemplate",
            json!([{ "mode": "proposal", "data": "00" }]),
        ),
        (
            "getblocktemplate",
            json!({ "template_request": { "rules": ["segwit"] } }),
        ),
        ("getnetworkhashps", json!([0])),
        ("getnetworkhashps", json!([-2])),
        ("getnetworkhashps", json!([1, 100_000])),
        ("getnetworkhashps", json!([1, -2])),
        ("getnetworkhashps", json!([1, 0])),
        ("getnetworkhashps", json!(["x"])),
        ("getnetworkhashps", json!([1, 1, 1])),
        ("getmininginfo", json!([1])),
        ("prioritisetransaction", json!(["ff".repeat(32), 0, 1000])),
        (
            "prioritisetransaction",
            json!(["ee".repeat(32), null, -1000]),
        ),
        ("prioritisetransaction", json!(["ff".repeat(32), 0.0, -400])),
        (
            "prioritisetransaction",
            json!({ "txid": "dd".repeat(32), "fee_delta": 5 }),
        ),
        ("prioritisetransaction", json!(["ff".repeat(32), 1, 1000])),
        ("prioritisetransaction", json!(["ff", 0, 1000])),
        ("prioritisetransaction", json!(["ff".repeat(32), 0, 1.5])),
        ("prioritisetransaction", json!(["ff".repeat(32), 0])),
        ("prioritisetransaction", json!(["ff".repeat(32), "x", 1])),
        ("getprioritisedtransactions", json!([])),
        ("getprioritisedtransactions", json!([1])),
    ] {
        both.same(method, params);
        both.same("getbestblockhash", json!([]));
    }
    both.same_state();
    // Past the periods of the test deployment, with a clock that goes on, stands still and goes back.
    let mut now = START;
    for (blocks, seconds) in [
        (130, 600),
        (30, -3_000),
        (150, 10),
        (130, 1_200),
        (20, -100_000),
        (150, 600),
    ] {
        both.same("generatetoaddress", json!([blocks / 2, ADDRESS]));
        now = now.checked_add_signed(seconds * 10).expect("a time");
        both.same("setmocktime", json!([now]));
        both.same(
            "generatetoaddress",
            json!([blocks - blocks / 2, DETERMINISTIC]),
        );
        both.same_state();
    }
    let tip = both.same("getbestblockhash", json!([]));
    both.same("invalidateblock", json!([tip]));
    both.same("generatetoaddress", json!([2, ADDRESS]));
    both.same_state();
    both.same("reconsiderblock", json!([tip]));
    both.same_state();
}

#[test]
fn both_judge_chosen_transactions_and_proposals_alike() {
    let Some(both) = Both::start("both_judge_chosen_transactions_and_proposals_alike") else {
        return;
    };
    let raw = format!("raw({TRUE_OUTPUT})");
    let hashes = both.same("generatetodescriptor", json!([105, raw]));
    let coins: Vec<OutPoint> = (0..6).map(|at| coinbase_of(&both, &hashes[at])).collect();
    let parent = spend(&coins[..1], &[COIN - 1_000, 0]);
    let child = spend(&[OutPoint::new(parent.compute_txid(), 0)], &[COIN - 3_000]);
    let hex = |tx: &Transaction| serialize_hex(tx);
    let mut unsigned = spend(&coins[1..2], &[COIN]);
    unsigned.input[0].witness = Witness::new();
    let mut late = spend(&coins[1..2], &[COIN]);
    late.lock_time = bitcoin::absolute::LockTime::from_consensus(5_000);
    late.input[0].sequence = Sequence::ZERO;
    let mut young = spend(&coins[1..2], &[COIN]);
    young.input[0].sequence = Sequence::from_height(1_000);
    let immature = coinbase_of(&both, &hashes[100]);
    let mut twice = spend(&coins[1..2], &[COIN]);
    twice.input.push(twice.input[0].clone());
    let bad = [
        ("a child before its parent", vec![hex(&child), hex(&parent)]),
        ("a child without its parent", vec![hex(&child)]),
        ("the same twice", vec![hex(&parent), hex(&parent)]),
        (
            "more than there is",
            vec![hex(&spend(&coins[1..2], &[COIN + 1]))],
        ),
        (
            "too young a coinbase",
            vec![hex(&spend(&[immature], &[COIN]))],
        ),
        ("no witness", vec![hex(&unsigned)]),
        ("a lock that holds", vec![hex(&late)]),
        ("a relative lock that holds", vec![hex(&young)]),
        ("an input twice", vec![hex(&twice)]),
        ("no outputs", vec![hex(&spend(&coins[1..2], &[]))]),
        (
            "too much money",
            vec![hex(&spend(&coins[1..2], &[22_000_000 * 100_000_000]))],
        ),
    ];
    for (what, transactions) in &bad {
        for submit in [true, false] {
            let params = json!([ADDRESS, transactions, submit]);
            let theirs = verdict(&both.core, "generateblock", &params);
            let ours = verdict(&both.ours, "generateblock", &params);
            assert_eq!(ours, theirs, "{what}");
        }
    }
    let made = both.same(
        "generateblock",
        json!([ADDRESS, [hex(&parent), hex(&child)], false]),
    );
    let hidden = made["hex"].as_str().expect("a block").to_owned();
    both.same("getbestblockhash", json!([]));
    let propose = |hex: &str| json!([{ "mode": "proposal", "rules": ["segwit"], "data": hex }]);
    both.same("getblocktemplate", propose(&hidden));
    let block: Block =
        deserialize(&Vec::<u8>::from_hex(&hidden).expect("hexadecimal")).expect("a block");
    let changes: [Spoilt; 9] = [
        ("another nonce", |block| block.header.nonce += 1),
        ("another root", |block| block.header.time += 1),
        ("too old", |block| block.header.time = 1),
        ("too new", |block| block.header.time += 100_000),
        ("an old version", |block| {
            block.header.version = bitcoin::block::Version::ONE
        }),
        ("another parent", |block| {
            block.header.prev_blockhash = block.block_hash()
        }),
        ("other bits", |block| {
            block.header.bits = bitcoin::CompactTarget::from_consensus(0x207f_fffe)
        }),
        ("no coinbase", |block| drop(block.txdata.remove(0))),
        ("greed", |block| {
            block.txdata[0].output[0].value += Amount::from_sat(3_001)
        }),
    ];
    for (what, change) in changes {
        for with_root in [false, true] {
            let mut changed = block.clone();
            change(&mut changed);
            if with_root {
                changed.header.merkle_root = changed.compute_merkle_root().expect("transactions");
            }
            let params = propose(&serialize_hex(&changed));
            let theirs = verdict(&both.core, "getblocktemplate", &params);
            let ours = verdict(&both.ours, "getblocktemplate", &params);
            assert_eq!(ours, theirs, "{what}");
        }
    }
    both.same(
        "generateblock",
        json!([ADDRESS, [hex(&parent), hex(&child)]]),
    );
    both.same("getblocktemplate", propose(&hidden));
    both.same("submitblock", json!([hidden]));
    both.same_state();
}

#[test]
fn templates_and_blocks_of_the_mempool_are_cores() {
    let Some(both) = Both::start("templates_and_blocks_of_the_mempool_are_cores") else {
        return;
    };
    let raw = format!("raw({TRUE_OUTPUT})");
    let hashes = both.same("generatetodescriptor", json!([110, raw]));
    let coins: Vec<OutPoint> = (0..8).map(|at| coinbase_of(&both, &hashes[at])).collect();
    let send = |tx: &Transaction| {
        both.same("sendrawtransaction", json!([serialize_hex(tx), 0]));
    };
    let template = || both.same("getblocktemplate", json!([{ "rules": ["segwit"] }]));
    let count = |template: &Value| template["transactions"].as_array().expect("a list").len();
    let mut now = START;
    let mut pass = |seconds: u64| {
        now += seconds;
        both.same("setmocktime", json!([now]));
    };
    // A family: the child pays for its parent, and spends two of its outputs.
    let parent = spend(&coins[..1], &[COIN / 2 - 500, COIN / 2 - 500]);
    let outpoint = |tx: &Transaction, vout| OutPoint::new(tx.compute_txid(), vout);
    let child = spend(
        &[outpoint(&parent, 0), coins[1], outpoint(&parent, 1)],
        &[2 * COIN - 90_000],
    );
    let alone = spend(&coins[2..3], &[COIN - 20_000]);
    let poor = spend(&coins[3..4], &[COIN - 40]);
    for tx in [&parent, &poor, &alone] {
        send(tx);
    }
    assert_eq!(count(&template()), 3);
    send(&child);
    // A template is good for five seconds.
    assert_eq!(count(&template()), 3);
    pass(5);
    assert_eq!(count(&template()), 3);
    pass(1);
    let whole = template();
    assert_eq!(count(&whole), 4);
    both.same("getmininginfo", json!([]));
    let id = |tx: &Transaction| tx.compute_txid().to_string();
    both.same("prioritisetransaction", json!([id(&poor), null, 1_000_000]));
    both.same("prioritisetransaction", json!([id(&alone), null, -19_990]));
    both.same("getprioritisedtransactions", json!([]));
    template();
    pass(10);
    let changed = template();
    assert_eq!(changed["transactions"][0]["txid"], id(&poor));
    assert_eq!(changed["coinbasevalue"], whole["coinbasevalue"]);
    both.same("prioritisetransaction", json!([id(&alone), null, -20]));
    pass(10);
    assert_eq!(count(&template()), 3);
    // Dust that pays nothing, and its child.
    let dust = spend(&coins[4..5], &[COIN - 100, 100]);
    let sweep = spend(&[outpoint(&dust, 0), outpoint(&dust, 1)], &[COIN - 30_000]);
    let package = [serialize_hex(&dust), serialize_hex(&sweep)];
    both.same("submitpackage", json!([package]));
    both.same("prioritisetransaction", json!([id(&dust), null, 1]));
    both.same("prioritisetransaction", json!([id(&sweep), null, 1]));
    both.same("getprioritisedtransactions", json!([]));
    pass(10);
    assert_eq!(count(&template()), 5);
    // By its id, and with one that is not pending.
    let extra = spend(&coins[5..6], &[COIN - 7_000]);
    let chosen = json!([ADDRESS, [id(&parent), serialize_hex(&extra)]]);
    both.same("generateblock", chosen);
    template();
    both.same_state();
    let made = both.same("generatetoaddress", json!([1, ADDRESS]));
    both.same("getblock", json!([made[0], 1]));
    both.same_state();
    assert_eq!(both.ours.call("getmininginfo", json!([]))["pooledtx"], 1);
}

/// Blocks of a period of the test deployment.
const PERIOD: u32 = 144;

#[test]
fn the_test_deployment_keeps_to_the_times_that_it_is_told() {
    let start = START as i64 + 1_000;
    // Blocks of version 4 do not signal.
    for (start, timeout, height, version, ends_as) in [
        (start, i64::MAX, 720, None, "active"),
        (start, start + 1, 0, Some(4), "failed"),
        (-1, i64::MAX, 0, None, "active"),
        (-2, i64::MAX, 0, None, ""),
    ] {
        let mut options = vec![format!("-vbparams=testdummy:{start}:{timeout}:{height}")];
        options.extend(version.map(|version| format!("-blockversion={version}")));
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let name = "the_test_deployment_keeps_to_the_times_that_it_is_told";
        let change = |config: &mut RpcConfig| {
            config.mining.version = version;
            config.mining.signal_times = SignalTimes {
                start,
                timeout,
                min_activation_height: height,
            };
        };
        let Some(both) = Both::start_with(name, &options, change) else {
            return;
        };
        let mut status = Value::Null;
        for period in 0..6u64 {
            // It begins in the second one.
            both.same("setmocktime", json!([START + period * 2_000]));
            both.same("generatetoaddress", json!([PERIOD - 1, ADDRESS]));
            both.same_state();
            both.same("generatetoaddress", json!([1, ADDRESS]));
            both.same_state();
            let info = both.same("getdeploymentinfo", json!([]));
            status = info["deployments"]["testdummy"]["bip9"]["status_next"].clone();
        }
        assert_eq!(status.as_str().unwrap_or_default(), ends_as);
    }
}

#[test]
fn a_long_poll_ends_with_another_best_block() {
    let everett = RpcNode::start();
    let ours = everett.client();
    ours.call("generatetoaddress", json!([3, ADDRESS]));
    let rules = json!(["segwit"]);
    let first = ours.call("getblocktemplate", json!([{ "rules": rules }]));
    let waiting = {
        let client = everett.client();
        let params = json!([{ "rules": rules, "longpollid": first["longpollid"] }]);
        std::thread::spawn(move || client.call("getblocktemplate", params))
    };
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert!(!waiting.is_finished());
    let made = ours.call("generatetoaddress", json!([1, ADDRESS]));
    let second = waiting.join().expect("an answer");
    assert_eq!(second["previousblockhash"], made[0]);
    assert_eq!(second["height"], 5);
}

#[test]
fn a_named_world_is_mined_on_where_it_lies() {
    let everett = RpcNode::start();
    let ours = everett.client();
    ours.call("setmocktime", json!([START]));
    let trunk = ours.call("generatetoaddress", json!([10, ADDRESS]));
    let best = ours.text("getbestblockhash", json!([]));
    let rules = json!({ "rules": ["segwit"] });
    let on = |at: &Value| {
        let params = json!({ "template_request": rules, "at": at });
        ours.call("getblocktemplate", params)
    };
    assert_eq!(on(&trunk[4])["previousblockhash"], trunk[4]);
    assert_eq!(on(&trunk[4])["height"], 6);
    // The same payout at the same place and time would be the block that is there.
    let generate = |at: &Value, count: u32| {
        let params = json!({ "nblocks": count, "address": ADDRESS, "at": at });
        ours.call("generatetoaddress", params)
    };
    let rival = generate(&trunk[4], 2);
    let other = generate(&trunk[4], 1);
    assert!(rival[0] != trunk[5] && other[0] != rival[0] && other[0] != trunk[5]);
    assert_eq!(ours.text("getbestblockhash", json!([])), best);
    assert_eq!(
        ours.call("getchaintips", json!([]))
            .as_array()
            .expect("tips")
            .len(),
        3
    );
    let longer = generate(&rival[1], 4);
    assert_eq!(ours.text("getbestblockhash", json!([])), longer[3]);
    let made = json!({ "output": ADDRESS, "transactions": [], "at": trunk[0] });
    let made = ours.call("generateblock", made);
    let header = ours.call("getblockheader", json!([made["hash"]]));
    assert_eq!(header["previousblockhash"], trunk[0]);
    let rate = ours.call("getmininginfo", json!({ "at": trunk[4] }));
    assert_eq!(rate["blocks"], 5);
}
