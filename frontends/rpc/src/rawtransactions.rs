//! Owns the methods about transactions and PSBTs, as far as they need neither a mempool nor a wallet.

mod combine;
mod create;
mod decode;
mod get;
mod psbt;
mod sign;

use bitcoin::{Network, TxOut};
use everett_ledger::World;

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

/// The output at an outpoint, where it is unspent in a world.
fn unspent(world: &World, outpoint: &bitcoin::OutPoint) -> Result<Option<TxOut>, RpcError> {
    let coin = world.coin(outpoint)?;
    Ok(coin.map(|coin| TxOut {
        value: coin.amount,
        script_pubkey: (*coin.script_pubkey).to_owned(),
    }))
}
