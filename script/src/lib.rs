//! Bitcoin script: interpreter, signature hashes, sigop counts, verification flags.
//! Promises Bitcoin Core's verdict, error and count for every input under every set of flags.
//! Refuses I/O and state: what a script needs to know of the chain is handed to it.

pub mod flags;
pub mod instruction;
pub mod opcode;
pub mod program;
pub mod sigops;
mod spent_output;

pub use flags::Flags;
pub use sigops::{legacy_sigops, p2sh_sigops, transaction_sigop_cost, witness_sigops};
pub use spent_output::SpentOutput;
