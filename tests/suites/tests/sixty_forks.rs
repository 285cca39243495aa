//! The ledger against Bitcoin Core's answers about a regtest chain of 762 blocks with 60 competing branches.

use bitcoin::block::Header;
use bitcoin::consensus::deserialize;
use bitcoin::{BlockHash, OutPoint, ScriptBuf, Txid};
use everett_ledger::{
    Ledger, LedgerConfig, Network, Outcome, Params, ScriptHash, World, WorldError,
};
use everett_tests::data::{BalanceRow, BlockRow, SixtyForks};
use everett_tests::random::Random;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

fn open(directory: &Path, horizon: Option<u32>) -> Ledger {
    let mut config = LedgerConfig::new(Params::new(Network::Regtest), directory);
    config.horizon = horizon;
    Ledger::open(config).expect("the ledger opens")
}

fn submit_all(ledger: &Ledger, blocks: &[Vec<u8>]) {
    for group in blocks.chunks(100) {
        for answer in ledger.submit_blocks(group).expect("the disk works") {
            let good = !matches!(
                answer.outcome,
                Outcome::Rejected { .. } | Outcome::Undecodable(_)
            );
            assert!(good, "{:?}", answer.outcome);
            assert!(
                answer
                    .joined
                    .iter()
                    .all(|(_, outcome)| matches!(outcome, Outcome::Accepted { .. }))
            );
        }
    }
}

fn hash(text: &str) -> BlockHash {
    text.parse().expect("a block hash")
}

fn check_set(world: &World, row: &BlockRow) {
    let info = world.set_info().expect("the set can be read");
    assert_eq!(info.txouts, row.txouts, "{}", row.hash);
    assert_eq!(info.total_sat, row.total_sat, "{}", row.hash);
    assert_eq!(info.bogosize, row.bogosize, "{}", row.hash);
    assert_eq!(info.muhash_hex(), row.muhash, "{}", row.hash);
    assert_eq!(
        info.hash_serialized_3_hex(),
        row.hash_serialized_3,
        "{}",
        row.hash
    );
}

fn check_balance(world: &World, row: &BalanceRow) {
    let script = ScriptHash::of(&ScriptBuf::from_hex(&row.script).expect("a script"));
    let balance = world.balance(&script).expect("the balance can be read");
    assert_eq!(
        balance.confirmed.to_sat(),
        row.balance_sat,
        "{} at {}",
        row.script,
        row.tip
    );
    assert_eq!(balance.coins, row.utxos.len() as u64);
    let immature = row
        .utxos
        .iter()
        .filter(|utxo| utxo.4 && utxo.3 + 100 > world.height());
    assert_eq!(
        balance.immature.to_sat(),
        immature.map(|utxo| utxo.2).sum::<u64>()
    );

    let mut expected: Vec<_> = row
        .utxos
        .iter()
        .map(|utxo| {
            (
                OutPoint::new(utxo.0.parse::<Txid>().expect("a txid"), utxo.1),
                utxo.2,
                utxo.3,
                utxo.4,
            )
        })
        .collect();
    expected.sort();
    let mut found: Vec<(OutPoint, u64, u32, bool)> = Vec::new();
    loop {
        let page = world
            .coins_of(&script, found.last().map(|coin| coin.0), 7)
            .unwrap();
        if page.is_empty() {
            break;
        }
        for (outpoint, coin) in page {
            assert_eq!(world.coin(&outpoint).unwrap().as_ref(), Some(&coin));
            found.push((outpoint, coin.amount.to_sat(), coin.height, coin.coinbase));
        }
    }
    assert_eq!(found, expected, "{} at {}", row.script, row.tip);
}

/// Everything Core said, about the blocks that `inside` lets through; the others must be retired.
fn check(ledger: &Ledger, data: &SixtyForks, inside: impl Fn(&BlockRow) -> bool + Sync) {
    let (live, gone): (Vec<&BlockRow>, Vec<&BlockRow>) =
        data.rows.iter().partition(|row| inside(row));
    live.par_iter().for_each(|row| {
        let world = ledger
            .world(&hash(&row.hash))
            .unwrap_or_else(|error| panic!("{}: {error}", row.hash));
        assert_eq!(world.height(), row.height);
        assert_eq!(format!("{:x}", world.chainwork()), row.chainwork);
        assert_eq!(world.median_time_past(), row.mediantime);
        assert_eq!(ledger.block_info(&world.hash()).unwrap().tx_count, row.ntx);
        check_set(&world, row);
    });
    for row in gone {
        let error = ledger
            .world(&hash(&row.hash))
            .expect_err("it lies behind the horizon");
        assert!(matches!(error, WorldError::Retired { .. }), "{error}");
        assert!(
            ledger.block_bytes(&hash(&row.hash)).is_ok(),
            "its block is served"
        );
    }
    data.balances.par_iter().for_each(|row| {
        if let Ok(world) = ledger.world(&hash(&row.tip)) {
            check_balance(&world, row);
        }
    });
    let tips: BTreeSet<_> = ledger
        .tips()
        .iter()
        .map(|tip| {
            (
                tip.hash.to_string(),
                tip.height,
                tip.height - tip.fork_height,
                tip.status.as_str().to_owned(),
            )
        })
        .collect();
    let expected: BTreeSet<_> = data
        .tips
        .iter()
        .map(|tip| {
            (
                tip.hash.clone(),
                tip.height,
                tip.branchlen,
                tip.status.clone(),
            )
        })
        .collect();
    assert_eq!(tips, expected);
    for fork in &data.forks {
        let (Ok(a), Ok(b)) = (
            ledger.world(&hash(&fork.tip_a)),
            ledger.world(&hash(&fork.tip_b)),
        ) else {
            continue;
        };
        assert_eq!(
            ledger.compare(&a, &b).fork_hash.to_string(),
            fork.fork_point
        );
        let found: Vec<_> = ledger
            .conflicts(&a, &b)
            .expect("the branches can be read")
            .into_iter()
            .map(|conflict| {
                let spent_a = (conflict.txid_a.to_string(), conflict.block_a.to_string());
                let spent_b = (conflict.txid_b.to_string(), conflict.block_b.to_string());
                (conflict.outpoint, spent_a, spent_b)
            })
            .collect();
        let mut expected: Vec<_> = fork
            .conflicts
            .iter()
            .map(|row| {
                let outpoint = OutPoint::new(row.txid.parse().expect("a txid"), row.vout);
                (outpoint, row.spent_in_a.clone(), row.spent_in_b.clone())
            })
            .collect();
        expected.sort();
        assert_eq!(found, expected);
    }
}

fn check_all(ledger: &Ledger, data: &SixtyForks) {
    check(ledger, data, |_| true);
}

#[test]
fn every_world_has_the_coins_balances_and_conflicts_that_core_found() {
    let Some(data) = SixtyForks::load("sixty_forks") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path(), None);
    submit_all(&ledger, &data.blocks);
    check_all(&ledger, &data);
    drop(ledger);
    check_all(&open(directory.path(), None), &data);
}

#[test]
fn the_order_in_which_blocks_come_does_not_matter() {
    let Some(data) = SixtyForks::load("sixty_forks") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut shuffled = data.blocks.clone();
    Random::new(60).shuffle(&mut shuffled);
    let ledger = open(directory.path(), None);
    submit_all(&ledger, &shuffled);
    assert!(ledger.orphans().is_empty());
    check_all(&ledger, &data);
}

#[test]
fn three_runs_give_what_one_gives() {
    let Some(data) = SixtyForks::load("sixty_forks") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    // The last part first: its blocks wait on disk over two restarts.
    let third = data.blocks.len() / 3;
    for part in [
        &data.blocks[2 * third..],
        &data.blocks[..third],
        &data.blocks[third..2 * third],
    ] {
        submit_all(&open(directory.path(), None), part);
    }
    check_all(&open(directory.path(), None), &data);
}

#[test]
fn a_short_horizon_retires_what_lies_behind_it_and_changes_nothing_inside() {
    let Some(data) = SixtyForks::load("sixty_forks") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path(), Some(25));
    submit_all(&ledger, &data.blocks);
    let inside = |ledger: &Ledger, row: &BlockRow| {
        let info = ledger
            .block_info(&hash(&row.hash))
            .expect("every block is known");
        info.fork_height + 25 >= ledger.best().height()
    };
    check(&ledger, &data, |row| inside(&ledger, row));
    assert!(
        ledger.stats().unwrap().base_height > 250,
        "the base has moved"
    );
    drop(ledger);
    let ledger = open(directory.path(), None);
    assert_eq!(ledger.horizon(), 25, "the directory remembers its horizon");
    check(&ledger, &data, |row| inside(&ledger, row));
}

#[test]
fn after_their_headers_blocks_come_in_any_order_and_in_groups_over_restarts() {
    let Some(data) = SixtyForks::load("sixty_forks") else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let headers: Vec<Header> = data
        .blocks
        .iter()
        .skip(1)
        .map(|block| deserialize(&block[..80]).expect("a header"))
        .collect();
    let mut random = Random::new(61);
    let mut shuffled = data.blocks[1..].to_vec();
    random.shuffle(&mut shuffled);
    let mut ledger = open(directory.path(), None);
    assert_eq!(ledger.submit_headers(&headers).unwrap(), Ok(()));
    assert_eq!(
        ledger.best_header().chainwork,
        headers
            .iter()
            .filter_map(|header| ledger.header(&header.block_hash()))
            .map(|info| info.chainwork)
            .max()
            .expect("there are headers")
    );
    let mut rest = &shuffled[..];
    while !rest.is_empty() {
        let (group, later) = rest.split_at(rest.len().min(1 + random.below(60)));
        submit_all(&ledger, group);
        assert!(ledger.orphans().is_empty());
        rest = later;
        if random.one_in(5) {
            drop(ledger);
            ledger = open(directory.path(), None);
        }
    }
    check_all(&ledger, &data);
    assert!(ledger.fork_tips().iter().all(|tip| tip.validated));
    assert_eq!(ledger.fork_tips().len(), 61);
}
