//! Owns by which name the program was called: as itself, or in place of one of Core's.
//! Promises that a link or a copy named `bitcoind` or `bitcoin-cli` is one.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use crate::{bitcoin_cli, bitcoind};

/// One of Core's programs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Program {
    Daemon,
    Client,
}

/// Which of them a whole command line means, and the arguments that are its own.
fn program(line: &[OsString]) -> Option<(Program, &[OsString])> {
    let own = line.first().map(Path::new).and_then(Path::file_name);
    match own.and_then(OsStr::to_str) {
        Some("bitcoind" | "everett-bitcoind") => return Some((Program::Daemon, &line[1..])),
        Some("bitcoin-cli" | "everett-bitcoin-cli") => return Some((Program::Client, &line[1..])),
        _ => {}
    }
    match line.get(1).and_then(|word| word.to_str()) {
        Some("bitcoind") => Some((Program::Daemon, &line[2..])),
        Some("cli") => Some((Program::Client, &line[2..])),
        _ => None,
    }
}

/// Runs the one that is meant, if one is.
pub(crate) fn run(line: &[OsString]) -> Option<ExitCode> {
    let (program, rest) = program(line)?;
    let rest = rest.to_vec();
    Some(match program {
        Program::Daemon => bitcoind::main(rest),
        Program::Client => bitcoin_cli::main(rest),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_or_a_first_word_chooses_the_program() {
        let meant = |line: &[&str]| {
            let line: Vec<OsString> = line.iter().map(OsString::from).collect();
            program(&line).map(|(program, rest)| (program, rest.len()))
        };
        assert_eq!(
            meant(&["/x/bitcoind", "-regtest"]),
            Some((Program::Daemon, 1))
        );
        assert_eq!(meant(&["bitcoin-cli", "cli"]), Some((Program::Client, 1)));
        assert_eq!(meant(&["everett", "bitcoind"]), Some((Program::Daemon, 0)));
        assert_eq!(
            meant(&["./everett", "cli", "-getinfo"]),
            Some((Program::Client, 1))
        );
        assert_eq!(meant(&["everett", "run"]), None);
        assert_eq!(meant(&[]), None);
    }
}
