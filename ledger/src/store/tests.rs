//! The store as a whole: opening, rows, transactions; then other processes, crashes, full disks.

mod crash;
mod figures;
mod full_disk;
mod history;
mod processes;

use bitcoin::hashes::Hash;

use super::fixtures::{MAGIC, coin, config, open, outpoint, reader_config};
use super::*;
use crate::delta::Delta;
use crate::id::BlockId;
use history::header_row;

fn error_of(result: Result<Store, StoreError>) -> StoreError {
    match result {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[test]
fn a_new_ledger_stands_at_genesis_with_nothing_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("made/on/the/way"));
    let reader = store.read().unwrap();
    assert_eq!(reader.base().unwrap(), BasePoint::GENESIS);
    assert_eq!(reader.best().unwrap(), None);
    assert_eq!(reader.next_event_seq().unwrap(), 0);
    assert_eq!(reader.oldest_event_seq().unwrap(), None);
    assert_eq!(reader.meta_u64("sequence").unwrap(), None);
    assert_eq!(reader.coin_count().unwrap(), 0);
    assert_eq!(reader.headers().unwrap().count(), 0);
    assert_eq!(reader.journal().unwrap().count(), 0);
    assert_eq!(reader.outbox(0).unwrap().count(), 0);
    assert_eq!(reader.orphans().unwrap().count(), 0);
    assert_eq!(reader.coin(&outpoint(1)).unwrap(), None);
}

#[test]
fn every_row_is_read_back_in_the_writer_and_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let position = store.append_block(b"a block").unwrap();
    let mut genesis = header_row(0);
    genesis.parent = None;
    genesis.position = None;
    let mut rejected = header_row(70_000);
    rejected.reason = "bad-txns-inputs-missingorspent, ünïcode".to_owned();
    rejected.position = Some(position);
    let headers = [genesis, header_row(1), header_row(256), rejected];
    let orphan = OrphanRow {
        hash: BlockHash::from_byte_array([3; 32]),
        previous: BlockHash::from_byte_array([4; 32]),
        position,
    };
    let cursor = CursorRow {
        policy: 1,
        seq: 5,
        block: orphan.hash,
    };

    let mut writer = store.write().unwrap();
    for header in headers.iter().rev() {
        writer.put_header(header).unwrap();
    }
    writer.put_orphan(&orphan).unwrap();
    writer.put_best(BlockId(70_000)).unwrap();
    writer.put_meta_u64("sequence", u64::MAX).unwrap();
    writer.put_cursor("an indexer", cursor).unwrap();
    for seq in 0..3u64 {
        assert_eq!(
            writer
                .append_event(format!("event {seq}").as_bytes())
                .unwrap(),
            seq
        );
    }

    fn check<T: Transaction>(
        reader: &Reader<'_, T>,
        headers: &[HeaderRow],
        orphan: OrphanRow,
        cursor: CursorRow,
    ) {
        let found: Vec<_> = reader.headers().unwrap().map(Result::unwrap).collect();
        assert_eq!(found, headers);
        assert_eq!(
            reader.header(BlockId(256)).unwrap(),
            Some(headers[2].clone())
        );
        assert_eq!(reader.header(BlockId(257)).unwrap(), None);
        let orphans: Vec<_> = reader.orphans().unwrap().map(Result::unwrap).collect();
        assert_eq!(orphans, [orphan]);
        assert_eq!(reader.best().unwrap(), Some(BlockId(70_000)));
        assert_eq!(reader.meta_u64("sequence").unwrap(), Some(u64::MAX));
        assert_eq!(reader.cursor("an indexer").unwrap(), Some(cursor));
        assert_eq!(reader.cursor("another").unwrap(), None);
        assert_eq!(reader.cursor("").unwrap(), None);
        let events = reader.outbox(1).unwrap().map(Result::unwrap);
        let events: Vec<_> = events.map(|row| (row.seq, row.event)).collect();
        assert_eq!(events, [(1, b"event 1".to_vec()), (2, b"event 2".to_vec())]);
    }
    check(&writer, &headers, orphan, cursor);
    assert_eq!(store.read().unwrap().headers().unwrap().count(), 0);
    writer.commit().unwrap();
    check(&store.read().unwrap(), &headers, orphan, cursor);
    drop(store);
    let store = open(directory.path());
    check(&store.read().unwrap(), &headers, orphan, cursor);

    let mut writer = store.write().unwrap();
    assert!(writer.delete_orphan(&orphan.hash).unwrap());
    assert!(!writer.delete_orphan(&orphan.hash).unwrap());
    assert!(writer.delete_cursor("an indexer").unwrap());
    assert!(!writer.delete_cursor("an indexer").unwrap());
    assert_eq!(writer.cursors().unwrap().count(), 0);
}

#[test]
fn event_sequences_are_never_given_twice_however_much_is_trimmed() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut writer = store.write().unwrap();
    for seq in 0..300 {
        assert_eq!(writer.append_event(b"x").unwrap(), seq);
    }
    assert_eq!(writer.trim_outbox(250).unwrap(), 250);
    assert_eq!(writer.oldest_event_seq().unwrap(), Some(250));
    assert_eq!(writer.trim_outbox(250).unwrap(), 0);
    assert_eq!(writer.trim_outbox(u64::MAX).unwrap(), 50);
    writer.commit().unwrap();
    drop(store);
    let store = open(directory.path());
    let mut writer = store.write().unwrap();
    assert_eq!(writer.append_event(b"y").unwrap(), 300);
    assert_eq!(writer.outbox(0).unwrap().count(), 1);
}

#[test]
fn a_dropped_writer_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let delta = Delta {
        spent: vec![],
        created: vec![(outpoint(1), coin(1, 5, 1))],
    };
    let mut writer = store.write().unwrap();
    let to = BasePoint {
        block: BlockId(1),
        height: 1,
    };
    writer.fold(to, [&delta]).unwrap();
    writer.append_event(b"x").unwrap();
    assert_eq!(writer.base().unwrap(), to);
    drop(writer);
    let reader = store.read().unwrap();
    assert_eq!(reader.base().unwrap(), BasePoint::GENESIS);
    assert_eq!(reader.coin_count().unwrap(), 0);
    assert_eq!(reader.next_event_seq().unwrap(), 0);
}

#[test]
fn a_reader_keeps_its_state_while_the_writer_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let before = store.read().unwrap();
    let mut writer = store.write().unwrap();
    writer.put_best(BlockId(9)).unwrap();
    writer.commit().unwrap();
    let after = store.read().unwrap();
    assert_eq!(before.best().unwrap(), None);
    assert_eq!(after.best().unwrap(), Some(BlockId(9)));
}

#[test]
fn readers_of_many_threads_see_whole_commits_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut last = 0;
                while last < 200 {
                    let reader = store.read().unwrap();
                    let number = reader.meta_u64("number").unwrap().unwrap_or(0);
                    // Whole commits only. Not in order: a reader that is stopped while it begins may be shown a
                    // commit a moment before the others are.
                    assert_eq!(reader.next_event_seq().unwrap(), number);
                    last = last.max(number);
                }
            });
        }
        for number in 1..=200 {
            let mut writer = store.write().unwrap();
            writer.put_meta_u64("number", number).unwrap();
            writer.append_event(b"x").unwrap();
            writer.commit().unwrap();
        }
    });
}

#[test]
fn a_second_write_transaction_is_refused_rather_than_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let writer = store.write().unwrap();
    assert!(matches!(
        store.write().map(drop),
        Err(StoreError::Misuse { .. })
    ));
    drop(writer);
    store.write().unwrap();
}

#[test]
fn a_directory_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let error = error_of(Store::open(config(directory.path())));
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("stop it first"), "{error}");
    drop(store);
    open(directory.path());
}

#[test]
fn a_reader_finds_no_ledger_where_none_was_made() {
    let directory = tempfile::tempdir().unwrap();
    let places = [
        directory.path().to_path_buf(),
        directory.path().join("nowhere"),
    ];
    for place in places {
        let error = error_of(Store::open(reader_config(&place)));
        assert!(matches!(error, StoreError::NoLedger { .. }), "{error}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_reader_cannot_write() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let store = Store::open(reader_config(directory.path())).unwrap();
    assert!(matches!(
        store.write().map(drop),
        Err(StoreError::ReadOnly { .. })
    ));
    assert!(matches!(
        store.append_block(b"x"),
        Err(StoreError::ReadOnly { .. })
    ));
    assert_eq!(store.read().unwrap().base().unwrap(), BasePoint::GENESIS);
}

#[test]
fn another_network_is_refused_by_magic_or_genesis() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let ours = config(directory.path());
    let other_magic = StoreConfig {
        network_magic: [0xf9, 0xbe, 0xb4, 0xd9],
        network_name: "mainnet".to_owned(),
        ..ours.clone()
    };
    let other_genesis = StoreConfig {
        genesis_hash: BlockHash::from_byte_array([8; 32]),
        ..ours
    };
    for config in [other_magic, other_genesis] {
        for access in [Access::Writer, Access::Reader] {
            let error = error_of(Store::open(StoreConfig {
                access,
                ..config.clone()
            }));
            assert!(matches!(error, StoreError::OtherNetwork { .. }), "{error}");
            assert!(
                error.to_string().contains("regtest (magic fabfb5da"),
                "{error}"
            );
        }
    }
    open(directory.path());
}

#[test]
fn a_later_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut writer = store.write().unwrap();
    let next = meta::SCHEMA + 1;
    writer
        .put(&store.tables.meta, b"schema", &next.to_le_bytes())
        .unwrap();
    writer.commit().unwrap();
    drop(store);
    for config in [config(directory.path()), reader_config(directory.path())] {
        let error = error_of(Store::open(config));
        let expected = matches!(error, StoreError::NewerSchema { found, known, .. } if found == next && known == meta::SCHEMA);
        assert!(expected, "{error}");
    }
}

#[test]
fn a_ledger_of_an_earlier_schema_is_refused_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut writer = store.write().unwrap();
    let schema = 1u32.to_le_bytes();
    writer.put(&store.tables.meta, b"schema", &schema).unwrap();
    writer.commit().unwrap();
    drop(store);
    let error = error_of(Store::open(config(directory.path())));
    assert!(
        matches!(error, StoreError::OlderSchema { found: 1, .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("import its block files"),
        "{error}"
    );
}

#[test]
fn block_files_without_a_ledger_are_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.append_block(b"precious").unwrap();
    store.write().unwrap().commit().unwrap();
    drop(store);
    std::fs::remove_file(directory.path().join("data.mdb")).unwrap();
    // Also not by the second attempt, when LMDB may have made its file.
    for _ in 0..2 {
        let error = error_of(Store::open(config(directory.path())));
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    }
    let kept = std::fs::read(directory.path().join("blocks/blk00000.dat")).unwrap();
    assert_eq!(
        kept,
        [&MAGIC[..], &8u32.to_le_bytes(), b"precious"].concat()
    );
}

#[test]
fn a_full_map_is_an_error_and_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let small = StoreConfig {
        map_size: 1 << 20,
        ..config(directory.path())
    };
    let store = Store::open(small).unwrap();
    let mut writer = store.write().unwrap();
    let error = loop {
        match writer.append_event(&[7; 10_000]) {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::MapFull { .. }), "{error}");
    drop(writer);
    let mut writer = store.write().unwrap();
    assert_eq!(writer.append_event(b"x").unwrap(), 0);
    writer.commit().unwrap();
    drop(store);
    // A larger map is all it takes.
    let store = open(directory.path());
    let mut writer = store.write().unwrap();
    for _ in 0..200 {
        writer.append_event(&[7; 10_000]).unwrap();
    }
    writer.commit().unwrap();
}

#[test]
fn a_meta_row_of_another_shape_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut writer = store.write().unwrap();
    let base = [1u8; 3];
    writer.put(&store.tables.meta, b"base", &base).unwrap();
    writer.commit().unwrap();
    let error = store.read().unwrap().base().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("table meta"), "{error}");
}
