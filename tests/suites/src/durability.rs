//! Owns random histories of a regtest ledger, and the naive model that says what must be there after each step.
//! Promises that one seed gives one history, bit for bit, in every process.
//! Refuses to share code with the ledger where that would hide a fault: coins, worlds, tips and events are kept anew.
//!
//! ```text
//!   seed -> Random -> Forest (real blocks) + [Operation]      history.rs
//!   Operation -> Model (what must be there)                   model.rs
//!   Operation -> Ledger -> compare with Model                 comparison.rs
//! ```

pub mod comparison;
pub mod forest;
pub mod history;
pub mod model;
