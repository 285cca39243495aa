//! What has no room, what waits too long, and what outlives a restart.

use std::sync::Arc;

use bitcoin::Txid;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hashes::Hash;
use everett_ledger::decode::DecodedTransaction;
use everett_mempool::{LoadOptions, Mempool, MempoolConfig};
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::spender::{Fee, Lock, Order};
use serde_json::Value;

use crate::pair::Pair;
use crate::seed;

/// Large transactions of all fee rates, more than there is room for.
#[test]
fn what_has_no_room_goes_as_at_core() {
    let config = MempoolConfig {
        max_bytes: 5_000_000,
        ..MempoolConfig::default()
    };
    let name = "what_has_no_room_goes_as_at_core";
    let options = ["-maxmempool=5", "-acceptnonstdtxn=0"];
    // Not of any seed: Core's estimate of memory is not ours to the byte, and may draw the line one transaction later.
    let Some(mut pair) = Pair::start(name, 4, config, &options) else {
        return;
    };
    let mut refused = 0;
    for _ in 0..120 {
        let Some(at) = pair.spender.pick() else {
            continue;
        };
        let fee = Fee::Rate(1_000 + 500 * pair.spender.random.below(1_000) as u64);
        let order = Order {
            inputs: vec![at],
            outputs: vec![Lock::WitnessScript; 2_000],
            version: 2,
            fee,
            dust: false,
        };
        let tx = pair.spender.make(&order);
        let decoded = Arc::new(DecodedTransaction::new(tx.clone()));
        let theirs = pair
            .core
            .try_ask("sendrawtransaction", &[&serialize_hex(&tx), "0"]);
        let ours = pair.mempool.accept(&decoded).expect("a verdict");
        match &ours {
            Ok(_) => {
                assert!(theirs.is_ok(), "{theirs:?}");
                pair.mempool.set_unbroadcast(&decoded.txid, true);
                pair.spender.coins[at].spends += 1;
            }
            Err(refusal) => {
                let error = theirs.expect_err(&refusal.rejection.to_string());
                assert!(
                    error.contains(&*refusal.rejection.reason),
                    "{error} {}",
                    refusal.rejection
                );
                refused += 1;
            }
        }
        pair.same("a large one");
    }
    assert!(refused > 0, "the minimum rose");
    // It falls again once a block came and time goes by.
    pair.mine(Vec::new());
    for hours in [1, 5, 12, 30, 40] {
        pair.pass(hours * 3_600);
        pair.same("some hours");
    }
}

#[test]
fn what_waits_too_long_goes_as_at_core() {
    let config = MempoolConfig {
        expiry: 3_600,
        ..MempoolConfig::default()
    };
    let name = "what_waits_too_long_goes_as_at_core";
    let Some(mut pair) = Pair::start(name, seed(5), config, &["-mempoolexpiry=1"]) else {
        return;
    };
    for _ in 0..60 {
        if let Some(tx) = pair.spender.plain() {
            pair.give("plain", &tx);
        }
        let seconds = pair.spender.random.between(10, 400);
        pair.pass(seconds);
    }
    pair.same("all");
}

#[test]
fn the_file_of_each_is_read_by_the_other() {
    let name = "the_file_of_each_is_read_by_the_other";
    let Some(mut pair) = Pair::start(name, seed(6), MempoolConfig::default(), &[]) else {
        return;
    };
    for _ in 0..80 {
        if let Some(tx) = pair.spender.plain() {
            pair.give("plain", &tx);
        }
    }
    let first = pair.mempool.view().expect("a view").txids()[0];
    pair.prioritise_by(first, 5_000);
    let unknown = Txid::from_byte_array([3; 32]);
    pair.core
        .call("prioritisetransaction", &[&unknown.to_string(), "0", "77"]);
    pair.mempool.prioritise(unknown, 77).expect("it is noted");

    // Core's file, into a mempool of ours.
    pair.core.call("savemempool", &[]);
    let path = pair.core.chain_directory().join("mempool.dat");
    let other = Mempool::new(pair.ledger.clone(), MempoolConfig::default());
    let loaded = other
        .load(&path, LoadOptions::default())
        .expect("it is read");
    let count = pair.mempool.view().expect("a view").len() as u64;
    assert!(count > 20, "{count}");
    assert_eq!((loaded.accepted, loaded.refused), (count, 0));
    let shown = |mempool: &Mempool| {
        let view = mempool.view().expect("a view");
        let times: Vec<(Txid, u64)> = view
            .with_times()
            .map(|(tx, time)| (tx.txid, time))
            .collect();
        (times, view.prioritised(), view.unbroadcast())
    };
    assert_eq!(shown(&other), shown(&pair.mempool));

    // Ours, into an empty Core with the same chain.
    let saved = pair.core.chain_directory().join("ours.dat");
    pair.mempool.save(&saved).expect("it is written");
    let program = program(name).expect("it was there");
    let empty = Bitcoind::start(&program, &[]);
    empty.call("setmocktime", &[&pair.now.to_string()]);
    let best = pair.ledger.best();
    for height in 1..=best.height() {
        let hash = best.block_hash_at(height).expect("below the tip");
        empty.submit(&pair.ledger.block_bytes(&hash).expect("it is there"));
    }
    let options = r#"{"use_current_time": false, "apply_fee_delta_priority": true, "apply_unbroadcast_set": true}"#;
    empty.call("importmempool", &[&saved.display().to_string(), options]);
    assert_eq!(
        empty.call("getrawmempool", &[]),
        pair.core.call("getrawmempool", &[])
    );
    assert_eq!(
        empty.call("getprioritisedtransactions", &[]),
        pair.core.call("getprioritisedtransactions", &[])
    );
    let times = |core: &Bitcoind| -> Vec<(String, Value)> {
        let entries = core.call("getrawmempool", &["true"]);
        let entries = entries.as_object().expect("an object");
        entries
            .iter()
            .map(|(txid, entry)| (txid.clone(), entry["time"].clone()))
            .collect()
    };
    assert_eq!(times(&empty), times(&pair.core));
}
