//! Owns the list of methods about balances, coins, payments and PSBTs.

use super::{balance, bump, coins, history, pay, pruned, psbt, received, worlds};
use crate::method::Method;

/// What there is.
pub(crate) static METHODS: &[&Method] = &[
    &balance::GETBALANCE,
    &balance::GETBALANCES,
    &balance::GETUNCONFIRMEDBALANCE,
    &bump::BUMPFEE,
    &bump::PSBTBUMPFEE,
    &coins::LISTLOCKUNSPENT,
    &coins::LISTUNSPENT,
    &coins::LOCKUNSPENT,
    &history::ABANDONTRANSACTION,
    &history::GETTRANSACTION,
    &history::LISTSINCEBLOCK,
    &history::LISTTRANSACTIONS,
    &pay::SEND,
    &pay::SENDALL,
    &pay::SENDMANY,
    &pay::SENDTOADDRESS,
    &pruned::IMPORTPRUNEDFUNDS,
    &pruned::REMOVEPRUNEDFUNDS,
    &psbt::FUNDRAWTRANSACTION,
    &psbt::SIGNRAWTRANSACTIONWITHWALLET,
    &psbt::SIMULATERAWTRANSACTION,
    &psbt::WALLETCREATEFUNDEDPSBT,
    &psbt::WALLETDISPLAYADDRESS,
    &psbt::WALLETPROCESSPSBT,
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
