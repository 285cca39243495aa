//! Owns the list of methods about balances, coins, payments and PSBTs.

use super::{balance, coins, history, received, worlds};
use crate::method::Method;

/// What there is.
pub(crate) static METHODS: &[&Method] = &[
    &balance::GETBALANCE,
    &balance::GETBALANCES,
    &balance::GETUNCONFIRMEDBALANCE,
    &coins::LISTLOCKUNSPENT,
    &coins::LISTUNSPENT,
    &coins::LOCKUNSPENT,
    &history::ABANDONTRANSACTION,
    &history::GETTRANSACTION,
    &history::LISTSINCEBLOCK,
    &history::LISTTRANSACTIONS,
    &received::GETRECEIVEDBYADDRESS,
    &received::GETRECEIVEDBYLABEL,
    &received::LISTADDRESSGROUPINGS,
    &received::LISTRECEIVEDBYADDRESS,
    &received::LISTRECEIVEDBYLABEL,
    &worlds::GETBALANCESBYWORLD,
    &worlds::GETPAYMENTSTATES,
    &worlds::GETSAFEBALANCE,
    &worlds::GETWALLETWARNINGS,
];
