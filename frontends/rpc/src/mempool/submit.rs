//! Owns the way of a transaction into the mempool.

use std::sync::Arc;

use bitcoin::{OutPoint, Txid};
use everett_ledger::decode::DecodedTransaction;
use everett_mempool::{Refused, RejectionKind};

use super::{check_burn, max_burn, max_fee_rate, read};
use crate::call::Call;
use crate::error::{
    DESERIALIZATION_ERROR, RpcError, VERIFY_ALREADY_IN_UTXO_SET, VERIFY_ERROR, VERIFY_REJECTED,
};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static SENDRAWTRANSACTION: Method = Method {
    name: "sendrawtransaction",
    category: Category::Rawtransactions,
    about: "Gives a transaction in: it waits for a block here, and is told to peers until one of them asks for it.",
    arguments: &[
        Argument::required("hexstring", Kind::Text, "The transaction"),
        Argument::default(
            "maxfeerate",
            Kind::Any,
            "0.10",
            "Refuse it if it pays more than so many bitcoins for 1,000 virtual bytes; 0 allows any",
        ),
        Argument::default(
            "maxburnamount",
            Kind::Any,
            "0.00",
            "Refuse it if an output that nobody can spend has more than so many bitcoins",
        ),
    ],
    result: "\"hex\"    (string) The transaction's id",
    at: false,
    run: Run::Read(send),
};

fn send(call: &Call) -> Answer {
    let most_burnt = max_burn(call.maybe(2))?;
    let tx = read(call.text(0)?).ok_or_else(|| {
        RpcError::new(
            DESERIALIZATION_ERROR,
            "TX decode failed. Make sure the tx has at least one input.",
        )
    })?;
    check_burn(&tx.tx, most_burnt)?;
    let rate = max_fee_rate(call.maybe(1))?;
    let (_, weight) = crate::transaction::sizes(&tx.tx);
    let vsize = i64::try_from(weight.div_ceil(4)).unwrap_or(i64::MAX);
    submit(call, &tx, rate.fee(vsize))?;
    tell_peers(call, &tx.txid);
    Ok(tx.txid.into())
}

/// Has peers told of a transaction that waits, whether or not it waited before: who sends it again wants them to hear of it.
pub(super) fn tell_peers(call: &Call, txid: &Txid) {
    if let Some(peers) = call.handle().peers() {
        peers.announce_transaction(txid);
    }
}

/// Lets a transaction in that pays no more than `most`, where that is above 0. One that waits already is left alone.
fn submit(call: &Call, tx: &Arc<DecodedTransaction>, most: i64) -> Result<(), RpcError> {
    let mempool = call.handle().mempool();
    let (world, waits) = {
        let view = mempool.view()?;
        (view.world().clone(), view.contains(&tx.txid))
    };
    for vout in 0..tx.tx.output.len() as u32 {
        if world.coin(&OutPoint::new(tx.txid, vout))?.is_some() {
            return Err(RpcError::new(
                VERIFY_ALREADY_IN_UTXO_SET,
                "Transaction outputs already in utxo set",
            ));
        }
    }
    if waits {
        return Ok(());
    }
    if most > 0 {
        let accepted = mempool.test_accept(tx)?.map_err(refusal)?;
        if accepted.fee > most {
            return Err(RpcError::new(
                VERIFY_ERROR,
                "Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)",
            ));
        }
    }
    mempool.accept_own(tx)?.map_err(refusal)?;
    Ok(())
}

fn refusal(refused: Refused) -> RpcError {
    let code = match refused.rejection.kind {
        RejectionKind::MissingInputs => VERIFY_ERROR,
        _ => VERIFY_REJECTED,
    };
    RpcError::new(code, refused.rejection.to_string())
}
