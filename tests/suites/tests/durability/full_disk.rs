//! Disks and limits that are full in the middle of a history: nothing is changed, readers go on, and with room again
//! the history ends as if there had always been some.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use everett_ledger::{DEFAULT_STAGED_CHANGES, Ledger, OpenError, StoreError};
use everett_tests::durability::comparison::{compare, compare_tree, compare_world};
use everett_tests::durability::history::{History, Shape};
use everett_tests::durability::model::Model;

use super::processes::{Job, ONE_BLOCK_FILE, opened, place, rounds};

/// Blocks of a few hundred bytes, so that tables grow; and of some kilobytes, so that block files do.
const SHAPES: [Shape; 2] = [
    Shape {
        operations: 30,
        padding: 0,
    },
    Shape {
        operations: 30,
        padding: 30_000,
    },
];

/// Bytes of room that are given at first; more with each attempt.
const ROOM: u64 = 16 << 10;

/// A small file system in memory, if we may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    const SIZE: u64 = 48 << 20;

    fn mount() -> Option<SmallDisk> {
        let disk = tempfile::tempdir().unwrap();
        let size = format!("size={}", SmallDisk::SIZE);
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(disk.path())
            .output();
        if mount.is_ok_and(|output| output.status.success()) {
            Some(SmallDisk(disk))
        } else {
            println!("SKIPPED: no permission to mount a small file system");
            None
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves room for so many bytes.
    fn fill_up_to(&self, room: u64) {
        let ballast = self.path().join("ballast");
        std::fs::write(ballast, vec![1; (SmallDisk::SIZE - room) as usize]).unwrap();
    }

    fn give_room(&self, more: u64) {
        let ballast = std::fs::OpenOptions::new()
            .write(true)
            .open(self.path().join("ballast"))
            .unwrap();
        let length = ballast.metadata().unwrap().len();
        ballast.set_len(length.saturating_sub(more)).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// The histories of a test.
fn shapes(first_seed: u64) -> impl Iterator<Item = (u64, Shape)> {
    let all = SHAPES.into_iter().cycle();
    (first_seed..first_seed + SHAPES.len() as u64 * rounds()).zip(all)
}

/// Which file could not grow.
fn full_file(error: &StoreError) -> String {
    match error {
        StoreError::DiskFull { path, .. } => {
            path.file_name().unwrap().to_string_lossy()[..3].to_owned()
        }
        other => panic!("not a full disk: {other}"),
    }
}

/// Opens a ledger again while its disk is full; opening it may need room, but never more than a little.
fn open_again(
    history: &History,
    disk: &SmallDisk,
    failures: &mut BTreeMap<String, usize>,
) -> Ledger {
    loop {
        match opened(|| history.open(&disk.path().join("data"))) {
            Ok(ledger) => return ledger,
            Err(OpenError::Store(error)) => {
                *failures.entry(full_file(&error)).or_default() += 1;
                disk.give_room(ROOM);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_full_disk_changes_nothing_and_the_history_goes_on_when_there_is_room() {
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    for (seed, shape) in shapes(4_000) {
        let Some(disk) = SmallDisk::mount() else {
            return;
        };
        let history = History::new(seed, shape);
        let mut model = history.model();
        disk.fill_up_to(300 << 10);
        let mut ledger = open_again(&history, &disk, &mut failures);
        for (index, operation) in history.operations.iter().enumerate() {
            let mut attempts = 0;
            let mut held = Some(ledger.best());
            while let Err(error) = history.perform(&ledger, operation) {
                *failures.entry(full_file(&error)).or_default() += 1;
                attempts += 1;
                let when = format!("seed {seed}, {operation:?}, attempt {attempts}");
                let same = compare(&ledger, &history.forest, &model);
                assert_eq!(same, Ok(()), "{when}");
                if let Some(held) = &held {
                    let best = history.forest.block(model.best());
                    assert_eq!(compare_world(held, &history.forest, best), Ok(()), "{when}");
                }
                // Tried again with no more room, then with a little more each time, once after a restart.
                disk.give_room((attempts - 1) * ROOM);
                if attempts == 2 && index % 3 == 0 {
                    drop((held.take(), ledger));
                    ledger = open_again(&history, &disk, &mut failures);
                    let same = compare(&ledger, &history.forest, &model);
                    assert_eq!(same, Ok(()), "{when}, opened again");
                }
            }
            model.apply(&history.forest, operation);
            let same = compare_tree(&ledger, &history.forest, &model);
            assert_eq!(
                same,
                Ok(()),
                "seed {seed}, {operation:?} at attempt {attempts}"
            );
        }
        end_like_the_model(&history, &model, ledger, &disk.path().join("data"));
    }
    println!("full: {failures:?} (first letters of the file, times)");
    assert!(
        failures.contains_key("dat") && failures.contains_key("blk"),
        "{failures:?}"
    );
}

fn end_like_the_model(history: &History, model: &Model, ledger: Ledger, directory: &Path) {
    assert_eq!(compare(&ledger, &history.forest, model), Ok(()));
    drop(ledger);
    let ledger = opened(|| history.open(directory)).unwrap();
    assert_eq!(compare(&ledger, &history.forest, model), Ok(()));
}

fn has_bash() -> bool {
    let found = Command::new("bash")
        .arg("-c")
        .arg("ulimit -f 1000")
        .status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        println!("SKIPPED: no bash to set a file size limit with");
    }
    found
}

#[test]
fn a_file_size_limit_changes_nothing_and_the_history_goes_on_when_it_is_raised() {
    if !has_bash() {
        return;
    }
    for (seed, shape) in shapes(5_000) {
        let place = place();
        let mut history = History::new(seed, shape);
        history.block_file_size = ONE_BLOCK_FILE;
        let mut job = Job {
            role: "fill",
            directory: place.path().to_path_buf(),
            seed,
            shape,
            horizon: history.horizon,
            from: 0,
            staged_changes: DEFAULT_STAGED_CHANGES,
        };
        let mut kilobytes = 280;
        let mut fulls = Vec::new();
        while job.from < history.operations.len() {
            let end = job.start_under_limit(kilobytes).end();
            assert!(end.status.success(), "{kilobytes} kB: {}", end.complaints);
            job.from = end.done;
            fulls.extend(end.full);
            kilobytes += 40 + kilobytes / 6;
        }
        let mut model = history.model();
        for operation in &history.operations {
            model.apply(&history.forest, operation);
        }
        let ledger = opened(|| history.open(place.path())).unwrap();
        end_like_the_model(&history, &model, ledger, place.path());
        let of = |file: &str| fulls.iter().filter(|full| full.contains(file)).count();
        println!(
            "seed {seed}: {} processes hit the limit, {} of them with a block file, up to {kilobytes} kB",
            fulls.len(),
            of("blk")
        );
        let file = ["data.mdb", "blk00000.dat"][usize::from(shape.padding > 0)];
        assert!(of(file) > 1, "{fulls:?}");
    }
}

#[test]
fn opening_on_a_full_disk_is_an_error_and_works_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let history = History::new(6_000, SHAPES[0]);
    disk.fill_up_to(0);
    let mut failures: BTreeMap<String, usize> = BTreeMap::new();
    let job = Job {
        role: "open",
        directory: disk.path().join("data"),
        seed: 6_000,
        shape: SHAPES[0],
        horizon: history.horizon,
        from: 0,
        staged_changes: DEFAULT_STAGED_CHANGES,
    };
    // Each attempt finds what the last one left.
    loop {
        let end = job.start("").end();
        if end.opened {
            break;
        }
        assert!(
            end.complaints.contains("DiskFull"),
            "{}: {}",
            end.status,
            end.complaints
        );
        let error = opened(|| history.open(&job.directory)).err();
        let Some(OpenError::Store(error)) = error else {
            panic!("it opened here and not there")
        };
        *failures.entry(full_file(&error)).or_default() += 1;
        disk.give_room(4096);
    }
    println!("full: {failures:?} (first letters of the file, times)");
    let ledger = opened(|| history.open(&job.directory)).unwrap();
    assert_eq!(compare(&ledger, &history.forest, &history.model()), Ok(()));
}
