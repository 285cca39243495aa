//! Events and their subscribers: what was told once is told for good, whatever crashes, and what is gone is said to be.
//!
//! `EVERETT_EVENT_CASES=500 cargo test -p everett-tests --test events -- --nocapture` is the full run of the histories
//! with crashes (default 6). `EVERETT_DURABILITY_DIRECTORY` names a place for their data directories.

mod crashes;
mod frontends;
mod histories;
mod quotas;
mod resuming;
mod sink;
mod sixty_forks;
mod support;
