//! Owns the settings of the log and their defaults.

use std::path::PathBuf;

/// Bytes after which the next file is begun, unless it is configured otherwise.
const DEFAULT_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Files that are kept, unless it is configured otherwise.
const DEFAULT_FILES: usize = 8;

/// What a log is started with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// Where its files are; made if it is not there.
    pub directory: PathBuf,
    /// Bytes after which the next file is begun; a record that is longer has a file of its own. Default 16 MiB.
    pub file_bytes: u64,
    /// Files that are kept; the oldest go. At least 2. Default 8.
    pub files: usize,
}

impl LogConfig {
    /// The defaults, in this directory.
    pub fn new(directory: impl Into<PathBuf>) -> LogConfig {
        LogConfig {
            directory: directory.into(),
            file_bytes: DEFAULT_FILE_BYTES,
            files: DEFAULT_FILES,
        }
    }
}
