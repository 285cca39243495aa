//! Owns how a payment is made: what is asked for, which coins it takes, what it pays, and the unsigned transaction.
//! Promises that a coin which does not exist in the worlds that were chosen is never taken, and that nothing is written
//! while a payment is only planned.
//! Refuses to sign, which the keyring does, and to send, which the mempool does.
//!
//! ```text
//!   Request -> coins of the chosen worlds -> pick -> Plan (a PSBT) -> keys::sign -> Wallet::commit -> mempool
//! ```

mod bump;
mod candidates;
mod child;
mod error;
mod packages;
mod pick;
mod plan;
mod request;

pub use bump::Bump;
pub use child::Child;
pub use error::{Childless, Irreplaceable, Lacking, SpendError};
pub use plan::{FeeSettings, Plan};
pub use request::{ChangeTo, FeeChoice, In, Payee, Request, Scope};
