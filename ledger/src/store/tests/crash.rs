//! Processes that die at each write boundary, and at moments of nobody's choosing.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::history::{Contents, SMALL_BLOCKS, Shape};
use super::processes::{ARGUMENTS, this_program, with_role};
use crate::store::failpoint;

/// More steps than any process here gets to do.
const STEPS: usize = 80;

/// How many processes are killed at moments of nobody's choosing; `EVERETT_KILLS` asks for more.
const KILLS: u64 = 28;

fn worker(directory: &Path, failpoint: &str) -> Child {
    with_role(
        Command::new(this_program()).args(ARGUMENTS),
        "worker",
        directory,
    )
    .env(failpoint::VARIABLE, failpoint)
    .stdout(Stdio::piped())
    .stderr(Stdio::null())
    .spawn()
    .unwrap()
}

/// What a line of a process says.
fn step_of(line: io::Result<String>) -> Option<u64> {
    line.ok()?.strip_prefix("done ")?.parse().ok()
}

/// The last step that a dead process reported; `before` if it reported none.
fn reported(child: &mut Child, before: u64) -> u64 {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let last = lines.filter_map(step_of).last().unwrap_or(before);
    assert!(!child.wait().unwrap().success());
    last
}

/// Opens what a crash left, compares it, and goes on a little.
fn check(directory: &Path, reported: u64, references: &[Contents], when: &str) -> u64 {
    let store = SMALL_BLOCKS.open(directory).unwrap();
    let found = Shape::steps(&store);
    assert!(
        found == reported || found == reported + 1,
        "{when}: {reported} reported, {found} found"
    );
    Contents::of(&store).assert_eq(&references[found as usize], when);
    let next = SMALL_BLOCKS.step(&store).unwrap();
    Contents::of(&store).assert_eq(&references[next as usize], when);
    next
}

#[test]
fn a_process_that_dies_at_any_boundary_leaves_its_last_commit() {
    let references = SMALL_BLOCKS.references(STEPS);
    for point in failpoint::POINTS {
        let directory = tempfile::tempdir().unwrap();
        let mut done = 0;
        for count in [1, 2, 5] {
            let when = format!("{point}:{count} after step {done}");
            let mut child = worker(directory.path(), &format!("{point}:{count}"));
            let last = reported(&mut child, done);
            done = check(directory.path(), last, &references, &when);
        }
    }
}

#[test]
fn a_process_killed_at_any_moment_leaves_its_last_commit() {
    let references = SMALL_BLOCKS.references(STEPS);
    let wanted = std::env::var("EVERETT_KILLS").ok();
    let kills = wanted.and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    for round in 0..kills {
        let directory = tempfile::tempdir().unwrap();
        let mut child = worker(directory.path(), "");
        // Let it do a few steps, and then a part of one.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let steps = 1 + round % 14;
        let mut last = lines
            .by_ref()
            .filter_map(step_of)
            .find(|done| *done >= steps)
            .unwrap();
        std::thread::sleep(Duration::from_micros(round * 709 % 3000));
        child.kill().unwrap();
        last = lines.filter_map(step_of).last().unwrap_or(last);
        child.wait().unwrap();
        if (last as usize) + 2 < STEPS {
            check(
                directory.path(),
                last,
                &references,
                &format!("kill {round} after step {last}"),
            );
        }
    }
}
