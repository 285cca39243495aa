use proptest::prelude::*;

use super::super::fixtures::{any_coins, coin, open, outpoint};
use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_delta_is_read_back_as_it_was_put(
        spent in any_coins(8),
        created in any_coins(8),
        height in any::<u32>(),
        block in any::<u32>(),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        let block = BlockId(block);
        let delta = Delta { spent, created };
        let mut writer = store.write().unwrap();
        writer.put_delta(height, block, &delta).unwrap();
        writer.put_undo(block, &delta.spent).unwrap();
        writer.commit().unwrap();

        let reader = store.read().unwrap();
        prop_assert_eq!(reader.delta(height, block).unwrap(), Some(delta.clone()));
        prop_assert_eq!(reader.undo(block).unwrap(), Some(delta.spent.clone()));
        let rows: Vec<_> = reader.journal().unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(rows, vec![JournalRow { height, block, delta }]);
    }
}

#[test]
fn the_journal_is_in_the_order_of_heights_and_ids() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let mut writer = store.write().unwrap();
    for (height, id) in [(300, 2), (2, 9), (300, 1), (1, 70_000), (256, 3)] {
        let created = vec![(outpoint(id.into()), coin(1, 5, height))];
        let delta = Delta {
            spent: vec![],
            created,
        };
        writer.put_delta(height, BlockId(id), &delta).unwrap();
    }
    assert!(writer.delete_delta(2, BlockId(9)).unwrap());
    assert!(!writer.delete_delta(2, BlockId(9)).unwrap());
    let rows = writer.journal().unwrap().map(Result::unwrap);
    let order: Vec<_> = rows.map(|row| (row.height, row.block.0)).collect();
    assert_eq!(order, [(1, 70_000), (256, 3), (300, 1), (300, 2)]);
}

#[test]
fn a_damaged_row_is_reported_and_never_used() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let delta = Delta {
        spent: vec![(outpoint(1), coin(1, 10, 5))],
        created: vec![(outpoint(2), coin(2, 10, 6))],
    };
    let mut writer = store.write().unwrap();
    writer.put_delta(6, BlockId(6), &delta).unwrap();
    writer.put_undo(BlockId(6), &delta.spent).unwrap();
    let key = journal_key(6, BlockId(6));
    let mut row = write_delta(&key, &delta);
    *row.last_mut().unwrap() ^= 1;
    writer.put(&store.tables.journal, &key, &row).unwrap();
    // A good row under another key is no better.
    let misplaced = write_delta(&key, &delta);
    let other = undo_key(BlockId(8));
    writer.put(&store.tables.undo, &other, &misplaced).unwrap();
    writer.commit().unwrap();

    let reader = store.read().unwrap();
    let message = reader.delta(6, BlockId(6)).unwrap_err().to_string();
    assert!(message.contains("table journal"), "{message}");
    assert!(message.contains("0000000600000006"), "{message}");
    let mut rows = reader.journal().unwrap();
    assert!(matches!(rows.next(), Some(Err(StoreError::Corrupt { .. }))));
    assert!(rows.next().is_none());
    assert!(matches!(
        reader.undo(BlockId(8)),
        Err(StoreError::Corrupt { .. })
    ));
    assert!(reader.undo(BlockId(6)).unwrap().is_some());
    assert!(reader.undo(BlockId(7)).unwrap().is_none());
}
