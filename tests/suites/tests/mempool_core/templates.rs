//! Templates of blocks out of random mempools, beside those of Bitcoin Core.

use bitcoin::ScriptBuf;
use everett_mempool::{FeeRate, MempoolConfig};
use everett_mining::{BlockTemplate, Miner, MiningConfig};
use serde_json::{Value, json};

use crate::pair::{Pair, START};
use crate::{seed, steps};

/// Seconds after which Core makes another template where only transactions came.
const STALE: u64 = 6;

fn told(template: &BlockTemplate) -> Value {
    let transactions: Vec<Value> = template
        .chosen
        .iter()
        .map(|chosen| {
            json!({
                "txid": chosen.tx.txid,
                "hash": chosen.tx.wtxid,
                "fee": chosen.fee,
                "sigops": chosen.sigop_cost,
                "weight": chosen.tx.stripped_size * 3 + chosen.tx.size,
            })
        })
        .collect();
    let header = &template.template;
    json!({
        "transactions": transactions,
        "coinbasevalue": header.reward.to_sat(),
        "previousblockhash": header.parent,
        "version": header.version,
        "curtime": header.time,
        "mintime": template.min_time,
        "height": header.height,
        "default_witness_commitment": template.witness_commitment().map(|script| script.to_hex_string()),
    })
}

fn same_template(pair: &mut Pair, miner: &Miner) -> BlockTemplate {
    pair.pass(STALE);
    let theirs = pair
        .core
        .call("getblocktemplate", &[r#"{"rules": ["segwit"]}"#]);
    let template = miner.template(&ScriptBuf::new()).expect("a template");
    let ours = told(&template);
    for (name, own) in ours.as_object().expect("an object") {
        let mut other = theirs[name].clone();
        if name == "transactions" {
            for transaction in other.as_array_mut().expect("a list") {
                let fields = transaction.as_object_mut().expect("an object");
                fields.remove("data");
                fields.remove("depends");
            }
        }
        assert_eq!(*own, other, "{name}\n{}", pair.told());
    }
    // Elsewhere it has nothing to compare with; that the ledger lets it pass is part of it.
    let best = pair.ledger.best();
    for below in [1, 2, 12, 40] {
        let world = pair.ledger.world_at_height(best.height() - below);
        let world = world.expect("it is live");
        let there = miner.template_on(&world, &ScriptBuf::new());
        let there = there.unwrap_or_else(|error| panic!("{below} below: {error}\n{}", pair.told()));
        let pending = pair.mempool.view_on(&world).expect("a view").txids();
        assert!(
            there
                .chosen
                .iter()
                .all(|chosen| pending.contains(&chosen.tx.txid))
        );
        assert_eq!(there.template.parent, world.hash());
    }
    let template = miner.template(&ScriptBuf::new()).expect("a template");
    let info = pair.core.call("getmininginfo", &[]);
    let assembled = miner.last_assembled().expect("one was made");
    assert_eq!(info["currentblockweight"], assembled.weight);
    assert_eq!(info["currentblocktx"], assembled.transactions);
    template
}

fn live(name: &str, seed: u64, config: MiningConfig, options: &[&str]) {
    let mempool = MempoolConfig {
        require_standard: false,
        ..MempoolConfig::default()
    };
    let options = [&["-acceptnonstdtxn=1"], options].concat();
    let Some(mut pair) = Pair::start(name, seed, mempool, &options) else {
        return;
    };
    let miner = Miner::new(pair.mempool.clone(), config);
    let (mut most, mut left_out) = (0, 0);
    for step in 0..steps() {
        pair.step();
        if step % 5 == 0 {
            let template = same_template(&mut pair, &miner);
            most = most.max(template.chosen.len());
            let pending = pair.mempool.view().expect("a view").len();
            left_out = left_out.max(pending - template.chosen.len());
        }
    }
    same_template(&mut pair, &miner);
    eprintln!("{name}: {most} transactions at most, {left_out} left out at most, from {START}");
    assert!(most > 5);
}

#[test]
fn templates_of_random_mempools_are_cores() {
    live(
        "templates_of_random_mempools_are_cores",
        seed(11),
        MiningConfig::default(),
        &[],
    );
}

#[test]
fn templates_of_small_blocks_are_cores() {
    let config = MiningConfig {
        max_weight: 12_000,
        reserved_weight: 3_000,
        min_fee: FeeRate::per_kvb(2_000),
        ..MiningConfig::default()
    };
    let options = [
        "-blockmaxweight=12000",
        "-blockreservedweight=3000",
        "-blockmintxfee=0.00002",
    ];
    live(
        "templates_of_small_blocks_are_cores",
        seed(12),
        config,
        &options,
    );
}
