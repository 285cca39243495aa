//! Owns the look into a block for what is ours.
//! Promises the same answer each time for the same scripts and the same state before the block.

use std::collections::HashSet;

use bitcoin::{OutPoint, Script, Txid};
use everett_ledger::Coin;
use everett_ledger::decode::DecodedBlock;

use super::state::{OwnCoin, State};
use super::touched::Touched;
use crate::slot::Slot;

/// What a block does to a wallet that stands at `before`, the state of the block's parent; `None` if nothing. `is_rival` says
/// whether a transaction of the wallet other than this one spends a coin: such coins are noted also where they are not ours, for
/// the ledger does not know who spent what a block made itself, nor what lies below its base.
pub(crate) fn of_block(
    block: &DecodedBlock,
    height: u32,
    before: &State,
    slot_of: &dyn Fn(&Script) -> Option<Slot>,
    is_rival: &dyn Fn(&OutPoint, &Txid) -> bool,
) -> Option<Touched> {
    let mut touched = Touched {
        hash: block.hash,
        height,
        created: Vec::new(),
        spent: Vec::new(),
        transactions: Vec::new(),
    };
    let mut made_here: HashSet<OutPoint> = HashSet::new();
    for (index, tx) in block.transactions.iter().enumerate() {
        let mut ours = false;
        let coinbase = tx.is_coinbase();
        for input in tx.tx.input.iter().filter(|_| !coinbase) {
            let outpoint = input.previous_output;
            if before.coin(&outpoint).is_some() || made_here.contains(&outpoint) {
                touched.spent.push((outpoint, tx.txid));
                ours = true;
            } else if is_rival(&outpoint, &tx.txid) {
                touched.spent.push((outpoint, tx.txid));
            }
        }
        for (vout, output) in tx.tx.output.iter().enumerate() {
            let script = output.script_pubkey.as_script();
            let Some(slot) = slot_of(script).filter(|_| !Coin::is_unspendable(script)) else {
                continue;
            };
            // A block is too small for more outputs or transactions than a u32 counts.
            let outpoint = OutPoint::new(tx.txid, vout as u32);
            let coin = OwnCoin {
                amount: output.value,
                slot,
                height,
                coinbase,
            };
            touched.created.push((outpoint, coin));
            made_here.insert(outpoint);
            ours = true;
        }
        if ours {
            touched.transactions.push((index as u32, tx.txid));
        }
    }
    (!touched.is_empty()).then_some(touched)
}
