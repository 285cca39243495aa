//! Owns what must hold for any bytes whatever: laws, one for each target of `cargo fuzz`.
//! Promises to panic when one is broken, and to abort when memory is asked for beyond its bound.
//! Refuses to know where the bytes come from: a fuzzer that watches coverage, or the smoke test.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod decode;
mod memory;
mod spend;

pub use decode::{block_decode, script_decode, transaction_decode};
pub use spend::{script_execution, spend_grammar};

/// A target: its name, and the law that it holds bytes to.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 5] = [
    ("script_decode", script_decode),
    ("transaction_decode", transaction_decode),
    ("block_decode", block_decode),
    ("script_execution", script_execution),
    ("spend_grammar", spend_grammar),
];
