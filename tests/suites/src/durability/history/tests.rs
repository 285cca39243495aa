use super::*;
use crate::durability::comparison::{compare, compare_tree};

const SHAPE: Shape = Shape {
    operations: 90,
    padding: 0,
};

#[test]
fn one_seed_gives_one_history() {
    let [a, b] = [7, 7].map(|seed| History::new(seed, SHAPE));
    assert_eq!(a.operations, b.operations);
    assert_eq!(a.forest.count(), b.forest.count());
    for block in 0..a.forest.count() {
        assert_eq!(a.forest.block(block).bytes, b.forest.block(block).bytes);
    }
    assert_ne!(a.operations, History::new(8, SHAPE).operations);
}

#[test]
fn a_ledger_that_nobody_kills_is_what_the_model_says_after_every_operation() {
    for seed in 3..5 {
        let history = History::new(seed, SHAPE);
        let directory = tempfile::tempdir().unwrap();
        let ledger = history.open(directory.path()).unwrap();
        let mut model = history.model();
        for (index, operation) in history.operations.iter().enumerate() {
            history.perform(&ledger, operation).unwrap();
            model.apply(&history.forest, operation);
            let same = match index % 10 {
                9 => compare(&ledger, &history.forest, &model),
                _ => compare_tree(&ledger, &history.forest, &model),
            };
            assert_eq!(
                same,
                Ok(()),
                "seed {seed}, after operation {index} {operation:?}"
            );
        }
        drop(ledger);
        let ledger = history.open(directory.path()).unwrap();
        let same = compare(&ledger, &history.forest, &model);
        assert_eq!(same, Ok(()), "seed {seed}, opened again");
    }
}
