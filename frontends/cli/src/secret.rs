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

/// Where a secret comes from.
#[derive(Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// It is typed or piped in; the command takes it from nowhere else.
    Input,
    /// It is the first line of the file that an option of this name gives, or typed or piped in where that is not given.
    FileOption(&'static str, Option<&'a Path>),
}

impl<'a> Origin<'a> {
    /// The file, where one was named.
    fn file(self) -> Option<&'a Path> {
        match self {
            Origin::Input => None,
            Origin::FileOption(_, file) => file,
        }
    }
}

/// A secret: the first line of a file, or what is typed or piped in.
pub(crate) fn read(what: &str, from: Origin<'_>) -> Result<Zeroizing<String>, Failure> {
    let missing = |why: &str| Failure::usage(format!("{what}: {why}"));
    let Some(path) = from.file() else {
        let otherwise = match from {
            Origin::Input => String::new(),
            Origin::FileOption(option, _) => format!(", or name a file with {option}"),
        };
        return line(&format!("{what}: ")).ok_or_else(|| {
            missing(&format!(
                "nothing was given; type it, or pipe it in{otherwise}"
            ))
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
        true => Err(missing(&format!(
            "nothing is in the first line of {}",
            path.display()
        ))),
        false => Ok(Zeroizing::new(first.to_owned())),
    }
}

/// A new passphrase; on a terminal it is asked for twice.
pub(crate) fn read_new(what: &str, from: Origin<'_>) -> Result<Zeroizing<String>, Failure> {
    let first = read(what, from)?;
    if first.is_empty() {
        return Err(Failure::usage(format!("{what} is empty")));
    }
    if from.file().is_none() && io::stdin().is_terminal() {
        let again = line("the same again: ").unwrap_or_default();
        if *first != *again {
            return Err(Failure::usage(
                "the two are not the same; nothing was changed",
            ));
        }
    }
    Ok(first)
}
