//! Owns the search for one transaction: among those that wait, then on the best chain, then on its rivals.

use bitcoin::consensus::encode::serialize;
use bitcoin::{BlockHash, Transaction, Txid};
use everett_ledger::{TransactionError, World};

use super::answer::{Found, RestError};
use super::ask::{Ask, hash};
use crate::error::RpcError;
use crate::show::{Verbosity, transaction_json};
use crate::transaction::encode_hex;

/// Branches beside the best chain that are searched, at most.
const MAX_RIVALS: usize = 16;

/// A transaction, and the block that has it, if one does.
type Placed = (Transaction, Option<BlockHash>);

/// Looks among what waits, on the best chain, and on the other branches; with `at` in that world alone.
fn find(ask: &Ask, txid: &Txid) -> Result<Option<Placed>, RestError> {
    if !ask.is_elsewhere() {
        let view = ask.site().handle.mempool().view()?;
        if let Some(pending) = view.transaction(txid) {
            return Ok(Some((pending.tx.clone(), None)));
        }
    }
    if let Some(found) = find_in(ask, &ask.world()?, txid)? {
        return Ok(Some(found));
    }
    if ask.parameter("at").is_some() {
        return Ok(None);
    }
    let tips = ask.ledger().tips();
    for tip in tips
        .iter()
        .filter(|tip| tip.live && !tip.best)
        .take(MAX_RIVALS)
    {
        // A branch that went in the meantime has nothing to tell.
        let Ok(world) = ask.ledger().world(&tip.hash) else {
            continue;
        };
        if let Some(found) = find_in(ask, &world, txid)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn find_in(ask: &Ask, world: &World, txid: &Txid) -> Result<Option<Placed>, RestError> {
    match ask.ledger().find_transaction(world, txid, None) {
        Ok(found) => Ok(Some((found.transaction, Some(found.block)))),
        Err(error @ (TransactionError::Read(_) | TransactionError::Block(_))) => {
            Err(RpcError::from(error).into())
        }
        Err(_) => Ok(None),
    }
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
