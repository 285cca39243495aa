//! Owns what nobody is to see: passphrases, keys and words, from a file, a terminal without an echo, or standard input.
//! Promises that what was read is wiped when it was used; refuses them as arguments, which others on the machine can read.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// Longest secret that is read, in bytes: a descriptor with many keys is shorter.
const MAX_SECRET_BYTES: u64 = 1 << 20;

/// A line that nobody is to see; `None` if there is none.
pub(crate) fn line(prompt: &str) -> Option<Zeroizing<String>> {
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
    let mut line = Zeroizing::new(String::new());
    let read = stdin.lock().take(MAX_SECRET_BYTES).read_line(&mut line);
    if let Some(before) = &before {
        let _ = tcsetattr(&stdin, OptionalActions::Now, before);
        let _ = writeln!(io::stderr());
    }
    match read {
        Ok(1..) => Some(Zeroizing::new(
            line.trim_end_matches(['\n', '\r']).to_owned(),
        )),
        _ => None,
    }
}

/// A secret: the first line of a file, or what is typed or piped in.
pub(crate) fn read(what: &str, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    let missing = |from: &str| Failure::usage(format!("{what} is missing{from}"));
    let Some(path) = file else {
        return line(&format!("{what}: ")).ok_or_else(|| {
            missing(": type it, pipe it in, or name a file with --passphrase-file")
        });
    };
    let fail = |error: io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(MAX_SECRET_BYTES)
        .read_to_string(&mut text)
        .map_err(fail)?;
    let first = text.lines().next().unwrap_or_default();
    match first.is_empty() {
        true => Err(missing(&format!(" in {}", path.display()))),
        false => Ok(Zeroizing::new(first.to_owned())),
    }
}

/// A new passphrase; on a terminal it is asked for twice.
pub(crate) fn read_new(what: &str, file: Option<&Path>) -> Result<Zeroizing<String>, Failure> {
    let first = read(what, file)?;
    if first.is_empty() {
        return Err(Failure::usage(format!("{what} is empty")));
    }
    if file.is_none() && io::stdin().is_terminal() {
        let again = line("the same again: ").unwrap_or_default();
        if *first != *again {
            return Err(Failure::usage(
                "the two are not the same; nothing was changed",
            ));
        }
    }
    Ok(first)
}
