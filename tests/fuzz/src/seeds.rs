//! Owns the inputs that fuzzing starts from: what other implementations' vectors hold, in the form that each target reads.
//! Promises that every seed keeps its target's law busy for more than its first lines.
//! Refuses to go on growing them: that is for the fuzzer.

use std::path::Path;

use bitcoin::consensus::serialize;
use bitcoin::p2p::Magic;
use everett_generate::load;
use everett_generate::{Case, Entropy};
use everett_net::transport::v1;
use everett_net::{Command, Message};
use everett_script::Flags;

use crate::p2p::compact_seeds;

/// The longest seed, in bytes; a fuzzer that changes a byte at a time has no use for longer ones.
pub const MAX_SEED_BYTES: usize = 1 << 20;
/// How long a seed of `spend_grammar` is, in bytes, and how many there are: any bytes are choices.
const CHOICES: usize = 400;
const CHOICE_SEEDS: u64 = 256;

/// Seeds for the target of this name from the vectors in a directory; other names have none.
pub fn seeds(name: &str, vectors: &Path) -> Vec<Vec<u8>> {
    let mut seeds = match name {
        "script_decode" => load(vectors).iter().flat_map(scripts).collect(),
        "transaction_decode" => load(vectors)
            .iter()
            .map(|case| serialize(&case.tx))
            .collect(),
        "block_decode" => blocks(vectors),
        "compact_blocks" => compact_seeds(blocks(vectors)),
        "headers_presync" => (0..CHOICE_SEEDS)
            .map(|number| Entropy::seeded(3, number).any_bytes(CHOICES))
            .collect(),
        "script_execution" => load(vectors).iter().filter_map(execution).collect(),
        "spend_grammar" => (0..CHOICE_SEEDS)
            .map(|number| Entropy::seeded(2, number).any_bytes(CHOICES))
            .collect(),
        "v1_stream" | "v2_stream" | "session_choices" => (0..CHOICE_SEEDS)
            .map(|number| wire(name, &mut Entropy::seeded(3, number)))
            .collect(),
        _ => Vec::new(),
    };
    seeds.retain(|seed: &Vec<u8>| seed.len() <= MAX_SEED_BYTES);
    seeds.sort_unstable();
    seeds.dedup();
    seeds
}

/// Bytes for the targets of the wire: frames of known names, or choices that a handshake begins with.
pub fn wire(name: &str, entropy: &mut Entropy<'_>) -> Vec<u8> {
    let mut bytes = entropy.any_bytes(2);
    match name {
        "v1_stream" => {
            for number in 0..entropy.below(5) {
                let named = *entropy.pick(&["version", "inv", "ping", "headers", "tx"]);
                let length = entropy.below(300);
                let message = Message::new(
                    Command::new(named).expect("a name"),
                    entropy.any_bytes(length),
                );
                let frame = v1::header(&message, Magic::REGTEST);
                // The law puts the first magic there.
                bytes.extend(&frame[if number == 0 { 4 } else { 0 }..]);
                bytes.extend(&message.payload);
            }
        }
        "session_choices" => {
            // A caller's good version and its verack, then anything.
            bytes = vec![0, 0x70, 3, 3, 0, 0, 0x61, 0];
            let length = entropy.below(300);
            bytes.extend(entropy.any_bytes(length));
        }
        _ => {
            let length = entropy.below(6_000);
            bytes.extend(entropy.any_bytes(length));
        }
    }
    bytes
}

/// What a target's `script_execution` reads: flags, input, length of the script pubkey, script pubkey, transaction.
/// `None` for a script pubkey that is too long for it.
fn execution(case: &Case) -> Option<Vec<u8>> {
    let script = case.spent[case.input].script_pubkey.as_bytes();
    let length = u8::try_from(script.len()).ok()?;
    let input = u8::try_from(case.input).ok()?;
    let mut bytes = Flags::STANDARD.bits().to_le_bytes().to_vec();
    bytes.extend([input, length]);
    bytes.extend(script);
    bytes.extend(serialize(&case.tx));
    Some(bytes)
}

/// Whatever in a case is a script, or could be.
fn scripts(case: &Case) -> Vec<Vec<u8>> {
    let input = &case.tx.input[case.input];
    let mut scripts: Vec<Vec<u8>> = input.witness.iter().map(<[u8]>::to_vec).collect();
    scripts.push(input.script_sig.to_bytes());
    scripts.push(case.spent[case.input].script_pubkey.to_bytes());
    scripts
}

fn blocks(vectors: &Path) -> Vec<Vec<u8>> {
    let files = vectors.join("blocks").read_dir().into_iter().flatten();
    let files = files.flatten().map(|entry| entry.path());
    files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "block")
        })
        .filter_map(|path| std::fs::read(path).ok())
        .collect()
}
