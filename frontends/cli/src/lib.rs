//! Owns the command line: arguments, settings, the commands and how their answers are shown.
//! Promises one message on standard error for whatever fails, and exit codes 0 (fine), 1 (failed)
//! and 2 (wrong usage); with `--json`, one JSON object on standard output, or one on standard error
//! (a trace and `--jsonl` are streams of them).
//! Refuses to know how a ledger is read: a command asks a `source::Source`, which is a data
//! directory or a server.
//!
//! ```text
//! arguments + config file ─> Settings ─> command ─> Source (directory | server) ─> view ─> table or JSON
//! ```

mod amount;
mod args;
mod at;
mod bitcoin_cli;
mod bitcoind;
mod called;
mod command;
mod failure;
mod interrupt;
mod node_url;
mod output;
mod script_arg;
mod secret;
mod service;
mod settings;
mod source;
mod spend;
mod sync_line;
mod table;
mod view;

use std::process::ExitCode;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some(code) = called::run(&arguments) {
        return code;
    }
    // Also where the arguments make no sense, whoever asked for JSON gets JSON.
    let json = arguments.iter().any(|argument| argument == "--json");
    match command::run(arguments) {
        Ok(code) => code,
        Err(failure) => failure.report(json),
    }
}
