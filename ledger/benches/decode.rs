//! How fast real blocks are decoded, with the ids of their transactions and the merkle root, on one core.
//!
//! `cargo bench -p everett-ledger --bench decode`, with `EVERETT_VECTORS` set where the test data is not in `shared` beside
//! the repository. Beside Everett's figure stand two others of the same run: the `bitcoin` crate doing the same, and
//! what is left if nothing but the hashes is done: `sha2` over the bytes that have to be hashed, cut out beforehand.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::Hash;
use bitcoin::{Block, Transaction};
use everett_ledger::decode::decode_block;
use everett_ledger::rules::merkle::merkle_root;
use sha2::{Digest, Sha256};

/// Rounds; the best of each figure counts.
const ROUNDS: usize = 60;
/// Smaller blocks tell more of the clock than of the work.
const MIN_BLOCK_BYTES: usize = 100_000;

fn main() {
    let root = std::env::var_os("EVERETT_VECTORS").map(PathBuf::from);
    let root =
        root.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let Ok(files) = std::fs::read_dir(root.join("vectors/blocks")) else {
        println!("no blocks are there; set EVERETT_VECTORS to the test data");
        return;
    };
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("an entry").path()).collect();
    paths.sort();
    println!(
        "{:<28}{:>10}{:>10}{:>12}{:>12}{:>10}",
        "MB/s", "bytes", "everett", "bitcoin", "hash only", "of limit"
    );
    for path in paths {
        if path
            .extension()
            .is_none_or(|extension| extension != "block")
        {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a block");
        if bytes.len() >= MIN_BLOCK_BYTES {
            measure(&path.file_stem().expect("a name").to_string_lossy(), &bytes);
        }
    }
}

fn measure(name: &str, bytes: &[u8]) {
    let block: Block = deserialize(bytes).expect("a block");
    let messages: Vec<Vec<u8>> = block.txdata.iter().flat_map(messages).collect();
    let transactions = block.txdata.len();
    let mut best = [f64::INFINITY; 3];
    for _ in 0..ROUNDS {
        let turn = [
            seconds(|| {
                let (block, _) = decode_block(bytes).expect("a block");
                let ids = block.transactions.iter().map(|tx| tx.txid.to_byte_array());
                black_box(merkle_root(ids.collect()));
                black_box(block);
            }),
            seconds(|| {
                let block: Block = deserialize(bytes).expect("a block");
                // Everett has both ids after decoding, so both are asked for here.
                for tx in &block.txdata {
                    black_box(tx.compute_wtxid());
                }
                black_box(block.compute_merkle_root());
                black_box(block);
            }),
            seconds(|| {
                for message in &messages {
                    black_box(double(message));
                }
                // As many nodes as a merkle tree has above its leaves.
                for _ in 1..transactions {
                    black_box(double(black_box(&[0; 64])));
                }
            }),
        ];
        for (best, turn) in best.iter_mut().zip(turn) {
            *best = best.min(turn);
        }
    }
    let rate = |seconds: f64| bytes.len() as f64 / seconds / 1e6;
    let [everett, library, limit] = best;
    println!(
        "{name:<28}{:>10}{:>10.0}{:>12.0}{:>12.0}{:>9.0}%",
        bytes.len(),
        rate(everett),
        rate(library),
        rate(limit),
        100.0 * limit / everett,
    );
}

/// What has to be hashed for the ids of a transaction.
fn messages(tx: &Transaction) -> Vec<Vec<u8>> {
    let whole = serialize(tx);
    if tx.input.iter().all(|input| input.witness.is_empty()) {
        return vec![whole];
    }
    let mut stripped = tx.clone();
    for input in &mut stripped.input {
        input.witness.clear();
    }
    vec![whole, serialize(&stripped)]
}

fn double(message: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(message)).into()
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}
