use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::codec::OutpointBytes;
use super::super::fixtures::{self, open, outpoint};
use super::super::tables::Table;
use super::*;
use crate::id::BlockId;
use crate::store::Store;

/// A coin of one of twelve scripts, whose hashes start with one of two bytes.
fn coin(script: u64, sat: u64, height: u32) -> Coin {
    static SCRIPTS: LazyLock<Vec<u64>> = LazyLock::new(|| {
        let starts =
            |number: &u64| ScriptHash::of(&fixtures::coin(*number, 0, 0).script_pubkey).0[0] < 2;
        (0..).filter(starts).take(12).collect()
    });
    fixtures::coin(SCRIPTS[script as usize], sat, height)
}

type Model = BTreeMap<OutpointBytes, Coin>;

/// One coin touched by a block: chosen among those there are, or new.
#[derive(Clone, Debug)]
enum Touch {
    Spend(prop::sample::Index),
    Create {
        script: u64,
        sat: u64,
    },
    /// BIP30's exceptions: a coin that is there is made once more.
    Overwrite(prop::sample::Index, u64),
}

fn any_history() -> impl Strategy<Value = Vec<Vec<Touch>>> {
    let touch = prop_oneof![
        4 => (0..12u64, 0..1_000_000u64).prop_map(|(script, sat)| Touch::Create { script, sat }),
        4 => any::<prop::sample::Index>().prop_map(Touch::Spend),
        1 => (any::<prop::sample::Index>(), 0..12u64).prop_map(|(at, script)| Touch::Overwrite(at, script)),
    ];
    prop::collection::vec(prop::collection::vec(touch, 0..12), 1..16)
}

fn at(model: &Model, index: &prop::sample::Index) -> Option<(OutPoint, Coin)> {
    let keys: Vec<_> = model.keys().collect();
    let key = keys.get(index.index(keys.len().max(1)))?;
    let outpoint = read_outpoint(&mut Source::new(key)).unwrap();
    Some((outpoint, model[*key].clone()))
}

/// The deltas of a history and the model after each block, an empty one first.
fn play(history: &[Vec<Touch>]) -> (Vec<Delta>, Vec<Model>) {
    let mut models = vec![Model::new()];
    let mut deltas = Vec::new();
    let mut next = 0;
    for (height, touches) in history.iter().enumerate() {
        let before = models.last().unwrap().clone();
        let mut left = before.clone();
        let mut delta = Delta::default();
        for touch in touches {
            match touch {
                Touch::Create { script, sat } => {
                    let new = coin(*script, *sat, height as u32);
                    delta.created.push((outpoint(next), new));
                    next += 1;
                }
                Touch::Spend(index) => {
                    if let Some((outpoint, coin)) = at(&left, index) {
                        left.remove(&outpoint_bytes(&outpoint));
                        delta.spent.push((outpoint, coin));
                    }
                }
                Touch::Overwrite(index, script) => {
                    if let Some((outpoint, old)) = at(&left, index) {
                        left.remove(&outpoint_bytes(&outpoint));
                        delta.spent.push((outpoint, old));
                        delta
                            .created
                            .push((outpoint, coin(*script, 77, height as u32)));
                    }
                }
            }
        }
        for (outpoint, coin) in &delta.created {
            left.insert(outpoint_bytes(outpoint), coin.clone());
        }
        models.push(left);
        deltas.push(delta);
    }
    (deltas, models)
}

fn point(height: usize) -> BasePoint {
    BasePoint {
        block: BlockId(height as u32),
        height: height as u32,
    }
}

fn move_to(store: &Store, deltas: &[Delta], from: usize, to: usize) {
    let mut writer = store.write().unwrap();
    if from <= to {
        writer.fold(point(to), &deltas[from..to]).unwrap();
    } else {
        writer
            .unfold(point(to), deltas[to..from].iter().rev())
            .unwrap();
    }
    writer.commit().unwrap();
}

fn raw_rows(store: &Store) -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let reader = store.read().unwrap();
    let dump = |table: &Table| {
        let name = table.name;
        let copy = |key: &[u8], value: &[u8]| Ok((name, key.to_vec(), value.to_vec()));
        reader
            .all_rows(table, copy)
            .unwrap()
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    };
    let tables = &store.tables;
    [&tables.coins, &tables.scripts, &tables.script_coins]
        .into_iter()
        .flat_map(dump)
        .collect()
}

fn check_against(store: &Store, model: &Model, base: BasePoint) {
    let reader = store.read().unwrap();
    assert_eq!(reader.base().unwrap(), base);
    assert_eq!(reader.coin_count().unwrap(), model.len() as u64);
    let coins = reader.coins_in_order().unwrap().map(Result::unwrap);
    let coins: Vec<_> = coins
        .map(|(outpoint, coin)| (outpoint_bytes(&outpoint), coin))
        .collect();
    let wanted: Vec<_> = model
        .iter()
        .map(|(key, coin)| (key.clone(), coin.clone()))
        .collect();
    assert_eq!(coins, wanted);
    for script in 0..12 {
        let hash = ScriptHash::of(&coin(script, 0, 0).script_pubkey);
        let own: Vec<_> = wanted
            .iter()
            .filter(|(_, coin)| ScriptHash::of(&coin.script_pubkey) == hash)
            .collect();
        let sat = own.iter().map(|(_, coin)| coin.amount.to_sat()).sum();
        let summary = ScriptSummary {
            sat,
            coins: own.len() as u64,
        };
        let found = reader.script_summary(&hash).unwrap();
        assert_eq!(found, (summary.coins > 0).then_some(summary));
        let listed = reader.script_coins(&hash, None).unwrap();
        let listed: Vec<OutPoint> = listed.map(Result::unwrap).collect();
        let keys: Vec<_> = listed.iter().map(outpoint_bytes).collect();
        assert_eq!(
            keys,
            own.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>()
        );
        for (index, outpoint) in listed.iter().enumerate() {
            assert!(reader.coin(outpoint).unwrap().is_some());
            let rest = reader.script_coins(&hash, Some(*outpoint)).unwrap();
            let rest: Vec<OutPoint> = rest.map(Result::unwrap).collect();
            assert_eq!(rest, listed[index + 1..]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// With prefixes of one byte the scripts collide, with 8 they do not.
    #[test]
    fn the_base_equals_a_map_wherever_it_is_moved(
        history in any_history(),
        stops in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
        prefix in prop::sample::select(vec![1usize, PREFIX_LENGTH]),
    ) {
        let (deltas, models) = play(&history);
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path());
        store.script_prefix = prefix;
        let mut here = 0;
        for stop in stops {
            let to = stop.index(models.len());
            move_to(&store, &deltas, here, to);
            here = to;
            check_against(&store, &models[here], point(here));
        }
        let rows = raw_rows(&store);
        // There and back again, block by block and at once.
        for height in here..deltas.len() {
            move_to(&store, &deltas, height, height + 1);
        }
        check_against(&store, &models[deltas.len()], point(deltas.len()));
        move_to(&store, &deltas, deltas.len(), here);
        prop_assert_eq!(raw_rows(&store), rows);
        for height in (0..here).rev() {
            move_to(&store, &deltas, height + 1, height);
        }
        prop_assert_eq!(raw_rows(&store), vec![]);
    }
}

#[test]
fn coins_of_a_transaction_are_its_own_in_numeric_order() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let txid = outpoint(40).txid;
    let created = [0, 1, 247, 248, 255, 256, 16_512, 65_536, 1 << 24, u32::MAX]
        .map(|vout| (OutPoint { txid, vout }, coin(1, 5, 1)));
    let others = (0..100)
        .filter(|n| n / 2 != 20)
        .map(|n| (outpoint(n), coin(2, 5, 1)));
    let delta = Delta {
        spent: vec![],
        created: created.iter().cloned().rev().chain(others).collect(),
    };
    let mut writer = store.write().unwrap();
    writer.fold(point(1), [&delta]).unwrap();
    let found = writer.coins_of_transaction(&txid).unwrap();
    let found: Vec<_> = found.map(Result::unwrap).collect();
    assert_eq!(found, created);
    assert_eq!(
        writer
            .coins_of_transaction(&outpoint(1000).txid)
            .unwrap()
            .count(),
        0
    );
}

#[test]
fn spending_what_is_not_there_or_making_what_is_there_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let make = Delta {
        spent: vec![],
        created: vec![(outpoint(1), coin(1, 5, 1)), (outpoint(2), coin(1, 6, 1))],
    };
    move_to(&store, std::slice::from_ref(&make), 0, 1);
    let rows = raw_rows(&store);
    let spends = |number, script, sat| Delta {
        spent: vec![(outpoint(number), coin(script, sat, 1))],
        created: vec![],
    };
    let wrong = [
        make.clone(),
        spends(3, 1, 5),
        spends(1, 2, 5),
        spends(1, 1, 50),
        Delta {
            spent: vec![],
            created: vec![(outpoint(2), coin(9, 6, 1))],
        },
    ];
    for delta in &wrong {
        let mut writer = store.write().unwrap();
        let refused = writer.fold(point(2), [delta]);
        assert!(
            matches!(refused, Err(StoreError::Corrupt { .. })),
            "{delta:?}"
        );
        drop(writer);
        assert_eq!(raw_rows(&store), rows);
    }
    assert_eq!(store.read().unwrap().base().unwrap(), point(1));
}
