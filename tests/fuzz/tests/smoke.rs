//! Every target on what grows from seeds, and on mutations of it, without a fuzzer: on any toolchain, in seconds.

use bitcoin::block::Header;
use bitcoin::consensus::serialize;
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, CompactTarget, TxMerkleNode};
use everett_fuzz::TARGETS;
use everett_generate::{Entropy, case, mutate_bytes, random_script};

/// Inputs of each target, if `EVERETT_FUZZ_INPUTS` names no other number.
const INPUTS: u64 = 3_000;

fn inputs() -> u64 {
    let asked = std::env::var("EVERETT_FUZZ_INPUTS").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(INPUTS)
}

/// Bytes in the form that a target reads, often with something wrong.
fn grow(name: &str, entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut bytes = match name {
        "script_decode" => random_script(entropy),
        "spend_grammar" => {
            let length = entropy.below(400);
            entropy.any_bytes(length)
        }
        "transaction_decode" => serialize(&case(&[], entropy).1.tx),
        "block_decode" => {
            let count = entropy.below(4);
            serialize(&Block {
                header: Header {
                    version: bitcoin::block::Version::TWO,
                    prev_blockhash: BlockHash::all_zeros(),
                    merkle_root: TxMerkleNode::all_zeros(),
                    time: 0,
                    bits: CompactTarget::from_consensus(0x207f_ffff),
                    nonce: entropy.next() as u32,
                },
                txdata: (0..count).map(|_| case(&[], entropy).1.tx).collect(),
            })
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

// One test for all: the bound on memory is the process's.
#[test]
fn laws_hold_for_what_grows_from_seeds() {
    for (name, law) in TARGETS {
        law(&[]);
        for number in 0..inputs() {
            law(&grow(name, &mut Entropy::seeded(1, number)));
        }
    }
}
