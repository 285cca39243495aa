//! Writes seeds into `corpus/NAME` for every target, or for those that are named.
//! `cargo run --manifest-path tests/fuzz/Cargo.toml --example seeds`

use std::path::Path;
use std::{env, fs, io};

use bitcoin::hashes::{Hash, sha256};
use everett_fuzz::{TARGETS, seeds};
use everett_generate::directory;

fn main() -> io::Result<()> {
    let vectors = directory().ok_or_else(|| {
        io::Error::other("no vectors: set EVERETT_VECTORS to the directory that holds `vectors`")
    })?;
    let asked: Vec<String> = env::args().skip(1).collect();
    if let Some(wrong) = asked
        .iter()
        .find(|name| TARGETS.iter().all(|(known, _)| known != name))
    {
        return Err(io::Error::other(format!("there is no target {wrong}")));
    }
    for (name, _) in TARGETS {
        if !asked.is_empty() && !asked.iter().any(|asked| asked == name) {
            continue;
        }
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name);
        fs::create_dir_all(&corpus)?;
        let seeds = seeds(name, &vectors);
        for seed in &seeds {
            // As libfuzzer names its own: the same input is the same file.
            let hash = sha256::Hash::hash(seed).to_string();
            fs::write(corpus.join(&hash[..40]), seed)?;
        }
        println!("{name}: {} seeds in {}", seeds.len(), corpus.display());
    }
    Ok(())
}
