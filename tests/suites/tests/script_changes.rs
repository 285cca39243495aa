//! By how much what scripts own differs between two blocks, against the balances that Bitcoin Core had at them: also
//! where no world can be read.

use std::collections::HashMap;
use std::path::Path;

use bitcoin::{BlockHash, ScriptBuf};
use everett_ledger::{Ledger, LedgerConfig, Network, Params, ScriptHash};
use everett_tests::data::SixtyForks;

/// Balances by script, for each block that they were recorded at.
type Recorded = HashMap<BlockHash, HashMap<ScriptHash, i64>>;

fn open(directory: &Path, horizon: Option<u32>) -> Ledger {
    let mut config = LedgerConfig::new(Params::new(Network::Regtest), directory);
    config.horizon = horizon;
    Ledger::open(config).expect("the ledger opens")
}

fn recorded(data: &SixtyForks) -> Recorded {
    let mut recorded = Recorded::new();
    for row in &data.balances {
        let script = ScriptHash::of(&ScriptBuf::from_hex(&row.script).expect("a script"));
        let tip = row.tip.parse().expect("a hash");
        let at_tip = recorded.entry(tip).or_default();
        at_tip.insert(script, row.balance_sat as i64);
    }
    recorded
}

/// Compares the changes from each block to each other one; how many pairs could be told.
fn check(ledger: &Ledger, recorded: &Recorded, step: usize) -> usize {
    let mut told = 0;
    let mut tips: Vec<&BlockHash> = recorded.keys().collect();
    tips.sort();
    for from in &tips {
        for to in tips.iter().step_by(step) {
            let changes = ledger.script_changes(from, to).expect("a read");
            let Some(changes) = changes else { continue };
            told += 1;
            for (script, before) in &recorded[*from] {
                let Some(after) = recorded[*to].get(script) else {
                    continue;
                };
                let change = changes.get(script).map_or(0, |change| change.sat);
                assert_eq!(change, after - before, "{from} to {to}: {script}");
            }
        }
    }
    told
}

#[test]
fn changes_between_any_two_blocks_are_those_of_their_balances_whatever_can_be_read() {
    let Some(data) = SixtyForks::load("script_changes") else {
        return;
    };
    let recorded = recorded(&data);
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = open(directory.path(), None);
    for group in data.blocks.chunks(100) {
        ledger.submit_blocks(group).expect("the disk works");
    }
    let pairs = |step: usize| recorded.len() * recorded.len().div_ceil(step);
    assert_eq!(check(&ledger, &recorded, 11), pairs(11));

    // Coins, too: those that the worlds list.
    let best = ledger.best();
    for tip in data.tips.iter().map(|tip| &tip.hash).take(5) {
        let world = ledger
            .world(&tip.parse().expect("a hash"))
            .expect("a world");
        let changes = ledger.script_changes(&best.hash(), &world.hash());
        for (script, change) in changes.expect("a read").expect("both are live") {
            let count = |world: &everett_ledger::World| {
                let balance = world.balance(&script).expect("a balance");
                balance.coins as i64
            };
            assert_eq!(change.coins, count(&world) - count(&best));
        }
    }

    // Half of the best chain is taken back: its worlds are gone, the changes are not.
    let height = best.height() - 8;
    let taken = ledger.best_hash_at(height).expect("a block");
    ledger.invalidate_block(&taken).expect("done");
    assert!(ledger.world(&best.hash()).is_err());
    assert_eq!(check(&ledger, &recorded, 17), pairs(17));
    ledger.reconsider_block(&taken).expect("done");
    drop((best, ledger));

    // Most branches are dropped, and the best chain's blocks lie below the base: those are told, these are not.
    let ledger = open(directory.path(), Some(5));
    ledger.checkpoint().expect("the disk works");
    let told = check(&ledger, &recorded, 5);
    let on_best = |hash: &&BlockHash| {
        let info = ledger.block_info(hash).expect("a block");
        ledger.best_hash_at(info.height) == Some(**hash)
    };
    let on_best = recorded.keys().filter(on_best).count();
    assert!(ledger.stats().expect("figures").base_height > 300);
    assert!(told < pairs(5), "dropped branches are not told of");
    assert!(
        told >= on_best * (on_best / 5),
        "{told} with {on_best} on the best chain"
    );
}
