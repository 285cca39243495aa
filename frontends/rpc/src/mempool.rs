//! Owns the methods about transactions that wait for a block.
//! Promises Core's fields, in its order, and its refusals; no view of the mempool is held across another call of it.
//! Refuses private broadcast: what is given in here is told to peers as any other transaction.

mod entry;
mod fees;
mod info;
mod package;
mod persist;
mod pool;
mod spender;
mod submit;
mod test;

use std::sync::Arc;

use bitcoin::Transaction;
use everett_ledger::decode::DecodedTransaction;
use everett_mempool::{FeeRate, MAX_PACKAGE_COUNT, View};

pub(crate) use info::GETMEMPOOLINFO;
pub(crate) use pool::GETRAWMEMPOOL;

use crate::call::Call;
use crate::error::{DESERIALIZATION_ERROR, RpcError, VERIFY_ERROR};
use crate::json::Json;
use crate::method::Method;
use crate::rawtransactions::parse_amount;
use crate::transaction::{decode_hex, is_sane_script};

/// What there is.
pub(crate) static METHODS: &[&Method] = &[
    &entry::GETMEMPOOLANCESTORS,
    &entry::GETMEMPOOLCLUSTER,
    &entry::GETMEMPOOLDESCENDANTS,
    &entry::GETMEMPOOLENTRY,
    &fees::ESTIMATERAWFEE,
    &fees::ESTIMATESMARTFEE,
    &info::GETMEMPOOLFEERATEDIAGRAM,
    &info::GETMEMPOOLINFO,
    &package::SUBMITPACKAGE,
    &persist::IMPORTMEMPOOL,
    &persist::SAVEMEMPOOL,
    &pool::GETRAWMEMPOOL,
    &spender::GETTXSPENDINGPREVOUT,
    &submit::SENDRAWTRANSACTION,
    &test::TESTMEMPOOLACCEPT,
];

/// What waits; in a world that is named, what would wait there if it were the best one.
pub(crate) fn view(call: &Call) -> Result<View<'_>, RpcError> {
    let mempool = call.handle().mempool();
    Ok(match call.names_world() {
        true => mempool.view_on(&call.world()?)?,
        false => mempool.view()?,
    })
}

/// Satoshis in a bitcoin: a fee rate of so much for 1,000 virtual bytes is taken for a mistake of units.
const COIN: i64 = 100_000_000;
/// The fee rate for 1,000 virtual bytes above which a transaction is refused, unless another one is given.
const DEFAULT_MAX_FEE_RATE: i64 = COIN / 10;

/// The fee rate above which a transaction is refused; 0 for none.
fn max_fee_rate(value: Option<&Json>) -> Result<FeeRate, RpcError> {
    let Some(value) = value else {
        return Ok(FeeRate::per_kvb(DEFAULT_MAX_FEE_RATE));
    };
    match parse_satoshis(value)? {
        sat if sat >= COIN => Err(RpcError::parameter(
            "Fee rates larger than or equal to 1BTC/kvB are not accepted",
        )),
        sat => Ok(FeeRate::per_kvb(sat)),
    }
}

/// Satoshis that an output may burn.
fn max_burn(value: Option<&Json>) -> Result<i64, RpcError> {
    value.map_or(Ok(0), parse_satoshis)
}

fn parse_satoshis(value: &Json) -> Result<i64, RpcError> {
    let amount = parse_amount(value)?;
    Ok(i64::try_from(amount.to_sat()).unwrap_or(i64::MAX))
}

/// The transaction that a text stands for.
fn read(text: &str) -> Option<Arc<DecodedTransaction>> {
    let transaction = decode_hex(text, false, true)?;
    Some(Arc::new(DecodedTransaction::new(transaction)))
}

/// The transactions of a list that may be judged together.
fn read_all(
    list: &Json,
    check: impl Fn(&Transaction) -> Result<(), RpcError>,
) -> Result<Vec<Arc<DecodedTransaction>>, RpcError> {
    let one = |value: &Json| {
        let text = value.text()?;
        let tx = read(text).ok_or_else(|| {
            let message =
                format!("TX decode failed: {text} Make sure the tx has at least one input.");
            RpcError::new(DESERIALIZATION_ERROR, message)
        })?;
        check(&tx.tx)?;
        Ok(tx)
    };
    list.array()?.iter().map(one).collect()
}

/// A list of as many transactions as may be judged together.
fn check_count(list: &Json) -> Result<(), RpcError> {
    match list.array()?.len() {
        1..=MAX_PACKAGE_COUNT => Ok(()),
        _ => Err(RpcError::parameter(format!(
            "Array must contain between 1 and {MAX_PACKAGE_COUNT} transactions."
        ))),
    }
}

/// Refuses outputs that nobody can spend, of more than so many satoshis.
fn check_burn(transaction: &Transaction, most: i64) -> Result<(), RpcError> {
    let burns = transaction.output.iter().any(|output| {
        let script = &output.script_pubkey;
        // A negative amount lies in memory as a huge one.
        let sat = output.value.to_sat() as i64;
        (script.is_op_return() || !is_sane_script(script)) && sat > most
    });
    match burns {
        true => Err(RpcError::new(
            VERIFY_ERROR,
            "Unspendable output exceeds maximum configured by user (maxburnamount)",
        )),
        false => Ok(()),
    }
}

/// The ids of transactions whose fees a rate is made of.
fn ids(wtxids: &[bitcoin::Wtxid]) -> Json {
    wtxids.iter().copied().collect()
}

#[cfg(test)]
mod tests;
