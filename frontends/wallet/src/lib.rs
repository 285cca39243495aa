//! The wallet: what is ours, in every world at once.
//!
//! It owns keys, the scripts that they make, the coins that those have at each block of every branch, and the payments in
//! and out. It promises that what it says of a world is what the ledger has there, and that nothing secret is on the disk in
//! the clear once there is a passphrase. It refuses sockets and threads: JSON-RPC, gRPC and the command line are built on it.
//!
//! ```text
//!   blocks of every branch, mempool -> follow -> Book (keys, records, timeline) -> file
//!   question about a world -> Wallet::view -> View: balance, coins, payments, what is safe
//!   what changed -> Picture -> WalletEvents: payments, balances, warnings
//!   payment -> Request -> Wallet::pay -> coins of all live worlds -> sign -> mempool
//! ```

mod address;
mod balance;
mod book;
mod coins;
mod config;
mod error;
mod events;
mod follow;
pub mod keys;
pub mod labels;
mod locked;
mod owed;
mod payment;
mod picture;
mod record;
mod request_id;
mod safe;
mod scanned;
mod since;
mod slot;
pub mod spend;
mod spendable;
mod spenders;
mod standing;
mod still;
pub mod store;
mod time_lock;
mod trust;
mod unnamed;
mod verify;
mod view;
mod wallet;
mod wallets;

pub use address::{AddressError, read_address};
pub use balance::{Held, WorldBalance};
pub use book::OwnOutput;
pub use coins::{Balance, OwnCoin, Place, State};
pub use config::{DEFAULT_KEYPOOL, MAX_NAME_BYTES, MAX_UNLOCKED, WalletConfig};
pub use error::WalletError;
pub use events::{Cleared, MAX_EVENTS, MissedEvents, WalletEvent, WalletEventKind, WalletEvents};
pub use follow::Progress;
pub use keys::{Chain, KeyError, Keyring, OutputType};
pub use labels::{Label, LabelKind, Labels, Purpose};
pub use payment::PaymentState;
pub use record::Record;
pub use request_id::{BadRequestId, MAX_REQUEST_ID_BYTES, RequestId};
pub use safe::{DEFAULT_WARN_BLOCKS, Safe, Warning};
pub use since::first_block_since;
pub use slot::{DescriptorNumber, Slot};
pub use spendable::Spendable;
pub use still::Still;
pub use store::{FileError, Step, Table, WalletFile, WalletFlags};
pub use time_lock::TimeLock;
pub use verify::{CoinState, CoinThere, MAX_VERIFIED_INPUTS, Verified, VerifiedInput};
pub use view::View;
pub use wallet::{Bumped, Paid, Prepared, ScanProgress, ScanTurn, SendTerms, Wallet};
pub use wallets::{MAX_WALLETS, NewWallet, Wallets};
