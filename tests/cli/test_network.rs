//! The book's test network, as it is written: nodes as processes of their own, asked as Core's client asks.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use everett_tests::ports::free_port;
use everett_tests::python;
use tempfile::tempdir;

use crate::chapter::Chapter;

/// Ports that the chapter names.
const PORTS: [&str; 6] = ["18443", "18444", "18453", "18454", "18463", "18473"];

#[test]
fn the_test_network_of_the_book_runs_as_it_is_written() {
    let has = |program: &str, arguments: &[&str]| {
        let ran = Command::new(program).args(arguments).output();
        ran.is_ok_and(|ran| ran.status.success())
    };
    if !has("bash", &["--version"]) {
        return eprintln!("test_network: skipped: there is no bash");
    }
    let mut path = Vec::new();
    if !has("python3", &["-c", "import requests"]) {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
        match python::with_packages(place, "python-requests", &["requests"], "import requests") {
            Ok(python) => path.extend(python.parent().map(Path::to_path_buf)),
            Err(error) => return eprintln!("test_network: skipped: {error}"),
        }
    }
    let path: Vec<&Path> = path.iter().map(|path| path.as_path()).collect();
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/test-network.md");
    let text = std::fs::read_to_string(book).unwrap();
    let directory = tempdir().unwrap();
    let ports: Vec<(String, String)> = PORTS
        .iter()
        .map(|port| ((*port).to_owned(), free_port().to_string()))
        .collect();
    Chapter::begin(directory.path(), &path).follow(directory.path(), &text, &ports);
}

#[test]
fn no_port_is_chosen_twice() {
    let chosen: BTreeSet<u16> = (0..50).map(|_| free_port()).collect();
    assert_eq!(chosen.len(), 50);
}
