//! Owns how a payment is made: what is asked for, which coins it takes, what it pays, and the unsigned transaction.
//! Promises that a coin which does not exist in the worlds that were chosen is never taken, and that nothing is written here.
//! Refuses to sign, which the keyring does, and to send, which the mempool does.
//!
//! ```text
//!   Request -> coins of the chosen worlds -> pick -> Plan (a PSBT) -> keys::sign -> Wallet::pay -> mempool
//! ```

mod ancestry;
mod asked;
mod bump;
mod candidates;
mod child;
mod choose;
mod error;
mod everything;
mod packages;
mod pick;
mod plan;
mod rate;
mod request;
mod settings;
mod shape;
mod versions;

pub use asked::Asked;
pub(crate) use asked::Made;
pub use bump::{Bump, BumpWish};
pub use child::Child;
pub use error::{Childless, Heavy, Irreplaceable, Lacking, Short, SpendError, Unspendable};
pub use plan::{MAX_WEIGHT, Plan};
pub use rate::RateReason;
pub use request::{ChangeTo, FeeChoice, In, Payee, Request, Scope};
pub use settings::FeeSettings;
