//! Owns the methods about transactions and PSBTs, as far as they need no wallet.

mod combine;
pub(crate) mod create;
mod decode;
mod get;
mod psbt;
pub(crate) mod sign;

pub(crate) use create::{parse_amount, parse_money};
pub(crate) use psbt::extracted;

use bitcoin::{BlockHash, Network, OutPoint, Transaction, TxOut, Txid};

use everett_ledger::{FoundTransaction, TransactionError, World};

use crate::call::Call;
use crate::error::RpcError;
use crate::method::Method;

/// What there is.
pub(crate) static METHODS: &[&Method] = &[
    &combine::COMBINERAWTRANSACTION,
    &create::CREATERAWTRANSACTION,
    &decode::DECODERAWTRANSACTION,
    &decode::DECODESCRIPT,
    &psbt::ANALYZEPSBT,
    &psbt::COMBINEPSBT,
    &psbt::CONVERTTOPSBT,
    &psbt::CREATEPSBT,
    &psbt::DECODEPSBT,
    &psbt::DESCRIPTORPROCESSPSBT,
    &psbt::FINALIZEPSBT,
    &psbt::JOINPSBTS,
    &psbt::UTXOUPDATEPSBT,
    &get::GETRAWTRANSACTION,
    &sign::SIGNRAWTRANSACTIONWITHKEY,
];

fn network(call: &Call) -> Network {
    call.ledger().params().network.to_bitcoin()
}

/// The outputs at outpoints. In a world that is named: those that are unspent there. Else those of transactions that wait,
/// spent by others that wait or not, and those that are unspent in the best world.
pub(crate) fn outputs_at(
    call: &Call,
    outpoints: impl Iterator<Item = OutPoint>,
) -> Result<Vec<Option<TxOut>>, RpcError> {
    let outpoints: Vec<OutPoint> = outpoints.collect();
    let nothing = || vec![None; outpoints.len()];
    let (world, pending) = match call.names_world() {
        true => (call.world()?, nothing()),
        false => {
            let view = call.handle().mempool().view()?;
            let waiting = outpoints.iter().map(|outpoint| {
                view.transaction(&outpoint.txid)
                    .map(|tx| tx.tx.output.get(outpoint.vout as usize).cloned())
            });
            (view.world().clone(), waiting.collect())
        }
    };
    let output = |(outpoint, pending): (&OutPoint, Option<Option<TxOut>>)| match pending {
        Some(output) => Ok(output),
        None => {
            let coin = world.coin(outpoint)?;
            Ok(coin.map(|coin| TxOut {
                value: coin.amount,
                script_pubkey: (*coin.script_pubkey).to_owned(),
            }))
        }
    };
    outpoints.iter().zip(pending).map(output).collect()
}

/// Finds a transaction in a block, or in a world. Unless the world was named: where only the index knows it, in the block
/// that has it and was on the best chain last, as Core's index does.
pub(crate) fn find(
    call: &Call,
    world: &World,
    txid: &Txid,
    in_block: Option<&BlockHash>,
) -> Result<FoundTransaction, TransactionError> {
    let found = call.ledger().find_transaction(world, txid, in_block);
    let elsewhere = match &found {
        Err(TransactionError::NotInWorld { elsewhere, .. }) if !call.names_world() => {
            elsewhere.as_ref().and_then(|blocks| blocks.last())
        }
        _ => None,
    };
    match elsewhere {
        Some(block) => call.ledger().find_transaction(world, txid, Some(block)),
        None => found,
    }
}

/// The transactions of these ids that wait for a block; none of them in a world that is named.
fn waiting(
    call: &Call,
    txids: impl Iterator<Item = Txid>,
) -> Result<Vec<Option<Transaction>>, RpcError> {
    if call.names_world() {
        return Ok(txids.map(|_| None).collect());
    }
    let view = call.handle().mempool().view()?;
    let transaction = |txid: Txid| view.transaction(&txid).map(|tx| tx.tx.clone());
    Ok(txids.map(transaction).collect())
}
