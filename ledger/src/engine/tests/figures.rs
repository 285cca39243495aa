//! What the outbox costs during an import.
//!
//! `EVERETT_IMPORT=FILE` names a regtest chain in `bootstrap.dat` framing to import as well, such as one of full blocks.

use std::path::PathBuf;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::*;
use crate::events::Event;
use crate::params::Network;
use crate::store::{Access, Place, SMALL_MAP_SIZE, Store, StoreConfig};

/// Blocks and bytes of a group, as `everett import` makes them.
const GROUP_BLOCKS: usize = 1_000;
const GROUP_BYTES: usize = 16 << 20;

/// Processor time of all threads of this process.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn spent<R>(work: impl FnOnce() -> R) -> (Duration, R) {
    let start = processor_time();
    let result = work();
    (processor_time() - start, result)
}

fn blocks(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut blocks = Vec::new();
    while let Some((head, tail)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        blocks.push(tail[..length].to_vec());
        rest = &tail[length..];
    }
    blocks
}

fn groups(blocks: &[Vec<u8>]) -> Vec<&[Vec<u8>]> {
    let (mut groups, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (end, block) in blocks.iter().enumerate() {
        bytes += block.len();
        if end + 1 - start == GROUP_BLOCKS || bytes >= GROUP_BYTES {
            groups.push(&blocks[start..=end]);
            (start, bytes) = (end + 1, 0);
        }
    }
    groups.push(&blocks[start..]);
    groups
}

/// The processor time of as many commits with these events as without: events are made, sealed and put, nothing else.
fn outbox_alone(network: &Params, groups: &[Vec<Event>], with_events: bool) -> Duration {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(StoreConfig {
        place: Place::Directory(directory.path().to_path_buf()),
        network_magic: network.magic,
        network_name: network.network.to_string(),
        genesis_hash: network.genesis_hash(),
        map_size: SMALL_MAP_SIZE,
        access: Access::Writer,
        block_file_size: 1 << 27,
    })
    .unwrap();
    let (time, ()) = spent(|| {
        for (number, group) in groups.iter().enumerate() {
            let mut writer = store.write().unwrap();
            writer.put_meta_u64("sequence", number as u64).unwrap();
            for event in group.iter().filter(|_| with_events) {
                writer
                    .append_event_by(|row| event.clone().encode(row))
                    .unwrap();
            }
            writer.commit().unwrap();
        }
    });
    time
}

fn measure(name: &str, network: Network, path: &Path) {
    let blocks = blocks(path);
    let params = Params::new(network);
    let directory = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(LedgerConfig::new(params.clone(), directory.path())).unwrap();
    let mut events = Vec::new();
    let mut all = Duration::ZERO;
    for group in groups(&blocks) {
        let (time, submitted) = spent(|| ledger.submit_blocks(group));
        submitted.unwrap();
        all += time;
        let from = events.iter().map(Vec::len).sum::<usize>() as u64;
        let told = ledger.events(from, usize::MAX).unwrap();
        events.push(
            told.into_iter()
                .map(|(_, event)| event)
                .collect::<Vec<Event>>(),
        );
    }
    let with = outbox_alone(&params, &events, true);
    let without = outbox_alone(&params, &events, false);
    let timings = ledger.stats().unwrap().timings;
    let outbox = with.saturating_sub(without);
    let count: usize = events.iter().map(Vec::len).sum();
    let (blocks, per) = (blocks.len(), |time: Duration| {
        time.as_secs_f64() * 1e6 / blocks.len() as f64
    });
    let share = |time: Duration| 100.0 * time.as_secs_f64() / all.as_secs_f64();
    println!(
        "{name}: {blocks} blocks, {count} events; {:.1} µs of processor time a block, of which outbox {:.2} µs ({:.2} %), \
         conflicts {:.2} µs ({:.2} %, looked for at {} blocks)",
        per(all),
        per(outbox),
        share(outbox),
        per(timings.conflicts.cpu),
        share(timings.conflicts.cpu),
        timings.conflicts.count,
    );
}

#[test]
#[ignore = "prints figures"]
fn figures_of_the_outbox_during_an_import() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let data = std::env::var_os("EVERETT_VECTORS").map_or_else(beside, PathBuf::from);
    let chains = [
        (
            "empty blocks",
            Network::Mainnet,
            "vectors/chains/mainnet-alternate-2016.dat",
        ),
        (
            "small blocks, 60 forks",
            Network::Regtest,
            "worlds/regtest-60-forks/blocks.dat",
        ),
    ];
    for (name, network, path) in chains {
        let path = data.join(path);
        match path.exists() {
            true => measure(name, network, &path),
            false => println!("{name}: SKIPPED: no {}", path.display()),
        }
    }
    if let Some(path) = std::env::var_os("EVERETT_IMPORT") {
        measure(
            "the chain that was named",
            Network::Regtest,
            Path::new(&path),
        );
    }
}
