//! Owns the search for one transaction: among those that wait, then on the best chain, then on its rivals.

use bitcoin::consensus::encode::serialize;
use bitcoin::{BlockHash, Transaction, Txid};
use everett_ledger::TransactionError;

use super::answer::{Found, RestError};
use super::ask::{Ask, hash};
use crate::error::RpcError;
use crate::show::{Verbosity, transaction_json};
use crate::transaction::encode_hex;

/// Blocks of other branches that are looked into, at most.
const MAX_OTHERS: usize = 16;

/// A transaction, and the block that has it, if one does.
type Placed = (Transaction, Option<BlockHash>);

/// Looks among what waits, on the best chain and, by the index of transactions, on the other branches; with `at` in that
/// world alone.
fn find(ask: &Ask, txid: &Txid) -> Result<Option<Placed>, RestError> {
    if !ask.is_elsewhere() {
        let view = ask.site().handle.mempool().view()?;
        if let Some(pending) = view.transaction(txid) {
            return Ok(Some((pending.tx.clone(), None)));
        }
    }
    let ledger = ask.ledger();
    let world = ask.world()?;
    let elsewhere = match ledger.find_transaction(&world, txid, None) {
        Ok(found) => return Ok(Some((found.transaction, Some(found.block)))),
        Err(TransactionError::NotInWorld { elsewhere, .. }) => elsewhere,
        Err(TransactionError::NotIndexed { .. } | TransactionError::NotInBlock { .. }) => None,
        Err(error @ (TransactionError::Read(_) | TransactionError::Block(_))) => {
            return Err(RpcError::from(error).into());
        }
    };
    // The index knows the blocks of other branches that have it, the one that was best last at the end. One that cannot
    // be read any more has nothing to tell.
    let others = elsewhere.into_iter().flatten().rev().take(MAX_OTHERS);
    let asked = others.filter(|_| ask.parameter("at").is_none());
    let found = asked.filter_map(|block| ledger.find_transaction(&world, txid, Some(&block)).ok());
    Ok(found
        .map(|found| (found.transaction, Some(found.block)))
        .next())
}

/// A transaction with its witnesses.
pub(super) fn transaction(ask: &Ask) -> Result<Found, RestError> {
    let txid: Txid = hash(&ask.argument)?;
    let (transaction, block) = find(ask, &txid)?
        .ok_or_else(|| RestError::not_found(format!("{} not found", ask.argument)))?;
    Found::encode(
        ask.format,
        || serialize(&transaction),
        || {
            let network = ask.network();
            let mut json = transaction_json(&transaction, network, None, Verbosity::Details, false);
            json.push_some("blockhash", block);
            json.push("hex", encode_hex(&transaction));
            Ok(json)
        },
    )
}
