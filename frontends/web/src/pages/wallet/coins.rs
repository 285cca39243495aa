//! Owns the list of what a wallet could spend in one world, with what is too young and what waits there.

use std::cmp::Reverse;
use std::collections::HashSet;

use bitcoin::OutPoint;
use everett_ledger::World;
use everett_wallet::{Spendable, View};

use super::payments::named;
use crate::fault::Fault;
use crate::pages::part::Part;
use crate::show::{self, Btc};

/// Coins on a page.
pub(super) const COINS: usize = 25;

pub(super) struct CoinRow {
    pub(super) txid: String,
    pub(super) short: String,
    pub(super) vout: u32,
    /// Height and hash of the block that made it; none while it waits.
    pub(super) made: Option<(u32, String)>,
    pub(super) name: String,
    pub(super) script: String,
    pub(super) amount: Btc,
    /// What keeps it from being spent, or from being counted as safe.
    pub(super) words: Vec<&'static str>,
    pub(super) at_risk: bool,
}

/// The coins of a world, those that came last first.
pub(super) fn list(
    view: &View<'_>,
    world: &World,
    part: impl FnOnce(usize) -> Result<Part, Fault>,
) -> Result<(Vec<CoinRow>, Part), Fault> {
    let pending = view.pending_on(world)?;
    let young: Vec<Spendable> = view.immature(world)?;
    let immature: HashSet<OutPoint> = young.iter().map(|coin| coin.outpoint).collect();
    let mut coins = view.spendable_in(world, &pending);
    coins.extend(young);
    let newest = |coin: &Spendable| coin.coin.map_or(u32::MAX, |coin| coin.height);
    coins.sort_by_key(|coin| (Reverse(newest(coin)), coin.outpoint));
    let part = part(coins.len())?;
    let at_risk = match world.hash() == view.best().hash() {
        true => view.coins_at_risk()?,
        false => HashSet::new(),
    };
    let rows = coins[part.range.clone()].iter().map(|coin| {
        let outpoint = coin.outpoint;
        let script = view.script_of(&outpoint).unwrap_or_default();
        let made = coin.coin.and_then(|coin| {
            let block = world.block_hash_at(coin.height)?;
            Some((coin.height, block.to_string()))
        });
        let told = [
            (coin.coin.is_none(), "waits"),
            (immature.contains(&outpoint), "too young"),
            (coin.locked, "locked"),
            (coin.reused, "reused address"),
            (coin.coin.is_none() && !coin.trusted, "of others"),
        ];
        CoinRow {
            txid: outpoint.txid.to_string(),
            short: show::short(&outpoint.txid),
            vout: outpoint.vout,
            made,
            name: named(view, &script),
            script: script.to_hex_string(),
            amount: Btc::of(coin.output.amount.to_sat()),
            words: (told.iter())
                .filter(|(is, _)| *is)
                .map(|(_, word)| *word)
                .collect(),
            at_risk: at_risk.contains(&outpoint),
        }
    });
    Ok((rows.collect(), part))
}
