use super::*;

#[test]
fn threads_are_counted_as_core_counts_them() {
    assert_eq!(threads(3, 8), 3);
    assert_eq!(threads(16, 2), 16, "more than there are cores is allowed");
    assert_eq!(threads(0, 8), 8);
    assert_eq!(threads(-3, 8), 5);
    assert_eq!(threads(-9, 8), 1, "one always runs");
    assert_eq!(threads(i32::MIN, 8), 1);
    assert_eq!(threads(i32::MAX, 8), MAX_SCRIPT_THREADS);
}

#[test]
fn scripts_run_on_the_threads_that_were_asked_for() {
    let verifier = ScriptVerifier::with_par(3).expect("three threads can be started");
    assert_eq!(verifier.on_threads(rayon::current_num_threads), 3);
}
