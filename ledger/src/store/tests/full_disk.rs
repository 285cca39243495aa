//! Disks, quotas and limits that are full, and disks that cannot be written.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::super::fixtures::{config, reader_config};
use super::super::*;
use super::history::{Contents, LARGE_BLOCKS, SMALL_BLOCKS, Shape};
use super::processes::{ARGUMENTS, this_program, with_role};

/// More steps than fit anywhere here.
const STEPS: usize = 120;

/// Lets a process fill its directory under a file size limit; then there is no limit any more.
fn fill_under_limit(role: &str, shape: Shape, kilobytes: u32, references: &[Contents]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let script = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$0\" \"$@\"");
    let mut command = Command::new("bash");
    command
        .arg("-c")
        .arg(script)
        .arg(this_program())
        .args(ARGUMENTS);
    let output = with_role(&mut command, role, directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{kilobytes} kB: {said}{complained}"
    );

    let store = shape.open(directory.path()).unwrap();
    let done = Shape::steps(&store) as usize;
    assert!(
        said.contains(&format!("done {done}\n")) || done == 0,
        "{said}"
    );
    let when = format!("{kilobytes} kB, {done} steps");
    Contents::of(&store).assert_eq(&references[done], &when);
    for reference in &references[done + 1..done + 5] {
        shape.step(&store).unwrap();
        Contents::of(&store).assert_eq(reference, &when);
    }
    said
}

fn has_bash() -> bool {
    let found = Command::new("bash")
        .arg("-c")
        .arg("ulimit -f 1000")
        .status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        println!("skipped: no bash to set a file size limit with");
    }
    found
}

#[test]
fn a_commit_that_hits_a_file_size_limit_changes_nothing_and_works_later() {
    if !has_bash() {
        return;
    }
    let references = SMALL_BLOCKS.references(STEPS);
    for kilobytes in [300, 333, 400, 518] {
        let said = fill_under_limit("fill-tables", SMALL_BLOCKS, kilobytes, &references);
        assert!(said.contains("data.mdb"), "{said}");
    }
}

#[test]
fn an_append_that_hits_a_file_size_limit_changes_nothing_and_works_later() {
    if !has_bash() {
        return;
    }
    let references = LARGE_BLOCKS.references(20);
    for kilobytes in [300, 401, 500] {
        let said = fill_under_limit("fill-blocks", LARGE_BLOCKS, kilobytes, &references);
        assert!(said.contains("blk00000.dat"), "{said}");
    }
}

/// A small file system in memory, if we may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(options: &str) -> Option<SmallDisk> {
        let disk = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(disk.path())
            .output();
        if mount.is_ok_and(|output| output.status.success()) {
            Some(SmallDisk(disk))
        } else {
            println!("skipped: no permission to mount a file system");
            None
        }
    }

    /// A process that another test starts has all our files open for the moment between its birth and its program: so long the
    /// file system is busy.
    fn remount_read_only(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let remount = Command::new("mount")
                .args(["-o", "remount,ro"])
                .arg(self.0.path())
                .output()
                .unwrap();
            if remount.status.success() {
                return;
            }
            assert!(Instant::now() < deadline, "{remount:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_changes_nothing_and_the_same_store_goes_on_when_there_is_room() {
    // LMDB needs several pages at once for each step, block files a few hundred kilobytes.
    for (shape, room) in [(SMALL_BLOCKS, 200 << 10), (LARGE_BLOCKS, 1 << 20)] {
        let Some(disk) = SmallDisk::mount("size=8m") else {
            return;
        };
        let references = shape.references(STEPS);
        let ballast = disk.path().join("ballast");
        std::fs::write(&ballast, vec![1; 7 << 20]).unwrap();
        let store = shape.open(&disk.path().join("data")).unwrap();
        for _ in 0..3 {
            let full = loop {
                match shape.step(&store) {
                    Ok(_) => {}
                    Err(error) => break error,
                }
            };
            assert!(matches!(full, StoreError::DiskFull { .. }), "{full}");
            let done = Shape::steps(&store);
            Contents::of(&store).assert_eq(&references[done as usize], "full");
            let ballast = std::fs::OpenOptions::new()
                .write(true)
                .open(&ballast)
                .unwrap();
            ballast
                .set_len(ballast.metadata().unwrap().len() - room)
                .unwrap();
            assert_eq!(shape.step(&store).unwrap(), done + 1);
            Contents::of(&store).assert_eq(&references[done as usize + 1], "room again");
        }
        drop(store);
        let store = shape.open(&disk.path().join("data")).unwrap();
        let done = Shape::steps(&store);
        Contents::of(&store).assert_eq(&references[done as usize], "opened again");
    }
}

#[test]
fn a_read_only_disk_can_be_read_and_not_written() {
    let Some(disk) = SmallDisk::mount("size=8m") else {
        return;
    };
    let data = disk.path().join("data");
    let store = SMALL_BLOCKS.open(&data).unwrap();
    for _ in 0..5 {
        SMALL_BLOCKS.step(&store).unwrap();
    }
    let wanted = Contents::of(&store);
    drop(store);
    disk.remount_read_only();
    for directory in [&data, &disk.path().join("new")] {
        let refused = Store::open(config(directory)).map(drop).unwrap_err();
        assert!(matches!(refused, StoreError::ReadOnly { .. }), "{refused}");
    }
    let store = Store::open(reader_config(&data)).unwrap();
    Contents::of(&store).assert_eq(&wanted, "read-only");
}
