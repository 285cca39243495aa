//! The wallet: what is ours, in every world at once.
//!
//! It owns keys, the scripts that they make, the coins that those have at each block of every branch, and the payments in
//! and out. It promises that what it says of a world is what the ledger has there, and that nothing secret is on the disk in
//! the clear once there is a passphrase. It refuses sockets and threads: JSON-RPC, gRPC and the command line are built on it.

mod config;
mod error;
pub mod keys;
pub mod labels;
mod slot;
pub mod store;

pub use config::{DEFAULT_KEYPOOL, WalletConfig};
pub use error::WalletError;
pub use keys::{Chain, KeyError, Keyring, OutputType};
pub use labels::{Label, LabelKind, Labels, Purpose};
pub use slot::{DescriptorNumber, Slot};
pub use store::{FileError, Step, Table, WalletFile, WalletFlags};
