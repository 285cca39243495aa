//! The figures of the lab: what it takes to make one, and how many forks of it can be made and asked.
//!
//! `cargo bench -p everett-lab` prints one line a figure, beside its aim: the median of its rounds. Everything runs on one
//! thread; what the ledger does of its own accord is counted in. `taskset -c 0` before it keeps it on one core.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bitcoin::Amount;
use everett_lab::Lab;

/// Labs made to tell how long one takes.
const LABS: usize = 2_000;
/// Blocks below all forks, and those of each.
const TRUNK: u32 = 120;
const BLOCKS: u32 = 100;
/// Forks in one lab, and labs.
const FORKS: usize = 250;
const ROUNDS: usize = 15;

fn main() {
    let part = std::env::args()
        .skip(1)
        .find(|argument| argument != "--bench");
    let wanted = |name| part.as_deref().is_none_or(|part| part == name);
    if wanted("labs") {
        labs();
    }
    if wanted("forks") {
        forks();
    }
}

fn line(what: &str, measured: String, aim: &str) {
    println!("{what:<68} {measured:>14}   {aim}");
}

/// Processor time of this thread.
fn thread_cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn labs() {
    let times = (0..LABS)
        .map(|seed| {
            let start = Instant::now();
            drop(black_box(Lab::new(seed as u64)));
            start.elapsed()
        })
        .collect();
    let median = median(times);
    line(
        "lab: made and dropped, in memory (median)",
        format!("{:.1} us", median.as_nanos() as f64 / 1e3),
        "microseconds",
    );
}

/// Makes forks of empty blocks from one trunk, and asks each for the balance of whom its coinbases pay.
fn forks() {
    let (mut rates, mut cpu_rates): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    let mut before = None;
    let mut parts = None;
    for round in 0..ROUNDS {
        let lab = Lab::new(round as u64);
        let alice = lab.party("alice");
        let trunk = lab.grow(0, TRUNK).expect("the trunk grows");
        let timings = lab.ledger().stats().expect("figures").timings;
        let (start, cpu_start) = (Instant::now(), thread_cpu());
        for _ in 0..FORKS {
            let tip = lab.grow_to(&alice, &trunk, BLOCKS).expect("the fork grows");
            let balance = tip.balance(&alice.script_hash()).expect("a balance");
            assert_eq!(balance.coins, u64::from(BLOCKS));
            assert!(balance.confirmed > Amount::ZERO);
        }
        let (took, cpu) = (start.elapsed(), thread_cpu() - cpu_start);
        rates.push(FORKS as f64 / took.as_secs_f64());
        cpu_rates.push(FORKS as f64 / cpu.as_secs_f64());
        before = Some(timings);
        parts = Some((lab.ledger().stats().expect("figures").timings, took));
    }
    for (what, mut rates) in [("on the wall", rates), ("of processor time", cpu_rates)] {
        rates.sort_by(f64::total_cmp);
        line(
            &format!("lab: forks of 100 empty blocks made and queried, a second {what}"),
            format!("{:.0} /s", rates[ROUNDS / 2]),
            "over 1,000 /s",
        );
        line(
            "  the same, of the round that other programs disturbed least",
            format!("{:.0} /s", rates[ROUNDS - 1]),
            "",
        );
    }
    let (Some(before), Some((after, took))) = (before, parts) else {
        return;
    };
    let blocks = f64::from(BLOCKS) * FORKS as f64;
    let each = |time: Duration| format!("{:.2} us", time.as_nanos() as f64 / blocks / 1e3);
    line("  of a block: all", each(took), "10 us");
    for (name, time) in [
        ("decoded", after.decode.time - before.decode.time),
        ("checked", after.check.time - before.check.time),
        ("connected", after.connect.time - before.connect.time),
        ("journal", after.journal.time - before.journal.time),
        ("overlay", after.overlay.time - before.overlay.time),
        ("commit", after.commit.time - before.commit.time),
    ] {
        line(&format!("  of a block: {name}"), each(time), "");
    }
}
