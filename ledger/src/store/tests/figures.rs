//! Figures, printed: `cargo test -p everett-ledger --release figures -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::super::fixtures::{coin, config, outpoint};
use super::super::tables::Table;
use super::super::*;
use crate::delta::Delta;
use crate::id::{BlockId, ScriptHash};

const COINS: u64 = 1_000_000;
const BATCH: u64 = 200_000;
const READS: u64 = 200_000;

/// Half of the coins have a script of their own, the others share one with four more.
fn script_of(number: u64) -> u64 {
    match number % 2 {
        0 => number,
        _ => 1 << 40 | (number % (COINS / 5)),
    }
}

fn some_coins(numbers: impl Iterator<Item = u64>) -> Vec<(bitcoin::OutPoint, crate::coin::Coin)> {
    numbers
        .map(|n| (outpoint(n), coin(script_of(n), n * 977, 800_000)))
        .collect()
}

/// A number that looks random.
fn shuffled(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn timed<T>(what: &str, times: u64, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    let took = start.elapsed();
    let each = Duration::from_nanos(took.as_nanos() as u64 / times);
    println!(
        "{what}: {took:.2?}, {each:.2?} each, {:.0}/s",
        times as f64 / took.as_secs_f64()
    );
    result
}

fn sizes(store: &Store, coins: u64) {
    let Database::Lmdb(lmdb) = &store.database else {
        panic!("the figures are LMDB's");
    };
    let transaction = lmdb.read().unwrap();
    let print = |table: &Table| {
        let stat = lmdb.rows(table).stat(&transaction).unwrap();
        let pages = stat.branch_pages + stat.leaf_pages + stat.overflow_pages;
        let bytes = (pages * 4096) as f64 / coins as f64;
        println!(
            "  {}: {} rows, depth {}, {bytes:.1} bytes a coin",
            table.name, stat.entries, stat.depth
        );
    };
    let tables = &store.tables;
    [&tables.coins, &tables.scripts, &tables.script_coins]
        .into_iter()
        .for_each(print);
    let length = std::fs::metadata(store.place().directory().unwrap().join("data.mdb"))
        .unwrap()
        .len();
    println!(
        "  file: {length} bytes, {:.1} a coin",
        length as f64 / coins as f64
    );
}

#[test]
#[ignore = "prints figures and takes a minute"]
fn figures_of_a_million_coins() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(StoreConfig {
        map_size: 16 << 30,
        ..config(directory.path())
    })
    .unwrap();
    let first = Delta {
        spent: vec![],
        created: some_coins(0..COINS),
    };
    let to = |height| BasePoint {
        block: BlockId(height),
        height,
    };
    timed("fold into an empty base", COINS, || {
        let mut writer = store.write().unwrap();
        writer.fold(to(1), [&first]).unwrap();
        writer.commit().unwrap();
    });
    sizes(&store, COINS);

    let mut deltas = Vec::new();
    for round in 0..5 {
        let spent = (0..COINS)
            .filter(|n| n % 10 == round * 2 + 1 || n % 10 == round)
            .take(BATCH as usize);
        let spent: Vec<u64> = spent.collect();
        let created = COINS + round * BATCH..COINS + (round + 1) * BATCH;
        deltas.push(Delta {
            spent: some_coins(spent.into_iter()),
            created: some_coins(created),
        });
    }
    // Each coin is spent once.
    let mut gone = std::collections::HashSet::new();
    for delta in &mut deltas {
        delta.spent.retain(|(outpoint, _)| gone.insert(*outpoint));
    }
    for (round, delta) in deltas.iter().enumerate() {
        let what = format!(
            "fold {} spent and {} new ones",
            delta.spent.len(),
            delta.created.len()
        );
        timed(&what, delta.len() as u64, || {
            let mut writer = store.write().unwrap();
            writer.fold(to(round as u32 + 2), [delta]).unwrap();
            writer.commit().unwrap();
        });
    }
    let coins = store.read().unwrap().coin_count().unwrap();
    sizes(&store, coins);

    let reader = store.read().unwrap();
    timed("coin that is there or not", READS, || {
        (0..READS)
            .filter(|n| {
                reader
                    .coin(&outpoint(shuffled(*n) % (2 * COINS)))
                    .unwrap()
                    .is_some()
            })
            .count()
    });
    let scripts: Vec<ScriptHash> = (0..READS)
        .map(|n| ScriptHash::of(&coin(script_of(shuffled(n) % COINS), 0, 0).script_pubkey))
        .collect();
    timed("script summary", READS, || {
        scripts
            .iter()
            .filter(|script| reader.script_summary(script).unwrap().is_some())
            .count()
    });
    timed("coins of a script", READS, || {
        scripts
            .iter()
            .map(|script| reader.script_coins(script, None).unwrap().count())
            .sum::<usize>()
    });
    timed("all coins in order", coins, || {
        reader.coins_in_order().unwrap().map(Result::unwrap).count()
    });
    drop(reader);
    timed("begin and end a read transaction", READS, || {
        (0..READS).for_each(|_| drop(store.read().unwrap()));
    });
    let block = vec![7; 1_000_000];
    let delta = Delta {
        spent: some_coins(0..2000),
        created: some_coins(COINS * 3..COINS * 3 + 2000),
    };
    timed(
        "a block of 1 MB and its delta of 2,000 + 2,000, one commit each",
        100,
        || {
            for height in 0..100 {
                store.append_block(&block).unwrap();
                let mut writer = store.write().unwrap();
                writer.put_delta(height, BlockId(height), &delta).unwrap();
                writer.append_event(&[1; 100]).unwrap();
                writer.commit().unwrap();
            }
        },
    );
    timed("read the journal back", 100 * 4000, || {
        store
            .read()
            .unwrap()
            .journal()
            .unwrap()
            .map(Result::unwrap)
            .count()
    });
    timed("a commit of one event", 200, || {
        for _ in 0..200 {
            let mut writer = store.write().unwrap();
            writer.append_event(&[1; 100]).unwrap();
            writer.commit().unwrap();
        }
    });
}
