//! Owns what the operating system says of this process: memory and disk.
//! Promises nothing where the system does not tell.

use std::path::Path;
use std::time::{Duration, Instant};

use everett_ledger::Ledger;

/// Directory entries that are looked at, at most.
const MAX_ENTRIES: usize = 10_000;

/// Bytes of memory that the process has in use.
pub(super) fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// How long a measurement of the disk is good for: a large ledger has thousands of files.
const MEASURE_EVERY: Duration = Duration::from_secs(30);

/// How much disk the ledger takes, as last measured.
#[derive(Default)]
pub(super) struct Disk {
    measured: Option<(Instant, Option<u64>)>,
}

impl Disk {
    /// Bytes; measured anew when the last time is long ago.
    pub(super) fn bytes(&mut self, ledger: &Ledger, now: Instant) -> Option<u64> {
        match self.measured {
            Some((when, bytes)) if now.duration_since(when) < MEASURE_EVERY => bytes,
            _ => {
                let bytes = ledger.place().directory().and_then(disk);
                self.measured = Some((now, bytes));
                bytes
            }
        }
    }
}

/// Bytes on disk of the files in a directory and those in it; holes in files do not count.
fn disk(directory: &Path) -> Option<u64> {
    let mut directories = vec![directory.to_owned()];
    let (mut bytes, mut entries) = (0, 0);
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).ok()? {
            entries += 1;
            let Ok(entry) = entry else { continue };
            let Ok(data) = entry.metadata() else { continue };
            match data.is_dir() {
                true => directories.push(entry.path()),
                false => bytes += on_disk(&data),
            }
            if entries > MAX_ENTRIES {
                return None;
            }
        }
    }
    Some(bytes)
}

#[cfg(unix)]
fn on_disk(data: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    const BLOCK: u64 = 512;
    data.blocks() * BLOCK
}

#[cfg(not(unix))]
fn on_disk(data: &std::fs::Metadata) -> u64 {
    data.len()
}
