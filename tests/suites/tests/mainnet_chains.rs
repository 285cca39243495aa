//! Two chains with real proof of work that compete from mainnet's genesis, in one data directory.

use everett_ledger::{Ledger, LedgerConfig, Network, Params};
use everett_tests::data;

struct Expected {
    tip: &'static str,
    height: u32,
    txouts: u64,
    total_sat: u64,
    muhash: &'static str,
    hash_serialized_3: &'static str,
}

/// Bitcoin Core's answers, from the data's README.
const FIRST_BLOCKS: Expected = Expected {
    tip: "0000000025c6b644f8add734be7e666fa4afa43ca0204d623a0c0b1fd2104c7a",
    height: 438,
    txouts: 443,
    total_sat: 21_900 * 100_000_000,
    muhash: "bbfed8c011991c30706e507a56d7e7f13f509a4ba66038253a179d4bcd7112a1",
    hash_serialized_3: "3790edaecd696a0879c5b6f1d2a9bdf8af69b28706517a960c7dd58ec8bd67fa",
};
const ALTERNATE: Expected = Expected {
    tip: "000000000c806553811fd3e6c40bc9c279db53643da7d3b401a9882c074c24b2",
    height: 2016,
    txouts: 2_016,
    total_sat: 100_800 * 100_000_000,
    muhash: "584b5911c3447337b455503867e47eb6b1bfb778df7531f8d60021d54f8f46a6",
    hash_serialized_3: "fa152d1792f014fd3537236637d83f032c1f5cfa44b116dd55d937b5efa49296",
};

#[test]
fn both_chains_are_worlds_whichever_file_comes_first() {
    let Some(directory) = data::find("mainnet_chains", "vectors/chains") else {
        return;
    };
    let first = data::blocks(&directory.join("mainnet-first-blocks.dat"));
    let alternate = data::blocks(&directory.join("mainnet-alternate-2016.dat"));
    for files in [[&first, &alternate], [&alternate, &first]] {
        let directory = tempfile::tempdir().unwrap();
        let config = LedgerConfig::new(Params::new(Network::Mainnet), directory.path());
        let ledger = Ledger::open(config).expect("the ledger opens");
        for file in files {
            for group in file.chunks(200) {
                ledger.submit_blocks(group).expect("the disk works");
            }
        }
        for expected in [&FIRST_BLOCKS, &ALTERNATE] {
            let world = ledger
                .world(&expected.tip.parse().unwrap())
                .expect("it is live");
            assert_eq!(world.height(), expected.height);
            let info = world.set_info().unwrap();
            assert_eq!(info.txouts, expected.txouts);
            assert_eq!(info.total_sat, expected.total_sat);
            assert_eq!(info.muhash_hex(), expected.muhash);
            assert_eq!(info.hash_serialized_3_hex(), expected.hash_serialized_3);
        }
        assert_eq!(ledger.best().hash().to_string(), ALTERNATE.tip);
    }
}
