//! Five nodes, joined by links that are slow, break and heal, under one seeded scheduler with a clock of its own: what
//! runs is the protocol, the connections (bytes through `everett_net::Session`) and the ledgers of the real node, without
//! its threads and sockets.
//!
//! Blocks are mined on any tip of any node; nodes crash and come back with what their directory holds; the network falls
//! into halves and is joined. In the end all agree on the best block, and each has a world at every block ever mined,
//! with the coins of the naive ledger.
//!
//! `EVERETT_SIM_SEEDS` sets how many seeds are run (default 3), `EVERETT_SIM_FIRST` the first of them (default 1), and
//! `EVERETT_SIM_TRACE=1` prints what happens. A seed does the same each time.

mod links;
mod node;
mod simulation;

use simulation::Simulation;

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().expect("a number"))
}

#[test]
fn whatever_happens_to_five_nodes_they_converge_and_hold_every_world() {
    let first = setting("EVERETT_SIM_FIRST", 1);
    for seed in first..first + setting("EVERETT_SIM_SEEDS", 3) {
        let summary = Simulation::new(seed).run();
        eprintln!("seed {seed}: {summary}");
    }
}

#[test]
fn a_seed_does_the_same_each_time() {
    let seed = setting("EVERETT_SIM_FIRST", 1);
    let once = Simulation::new(seed).run();
    let again = Simulation::new(seed).run();
    assert_eq!(once, again);
}
