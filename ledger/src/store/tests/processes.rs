//! Other processes: this test program again, with a role in the environment.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::fixtures::reader_config;
use super::super::*;
use super::history::{Contents, LARGE_BLOCKS, SMALL_BLOCKS, Shape};
use crate::id::BlockId;

const ROLE: &str = "EVERETT_STORE_TEST_ROLE";
const DIRECTORY: &str = "EVERETT_STORE_TEST_DIRECTORY";

/// The arguments that make this test program play a role.
pub(super) const ARGUMENTS: [&str; 3] = [
    "--exact",
    "store::tests::processes::a_process_of_its_own_plays_the_role_it_is_given",
    "--nocapture",
];

/// This test program, to be started with [`ARGUMENTS`].
pub(super) fn this_program() -> std::path::PathBuf {
    std::env::current_exe().unwrap()
}

/// Gives a command its role.
pub(super) fn with_role<'c>(
    command: &'c mut Command,
    role: &str,
    directory: &Path,
) -> &'c mut Command {
    command
        .env(ROLE, role)
        .env(DIRECTORY, directory)
        .env("RUST_BACKTRACE", "0")
}

#[test]
fn a_process_of_its_own_plays_the_role_it_is_given() {
    let (Ok(role), Ok(directory)) = (std::env::var(ROLE), std::env::var(DIRECTORY)) else {
        return;
    };
    let directory = Path::new(&directory);
    match role.as_str() {
        "worker" => work(SMALL_BLOCKS, directory),
        "fill-tables" => fill(SMALL_BLOCKS, directory),
        "fill-blocks" => fill(LARGE_BLOCKS, directory),
        "reader" => read_on_demand(directory),
        other => panic!("no such role: {other}"),
    }
}

/// Prints after each step how many are done, until killed.
fn work(shape: Shape, directory: &Path) {
    let store = shape.open(directory).unwrap();
    loop {
        let done = shape.step(&store).unwrap();
        println!("done {done}");
    }
}

/// Goes on until nothing more fits, then shows that the store still answers.
fn fill(shape: Shape, directory: &Path) {
    let store = shape.open(directory).unwrap();
    let full = loop {
        match shape.step(&store) {
            Ok(done) => println!("done {done}"),
            Err(error) => break error,
        }
    };
    let before = Contents::of(&store);
    assert!(matches!(full, StoreError::DiskFull { .. }), "{full}");
    println!("full {full}");
    let again = shape.step(&store).unwrap_err();
    assert!(matches!(again, StoreError::DiskFull { .. }), "{again}");
    Contents::of(&store).assert_eq(&before, "after another attempt");
}

/// For each line on stdin answers with the steps and the checksum of the rows that are committed.
fn read_on_demand(directory: &Path) {
    let store = Store::open(reader_config(directory)).unwrap();
    println!();
    for _ in std::io::stdin().lines() {
        let sum = Contents::rows_of(&store).checksum();
        println!("read {} {sum}", Shape::steps(&store));
        let headers = store
            .read()
            .unwrap()
            .headers()
            .unwrap()
            .map(Result::unwrap)
            .collect::<Vec<_>>();
        for position in headers.iter().filter_map(|header| header.position) {
            store.read_block(position).unwrap();
        }
    }
}

#[test]
fn another_process_reads_what_is_committed_while_the_writer_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let store = SMALL_BLOCKS.open(directory.path()).unwrap();
    let mut reader = with_role(
        Command::new(this_program()).args(ARGUMENTS),
        "reader",
        directory.path(),
    )
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut questions = reader.stdin.take().unwrap();
    let mut answers = BufReader::new(reader.stdout.take().unwrap()).lines();
    for done in 1..=13 {
        assert_eq!(SMALL_BLOCKS.step(&store).unwrap(), done);
        // Not committed, so nobody else's business.
        store.append_block(&[0xee; 3000]).unwrap();
        let mut writer = store.write().unwrap();
        writer.put_meta_u64("steps", 999).unwrap();
        writer.put_best(BlockId(999)).unwrap();
        writeln!(questions, "?").unwrap();
        let answer = answers
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.starts_with("read "));
        drop(writer);
        let wanted = Contents::rows_of(&store).checksum();
        assert_eq!(answer.unwrap(), format!("read {done} {wanted}"));
    }
    drop(questions);
    answers.for_each(drop);
    assert!(reader.wait().unwrap().success());
}

#[test]
fn a_second_writing_process_is_refused_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(this_program());
    let mut worker = with_role(command.args(ARGUMENTS), "worker", directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(worker.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(lines.by_ref().any(|line| line.starts_with("done ")));
    let refused = SMALL_BLOCKS.open(directory.path()).map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::InUse { .. }), "{refused}");
    let reader = Store::open(reader_config(directory.path())).unwrap();
    assert!(Shape::steps(&reader) > 0);
    drop(reader);
    worker.kill().unwrap();
    lines.for_each(drop);
    worker.wait().unwrap();
    SMALL_BLOCKS.open(directory.path()).unwrap();
}
