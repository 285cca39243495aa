//! Owns how blocks, transactions and scripts are shown.
//! Promises the fields of Core's answers, in their order.

mod block;
mod script;
mod transaction;

pub(crate) use block::{block_json, difficulty, header_json, target_hex};
pub(crate) use everett_wallet::keys::{address_of, infer, with_checksum};
pub(crate) use script::{script_json, script_type};
pub(crate) use transaction::{Spent, Verbosity, spent_by_transaction, transaction_json};
