//! Owns the page of a script: what it has in every world, side by side, and its coins in one of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use bitcoin::{BlockHash, OutPoint, Script};
use everett_ledger::{Balance, BlockInfo, Ledger, Network, World};

use super::world::{WorldRow, row};
use super::{Choice, Page};
use crate::fault::Fault;
use crate::parse::{self, ScriptName};
use crate::reads::Patience;
use crate::show::{self, Btc};
use crate::site::{Frame, Section, Site};

/// Worlds side by side, at most.
const MAX_WORLDS: usize = 200;
/// Coins on a page.
const COINS: usize = 25;

#[derive(Template)]
#[template(path = "script.html")]
struct ScriptPage {
    frame: Frame,
    /// What it was asked for by: the address of this page.
    name: String,
    address: Option<String>,
    hash: String,
    script: Option<String>,
    /// As people read it.
    assembly: Option<String>,
    best: Btc,
    /// How many different balances there are in all the worlds.
    balances: usize,
    rows: Vec<BalanceRow>,
    /// Worlds that can be read.
    readable: usize,
    /// Tips beyond those that are listed.
    more: usize,
    chosen: WorldRow,
    chosen_is_best: bool,
    coins: Vec<CoinRow>,
    /// Coins of the chosen world.
    coins_in_all: u64,
    after: Option<String>,
    first: bool,
}

/// What the script has in one world.
struct BalanceRow {
    world: WorldRow,
    best: bool,
    chosen: bool,
    confirmed: Btc,
    immature: Option<Btc>,
    coins: u64,
    /// More (`+`) or less (`−`) than in the best world, if it differs.
    difference: Option<(&'static str, Btc)>,
    /// For the bar, out of 100.
    share: String,
}

struct CoinRow {
    txid: String,
    short: String,
    vout: u32,
    height: u32,
    block: Option<String>,
    coinbase: bool,
    amount: Btc,
}

/// `GET /admin/script/NAME`
pub(super) async fn script(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Query(choice): Query<Choice>,
) -> Result<Page, Fault> {
    let network = site.network();
    let script = parse::script(&name, network)?;
    let chosen = choice.world.as_deref().map(parse::block_hash).transpose()?;
    let after = choice.after.as_deref().map(parse::coin).transpose()?;
    let asked = Asked {
        frame: site.frame(Section::Worlds),
        name: name.trim().to_owned(),
        script,
        chosen,
        after,
        network,
    };
    let page = site
        .reads
        .read(move |ledger, patience| asked.page(ledger, patience))
        .await?;
    Page::of(&page)
}

/// The tips that a world can be read at, the best one first, and how many tips there are beyond those looked at.
pub(super) fn worlds(ledger: &Ledger, limit: usize) -> (Vec<(BlockInfo, World)>, usize) {
    let genesis = ledger.params().genesis_hash();
    let (tips, all) = ledger.worlds_above(&genesis, limit).unwrap_or_default();
    let more = all - tips.len();
    let tips = tips.into_iter();
    let worlds = tips.filter_map(|tip| ledger.world(&tip.hash).ok().map(|world| (tip, world)));
    (worlds.collect(), more)
}

/// What was asked for.
struct Asked {
    frame: Frame,
    name: String,
    script: ScriptName,
    chosen: Option<BlockHash>,
    after: Option<OutPoint>,
    network: Network,
}

impl Asked {
    fn page(self, ledger: &Ledger, patience: &Patience) -> Result<ScriptPage, Fault> {
        let hash = self.script.hash;
        let best = ledger.best();
        let now = ledger.clock().now();
        let chosen = match self.chosen {
            Some(hash) => ledger.world(&hash)?,
            None => best.clone(),
        };
        let (worlds, more) = worlds(ledger, MAX_WORLDS);
        let in_best = best.balance(&hash)?;
        let mut found: Vec<(BlockInfo, Balance)> = Vec::with_capacity(worlds.len());
        for (tip, world) in worlds {
            patience.check()?;
            found.push((tip, world.balance(&hash)?));
        }
        let sat = |balance: &Balance| balance.confirmed.to_sat();
        let most = found.iter().map(|(_, balance)| sat(balance)).max();
        let most = most.unwrap_or(0).max(1);
        let balances: BTreeSet<u64> = found.iter().map(|(_, balance)| sat(balance)).collect();
        let rows = found.iter().map(|(tip, balance)| BalanceRow {
            world: row(tip, &best, now),
            best: tip.hash == best.hash(),
            chosen: tip.hash == chosen.hash(),
            confirmed: Btc::of(sat(balance)),
            immature: (balance.immature.to_sat() > 0).then(|| Btc::of(balance.immature.to_sat())),
            coins: balance.coins,
            difference: match (sat(balance), sat(&in_best)) {
                (here, there) if here > there => Some(("+", Btc::of(here - there))),
                (here, there) if here < there => Some(("−", Btc::of(there - here))),
                _ => None,
            },
            share: format!("{:.1}", sat(balance) as f64 / most as f64 * 100.0),
        });
        let rows = rows.collect();
        // One more than is shown tells whether there are more.
        let mut coins = chosen.coins_of(&hash, self.after, COINS + 1)?;
        let further = coins.len() > COINS;
        coins.truncate(COINS);
        let after = match further {
            true => coins.last().map(|(outpoint, _)| outpoint.to_string()),
            false => None,
        };
        let script = self.script.script.or_else(|| {
            let first = coins.first();
            first.map(|(_, coin)| Script::to_owned(&coin.script_pubkey))
        });
        let chosen_info = ledger.block_info(&chosen.hash());
        let coins_in_all = chosen.balance(&hash)?.coins;
        Ok(ScriptPage {
            frame: self.frame,
            name: self.name,
            address: script
                .as_ref()
                .and_then(|script| show::address(script, self.network)),
            hash: hash.to_string(),
            assembly: script
                .as_ref()
                .map(|script| parse::cut(&script.to_asm_string())),
            script: script.map(|script| script.to_hex_string()),
            best: Btc::of(sat(&in_best)),
            balances: balances.len(),
            readable: found.len(),
            rows,
            more,
            chosen: match chosen_info {
                Some(info) => row(&info, &best, now),
                None => return Err(Fault::NoPage),
            },
            chosen_is_best: chosen.hash() == best.hash(),
            coins: coins
                .into_iter()
                .map(|(outpoint, coin)| CoinRow {
                    txid: outpoint.txid.to_string(),
                    short: show::short(&outpoint.txid),
                    vout: outpoint.vout,
                    height: coin.height,
                    block: chosen
                        .block_hash_at(coin.height)
                        .map(|hash| hash.to_string()),
                    coinbase: coin.coinbase,
                    amount: Btc::of(coin.amount.to_sat()),
                })
                .collect(),
            coins_in_all,
            after,
            first: self.after.is_none(),
        })
    }
}
