//! The law of exactly once: after any crash of node and subscribers, a subscriber's state is a replay at its cursor.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::time::Duration;

use everett_ledger::store::failpoint;
use everett_ledger::{Access, Ledger, LedgerConfig, Policy};
use everett_tests::durability::history::History;
use everett_tests::random::Random;

use super::histories::{Job, ROLES};
use super::sink::{State, chain_to};
use super::support::place;

/// Histories lived through unless `EVERETT_EVENT_CASES` says otherwise.
const CASES: u64 = 6;

/// Most times that the process of one history is killed.
const MAX_KILLS: u64 = 5;

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

#[derive(Default, Debug)]
struct Tally {
    histories: u64,
    kills: BTreeMap<String, u64>,
    states: u64,
    events: u64,
    missed_some: u64,
}

#[test]
fn after_any_crash_of_node_and_subscribers_each_state_is_a_replay_at_its_cursor() {
    let wanted = std::env::var("EVERETT_EVENT_CASES").ok();
    let cases = wanted.map_or(CASES, |cases| cases.parse().expect("a number"));
    let first = std::env::var("EVERETT_EVENT_FIRST").ok();
    let first = first.map_or(5_000, |first| first.parse().expect("a number"));
    let mut tally = Tally::default();
    for seed in first..first + cases {
        live_through(seed, &mut tally);
        tally.histories += 1;
    }
    println!("{tally:#?}");
}

fn live_through(seed: u64, tally: &mut Tally) {
    let mut chance = Random::new(!seed);
    let place = place();
    let mut job = Job {
        directory: place.path().to_path_buf(),
        seed,
        horizon: 0,
        from: 0,
        little_room: chance.percent(25),
        run: 0,
    };
    let history = job.history();
    job.horizon = history.horizon;
    for run in 0..chance.between(1, MAX_KILLS) {
        if job.from == history.operations.len() {
            break;
        }
        job.run = run;
        if chance.percent(20) {
            job.horizon = chance.between(5, 30) as u32;
        }
        let output = match chance.percent(50) {
            true => job.kill_after(Duration::from_micros(chance.between(10_000, 70_000))),
            false => {
                let points = match chance.percent(80) {
                    true => failpoint::POINTS,
                    false => failpoint::ENGINE_POINTS,
                };
                let point = chance.pick(points).copied().unwrap_or("after-commit");
                let count = match failpoint::ENGINE_POINTS.contains(&point) {
                    true => chance.between(1, 3),
                    false => chance.between(1, 30),
                };
                let child = job.start(&format!("{point}:{count}"));
                child.wait_with_output().unwrap()
            }
        };
        examine(&job, &history, &output, tally);
        job.from = job.done().min(history.operations.len());
    }
    // Once to the end, and everyone is told everything.
    job.run = MAX_KILLS;
    let output = job.start("").wait_with_output().unwrap();
    assert!(output.status.success(), "{}", complaint(&job, &output));
    examine(&job, &history, &output, tally);
    let ledger = open(&job, &history);
    let next = ledger.event_log().unwrap().next;
    for role in &ROLES {
        let state = job.sink(role, &history).state;
        if role.policy == Policy::Lossless {
            assert_eq!(state.cursor.seq, next, "{}: all was told", role.name);
        }
        assert_eq!(state.cursor.block, ledger.best().hash(), "{}", role.name);
    }
    tally.events += next;
}

fn open(job: &Job, history: &History) -> Ledger {
    Ledger::open(LedgerConfig {
        access: Access::Reader,
        ..job.config(history)
    })
    .unwrap()
}

fn complaint(job: &Job, output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    format!("{job:?}: {}\n{text}", output.status)
}

/// Compares the states of all subscribers with what is left of the ledger.
fn examine(job: &Job, history: &History, output: &Output, tally: &mut Tally) {
    let cause = match output.status.signal() {
        Some(SIGKILL) => "killed",
        Some(SIGABRT) => "at a write boundary",
        _ if output.status.success() => "lived to the end",
        _ => panic!("{}", complaint(job, output)),
    };
    *tally.kills.entry(cause.to_owned()).or_default() += 1;
    let genesis = history.forest.params().genesis_hash();
    if !job.directory.join("ledger/data.mdb").exists() {
        return;
    }
    let opened = Ledger::open(LedgerConfig {
        access: Access::Reader,
        ..job.config(history)
    });
    // Killed before there was a ledger.
    let Ok(ledger) = opened else {
        assert_eq!(job.done(), 0, "{job:?}: {:?}", opened.err());
        return;
    };
    for role in &ROLES {
        let state = job.sink(role, history).state;
        let when = format!("{} in {job:?}", role.name);
        assert_eq!(
            state.chain,
            chain_to(&ledger, state.cursor.block),
            "{when}: its chain is that of its block"
        );
        assert!(state.whole || job.little_room, "{when}");
        if role.policy == Policy::Lossless && state.whole && !job.little_room {
            let replay = State::replay(&ledger, genesis, state.cursor.seq);
            assert_eq!(state, replay, "{when}: it is a replay at its cursor");
        }
        tally.states += 1;
        tally.missed_some += u64::from(!state.whole);
    }
}
