//! What it takes to save, copy and restore a data directory of a gigabyte, against plain `cp` of the same bytes in the same run.
//!
//! `cargo bench -p everett-node --bench snapshot` prints one line a figure. `EVERETT_BENCH_MIB` asks for another size, and
//! `EVERETT_BENCH_DIR` for another place than the system's directory for temporary files: what the file system can share
//! decides what has to be copied.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::{Hash, sha256};
use bitcoin::{Amount, Block, ScriptBuf, TxOut};
use everett_ledger::rules::ScriptsAssumedValid;
use everett_ledger::{Ledger, LedgerConfig, Network, Outcome, Params};
use everett_mempool::{Mempool, MempoolConfig};
use everett_node::snapshots::{Parts, Snapshots};
use everett_scenario::assemble;

/// The directory's size unless another one is asked for, in MiB.
const SIZE_MIB: u64 = 1024;
/// Coins that a block makes, and bytes of outputs that are no coins: two thirds of the directory are block files, as on
/// mainnet with its latest few gigabytes of blocks.
const COINS: u32 = 2_000;
const PADDING: usize = 850_000;
/// Bytes of one such output.
const PIECE: usize = 8_500;

fn main() {
    let size = std::env::var("EVERETT_BENCH_MIB");
    let size = size
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(SIZE_MIB)
        << 20;
    let place = match std::env::var_os("EVERETT_BENCH_DIR") {
        Some(directory) => tempfile::tempdir_in(directory),
        None => tempfile::tempdir(),
    };
    let place = place.expect("a temporary directory");
    let data = place.path().join("data");
    let params = Params::new(Network::Regtest);
    let started = Instant::now();
    let ledger = fill(&data, size);
    let bytes = bytes_below(&data);
    println!(
        "{:.0} MB in {}: height {}, made in {:.1} s",
        bytes as f64 / 1e6,
        data.display(),
        ledger.best().height(),
        started.elapsed().as_secs_f64()
    );
    let mempool = Mempool::new(ledger.clone(), MempoolConfig::default());
    mempool.set_loaded();
    let snapshots = Snapshots::of(&data);
    let parts = Parts {
        ledger: &ledger,
        mempool: &mempool,
        mempool_file: None,
        wallets: None,
        peers: None,
    };
    // Into the page cache, for all of them alike.
    run(Command::new("cp")
        .arg("-r")
        .arg(&data)
        .arg(place.path().join("first")));
    let (_, copied) = timed(|| {
        run(Command::new("cp")
            .arg("-r")
            .arg(&data)
            .arg(place.path().join("plain")));
    });
    line("cp -r, left to the page cache", copied, bytes);
    std::fs::remove_dir_all(place.path().join("first")).expect("removed");
    std::fs::remove_dir_all(place.path().join("plain")).expect("removed");
    run(&mut Command::new("sync"));
    let (_, copied) = timed(|| {
        run(Command::new("cp")
            .arg("-r")
            .arg(&data)
            .arg(place.path().join("plain")));
        run(&mut Command::new("sync"));
    });
    line("cp -r, and sync", copied, bytes);
    std::fs::remove_dir_all(place.path().join("plain")).expect("removed");
    let (manifest, saved) = timed(|| {
        snapshots
            .save("bench", &parts, &mut |_| true)
            .expect("saved")
    });
    line("snapshot save, node running, synced", saved, bytes);
    let read: u64 = (manifest.files.iter())
        .filter(|file| file.crc32.is_some())
        .map(|file| file.bytes)
        .sum();
    println!(
        "{:<44} {:>9.0} MB",
        "  of which had to be copied",
        read as f64 / 1e6
    );
    let (copy, made) = timed(|| {
        snapshots
            .throw_away("bench", &params, &mut |_| true)
            .expect("a copy")
    });
    line("a copy for run --from-snapshot", made, bytes);
    drop(copy);
    let target = place.path().join("restored");
    let (_, restored) = timed(|| {
        let restored = snapshots.restore("bench", &target, &params, false, &mut |_| true);
        restored.expect("restored")
    });
    line("snapshot restore, checked and synced", restored, bytes);
    let best = ledger.best().hash();
    drop((mempool, ledger));
    let (restored, opened) = timed(|| open(&target));
    assert_eq!(restored.best().hash(), best);
    println!(
        "{:<44} {:>9.2} s",
        "opening the ledger that was restored",
        opened.as_secs_f64()
    );
}

fn open(directory: &Path) -> Ledger {
    let mut config = LedgerConfig::new(Params::new(Network::Regtest), directory);
    config.scripts = Arc::new(ScriptsAssumedValid);
    // Nearly all is folded into the base, as in a node that has run for a while.
    config.horizon = Some(10);
    Ledger::open(config).expect("a ledger")
}

/// Mines until the directory has so many bytes.
fn fill(directory: &Path, size: u64) -> Ledger {
    let ledger = open(directory);
    let padding = ScriptBuf::new_op_return(
        bitcoin::script::PushBytesBuf::try_from(vec![0x5a; PIECE]).expect("shorter than 4 GiB"),
    );
    let mut number = 0u32;
    loop {
        let parent = ledger.best();
        let payout = ScriptBuf::from_bytes(vec![0x51]);
        let block = assemble::mine(&ledger, &parent, Vec::new(), &payout, None).expect("a block");
        let mut block: Block = deserialize(&block).expect("a block");
        let outputs = &mut block.txdata[0].output;
        for _ in 0..COINS {
            let hash = sha256::Hash::hash(&number.to_le_bytes());
            let mut script = vec![0, 20];
            script.extend_from_slice(&hash.to_byte_array()[..20]);
            outputs.push(nothing(ScriptBuf::from_bytes(script)));
            number += 1;
        }
        outputs.extend((0..PADDING / PIECE).map(|_| nothing(padding.clone())));
        block.header.merkle_root = block.compute_merkle_root().expect("a coinbase");
        let target = block.header.target();
        while block.header.validate_pow(target).is_err() {
            block.header.nonce += 1;
        }
        let outcome = ledger
            .submit_block(&serialize(&block))
            .expect("submitted")
            .outcome;
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        drop(parent);
        if ledger.best().height().is_multiple_of(16) && bytes_below(directory) >= size {
            return ledger;
        }
    }
}

fn nothing(script_pubkey: ScriptBuf) -> TxOut {
    TxOut {
        value: Amount::ZERO,
        script_pubkey,
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let done = work();
    (done, started.elapsed())
}

fn line(what: &str, took: Duration, bytes: u64) {
    let seconds = took.as_secs_f64();
    println!(
        "{what:<44} {seconds:>9.2} s {:>9.0} MB/s",
        bytes as f64 / 1e6 / seconds
    );
}

fn run(command: &mut Command) {
    let status = command.status().expect("it runs");
    assert!(status.success(), "{command:?}");
}

fn bytes_below(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).expect("a directory").flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => bytes_below(&entry.path()),
        data => data.map_or(0, |data| data.len()),
    });
    bytes.sum()
}
