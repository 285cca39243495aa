//! Owns the figures of the process and its disk, by the names that Prometheus' own clients use.
//! Promises to leave out what the system does not tell.

use std::path::Path;

use everett_ledger::Ledger;

use crate::text::{Page, Type};

/// Puts the process's figures on a page.
pub(crate) fn process(page: &mut Page) {
    if let Some(seconds) = cpu_seconds() {
        page.one(
            "process_cpu_seconds_total",
            Type::Counter,
            "Processor time of the process, in user and system mode.",
            seconds,
        );
    }
    if let Some((virtual_bytes, resident)) = memory() {
        page.one(
            "process_resident_memory_bytes",
            Type::Gauge,
            "Memory that the process has.",
            resident,
        );
        page.one(
            "process_virtual_memory_bytes",
            Type::Gauge,
            "Address space that the process has, the database's map included.",
            virtual_bytes,
        );
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        // One of them is the directory itself.
        let open = open.count().saturating_sub(1);
        page.one(
            "process_open_fds",
            Type::Gauge,
            "Open file descriptors.",
            open as f64,
        );
    }
    if let Some(threads) = status_number("Threads:") {
        page.one(
            "process_threads",
            Type::Gauge,
            "Threads of the process.",
            threads,
        );
    }
}

/// Puts the data directory's figures on a page.
pub(crate) fn disk(page: &mut Page, ledger: &Ledger) {
    let Some(directory) = ledger.place().directory() else {
        return;
    };
    let mut family = page.family(
        "everett_disk_bytes",
        Type::Gauge,
        "Bytes of the data directory on disk, by part.",
    );
    let parts = [
        ("database", on_disk(&directory.join("data.mdb"))),
        ("blocks", all_in(&directory.join("blocks"))),
        ("log", all_in(&directory.join("log"))),
    ];
    for (part, bytes) in parts {
        family.sample(&[("part", part)], bytes as f64);
    }
    if let Ok(file_system) = rustix::fs::statvfs(directory) {
        page.one(
            "everett_disk_free_bytes",
            Type::Gauge,
            "Bytes that the data directory's file system has left for the node.",
            (file_system.f_bavail.saturating_mul(file_system.f_frsize)) as f64,
        );
    }
}

/// Bytes that a file takes: of a sparse one less than its length.
fn on_disk(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    /// What `st_blocks` counts.
    const BLOCK: u64 = 512;
    std::fs::metadata(path).map_or(0, |file| file.blocks() * BLOCK)
}

fn all_in(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    entries.flatten().map(|entry| on_disk(&entry.path())).sum()
}

/// Address space and memory, in bytes.
fn memory() -> Option<(f64, f64)> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = text.split(' ').map(|pages| pages.parse::<u64>().ok());
    let size = rustix::param::page_size() as u64;
    let (virtual_pages, resident) = (pages.next()??, pages.next()??);
    Some(((virtual_pages * size) as f64, (resident * size) as f64))
}

fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets may hold anything; what follows it is numbers.
    let (_, fields) = text.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn status_number(name: &str) -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().parse().ok()
}
