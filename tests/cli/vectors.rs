//! Owns the way to the test data that lies beside the repository.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of the test data, or `None`, with a word on why, where there is none.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    everett_tests::data::find("the command line", name)
}

/// A file of the chain with 60 forks.
pub(crate) fn sixty_forks(name: &str) -> Option<PathBuf> {
    path(&format!("worlds/regtest-60-forks/{name}"))
}

/// The lines of a `.jsonl` file.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    everett_tests::data::json_lines(path)
}
