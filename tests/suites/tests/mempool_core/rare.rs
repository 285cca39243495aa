//! What chance seldom hits.

use everett_mempool::MempoolConfig;
use everett_tests::spender::{Fee, Lock, Order};

use crate::pair::Pair;

#[test]
fn the_rarer_rules_are_cores() {
    let name = "the_rarer_rules_are_cores";
    let options = ["-acceptnonstdtxn=0"];
    let Some(mut pair) = Pair::start(name, 8, MempoolConfig::default(), &options) else {
        return;
    };
    let order = |inputs: Vec<usize>, outputs: Vec<Lock>, version: i32, fee: u64| Order {
        inputs,
        outputs,
        version,
        fee: Fee::Exact(fee),
        dust: false,
    };
    let spread = |pair: &mut Pair, from: usize, lock: Lock, count: usize| -> Vec<usize> {
        let tx = pair
            .spender
            .make(&order(vec![from], vec![lock; count], 2, 200_000));
        assert!(pair.give("spread", &tx));
        let first = pair.spender.coins.len() - count;
        pair.mine(vec![tx]);
        (first..first + count).collect()
    };

    // Confirmed already, once by its outputs and once without a trace.
    let once = pair
        .spender
        .make(&order(vec![0], vec![Lock::WitnessScript], 2, 1_000));
    pair.give("once", &once);
    pair.mine(vec![once.clone()]);
    pair.give("known", &once);
    let at = pair.spender.coins.len() - 1;
    let gone = pair
        .spender
        .make(&order(vec![at], vec![Lock::WitnessScript], 2, 1_000));
    pair.give("spent", &gone);
    pair.mine(vec![gone]);
    pair.give("known and spent", &once);
    let coinbase = pair.blocks[110].1[0].clone();
    pair.give("a coinbase", &coinbase);

    // The same with another witness.
    let mut twin = pair
        .spender
        .make(&order(vec![1], vec![Lock::WitnessScript], 2, 1_000));
    pair.give("a twin", &twin);
    twin.input[0].witness = bitcoin::Witness::from_slice(&[vec![], vec![0x51]]);
    pair.give("its brother", &twin);
    pair.give_package("the brother by itself", std::slice::from_ref(&twin));

    // Siblings of version 3.
    let parent = pair
        .spender
        .make(&order(vec![2], vec![Lock::WitnessScript; 3], 3, 1_000));
    pair.give("a parent", &parent);
    let first = pair.spender.coins.len() - 3;
    for (what, coin, fee) in [
        ("a child", first, 1_000),
        ("a poor sibling", first + 1, 900),
        ("a sibling that is no better", first + 1, 1_005),
        ("a rich sibling", first + 1, 3_000),
    ] {
        let child = pair
            .spender
            .make(&order(vec![coin], vec![Lock::WitnessScript], 3, fee));
        pair.give(what, &child);
    }
    let large = order(vec![first + 2], vec![Lock::WitnessScript; 40], 3, 90_000);
    let large = pair.spender.make(&large);
    pair.give("a large child", &large);
    let larger = pair
        .spender
        .make(&order(vec![3], vec![Lock::WitnessScript; 300], 3, 90_000));
    pair.give("too large at all", &larger);

    // More signature operations than a transaction may have.
    let coins = spread(&mut pair, 4, Lock::WitnessSigops, 90);
    let many = pair.spender.make(&order(
        coins.clone(),
        vec![Lock::WitnessScript],
        2,
        3_000_000,
    ));
    pair.give("many sigops", &many);
    let fewer = pair.spender.make(&order(
        coins[..80].to_vec(),
        vec![Lock::WitnessScript],
        2,
        3_000_000,
    ));
    pair.give("as many as may be", &fewer);

    // More clusters than one transaction may touch.
    let coins = spread(&mut pair, 5, Lock::WitnessScript, 101);
    for coin in &coins {
        let tx = pair
            .spender
            .make(&order(vec![*coin], vec![Lock::WitnessScript], 2, 200));
        assert!(pair.give("one of many", &tx));
    }
    let all = pair.spender.make(&order(
        coins.clone(),
        vec![Lock::WitnessScript],
        2,
        1_000_000,
    ));
    pair.give("against too many", &all);
    let most = pair.spender.make(&order(
        coins[..100].to_vec(),
        vec![Lock::WitnessScript],
        2,
        1_000_000,
    ));
    assert!(pair.give("against as many as may be", &most));

    // A package whose parent pays better than the whole.
    let old = pair
        .spender
        .make(&order(vec![6], vec![Lock::WitnessScript], 2, 10_000));
    pair.give("to be replaced", &old);
    let known = pair.spender.coins.len();
    let parent = pair
        .spender
        .make(&order(vec![6], vec![Lock::WitnessScript; 2], 2, 9_000));
    pair.spender.learn(&parent);
    let outputs = vec![Lock::WitnessScript; 10];
    let child = pair.spender.make(&order(vec![known], outputs, 2, 3_000));
    pair.give_package("a parent that pays better", &[parent.clone(), child]);
    let child = pair
        .spender
        .make(&order(vec![known], vec![Lock::WitnessScript], 2, 30_000));
    pair.give_package("one whose child pays", &[parent, child.clone()]);
    pair.give_package("both again", std::slice::from_ref(&child));

    // Packages that are none.
    let one = pair
        .spender
        .make(&order(vec![7], vec![Lock::WitnessScript], 2, 1_000));
    let other = pair
        .spender
        .make(&order(vec![7], vec![Lock::WitnessScript], 2, 2_000));
    let third = pair
        .spender
        .make(&order(vec![8], vec![Lock::WitnessScript], 2, 2_000));
    pair.give_package("rivals", &[one.clone(), other]);
    pair.give_package("twice the same", &[one.clone(), one.clone()]);
    pair.give_package("strangers", &[one, third]);

    pair.same("all");
    pair.same_entries();
    let reasons = pair.reasons.take();
    for expected in [
        "txn-already-known",
        "txn-same-nonwitness-data-in-mempool",
        "coinbase",
        "insufficient fee (including sibling eviction)",
        "TRUC-violation",
        "bad-txns-too-many-sigops",
        "too many potential replacements",
        "package: package RBF failed: package feerate is less than or equal to parent feerate",
    ] {
        assert!(
            reasons.contains_key(expected),
            "{expected} is not among {reasons:#?}"
        );
    }
}
