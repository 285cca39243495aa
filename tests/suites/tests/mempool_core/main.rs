//! The mempool beside a real Bitcoin Core: the same chain, the same transactions, and after each step the same verdict, the
//! same words and the same content in the same order. Needs `BITCOIND_EXE`.

mod limits;
mod pair;
mod rare;
mod steps;
mod templates;

use everett_mempool::MempoolConfig;

use pair::Pair;

fn live(name: &str, seed: u64, config: MempoolConfig, options: &[&str], steps: usize) {
    let Some(mut pair) = Pair::start(name, seed, config, options) else {
        return;
    };
    // Of equals any may have to go where a reorganisation makes clusters too large.
    pair.spender.uneven = config.cluster_count < 64;
    for step in 0..steps {
        pair.step();
        if step % 50 == 49 {
            pair.same("some steps");
            pair.same_entries();
        }
    }
    pair.same("all");
    pair.same_entries();
    let reasons = pair.reasons.take();
    eprintln!("{reasons:#?}");
    assert!(reasons.len() >= 15, "of {} kinds only", reasons.len());
    pair.same_fee_file();
}

/// Steps of each run; more with `MEMPOOL_STEPS`.
fn steps() -> usize {
    std::env::var("MEMPOOL_STEPS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(150)
}

fn seed(default: u64) -> u64 {
    std::env::var("MEMPOOL_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn random_transactions_get_cores_verdict_and_leave_its_mempool() {
    live(
        "random_transactions_get_cores_verdict_and_leave_its_mempool",
        seed(1),
        MempoolConfig::default(),
        &["-acceptnonstdtxn=0"],
        steps(),
    );
}

#[test]
fn the_same_without_standardness() {
    let config = MempoolConfig {
        require_standard: false,
        ..MempoolConfig::default()
    };
    live(
        "the_same_without_standardness",
        seed(2),
        config,
        &["-acceptnonstdtxn=1"],
        steps(),
    );
}

#[test]
fn the_same_with_small_clusters() {
    let config = MempoolConfig {
        cluster_count: 5,
        cluster_vbytes: 2_000,
        ..MempoolConfig::default()
    };
    let options = [
        "-acceptnonstdtxn=0",
        "-limitclustercount=5",
        "-limitclustersize=2",
    ];
    live(
        "the_same_with_small_clusters",
        seed(3),
        config,
        &options,
        steps(),
    );
}
