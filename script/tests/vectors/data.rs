//! Where the vectors lie, and what their formats have in common.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bitcoin::consensus::deserialize;
use bitcoin::hex::FromHex;
use bitcoin::{Transaction, TxOut};
use everett_script::{Flags, PreparedTransaction, ScriptError, SpentOutput};
use serde_json::Value;

/// The file or folder `path` among the vectors; `None`, with a word about it, when they are not there.
pub(crate) fn find(path: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("EVERETT_VECTORS") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
    };
    let found = root.join("vectors").join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!(
        "skipped: {} is not there; set EVERETT_VECTORS to the test data",
        found.display()
    );
    None
}

/// A file of Core's as text.
pub(crate) fn core_file(name: &str) -> Option<String> {
    let path = find(&format!("core/{name}"))?;
    Some(std::fs::read_to_string(path).unwrap())
}

/// The entries of a JSON file of Core's that are cases, not comments.
pub(crate) fn core_cases(name: &str) -> Option<Vec<Value>> {
    let cases: Vec<Value> = serde_json::from_str(&core_file(name)?).unwrap();
    Some(
        cases
            .into_iter()
            .filter(|case| case.as_array().unwrap().len() > 1)
            .collect(),
    )
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    Vec::from_hex(text).unwrap()
}

pub(crate) fn hex_of(value: &Value) -> Vec<u8> {
    hex(value.as_str().unwrap())
}

pub(crate) fn transaction(value: &Value) -> Transaction {
    deserialize(&hex_of(value)).unwrap()
}

/// Verifies one input of a transaction.
pub(crate) fn verify_input(
    tx: &Transaction,
    input: usize,
    spent: &[TxOut],
    flags: Flags,
) -> Result<(), ScriptError> {
    let spent: Vec<SpentOutput<'_>> = spent.iter().map(SpentOutput::from).collect();
    PreparedTransaction::new(tx, &spent)
        .unwrap()
        .verify_input(input, flags)
}

/// Numbers without a pattern but the same in each run (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn flags(&mut self) -> Flags {
        Flags::from_bits(self.next() as u32 & Flags::ALL.bits()).unwrap()
    }
}

/// Runs `check` for every item, on all cores, and gives the failures it returned.
pub(crate) fn in_parallel<T: Sync>(
    items: &[T],
    check: impl Fn(&T) -> Result<(), String> + Sync,
) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(failure) = check(item) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}
