//! Owns what must hold for any bytes whatever: laws, one for each target of `cargo fuzz`.
//! Promises to panic when one is broken, and to abort when memory is asked for beyond its bound.
//! Refuses to know where the bytes come from: a fuzzer that watches coverage, or the smoke test.

#![deny(unsafe_code)]
#![warn(missing_docs)]

mod decode;
mod memory;
mod net;
mod p2p;
mod seeds;
mod spend;

pub use decode::{block_decode, script_decode, transaction_decode};
pub use net::{session_choices, v1_stream, v2_stream};
pub use p2p::{compact_blocks, headers_presync};
pub use seeds::{seeds, wire};
pub use spend::{script_execution, spend_grammar};

/// A target: its name, and the law that it holds bytes to.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 10] = [
    ("script_decode", script_decode),
    ("transaction_decode", transaction_decode),
    ("block_decode", block_decode),
    ("script_execution", script_execution),
    ("spend_grammar", spend_grammar),
    ("v1_stream", v1_stream),
    ("v2_stream", v2_stream),
    ("session_choices", session_choices),
    ("compact_blocks", compact_blocks),
    ("headers_presync", headers_presync),
];

/// The directories and files that the command line names: each file of theirs is held to the law, which panics at the
/// first that breaks it.
///
/// # Errors
///
/// A file cannot be read, or none is named.
pub fn hold_files(law: fn(&[u8])) -> std::io::Result<()> {
    let mut files: Vec<std::path::PathBuf> = std::env::args_os().skip(1).map(Into::into).collect();
    if files.is_empty() {
        return Err(std::io::Error::other(
            "name the files to be held to the law",
        ));
    }
    while let Some(path) = files.pop() {
        if path.is_dir() {
            for entry in path.read_dir()? {
                files.push(entry?.path());
            }
            continue;
        }
        eprintln!("{}", path.display());
        law(&std::fs::read(&path)?);
    }
    Ok(())
}
