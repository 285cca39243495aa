//! Owns what is read from standard input: secrets without an echo, and further arguments.

use std::io::{self, BufRead, IsTerminal};

/// A line that nobody is to see; `None` if there is none.
pub(super) fn secret(prompt: &str) -> Option<String> {
    crate::secret::line(prompt).map(|line| line.to_string())
}

/// The lines that are left.
pub(super) fn lines() -> Vec<String> {
    let lines: Vec<String> = io::stdin().lock().lines().map_while(Result::ok).collect();
    if io::stdin().is_terminal() {
        println!();
    }
    lines
}
