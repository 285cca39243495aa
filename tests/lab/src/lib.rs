//! Everett's lab kit: build, fork and replay chains on a ledger.

pub use everett_scenario::{
    AddressKind, MineError, Party, PlayError, Played, PlayedWorld, Scenario, ScenarioError,
    assemble, mine, party, scenario,
};
