//! The walk-throughs of the book, run as they are written: each command of a chapter, and what it says.
//!
//! In a block marked `console` a line that begins with `$ ` is a command, `> ` continues it, and the other lines are what comes
//! out. There `…` stands for anything in a line, and alone for any number of lines. Ports are exchanged for free ones.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use everett_tests::ports::free_port;

/// How long a chapter may take.
const PATIENCE_SECONDS: &str = "240";

/// A command, and what is to come out of it.
struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn chapter(name: &str) -> String {
    let path = root().join("docs/src").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The commands of a chapter, in their order.
fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with("```") {
            inside = !inside && line == "```console";
        } else if !inside {
            continue;
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                line: index + 1,
                command: command.to_owned(),
                expected: Vec::new(),
            });
        } else {
            let step = steps.last_mut().expect("a block begins with a command");
            match line.strip_prefix("> ") {
                Some(more) => step.command.push_str(&format!("\n{more}")),
                None => step.expected.push(line.to_owned()),
            }
        }
    }
    steps
}

/// Numbers between these are ports of the chapters' nodes.
fn is_port(number: &str) -> bool {
    let range = [8370..8400, 18440..18460];
    let number = number.parse::<u16>();
    number.is_ok_and(|number| range.iter().any(|range| range.contains(&number)))
}

/// The same text with free ports in place of those that are written.
fn with_free_ports(text: &str) -> String {
    let mut known: Vec<(&str, u16)> = Vec::new();
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let end = rest[start..].find(|c: char| !c.is_ascii_digit());
        let end = end.map_or(rest.len(), |end| start + end);
        let number = &rest[start..end];
        result.push_str(&rest[..start]);
        match is_port(number) {
            true => {
                let found = known.iter().find(|(name, _)| *name == number);
                let port = found.map(|(_, port)| *port).unwrap_or_else(|| {
                    let port = free_port();
                    known.push((number, port));
                    port
                });
                result.push_str(&port.to_string());
            }
            false => result.push_str(number),
        }
        rest = &rest[end..];
    }
    result.push_str(rest);
    result
}

/// Whether a line is as expected, where `…` stands for anything.
fn is_like(line: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn are_like(lines: &[&str], expected: &[String]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((first, others)) if first == "…" => {
            (0..=lines.len()).any(|skipped| are_like(&lines[skipped..], others))
        }
        Some((first, others)) => match lines.split_first() {
            Some((line, lines)) => is_like(line, first) && are_like(lines, others),
            None => false,
        },
    }
}

/// Makes a program callable by a name.
fn link(directory: &Path, name: &str, program: &Path) {
    std::os::unix::fs::symlink(program, directory.join(name)).unwrap();
}

/// Runs a chapter's commands in a directory of its own, and holds what comes out against what is written. `programs` are called
/// by their names.
fn walk(name: &str, programs: &[(&str, &Path)]) {
    for tool in ["bash", "curl", "less"] {
        if Command::new(tool)
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_err()
        {
            eprintln!("skipped: there is no {tool} here");
            return;
        }
    }
    let steps = steps(&with_free_ports(&chapter(name)));
    assert!(!steps.is_empty(), "{name} has no commands");
    let directory = tempfile::tempdir().unwrap();
    let [bin, said, work] = ["bin", "said", "work"].map(|name| directory.path().join(name));
    for made in [&bin, &said, &work] {
        std::fs::create_dir(made).unwrap();
    }
    link(&bin, "everett", Path::new(env!("CARGO_BIN_EXE_everett")));
    for (name, program) in programs {
        link(&bin, name, program);
    }
    // One shell for all of them: what one sets, the next ones have.
    let mut script = "trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT\n".to_owned();
    for (index, step) in steps.iter().enumerate() {
        let file = said.join(index.to_string());
        let file = file.display();
        script += &format!(
            "{{\n{}\n}} > {file} 2>&1\necho $? > {file}.code\n",
            step.command
        );
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let status = Command::new("timeout")
        .args([
            "--kill-after",
            "10",
            PATIENCE_SECONDS,
            "bash",
            "-c",
            &script,
        ])
        .current_dir(&work)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HOME", directory.path())
        .env_remove("EVERETT_LOG")
        .env_remove("EVERETT_TOKEN")
        .env_remove("EVERETT_WEBUI")
        .stdin(Stdio::null())
        .status()
        .unwrap();
    for (index, step) in steps.iter().enumerate() {
        let file = said.join(index.to_string());
        let came = std::fs::read_to_string(&file).unwrap_or_default();
        let code = std::fs::read_to_string(file.with_extension("code")).unwrap_or_default();
        let place = format!("docs/src/{name}:{}: $ {}", step.line, step.command);
        assert_eq!(
            code.trim(),
            "0",
            "{place}\nended so ({status}), and said:\n{came}"
        );
        let lines: Vec<&str> = came.lines().map(str::trim_end).collect();
        let expected = step.expected.join("\n");
        assert!(
            are_like(&lines, &step.expected),
            "{place}\nsaid:\n{came}\nand not:\n{expected}"
        );
    }
}

#[test]
fn a_node_to_play_with() {
    walk("walk-node.md", &[]);
}

#[test]
fn the_library_counts_what_a_pool_announces() {
    // Without naming its package, or the dependencies would be built once more, with the features that it wants alone.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--example", "inv_count"])
        .current_dir(root())
        .status()
        .unwrap();
    assert!(built.success());
    let directory = Path::new(env!("CARGO_BIN_EXE_everett")).parent().unwrap();
    let example = directory.join("examples/inv_count");
    walk("walk-library.md", &[("inv_count", &example)]);
    // The program in the chapter is the example, to the letter.
    let source = std::fs::read_to_string(root().join("net/examples/inv_count.rs")).unwrap();
    let chapter = chapter("walk-library.md");
    let shown = chapter.split("```rust,ignore\n").nth(1).unwrap();
    let shown = shown.split("```").next().unwrap();
    assert_eq!(shown, source);
}

#[test]
fn one_payment_in_two_worlds_for_every_frontend() {
    walk("walk-two-worlds.md", &[]);
}

#[test]
fn the_dots_stand_for_anything() {
    let expected = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    assert!(are_like(&["a 1 b", "c"], &expected("a … b\nc")));
    assert!(are_like(&["a", "x", "y", "c"], &expected("a\n…\nc")));
    assert!(are_like(&[], &expected("…")));
    for wrong in ["a … b", "a … c\nc", "a 1 b\nc\nd", "", "… a\nc"] {
        assert!(!are_like(&["a 1 b", "c"], &expected(wrong)), "{wrong}");
    }
}
