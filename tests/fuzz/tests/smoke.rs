//! Every target on what grows from seeds, and on mutations of it, without a fuzzer: on any toolchain, in seconds.

use bitcoin::block::Header;
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, CompactTarget, TxMerkleNode};
use everett_fuzz::{TARGETS, seeds, wire};
use everett_generate::directory;
use everett_generate::{Entropy, case, mutate_bytes, random_script};
use everett_p2p::compact::compact_block;

/// Inputs of each target, if `EVERETT_FUZZ_INPUTS` names no other number.
const INPUTS: u64 = 3_000;

/// Seeds of each target that are held to its law, spread over all of them.
const SEEDS: usize = 300;

fn inputs() -> u64 {
    let asked = std::env::var("EVERETT_FUZZ_INPUTS").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(INPUTS)
}

/// Bytes in the form that a target reads, often with something wrong.
fn grow(name: &str, entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut bytes = match name {
        "script_decode" => random_script(entropy),
        "spend_grammar" | "headers_presync" => {
            let length = entropy.below(400);
            entropy.any_bytes(length)
        }
        "v1_stream" | "v2_stream" | "session_choices" => wire(name, entropy),
        "transaction_decode" => match entropy.below(4) {
            0 => without_inputs(entropy),
            _ => serialize(&case(&[], entropy).1.tx),
        },
        "block_decode" | "compact_blocks" => {
            let count = entropy.below(4);
            let block = serialize(&Block {
                header: Header {
                    version: bitcoin::block::Version::TWO,
                    prev_blockhash: BlockHash::all_zeros(),
                    merkle_root: TxMerkleNode::all_zeros(),
                    time: 0,
                    bits: CompactTarget::from_consensus(0x207f_ffff),
                    nonce: entropy.next() as u32,
                },
                txdata: (0..count).map(|_| case(&[], entropy).1.tx).collect(),
            });
            match name == "compact_blocks" && entropy.below(2) == 1 {
                true => compact_block(&block, 1).map_or(block, |message| message.payload.to_vec()),
                false => block,
            }
        }
        _ => {
            let case = case(&[], entropy).1;
            let script = case.spent[case.input].script_pubkey.as_bytes();
            let length = script.len().min(255);
            let mut bytes = entropy.any_bytes(4);
            bytes.extend([case.input as u8, length as u8]);
            bytes.extend(&script[..length]);
            bytes.extend(serialize(&case.tx));
            bytes
        }
    };
    if entropy.below(2) == 1 {
        mutate_bytes(&mut bytes, entropy);
    }
    bytes
}

/// The forms where two readers part: no inputs, markers and flags, witnesses that may be empty, counts that promise
/// more than there is.
fn without_inputs(entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0];
    bytes.push(*entropy.pick(&[0, 1, 1, 1, 2, 3]));
    for _ in 0..entropy.below(12) {
        bytes.push(*entropy.pick(&[0, 0, 0, 1, 0xfd, 0xfe]));
    }
    let length = entropy.below(6);
    bytes.resize(bytes.len() + length, 0);
    bytes
}

/// Inputs that once broke a law which was itself wrong.
const REGRESSIONS: [(&str, &str); 3] = [
    // A witness record without inputs: superfluous for Core, nothing wrong for the other reader.
    ("transaction_decode", "AgAAAAABAAAAAAAA"),
    // Neither inputs nor outputs: a transaction for Core, an unknown flag for the other reader.
    ("transaction_decode", "AgAAAAAAAAAAAA=="),
    // What the other reader allocates is no memory of ours.
    (
        "transaction_decode",
        "AAAAAAABAQBHR0dHAEdHR0dHRkdHAEcA/y0AAABDxEZHR0dHAAEARwEAAAAAAAAAAP5kzR0AAQAAAAAAAAg1BgAQAAAARwAAAAAAAABDAAABAAAA\
         /mTNHQABAAAAAAAACDUGAAAAAAAAAAgwRwBHR0cAAQE=",
    ),
];

fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |byte: &u8| DIGITS.iter().position(|digit| digit == byte);
    let digits: Vec<usize> = text.as_bytes().iter().filter_map(digit).collect();
    let bits = digits
        .iter()
        .flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1));
    let bits: Vec<usize> = bits.collect();
    let bytes = bits.chunks_exact(8);
    bytes
        .map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit) as u8)
        .collect()
}

// One test for all: the bound on memory is the process's.
#[test]
fn laws_hold_for_what_grows_from_seeds() {
    for (name, law) in TARGETS {
        law(&[]);
        for (_, input) in REGRESSIONS.iter().filter(|(of, _)| *of == name) {
            law(&base64(input));
        }
        for number in 0..inputs() {
            law(&grow(name, &mut Entropy::seeded(1, number)));
        }
    }
    let Some(vectors) = directory() else {
        eprintln!("skipped seeds: no vectors at $EVERETT_VECTORS or in ../shared");
        return;
    };
    for (name, law) in TARGETS {
        let seeds = seeds(name, &vectors);
        assert!(!seeds.is_empty(), "{name} has nothing to start from");
        let step = (seeds.len() / SEEDS).max(1);
        seeds.iter().step_by(step).for_each(|seed| law(seed));
    }
}
