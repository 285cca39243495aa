//! Other processes on the same directory: one writes, any number read.

use everett_ledger::{
    Access, DEFAULT_STAGED_CHANGES, Ledger, LedgerConfig, OpenError, StoreError, World,
};
use everett_tests::durability::comparison::{Difference, compare, compare_blocks, compare_world};
use everett_tests::durability::history::{History, Shape};
use everett_tests::durability::model::Model;

use super::processes::{Job, opened, place, rounds};
use super::small_disk::SmallDisk;

const SHAPE: Shape = Shape {
    operations: 70,
    padding: 0,
};

fn job(role: &'static str, seed: u64, history: &History, directory: &std::path::Path) -> Job {
    Job {
        role,
        directory: directory.to_path_buf(),
        seed,
        shape: SHAPE,
        horizon: history.horizon,
        from: 0,
        staged_changes: DEFAULT_STAGED_CHANGES,
    }
}

fn reader_config(history: &History, directory: &std::path::Path) -> LedgerConfig {
    LedgerConfig {
        access: Access::Reader,
        ..history.config(directory)
    }
}

#[test]
fn a_second_writer_is_refused_in_this_process_and_in_another() {
    let history = History::new(8_000, SHAPE);
    let place = place();
    let ledger = history.open(place.path()).unwrap();
    let here = history.open(place.path()).err();
    assert!(
        matches!(&here, Some(OpenError::Store(StoreError::InUse { .. }))),
        "{here:?}"
    );
    let there = || job("open", 8_000, &history, place.path()).start("").end();
    let refused = there().refused.unwrap();
    assert!(
        refused.contains("in use by another process") && refused.contains("stop it first"),
        "{refused}"
    );
    // The one that is refused has harmed nothing.
    history.perform(&ledger, &history.operations[0]).unwrap();
    let mut model = history.model();
    model.apply(&history.forest, &history.operations[0]);
    assert_eq!(compare(&ledger, &history.forest, &model), Ok(()));
    let held = ledger.best();
    drop(ledger);
    assert!(
        there().refused.is_some(),
        "a world that is held holds the directory too"
    );
    drop(held);
    assert!(there().opened);
}

/// What a reader of a moving directory found.
#[derive(Default, Debug)]
struct Found {
    opened: usize,
    worlds: usize,
    overtaken: usize,
}

impl Found {
    /// A world is as it should be, or says that the writer has gone too far since.
    fn take_in(&mut self, same: Result<(), Difference>) {
        match same {
            Ok(()) => self.worlds += 1,
            Err(Difference::Unreadable(error)) => {
                assert!(error.contains("open it again"), "{error}");
                self.overtaken += 1;
            }
            Err(wrong) => panic!("{wrong:?}"),
        }
    }
}

#[test]
fn a_reader_beside_the_writer_sees_whole_operations_only() {
    for seed in 8_100..8_100 + rounds() {
        let history = History::new(seed, SHAPE);
        let forest = &history.forest;
        let mut models: Vec<Model> = vec![history.model()];
        for operation in &history.operations {
            let mut model = models[models.len() - 1].clone();
            model.apply(forest, operation);
            models.push(model);
        }
        let place = place();
        let mut writer = job("stroll", seed, &history, place.path()).start("");
        assert!(writer.wait_until_open());
        let (mut found, mut done) = (Found::default(), 0);
        let mut old_worlds: Vec<World> = Vec::new();
        while done < history.operations.len() {
            let config = reader_config(&history, place.path());
            let reader = opened(|| Ledger::open(config.clone())).unwrap();
            found.opened += 1;
            let now = (done..models.len())
                .find(|index| compare_blocks(&reader, forest, &models[*index]).is_ok());
            done = now.unwrap_or_else(|| {
                let best = reader.best();
                panic!("seed {seed}: {best:?} is no state from operation {done} on")
            });
            for block in models[done].worlds() {
                let mined = forest.block(block);
                match reader.world(&mined.hash) {
                    Ok(world) => found.take_in(compare_world(&world, forest, mined)),
                    Err(error) => panic!("seed {seed}, operation {done}: {error}"),
                }
            }
            // Until the writer is some operations on: what was opened before is right, or says that it is too old.
            old_worlds.push(reader.best());
            writer.wait_for((done + 3).min(history.operations.len()));
            for world in &old_worlds {
                let mined = forest.block(forest.find(&world.hash()).unwrap());
                found.take_in(compare_world(world, forest, mined));
            }
            // A directory can be open once in a process.
            old_worlds.clear();
        }
        let end = writer.end();
        assert!(end.status.success(), "{}", end.complaints);
        println!("seed {seed}: {found:?}");
        assert!(found.opened > 5 && found.worlds > 100);
    }
}

#[test]
fn a_read_only_disk_is_read_and_not_written() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let history = History::new(8_200, SHAPE);
    let directory = disk.path().join("data");
    let ledger = history.open(&directory).unwrap();
    let mut model = history.model();
    for operation in &history.operations {
        history.perform(&ledger, operation).unwrap();
        model.apply(&history.forest, operation);
    }
    drop(ledger);
    disk.make_read_only();
    let config = reader_config(&history, &directory);
    let reader = opened(|| Ledger::open(config.clone())).unwrap();
    assert_eq!(compare(&reader, &history.forest, &model), Ok(()));
    let error = reader
        .submit_block(&history.forest.block(1).bytes)
        .unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
    drop(reader);
    let error = history.open(&directory).err();
    assert!(
        matches!(&error, Some(OpenError::Store(StoreError::ReadOnly { .. }))),
        "{error:?}"
    );
}
