//! How fast headers of a chain whose work is not known yet are taken, and what memory they are held in, on one core.
//!
//! `cargo bench -p everett-p2p --bench presync`. 2,000 headers a message, as they come; regtest's target and Bitcoin
//! mainnet's sizes. The time to read a message is in it, that to mine the chain is not.

use std::time::{Duration, Instant};

use bitcoin::block::{Header, Version};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::p2p::message::NetworkMessage;
use bitcoin::{TxMerkleNode, Work};
use everett_ledger::{Network, Params};
use everett_net::{MAX_HEADERS, Message};
use everett_p2p::presync::{ChainStart, Presync, PresyncParams, PresyncPhase, Step};

/// Headers of the chain.
const HEADERS: usize = 200_000;

fn main() {
    let params = Params::new(Network::Regtest);
    let genesis = params.genesis.header;
    println!("a chain of {HEADERS} headers is mined");
    let mut chain = vec![genesis];
    while chain.len() <= HEADERS {
        chain.push(mine(&chain[chain.len() - 1]));
    }
    let messages: Vec<Message> = chain[1..]
        .chunks(MAX_HEADERS)
        .map(|headers| Message::from(NetworkMessage::Headers(headers.to_vec())))
        .collect();
    let needed = (0..HEADERS).fold(genesis.work(), |sum: Work, _| sum + genesis.work());
    let start = ChainStart {
        hash: genesis.block_hash(),
        height: 0,
        bits: genesis.bits,
        chainwork: genesis.work(),
        median_time_past: genesis.time,
        locator: vec![genesis.block_hash()],
    };
    let sizes = PresyncParams::new(Network::Mainnet);
    let now = u64::from(genesis.time) + 10 * 365 * 86_400;
    let mut sync = Presync::with_sizes(sizes, start, needed, now, [7; 32]);

    for phase in [PresyncPhase::Measuring, PresyncPhase::Fetching] {
        assert_eq!(sync.phase(), phase);
        let (mut spent, mut most, mut kept) = (Duration::ZERO, 0, 0);
        for message in &messages {
            let begun = Instant::now();
            let Ok(NetworkMessage::Headers(headers)) = message.decode() else {
                panic!("headers do not decode");
            };
            let step = sync.receive(&headers, true, &params);
            spent += begun.elapsed();
            most = most.max(sync.bytes());
            match step {
                Step::More { .. } => {}
                Step::Ready { headers, .. } => kept += headers.len(),
                step => panic!("{step:?}"),
            }
        }
        println!(
            "{phase:?}: {:>10.0} headers/s   {most:>8} bytes at most   {kept} kept",
            HEADERS as f64 / spent.as_secs_f64()
        );
    }
}

fn mine(parent: &Header) -> Header {
    let mut header = Header {
        version: Version::TWO,
        prev_blockhash: parent.block_hash(),
        merkle_root: TxMerkleNode::from_raw_hash(sha256d::Hash::all_zeros()),
        time: parent.time + 600,
        bits: parent.bits,
        nonce: 0,
    };
    while header.validate_pow(header.target()).is_err() {
        header.nonce += 1;
    }
    header
}
