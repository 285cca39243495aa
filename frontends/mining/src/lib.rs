//! Blocks that are made here: on the best world or any other, of pending transactions or of chosen ones.
//!
//! It owns the choice of transactions, Bitcoin Core's coinbase, the times and versions of headers, and the search for a
//! nonce. It promises the template that Bitcoin Core 31 makes of the same mempool and clock, and on regtest the same blocks
//! byte for byte. It refuses sockets and miners' protocols: JSON-RPC is built on it.
//!
//! ```text
//!   Mempool::view -> chunks in mining order -> fill (weight, signature operations, least fee) -> BlockTemplate
//!   BlockTemplate -> Template: coinbase, witness commitment, merkle root -> checked by the ledger -> nonce -> submitted
//! ```

mod config;
mod deployment;
mod error;
mod fill;
mod miner;
mod on_parent;
mod proof_of_work;
mod template;

pub use config::{
    DEFAULT_BLOCK_MIN_FEE, DEFAULT_RESERVED_WEIGHT, InvalidWeight, MIN_RESERVED_WEIGHT,
    MiningConfig, RESERVED_SIGOPS,
};
pub use deployment::{
    DeploymentState, PERIOD, SignalTimes, Since, TEST_BIT, THRESHOLD, TestDeployment,
};
pub use error::{GenerateError, MineError, TemplateError};
pub use fill::Chosen;
pub use miner::{Assembled, BlockTemplate, DEFAULT_MAX_TRIES, Generated, Miner};
pub use on_parent::{fees, mine};
pub use proof_of_work::{MAX_EXPECTED_HASHES, Search, search};
pub use template::{Template, witness_commitment};
