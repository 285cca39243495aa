//! Owns chapters of the book whose commands are run as they are written.
//!
//! ```text
//! sh block        definitions, run as they stand
//! python block    a file, by the name in its first line: # NAME
//! console block   `$ command`, with `> ` on lines that go on; then all that it prints, and `[N]` where it exits with N
//! ```
//!
//! `…` in what is printed stands for anything in the line, and as a line of its own for any number of lines. Promises that
//! processes which a chapter starts end with it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long one command of a chapter may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// What stands between the answers of two commands.
const MARK: &str = "=-=-= exit";

/// Something that is to be done.
enum Step {
    /// Definitions.
    Define(String),
    /// A file and its text.
    Write(String, String),
    /// A command, and what it prints.
    Run(String, Vec<String>),
}

/// What a chapter says is to be done.
fn steps(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```").filter(|rest| !rest.is_empty()) else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let all = block.join("\n") + "\n";
        match language {
            "sh" => steps.push(Step::Define(all)),
            "python" => {
                let name = block[0].strip_prefix("# ").expect("a name");
                steps.push(Step::Write(name.to_owned(), all));
            }
            "console" => {
                for line in block {
                    match (
                        line.strip_prefix("$ "),
                        line.strip_prefix("> "),
                        steps.last_mut(),
                    ) {
                        (Some(command), ..) => {
                            steps.push(Step::Run(command.to_owned(), Vec::new()));
                        }
                        (_, Some(more), Some(Step::Run(command, printed)))
                            if printed.is_empty() =>
                        {
                            command.push('\n');
                            command.push_str(more);
                        }
                        (_, _, Some(Step::Run(_, printed))) => printed.push(line.to_owned()),
                        _ => panic!("{line} belongs to no command"),
                    }
                }
            }
            _ => {}
        }
    }
    steps
}

/// Whether lines are what a chapter says; `…` stands for anything.
fn matches(wanted: &[String], found: &[String]) -> bool {
    match (wanted.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "…" => {
            (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]))
        }
        (Some((first, rest)), Some((line, more))) => {
            line_matches(first, line) && matches(rest, more)
        }
        _ => false,
    }
}

fn line_matches(wanted: &str, found: &str) -> bool {
    match wanted.split_once('…') {
        None => wanted == found,
        Some((before, rest)) => found.strip_prefix(before).is_some_and(|found| {
            let mut ends = found.char_indices().map(|(at, _)| at).chain([found.len()]);
            ends.any(|end| line_matches(rest, &found[end..]))
        }),
    }
}

/// A shell that a chapter is typed into.
pub(crate) struct Chapter {
    shell: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Chapter {
    /// One in a directory, with further directories before the others on the path.
    pub(crate) fn begin(directory: &Path, path: &[&Path]) -> Chapter {
        let binary = Path::new(env!("CARGO_BIN_EXE_everett"));
        let mut places: Vec<&Path> = vec![binary.parent().unwrap()];
        places.extend(path);
        let others = std::env::var_os("PATH").unwrap_or_default();
        let others: Vec<_> = std::env::split_paths(&others).collect();
        places.extend(others.iter().map(|path| path.as_path()));
        let mut shell = Command::new("bash")
            .args(["--norc", "-s"])
            .current_dir(directory)
            .env("PATH", std::env::join_paths(places).unwrap())
            .env("HOME", directory)
            .env("NO_COLOR", "1")
            .env_remove("EVERETT_WEBUI")
            .env_remove("EVERETT_LOG")
            .env_remove("EVERETT_TOKEN")
            .env_remove("EVERETT_GRPC_TOKEN")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = shell.stdout.take().unwrap();
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let read = BufReader::new(stdout).lines();
            read.map_while(Result::ok)
                .all(|line| sender.send(line).is_ok())
        });
        let stdin = shell.stdin.take().unwrap();
        let mut chapter = Chapter {
            shell,
            stdin,
            lines,
        };
        // Whatever becomes of the test, the shell ends with its input, and what it started ends with the shell.
        chapter.run("exec 2>&1; trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT");
        chapter
    }

    /// Does all that a chapter says, with some words in it replaced.
    pub(crate) fn follow(&mut self, directory: &Path, text: &str, replace: &[(String, String)]) {
        let replaced = |text: &str| {
            let mut text = text.to_owned();
            for (from, to) in replace {
                text = text.replace(from, to);
            }
            text
        };
        let mut commands = 0;
        for step in steps(text) {
            match step {
                Step::Define(text) => assert_eq!(self.run(&replaced(&text)), Vec::<String>::new()),
                Step::Write(name, text) => {
                    std::fs::write(directory.join(name), replaced(&text)).unwrap();
                }
                Step::Run(command, wanted) => {
                    let found = self.run(&replaced(&command));
                    assert!(
                        matches(&wanted, &found),
                        "$ {command}\nis to print\n{}\nand printed\n{}\n{}",
                        wanted.join("\n"),
                        found.join("\n"),
                        logs(directory),
                    );
                    commands += 1;
                }
            }
        }
        assert!(commands > 0, "there are no commands in it");
    }

    /// What a command prints, with `[N]` behind it where it fails.
    fn run(&mut self, command: &str) -> Vec<String> {
        writeln!(self.stdin, "{command}\nprintf '{MARK} %s\\n' $?").unwrap();
        let mut printed = Vec::new();
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| {
                panic!("$ {command}\nhas printed {printed:?} and does not end")
            });
            match line.split_once(MARK) {
                None => printed.push(line),
                Some((rest, code)) => {
                    // What does not end with its line.
                    printed.extend((!rest.is_empty()).then(|| rest.to_owned()));
                    if code.trim() != "0" {
                        printed.push(format!("[{}]", code.trim()));
                    }
                    return printed;
                }
            }
        }
    }
}

/// The ends of all logs, for who has to find out why.
fn logs(directory: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let log = std::fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = log
                .lines()
                .filter(|line| !line.contains(" TRACE "))
                .collect();
            let last = lines[lines.len().saturating_sub(20)..].join("\n");
            text.push_str(&format!("--- {}\n{last}\n", path.display()));
        }
    }
    text
}

impl Drop for Chapter {
    fn drop(&mut self) {
        let _ = writeln!(self.stdin, "exit");
        let _ = self.shell.wait();
    }
}

#[test]
fn a_chapter_is_matched_line_by_line() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    for (wanted, found, fits) in [
        ("a\n…\nc", "a\nb\nb\nc", true),
        ("a\n…\nc", "a\nc", true),
        ("a …, 1 c", "a b, 1 c", true),
        ("a …", "b", false),
        ("", "b", false),
        ("a", "a\nb", false),
    ] {
        assert_eq!(
            matches(&lines(wanted), &lines(found)),
            fits,
            "{wanted} {found}"
        );
    }
}
