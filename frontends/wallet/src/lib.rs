//! The wallet: what is ours, in every world at once.
//!
//! It owns keys, the scripts that they make, the coins that those have at each block of every branch, and the payments in
//! and out. It promises that what it says of a world is what the ledger has there, and that nothing secret is on the disk in
//! the clear once there is a passphrase. It refuses sockets and threads: JSON-RPC, gRPC and the command line are built on it.

mod coins;
mod payment;
mod record;
mod row;
mod slot;

pub use coins::{Balance, OwnCoin, Place, State};
pub use payment::PaymentState;
pub use record::Record;
pub use row::RowFault;
pub use slot::{DescriptorNumber, Slot};
