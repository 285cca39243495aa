//! Owns the coins at a block, as a plain map. Promises what a transaction does to them; refuses to check it.

use std::collections::HashMap;

use bitcoin::{Amount, OutPoint, ScriptBuf, Transaction};
use everett_ledger::{Coin, ScriptPubKey};

/// All coins at a block.
pub type Coins = HashMap<OutPoint, Coin>;

/// Spends what the transaction spends and adds what it creates.
pub fn apply(coins: &mut Coins, transaction: &Transaction, height: u32, coinbase: bool) {
    for input in &transaction.input {
        coins.remove(&input.previous_output);
    }
    let txid = transaction.compute_txid();
    for (vout, output) in transaction.output.iter().enumerate() {
        if output.script_pubkey.is_op_return() {
            continue;
        }
        let coin = Coin {
            amount: Amount::from_sat(output.value.to_sat()),
            script_pubkey: ScriptPubKey::new(output.script_pubkey.as_bytes()),
            height,
            coinbase,
        };
        coins.insert(OutPoint::new(txid, vout as u32), coin);
    }
}

/// The coins that are in one of the two only.
pub(super) fn changes(before: &Coins, after: &Coins) -> Vec<(OutPoint, ScriptBuf)> {
    let gone = before
        .iter()
        .filter(|(outpoint, _)| !after.contains_key(outpoint));
    let new = after
        .iter()
        .filter(|(outpoint, _)| !before.contains_key(outpoint));
    gone.chain(new)
        .map(|(outpoint, coin)| (*outpoint, ScriptBuf::from(coin.script_pubkey.to_bytes())))
        .collect()
}
