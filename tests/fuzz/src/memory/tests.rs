use std::env;
use std::hint::black_box;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::*;

/// A process that breaks a law ends long before.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "breaks its law on purpose; run in a process of its own by another test"]
fn breaks_a_law_when_there_is_no_memory_left() {
    bounded(0, || {
        let _full: Vec<u8> = black_box(Vec::with_capacity(FIXED - 512));
        panic!("a law is broken");
    });
}

#[test]
#[ignore = "breaks its law on purpose; run in a process of its own by another test"]
fn breaks_a_law_by_taking_too_much_memory() {
    bounded(0, || black_box(Vec::<u8>::with_capacity(FIXED + 1)));
}

#[test]
#[ignore = "breaks its law on purpose; run in a process of its own by another test"]
fn breaks_a_law_by_asking_for_too_much_memory() {
    bounded(0, || {
        black_box(Vec::<u8>::new()).try_reserve(FIXED + 1).is_ok()
    });
}

#[test]
fn a_broken_law_ends_the_process_and_says_why_with_and_without_backtraces() {
    let cases = [
        (
            "breaks_a_law_when_there_is_no_memory_left",
            "a law is broken",
        ),
        (
            "breaks_a_law_by_taking_too_much_memory",
            "memory allocation of",
        ),
        (
            "breaks_a_law_by_asking_for_too_much_memory",
            "bytes were asked for",
        ),
    ];
    for (name, said) in cases {
        for backtrace in ["0", "1", "full"] {
            let mut child = Command::new(env::current_exe().expect("this test"))
                .args(["--ignored", "--nocapture", "--exact"])
                .arg(format!("memory::tests::{name}"))
                .env("RUST_BACKTRACE", backtrace)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the test runs again");
            let began = Instant::now();
            while child.try_wait().expect("it is ours").is_none() {
                if began.elapsed() > PATIENCE {
                    child.kill().expect("it is ours");
                    panic!("{name} hangs with RUST_BACKTRACE={backtrace}");
                }
                sleep(Duration::from_millis(20));
            }
            let output = child.wait_with_output().expect("it is ours");
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success(), "{name}: {text}");
            assert!(text.contains(said), "{name}: {text}");
        }
    }
}
