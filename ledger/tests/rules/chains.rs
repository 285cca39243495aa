//! Real chains, imported block by block.

use everett_ledger::params::{Network, Params};
use everett_ledger::rules::Chain;

use crate::naive::{NaiveWorld, facts};
use crate::vectors::{find, frames, shown};

/// What Bitcoin Core says about a chain's tip.
struct Tip {
    hash: &'static str,
    height: u32,
    txouts: u64,
    total_btc: u64,
    muhash: &'static str,
    hash_serialized_3: &'static str,
}

fn import(file: &str, tip: Tip) {
    let Some(path) = find(file) else { return };
    let mut world = NaiveWorld::new(Params::new(Network::Mainnet));
    let blocks = frames(&path, world.params.magic);
    let now = 1_700_000_000;
    for bytes in &blocks[1..] {
        let (block, delta) = world.judge(bytes, now).unwrap();
        world.apply(facts(&block), &delta);
    }
    assert_eq!(world.height(), tip.height);
    assert_eq!(world.header(tip.height).hash.to_string(), tip.hash);
    let info = world.set_info();
    assert_eq!(info.txouts, tip.txouts);
    assert_eq!(info.total_sat, tip.total_btc * 100_000_000);
    assert_eq!(shown(info.muhash), tip.muhash);
    assert_eq!(shown(info.hash_serialized_3), tip.hash_serialized_3);
}

#[test]
fn mainnets_first_blocks_leave_the_coins_that_core_has() {
    import(
        "vectors/chains/mainnet-first-blocks.dat",
        Tip {
            hash: "0000000025c6b644f8add734be7e666fa4afa43ca0204d623a0c0b1fd2104c7a",
            height: 438,
            txouts: 443,
            total_btc: 21_900,
            muhash: "bbfed8c011991c30706e507a56d7e7f13f509a4ba66038253a179d4bcd7112a1",
            hash_serialized_3: "3790edaecd696a0879c5b6f1d2a9bdf8af69b28706517a960c7dd58ec8bd67fa",
        },
    );
}

#[test]
fn another_chain_from_mainnets_genesis_passes_its_difficulty_rise() {
    import(
        "vectors/chains/mainnet-alternate-2016.dat",
        Tip {
            hash: "000000000c806553811fd3e6c40bc9c279db53643da7d3b401a9882c074c24b2",
            height: 2016,
            txouts: 2_016,
            total_btc: 100_800,
            muhash: "584b5911c3447337b455503867e47eb6b1bfb778df7531f8d60021d54f8f46a6",
            hash_serialized_3: "fa152d1792f014fd3537236637d83f032c1f5cfa44b116dd55d937b5efa49296",
        },
    );
}
