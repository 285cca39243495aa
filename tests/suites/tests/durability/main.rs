//! Crashes, full disks, other processes, damaged files: what was answered for is there, and nothing else.
//!
//! `EVERETT_KILLS=300 cargo test -p everett-tests --test durability -- --nocapture` is the full run.
//! `EVERETT_DURABILITY_DIRECTORY` names a place for the data directories; without it they lie in memory if they can.

mod damage;
mod full_disk;
mod kills;
mod neighbours;
mod processes;
mod reorganisations;
mod small_disk;
mod wallets;
