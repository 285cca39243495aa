//! Owns the way to the test data that is not in the repository.

use std::path::{Path, PathBuf};

/// The data at `path`, or `None` after a word on why the test is skipped.
///
/// Looked for in `$EVERETT_VECTORS`, then in `shared` beside the repository.
pub(crate) fn find(path: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("EVERETT_VECTORS") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"),
    };
    let found = root.join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!(
        "skipped: {} is not there; set EVERETT_VECTORS to the test data",
        found.display()
    );
    None
}

/// The blocks of a file in `bootstrap.dat` framing: `magic | length u32 LE | block`.
pub(crate) fn frames(path: &Path, magic: [u8; 4]) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let mut rest = &bytes[..];
    let mut blocks = Vec::new();
    while let Some((head, tail)) = rest.split_first_chunk::<8>() {
        assert_eq!(head[..4], magic);
        let length = u32::from_le_bytes(head[4..].try_into().unwrap()) as usize;
        blocks.push(tail[..length].to_vec());
        rest = &tail[length..];
    }
    blocks
}

/// A hash as people write it: reversed.
pub(crate) fn shown(hash: [u8; 32]) -> String {
    hash.iter()
        .rev()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
