//! Owns the way to the data that tests compare with.
//! Promises that a test without it says that it was skipped, and why.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The directory that holds `vectors/` and `worlds/`: `$EVERETT_VECTORS`, or `../shared` from the repository's root.
pub fn directory() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let directory = std::env::var_os("EVERETT_VECTORS").map_or_else(beside, PathBuf::from);
    directory.join("worlds").is_dir().then_some(directory)
}

/// The file or directory `path` of the data; without it the test `name` is told to say that it was skipped.
pub fn find(name: &str, path: &str) -> Option<PathBuf> {
    let found = directory()
        .map(|directory| directory.join(path))
        .filter(|path| path.exists());
    if found.is_none() {
        println!(
            "{name}: SKIPPED: no {path} in $EVERETT_VECTORS or in ../shared beside the repository"
        );
    }
    found
}

/// The blocks of a file in `bootstrap.dat` framing.
pub fn blocks(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).expect("the file can be read");
    let mut blocks = Vec::new();
    let mut rest = &bytes[..];
    while rest.len() >= 8 {
        let length = u32::from_le_bytes(rest[4..8].try_into().expect("four bytes")) as usize;
        blocks.push(rest[8..8 + length].to_vec());
        rest = &rest[8 + length..];
    }
    blocks
}

/// The rows of a file of JSON lines.
pub fn json_lines<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).expect("the file can be read");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a row as documented"))
        .collect()
}

/// A file of JSON.
pub fn json<T: DeserializeOwned>(path: &Path) -> T {
    serde_json::from_str(&std::fs::read_to_string(path).expect("the file can be read"))
        .expect("JSON as documented")
}

/// A row of `blocks.jsonl`: a block and the UTXO set at it.
#[derive(Clone, Debug, Deserialize)]
pub struct BlockRow {
    /// The block's hash.
    pub hash: String,
    /// Its height.
    pub height: u32,
    /// Work of its chain, 64 hexadecimal characters.
    pub chainwork: String,
    /// Median time past at it.
    pub mediantime: u32,
    /// Number of transactions.
    pub ntx: u32,
    /// Number of coins.
    pub txouts: u64,
    /// Their sum.
    pub total_sat: u64,
    /// Bitcoin Core's measure of their size.
    pub bogosize: u64,
    /// MuHash3072, as shown.
    pub muhash: String,
    /// The serialised hash, as shown.
    pub hash_serialized_3: String,
}

/// A row of `balances.jsonl`: what a script owns at a tip.
#[derive(Clone, Debug, Deserialize)]
pub struct BalanceRow {
    /// The tip.
    pub tip: String,
    /// The script, in hexadecimal.
    pub script: String,
    /// Its address, if its script has one.
    pub address: Option<String>,
    /// The sum of its coins.
    pub balance_sat: u64,
    /// txid, vout, amount, height, coinbase.
    pub utxos: Vec<(String, u32, u64, u32, bool)>,
}

/// A row of `chaintips.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct TipRow {
    /// The tip's height.
    pub height: u32,
    /// Its hash.
    pub hash: String,
    /// Blocks since it left the best chain.
    pub branchlen: u32,
    /// Its status.
    pub status: String,
}

/// A fork of `conflicts.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct ForkRow {
    /// The last block that both share.
    pub fork_point: String,
    /// One tip.
    pub tip_a: String,
    /// The other.
    pub tip_b: String,
    /// The coins spent in both.
    pub conflicts: Vec<ConflictRow>,
}

/// A coin that both branches spend.
#[derive(Clone, Debug, Deserialize)]
pub struct ConflictRow {
    /// The coin's transaction.
    pub txid: String,
    /// Its output.
    pub vout: u32,
    /// The spending transaction and its block in the first branch.
    pub spent_in_a: (String, String),
    /// The same in the second.
    pub spent_in_b: (String, String),
}

/// Bitcoin Core's answers about `worlds/regtest-60-forks`.
pub struct SixtyForks {
    /// All blocks in the order in which they were mined, genesis first.
    pub blocks: Vec<Vec<u8>>,
    /// A row a block.
    pub rows: Vec<BlockRow>,
    /// A row a recorded tip and script.
    pub balances: Vec<BalanceRow>,
    /// A row a tip.
    pub tips: Vec<TipRow>,
    /// A row a fork.
    pub forks: Vec<ForkRow>,
}

impl SixtyForks {
    /// Reads it, or says that the test `name` was skipped.
    pub fn load(name: &str) -> Option<SixtyForks> {
        let directory = find(name, "worlds/regtest-60-forks")?;
        Some(SixtyForks {
            blocks: blocks(&directory.join("blocks.dat")),
            rows: json_lines(&directory.join("blocks.jsonl")),
            balances: json_lines(&directory.join("balances.jsonl")),
            tips: json(&directory.join("chaintips.json")),
            forks: json(&directory.join("conflicts.json")),
        })
    }
}
