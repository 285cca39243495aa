//! Owns what is said about a disagreement.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// What regtest's blocks are framed with in a `bootstrap.dat`.
const REGTEST_MAGIC: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];

/// Two engines gave two verdicts.
#[derive(Clone, Debug)]
pub struct Disagreement {
    /// A JSON object that says about what; for a script, one that `everett script verify --jsonl` reads.
    pub line: Value,
    /// The blocks that lead to it, in order.
    pub blocks: Option<Vec<Vec<u8>>>,
}

impl Disagreement {
    /// Prints it, and writes its blocks as a `bootstrap.dat` into `directory`.
    pub fn tell(mut self, kind: &str, seed: u64, number: u64, directory: &Path) -> Result<()> {
        self.line["seed"] = json!(seed);
        self.line["number"] = json!(number);
        if let Some(blocks) = &self.blocks {
            let path = directory.join(format!("disagreement-{seed}-{number}.dat"));
            let mut file = Vec::new();
            for block in blocks {
                file.extend(REGTEST_MAGIC);
                file.extend((block.len() as u32).to_le_bytes());
                file.extend(block);
            }
            std::fs::write(&path, file)
                .with_context(|| format!("cannot write {}", path.display()))?;
            self.line["bootstrap"] = json!(path.display().to_string());
        }
        eprintln!("\nEverett and Bitcoin Core disagree about {kind}:");
        println!("{}", self.line);
        Ok(())
    }
}
