//! A file system of a few megabytes that can be full or read-only.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A small file system in memory, if we may mount one.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    const SIZE: u64 = 48 << 20;

    pub(crate) fn mount() -> Option<SmallDisk> {
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

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves room for so many bytes.
    pub(crate) fn fill_up_to(&self, room: u64) {
        let ballast = self.path().join("ballast");
        std::fs::write(ballast, vec![1; (SmallDisk::SIZE - room) as usize]).unwrap();
    }

    /// Leaves no room at all, whatever else is there.
    pub(crate) fn fill(&self) {
        let ballast = self.path().join("ballast");
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(ballast)
            .unwrap();
        let page = [1; 4096];
        while let Ok(1..) = file.write(&page) {}
    }

    pub(crate) fn give_room(&self, more: u64) {
        let ballast = std::fs::OpenOptions::new()
            .write(true)
            .open(self.path().join("ballast"))
            .unwrap();
        let length = ballast.metadata().unwrap().len();
        ballast.set_len(length.saturating_sub(more)).unwrap();
    }

    /// From now on nobody writes. Another test's child that was forked and did not get to its program yet holds for a
    /// moment what was open here, and the disk is busy as long.
    pub(crate) fn make_read_only(&self) {
        let started = Instant::now();
        loop {
            let remount = Command::new("mount")
                .args(["-o", "remount,ro"])
                .arg(self.path())
                .output()
                .unwrap();
            if remount.status.success() {
                return;
            }
            let complaint = String::from_utf8_lossy(&remount.stderr);
            assert!(started.elapsed() < Duration::from_secs(10), "{complaint}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
