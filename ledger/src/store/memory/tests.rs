use std::ops::Bound;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::database::{Database, Reading, Rows, Writing};
use super::super::fixtures::config;
use super::super::lmdb::Lmdb;
use super::super::meta;
use super::super::tables::TABLES;
use super::*;

/// What a transaction may do to a table.
#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>, Vec<u8>),
    PutNew(Vec<u8>, Vec<u8>),
    /// Behind all others, or not at all.
    Append(Vec<u8>),
    Delete(Vec<u8>),
    DeleteBefore(Vec<u8>),
    /// Ends the transaction, with a commit or without.
    End(bool),
}

/// Few different keys, so that they meet.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(0..3u8, 1..4), vec(0..2u8, 60..63)]
}

fn step() -> impl Strategy<Value = Step> {
    let value = || vec(any::<u8>(), 0..80);
    prop_oneof![
        4 => (key(), value()).prop_map(|(key, value)| Step::Put(key, value)),
        2 => (key(), value()).prop_map(|(key, value)| Step::PutNew(key, value)),
        1 => key().prop_map(Step::Append),
        2 => key().prop_map(Step::Delete),
        1 => key().prop_map(Step::DeleteBefore),
        1 => any::<bool>().prop_map(Step::End),
    ]
}

type Row = (Vec<u8>, Vec<u8>);

fn copied(rows: Rows<'_>) -> Vec<Row> {
    rows.map(|row| {
        row.map(|(key, value)| (key.to_vec(), value.to_vec()))
            .unwrap()
    })
    .collect()
}

fn committed(reading: &Reading<'_>) -> Vec<Row> {
    let rows = reading.view().rows(&TABLES.coins, Bound::Unbounded);
    copied(rows.unwrap())
}

/// Does one step and says what came of it: a number that must be the same in both.
fn apply(writing: &mut Writing<'_>, step: &Step) -> usize {
    let table = &TABLES.coins;
    let found = match step {
        Step::Put(key, value) => writing.put(table, key, value).map(|()| 0),
        Step::PutNew(key, value) => writing.put_new(table, key, value, false).map(usize::from),
        Step::Append(key) => writing.put_new(table, key, b"last", true).map(usize::from),
        Step::Delete(key) => writing.delete(table, key).map(usize::from),
        Step::DeleteBefore(key) => writing.delete_before(table, key),
        Step::End(_) => Ok(0),
    };
    found.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tables_in_memory_and_in_lmdb_answer_alike(steps in vec(step(), 1..60)) {
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path());
        let lmdb = Database::Lmdb(Box::new(Lmdb::open(&config, directory.path()).unwrap()));
        let memory = Database::Memory(Memory::with_meta(&meta::first_rows(&config)));
        let (mut a, mut b) = (lmdb.write().unwrap(), memory.write().unwrap());
        for step in &steps {
            prop_assert_eq!(apply(&mut a, step), apply(&mut b, step), "{:?}", step);
            let count = |writing: &Writing<'_>| writing.view().count(&TABLES.coins).unwrap();
            prop_assert_eq!(count(&a), count(&b));
            if let Step::Put(key, _) | Step::Delete(key) | Step::DeleteBefore(key) = step {
                let get = |writing: &Writing<'_>| writing.view().get(&TABLES.coins, key).unwrap().map(<[u8]>::to_vec);
                prop_assert_eq!(get(&a), get(&b));
                for from in [Bound::Unbounded, Bound::Included(&key[..]), Bound::Excluded(&key[..])] {
                    let rows = |writing: &Writing<'_>| copied(writing.view().rows(&TABLES.coins, from).unwrap());
                    prop_assert_eq!(rows(&a), rows(&b));
                }
            }
            if let Step::End(commit) = step {
                let before = (lmdb.read().unwrap(), memory.read().unwrap());
                let rows = committed(&before.0);
                prop_assert_eq!(&rows, &committed(&before.1));
                if *commit {
                    a.commit().unwrap();
                    b.commit().unwrap();
                } else {
                    drop((a, b));
                }
                // Who began to read before goes on reading the same.
                prop_assert_eq!(&rows, &committed(&before.0));
                prop_assert_eq!(&rows, &committed(&before.1));
                prop_assert_eq!(committed(&lmdb.read().unwrap()), committed(&memory.read().unwrap()));
                (a, b) = (lmdb.write().unwrap(), memory.write().unwrap());
            }
        }
    }
}
