use std::path::PathBuf;

use super::super::Store;
use super::super::database::Database;
use super::super::fixtures::{coin, config, open, outpoint, reader_config};
use super::super::meta::BasePoint;
use super::*;
use crate::delta::Delta;
use crate::id::BlockId;

/// A ledger with a few hundred pages, among them long values and freed pages.
fn filled() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    for round in 0..6u64 {
        let created = (0..2000).map(|n| (outpoint(round * 2000 + n), coin(n % 900, n, 1)));
        let delta = Delta {
            spent: vec![],
            created: created.collect(),
        };
        let to = BasePoint {
            block: BlockId(round as u32),
            height: round as u32,
        };
        let mut writer = store.write().unwrap();
        writer.put_delta(to.height, to.block, &delta).unwrap();
        writer.fold(to, [&delta]).unwrap();
        if round > 2 {
            writer
                .delete_delta(to.height - 2, BlockId(to.block.0 - 2))
                .unwrap();
        }
        writer.commit().unwrap();
    }
    drop(store);
    let path = directory.path().join("data.mdb");
    (directory, path)
}

fn is_damage(result: Result<impl Sized, StoreError>) {
    match result {
        Err(StoreError::Corrupt { .. }) => {}
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn a_whole_file_is_whole_and_none_is_absent() {
    let (directory, path) = filled();
    for access in [Access::Writer, Access::Reader] {
        assert_eq!(DataFile::check(&path, access).unwrap(), DataFile::Whole);
        let none = directory.path().join("none.mdb");
        assert_eq!(DataFile::check(&none, access).unwrap(), DataFile::Absent);
    }
}

#[test]
fn a_file_cut_short_anywhere_is_damage_and_no_signal() {
    let (directory, path) = filled();
    let whole = std::fs::read(&path).unwrap();
    let length = whole.len();
    for cut in [
        1,
        100,
        4096,
        8191,
        8192,
        12_288,
        length / 2,
        length - 4096,
        length - 1,
    ] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        is_damage(DataFile::check(&path, Access::Reader));
        is_damage(Store::open(config(directory.path())));
        is_damage(Store::open(reader_config(directory.path())));
    }
    std::fs::write(&path, &whole).unwrap();
    open(directory.path());
}

#[test]
fn a_file_of_something_else_is_damage() {
    let (directory, path) = filled();
    for garbage in [
        vec![0; 65_536],
        vec![0xa5; 65_536],
        b"#!/bin/sh\n".repeat(5000),
    ] {
        std::fs::write(&path, garbage).unwrap();
        is_damage(Store::open(config(directory.path())));
        is_damage(Store::open(reader_config(directory.path())));
    }
}

#[test]
fn pages_at_the_end_that_were_taken_and_given_back_may_be_missing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let path = directory.path().join("data.mdb");
    let mut seen_short = false;
    for round in 0..40u32 {
        let mut writer = store.write().unwrap();
        // A long value comes and goes in one transaction: its pages are never written.
        let created = (0..400 + 100 * u64::from(round)).map(|n| (outpoint(n), coin(1, 2, 3)));
        let delta = Delta {
            spent: vec![],
            created: created.collect(),
        };
        writer
            .put_undo(BlockId(round % 3), &delta.created[..50])
            .unwrap();
        writer.put_delta(1, BlockId(1), &delta).unwrap();
        writer.delete_delta(1, BlockId(1)).unwrap();
        writer.put_meta_u64("round", round.into()).unwrap();
        writer.commit().unwrap();
        let Database::Lmdb(lmdb) = &store.database else {
            panic!("the store is in files");
        };
        let last = lmdb.last_page();
        seen_short |= std::fs::metadata(&path).unwrap().len() < (last + 1) * 4096;
        for access in [Access::Writer, Access::Reader] {
            assert_eq!(DataFile::check(&path, access).unwrap(), DataFile::Whole);
        }
    }
    assert!(
        seen_short,
        "no file was shorter than its last page: the case was not met"
    );
}

/// Reads every row of every table; what it is does not matter, only that there is no signal.
fn read_all(store: &Store) {
    let reader = store.read().unwrap();
    let _ = reader.base();
    let _ = reader.coins_in_order().map(Iterator::count);
    let _ = reader.headers().map(Iterator::count);
    let _ = reader.journal().map(Iterator::count);
    let _ = reader.outbox(0).map(Iterator::count);
    let _ = reader.orphans().map(Iterator::count);
    for number in 0..900 {
        let script = crate::id::ScriptHash::of(&coin(number, 0, 0).script_pubkey);
        let _ = reader.script_coins(&script, None).map(Iterator::count);
    }
}

#[test]
fn a_page_overwritten_anywhere_is_no_signal() {
    let (directory, path) = filled();
    let whole = std::fs::read(&path).unwrap();
    let pages = whole.len() / 4096;
    let mut found = 0;
    for (case, page) in (0..pages).step_by(11).enumerate() {
        let mut broken = whole.clone();
        let start = page * 4096 + (case * 517) % 3000;
        let length = [16, 64, 1000][case % 3];
        broken[start..start + length].fill(case as u8);
        std::fs::write(&path, &broken).unwrap();
        match Store::open(config(directory.path())) {
            Ok(store) => read_all(&store),
            Err(StoreError::Corrupt { .. }) => found += 1,
            Err(error) => panic!("another error: {error}"),
        }
    }
    assert!(found > 0);
}
