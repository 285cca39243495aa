//! Owns the anchors: block-relay-only peers that we go back to after a restart.
//! Promises that an attacker who makes a node restart does not get to choose all of its peers, and that a file is used
//! once: peers that make a node crash are not called again at its next start.
//! Refuses more than two.

use std::fs;
use std::io;
use std::path::Path;

use crate::endpoint::Endpoint;
use crate::stored;

/// Most anchors: Bitcoin Core's `MAX_BLOCK_RELAY_ONLY_ANCHORS`.
pub const MAX_ANCHORS: usize = 2;

/// Bytes of the largest file that is read.
const MAX_FILE: u64 = 4_096;

/// Writes the first two endpoints to a file, one a line, whole or not at all; without any the file is removed.
///
/// # Errors
///
/// What the system says.
pub fn save(path: &Path, anchors: &[Endpoint]) -> io::Result<()> {
    if anchors.is_empty() {
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let lines: String = anchors
        .iter()
        .take(MAX_ANCHORS)
        .map(|anchor| format!("{anchor}\n"))
        .collect();
    stored::replace(path, lines.as_bytes())
}

/// Takes the anchors out of a file, which is gone afterwards. A damaged one is set aside, with a warning in the log.
///
/// # Errors
///
/// What the system says of reading or removing the file; then nobody is to be called.
pub fn take(path: &Path) -> io::Result<Vec<Endpoint>> {
    let bytes = match stored::read(path, MAX_FILE) {
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            stored::give_up(path, &error);
            return Ok(Vec::new());
        }
        bytes => bytes?,
    };
    let Some(bytes) = bytes else {
        return Ok(Vec::new());
    };
    let text = String::from_utf8_lossy(&bytes);
    let anchors: Result<Vec<Endpoint>, _> =
        text.lines().take(MAX_ANCHORS).map(str::parse).collect();
    match anchors {
        Ok(anchors) => fs::remove_file(path).map(|()| anchors),
        Err(error) => {
            stored::give_up(path, &error);
            Ok(Vec::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_kept_and_taken_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchors.txt");
        assert_eq!(take(&path).unwrap(), []);
        let all =
            ["1.2.3.4:8333", "[2001:db8::1]:8333", "5.6.7.8:1"].map(|text| text.parse().unwrap());
        save(&path, &all).unwrap();
        assert_eq!(take(&path).unwrap(), all[..2]);
        assert_eq!(take(&path).unwrap(), []);
        save(&path, &all).unwrap();
        save(&path, &[]).unwrap();
        save(&path, &[]).unwrap();
        assert_eq!(take(&path).unwrap(), []);
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("anchors.txt");
        for damage in ["nobody\n".to_owned(), "\u{0}".to_owned(), "x".repeat(5_000)] {
            fs::write(&path, &damage).unwrap();
            assert_eq!(take(&path).unwrap(), []);
            assert!(!path.exists());
        }
    }
}
