//! Owns what is read from standard input: secrets without an echo, and further arguments.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// A line that nobody is to see; `None` if there is none.
pub(super) fn secret(prompt: &str) -> Option<String> {
    let stdin = io::stdin();
    let terminal = stdin.is_terminal();
    let before = tcgetattr(&stdin).ok().filter(|_| terminal);
    if let Some(before) = &before {
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(&stdin, OptionalActions::Now, &silent);
        let mut stderr = io::stderr();
        let _ = stderr
            .write_all(prompt.as_bytes())
            .and_then(|()| stderr.flush());
    }
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if let Some(before) = &before {
        let _ = tcsetattr(&stdin, OptionalActions::Now, before);
        println!();
    }
    match read {
        Ok(1..) => Some(line.strip_suffix('\n').unwrap_or(&line).to_owned()),
        _ => None,
    }
}

/// The lines that are left.
pub(super) fn lines() -> Vec<String> {
    let lines: Vec<String> = io::stdin().lock().lines().map_while(Result::ok).collect();
    if io::stdin().is_terminal() {
        println!();
    }
    lines
}
