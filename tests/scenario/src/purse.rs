//! Owns which coins a party can spend in the next block of a branch.
//! Promises the same choice everywhere: oldest first, then by outpoint; refuses coinbases that
//! will not have matured.

use std::collections::HashSet;

use bitcoin::{Amount, OutPoint, Transaction, TxOut};
use everett_ledger::{ReadError, World};

use crate::party::Party;

/// A coinbase may be spent in the 100th block after its own.
const MATURITY: u32 = 100;
/// How many coins of a party are looked at; a party with more has to consolidate.
const MAX_COINS: usize = 10_000;

/// Coins with their outputs, ready to be signed for.
pub type Coins = Vec<(OutPoint, TxOut)>;

/// Why there is nothing to spend.
#[derive(Debug, thiserror::Error)]
pub enum PurseError {
    /// The mature coins do not reach.
    #[error("only {has} can be spent on this branch; coinbases mature after {MATURITY} blocks")]
    Short {
        /// What they come to.
        has: Amount,
    },
    /// The world could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// The party's oldest coins that reach `amount`, in the block after `parent` that already
/// contains `earlier`; what those leave it is taken last.
///
/// # Errors
///
/// [`PurseError::Short`] where they do not reach.
pub fn choose(
    party: &Party,
    parent: &World,
    earlier: &[Transaction],
    amount: Amount,
) -> Result<Coins, PurseError> {
    let spent: HashSet<OutPoint> = earlier
        .iter()
        .flat_map(|transaction| transaction.input.iter().map(|input| input.previous_output))
        .collect();
    let mut coins = parent.coins_of(&party.script_hash(), None, MAX_COINS)?;
    let next = parent.height() + 1;
    coins.retain(|(_, coin)| !coin.coinbase || coin.height + MATURITY <= next);
    coins.sort_by_key(|(outpoint, coin)| (coin.height, *outpoint));
    let from_world = coins.into_iter().map(|(outpoint, coin)| {
        let output = TxOut {
            value: coin.amount,
            script_pubkey: party.script_pubkey().clone(),
        };
        (outpoint, output)
    });
    let from_block = earlier.iter().flat_map(|transaction| {
        let txid = transaction.compute_txid();
        (0..)
            .zip(&transaction.output)
            .filter(|(_, output)| output.script_pubkey == *party.script_pubkey())
            .map(move |(vout, output)| (OutPoint { txid, vout }, output.clone()))
    });
    let mut chosen = Coins::new();
    let mut has = Amount::ZERO;
    for (outpoint, output) in from_world.chain(from_block) {
        if has >= amount && !chosen.is_empty() {
            break;
        }
        if !spent.contains(&outpoint) {
            has += output.value;
            chosen.push((outpoint, output));
        }
    }
    if has < amount || chosen.is_empty() {
        return Err(PurseError::Short { has });
    }
    Ok(chosen)
}
