//! Bitcoin script: interpreter, signature hashes, sigop counts, verification flags.
//! Promises Bitcoin Core's verdict, error and count for every input under every set of flags.
//! Refuses I/O and state: what a script needs to know of the chain is handed to it.
//!
//! The way of an input: [`PreparedTransaction`] (the transaction, its spent outputs, the hashes that its
//! inputs share) -> [`verify_script`] (scriptSig, script pubkey, redeem script) -> [`witness`] -> the
//! [`interpreter`] -> a [`checker`] that knows the transaction -> [`sighash`] and libsecp256k1.

pub mod assembly;
pub mod checker;
pub mod conditions;
pub mod error;
pub mod flags;
mod hash;
pub mod instruction;
pub mod interpreter;
pub mod number;
pub mod opcode;
pub mod policy;
pub mod prepared;
pub mod program;
pub mod sighash;
pub mod signature;
pub mod sigops;
mod spent_output;
pub mod stack;
pub mod trace;
pub mod verify;
pub mod witness;

pub use checker::{Checker, InputChecker, NoTransaction};
pub use error::ScriptError;
pub use flags::Flags;
pub use prepared::{InputError, PreparedTransaction, SpentOutputCount};
pub use sigops::{legacy_sigops, p2sh_sigops, transaction_sigop_cost, witness_sigops};
pub use spent_output::SpentOutput;
pub use verify::{verify_script, verify_script_watched};
