//! How fast headers are taken in, on one core: messages of 2,000, one commit each, as another node sends them.
//!
//! `cargo bench -p everett-ledger --bench headers`. Beside the whole stand its parts: proof of work alone, the ledger in
//! memory, larger groups (so that what a sync of the disk costs can be told), what coming back takes, and bytes a header
//! in memory. The directory is made in `$TMPDIR`: set it to measure another disk.

use std::alloc::System;
use std::time::{Duration, Instant};

use bitcoin::BlockHash;
use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{CompactTarget, TxMerkleNode};
use cap::Cap;
use everett_ledger::rules::has_valid_proof_of_work;
use everett_ledger::{Ledger, LedgerConfig, Network, Params};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Headers of the chain.
const HEADERS: usize = 400_000;
/// Headers of a message.
const MESSAGE: usize = 2_000;

fn main() {
    let params = Params::new(Network::Regtest);
    let headers = mine(&params, HEADERS);
    line("proof of work alone", headers.len(), || {
        let valid = |header: &&Header| has_valid_proof_of_work(header, &params);
        assert_eq!(headers.iter().filter(valid).count(), headers.len());
    });

    let before = ALLOCATOR.allocated();
    let ledger = Ledger::open(LedgerConfig::in_memory(params.clone())).expect("it opens");
    submit("in memory, messages of 2,000", &ledger, &headers, MESSAGE);
    let both = (ALLOCATOR.allocated() - before) / HEADERS;
    drop(ledger);

    for (what, group) in [
        ("on disk, messages of 2,000", MESSAGE),
        ("on disk, 20,000 a commit", 10 * MESSAGE),
        ("on disk, all in one commit", HEADERS),
    ] {
        let directory = tempfile::tempdir().expect("a directory");
        let open = || {
            let config = LedgerConfig::new(params.clone(), directory.path());
            Ledger::open(config).expect("it opens")
        };
        let before = ALLOCATOR.allocated();
        let ledger = open();
        submit(what, &ledger, &headers, group);
        let bytes = (ALLOCATOR.allocated() - before) / HEADERS;
        drop(ledger);
        if group == MESSAGE {
            line("coming back with all of them", HEADERS, || drop(open()));
            println!("{:<40}{bytes:>12} bytes in memory", "a header");
            println!("{:<40}{both:>12} bytes", "a header, with its row in memory");
            let file = std::fs::metadata(directory.path().join("data.mdb")).expect("it is there");
            let length = file.len() as usize / HEADERS;
            println!("{:<40}{length:>12} bytes on disk", "a header");
        }
    }
}

/// A chain of regtest headers.
fn mine(params: &Params, count: usize) -> Vec<Header> {
    let genesis = params.genesis.header;
    let mut previous: BlockHash = params.genesis_hash();
    let mut headers = Vec::with_capacity(count);
    for number in 1..=count as u32 {
        let mut merkle_root = [0; 32];
        merkle_root[..4].copy_from_slice(&number.to_le_bytes());
        let mut header = Header {
            version: Version::from_consensus(0x2000_0000),
            prev_blockhash: previous,
            merkle_root: TxMerkleNode::from_byte_array(merkle_root),
            time: genesis.time + number,
            bits: CompactTarget::from_consensus(0x207f_ffff),
            nonce: 0,
        };
        while !has_valid_proof_of_work(&header, params) {
            header.nonce += 1;
        }
        previous = header.block_hash();
        headers.push(header);
    }
    headers
}

fn submit(what: &str, ledger: &Ledger, headers: &[Header], group: usize) {
    let mut slowest = Duration::ZERO;
    line(what, headers.len(), || {
        for message in headers.chunks(group) {
            let start = Instant::now();
            let verdict = ledger.submit_headers(message).expect("the disk works");
            assert_eq!(verdict, Ok(()));
            slowest = slowest.max(start.elapsed());
        }
    });
    println!("{:<40}{:>12.1?} for the slowest of them", "", slowest);
    assert_eq!(ledger.best_header().height as usize, headers.len());
}

fn line(what: &str, count: usize, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let taken = start.elapsed();
    let rate = count as f64 / taken.as_secs_f64();
    let each = taken.as_nanos() as f64 / count as f64;
    println!("{what:<40}{rate:>12.0} headers/s {each:>10.0} ns each");
}
