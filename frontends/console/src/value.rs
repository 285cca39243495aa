//! Owns the kinds of value that scripts work with: worlds, blocks, transactions, coins and what compares them.
//! Promises that each tells its properties by name, shows itself as text and as JSON, and is equal to its like.
//! Refuses to hold a world open: a value names a block, and asks again.

mod balance;
mod block;
mod coin;
mod difference;
mod output;
mod peer;
mod set;
mod stats;
mod submission;
mod transaction;
mod verdict;
mod wallet;
mod world;

use rhai::Engine;

pub(crate) use balance::BalanceValue;
pub(crate) use block::Block;
pub(crate) use coin::CoinValue;
pub(crate) use difference::{BalanceChangeValue, CoinChangeValue, ConflictValue, DiffValue};
pub(crate) use output::{Input, Output};
pub(crate) use peer::{BanValue, PeerValue, SyncValue};
pub(crate) use set::SetValue;
pub(crate) use stats::StatsValue;
pub(crate) use submission::SubmissionValue;
pub(crate) use transaction::Tx;
pub(crate) use verdict::{Verdict, Verdicts};
pub(crate) use wallet::{
    OwnCoinValue, PaymentStateValue, PaymentValue, SendRequest, WalletBalance, WalletValue,
    WarningValue,
};
pub(crate) use world::WorldValue;

use crate::book::Book;

/// Does something with a value if it is of one of our kinds.
macro_rules! with_shown {
    ($value:expr, |$shown:ident| $body:expr) => {
        crate::value::with_shown!(@ $value, $shown, $body,
            crate::value::WorldValue, crate::value::Block, crate::value::Tx, crate::value::Input,
            crate::value::Output, crate::value::CoinValue, crate::value::BalanceValue,
            crate::value::DiffValue, crate::value::CoinChangeValue,
            crate::value::BalanceChangeValue, crate::value::ConflictValue, crate::value::Verdict,
            crate::value::Verdicts, crate::value::SetValue, crate::value::StatsValue,
            crate::value::SubmissionValue, crate::value::PeerValue, crate::value::SyncValue,
            crate::value::BanValue, crate::value::WalletValue, crate::value::WalletBalance,
            crate::value::OwnCoinValue, crate::value::PaymentValue,
            crate::value::PaymentStateValue, crate::value::WarningValue,
            crate::value::SendRequest, crate::fault::Fault)
    };
    (@ $value:expr, $shown:ident, $body:expr, $($kind:ty),*) => {{
        #[allow(unused_imports)]
        use crate::show::Shown as _;
        loop {
            $(
                if let Some(guard) = $value.read_lock::<$kind>() {
                    let $shown: &$kind = &guard;
                    break Some($body);
                }
            )*
            break None;
        }
    }};
}
pub(crate) use with_shown;

/// Makes all kinds known to an engine.
pub(crate) fn register(engine: &mut Engine, book: &Book) {
    world::register(engine, book);
    block::register(engine, book);
    transaction::register(engine, book);
    output::register(engine, book);
    coin::register(engine, book);
    balance::register(engine, book);
    difference::register(engine, book);
    verdict::register(engine, book);
    set::register(engine, book);
    stats::register(engine, book);
    submission::register(engine, book);
    peer::register(engine, book);
    wallet::register_all(engine, book);
}
