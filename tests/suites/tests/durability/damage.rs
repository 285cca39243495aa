//! Files that are not as they were written: an error that names them and says what to do; no panic, no signal, no world
//! built on them.

use std::fs;
use std::path::{Path, PathBuf};

use everett_ledger::{
    Access, BlockError, DEFAULT_STAGED_CHANGES, Ledger, LedgerConfig, Network, OpenError, Params,
    StoreError,
};
use everett_tests::durability::comparison::{compare, compare_blocks};
use everett_tests::durability::history::{History, Shape};
use everett_tests::durability::model::{Model, Operation};
use everett_tests::random::Random;

use super::processes::{End, Job, opened, place, rounds};

const SHAPE: Shape = Shape {
    operations: 40,
    padding: 0,
};

const SEED: u64 = 9_000;

/// A ledger at the end of its history, closed.
struct Closed {
    history: History,
    model: Model,
    place: tempfile::TempDir,
}

impl Closed {
    fn new() -> Closed {
        let mut history = History::new(SEED, SHAPE);
        history.block_file_size = 20_000;
        let place = place();
        let ledger = history.open(place.path()).unwrap();
        let mut model = history.model();
        for operation in &history.operations {
            history.perform(&ledger, operation).unwrap();
            model.apply(&history.forest, operation);
        }
        drop(ledger);
        Closed {
            history,
            model,
            place,
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn open(&self, access: Access) -> Result<Ledger, OpenError> {
        opened(|| {
            Ledger::open(LedgerConfig {
                access,
                ..self.history.config(self.place.path())
            })
        })
    }

    /// A process of its own opens the ledger and reads everything: what happens to it must not happen to us.
    fn look(&self, role: &'static str) -> End {
        let job = Job {
            role,
            directory: self.place.path().to_path_buf(),
            seed: SEED,
            shape: SHAPE,
            horizon: self.history.horizon,
            from: 0,
            staged_changes: DEFAULT_STAGED_CHANGES,
        };
        job.start("").end()
    }

    fn is_whole(&self) {
        let ledger = self.open(Access::Writer).unwrap();
        assert_eq!(compare(&ledger, &self.history.forest, &self.model), Ok(()));
    }
}

fn is_damage(result: Result<Ledger, OpenError>, file: &str) {
    match result.map(drop) {
        Err(OpenError::Store(error @ StoreError::Corrupt { .. })) => {
            let text = error.to_string();
            assert!(
                text.contains(file) && text.contains("move the data directory away"),
                "{text}"
            );
        }
        other => panic!("{other:?} instead of damage in {file}"),
    }
}

#[test]
fn a_database_that_is_cut_short_or_something_else_is_refused_by_name() {
    let closed = Closed::new();
    let path = closed.file("data.mdb");
    let whole = fs::read(&path).unwrap();
    let cuts = [0, 1, 4096, 8192, whole.len() / 3, whole.len() / 2];
    for cut in cuts {
        fs::write(&path, &whole[..cut]).unwrap();
        is_damage(closed.open(Access::Writer), "data.mdb");
        assert!(closed.open(Access::Reader).is_err());
    }
    for garbage in [vec![0; 65_536], b"#!/bin/sh\n".repeat(5000)] {
        fs::write(&path, garbage).unwrap();
        is_damage(closed.open(Access::Writer), "data.mdb");
        is_damage(closed.open(Access::Reader), "data.mdb");
    }
    fs::remove_file(&path).unwrap();
    is_damage(closed.open(Access::Writer), "data.mdb");
    let error = closed.open(Access::Reader).err();
    assert!(
        matches!(&error, Some(OpenError::Store(StoreError::NoLedger { .. }))),
        "{error:?}"
    );
    // Nothing of that has touched the rest.
    fs::write(&path, whole).unwrap();
    closed.is_whole();
}

#[test]
fn garbage_anywhere_in_the_database_is_no_panic_and_no_signal() {
    let closed = Closed::new();
    let path = closed.file("data.mdb");
    let whole = fs::read(&path).unwrap();
    let blocks = copy_of(&closed.file("blocks"));
    let mut chance = Random::new(SEED);
    let (mut refused, mut found) = (0, 0);
    for round in 0..12 * rounds() {
        let mut broken = whole.clone();
        for _ in 0..chance.between(1, 3) {
            let length = [1, 8, 200, 4096][chance.number_below(4) as usize];
            let start = chance.number_below((broken.len() - length) as u64) as usize;
            let fill = chance.number() as u8;
            broken[start..start + length].fill(fill);
        }
        for role in ["read", "open"] {
            fs::write(&path, &broken).unwrap();
            restore(&closed.file("blocks"), &blocks);
            let end = closed.look(role);
            assert!(
                end.status.success() && (end.read || end.refused.is_some()),
                "round {round}, to {role}: {} {}",
                end.status,
                end.complaints
            );
            refused += usize::from(end.refused.is_some());
            found += usize::from(end.read);
        }
    }
    println!("{refused} of {} were refused at once", refused + found);
}

fn copy_of(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn restore(directory: &Path, files: &[(PathBuf, Vec<u8>)]) {
    fs::remove_dir_all(directory).unwrap();
    fs::create_dir(directory).unwrap();
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_block_file_that_is_cut_short_or_gone_is_refused_by_name() {
    let closed = Closed::new();
    for name in ["blocks/blk00000.dat", "blocks/blk00002.dat"] {
        let path = closed.file(name);
        let whole = fs::read(&path).unwrap();
        for cut in [0, 7, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            is_damage(closed.open(Access::Writer), name);
        }
        // A reader opens, and says so when it needs the block.
        let reader = closed.open(Access::Reader).unwrap();
        let difference = compare_blocks(&reader, &closed.history.forest, &closed.model);
        let text = format!("{:?}", difference.unwrap_err());
        assert!(text.contains(name), "{text}");
        drop(reader);
        fs::remove_file(&path).unwrap();
        is_damage(closed.open(Access::Writer), name);
        fs::write(&path, whole).unwrap();
    }
    closed.is_whole();
}

/// Where a block's bytes lie.
fn find(closed: &Closed, block: usize) -> (PathBuf, usize) {
    let bytes = &closed.history.forest.block(block).bytes;
    for (path, file) in copy_of(&closed.file("blocks")) {
        let at = file.windows(bytes.len()).position(|window| window == bytes);
        if let Some(at) = at {
            return (path, at);
        }
    }
    panic!("block {block} is in no file")
}

#[test]
fn a_block_that_changed_on_disk_is_named_when_it_is_needed_and_nothing_is_built_on_it() {
    let closed = Closed::new();
    let forest = &closed.history.forest;
    let best = closed.model.best();
    // A block that lies in the base: taking back one not far above it needs its bytes.
    let height = forest.block(best).height;
    let block = forest.ancestor(best, 5);
    let target = forest.ancestor(best, 8);
    assert!(height > 140);
    let (path, start) = find(&closed, block);
    let whole = fs::read(&path).unwrap();
    let length = forest.block(block).bytes.len();
    // In the header, in the middle, near the end.
    for offset in [20, length / 2, length - 6] {
        let mut broken = whole.clone();
        broken[start + offset] ^= 0x10;
        fs::write(&path, &broken).unwrap();
        let ledger = closed.open(Access::Writer).unwrap();
        let before = compare_worlds_of(&ledger, &closed);
        let error = ledger.invalidate_block(&forest.block(target).hash);
        let Err(BlockError::Store(error @ StoreError::Corrupt { .. })) = error else {
            panic!("offset {offset}: {error:?}")
        };
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(error.to_string().contains(&*name), "{error}");
        assert_eq!(compare_worlds_of(&ledger, &closed), before);
        drop(ledger);
        fs::write(&path, &whole).unwrap();
        closed.is_whole();
    }
    // Whole again, the same is done.
    let ledger = closed.open(Access::Writer).unwrap();
    ledger.invalidate_block(&forest.block(target).hash).unwrap();
    let mut model = closed.model.clone();
    model.apply(forest, &Operation::Invalidate(target));
    assert_eq!(compare(&ledger, forest, &model), Ok(()));
}

/// All worlds are right whatever a block file says.
fn compare_worlds_of(ledger: &Ledger, closed: &Closed) -> usize {
    let forest = &closed.history.forest;
    let same = everett_tests::durability::comparison::compare_worlds(ledger, forest, &closed.model);
    assert_eq!(same, Ok(()));
    closed.model.worlds().count()
}

#[test]
fn another_network_and_a_later_schema_are_refused() {
    let closed = Closed::new();
    for network in [Network::Mainnet, Network::Signet] {
        for access in [Access::Writer, Access::Reader] {
            let mut config = LedgerConfig::new(Params::new(network), closed.place.path());
            config.access = access;
            let error = opened(|| Ledger::open(config.clone())).err();
            let Some(OpenError::Store(error @ StoreError::OtherNetwork { .. })) = error else {
                panic!("{error:?}")
            };
            let text = error.to_string();
            assert!(
                text.contains("regtest") && text.contains(&network.to_string()),
                "{text}"
            );
        }
    }
    let path = closed.file("data.mdb");
    let whole = fs::read(&path).unwrap();
    let mut later = whole.clone();
    let row = b"schema\x02\0\0\0";
    let places: Vec<usize> = (0..later.len() - row.len())
        .filter(|at| later[*at..].starts_with(row))
        .collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| later[at + 6] = 77);
    fs::write(&path, &later).unwrap();
    for access in [Access::Writer, Access::Reader] {
        let error = closed.open(access).err();
        let Some(OpenError::Store(error @ StoreError::NewerSchema { found: 77, .. })) = error
        else {
            panic!("{error:?}")
        };
        assert!(error.to_string().contains("use a newer version"), "{error}");
    }
    fs::write(&path, &whole).unwrap();
    closed.is_whole();
}
