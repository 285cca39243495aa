//! Owns the comparison of a ledger with a model.
//! Promises to look at every block, every live world, every coin and every event; the first difference is the answer.

use std::collections::BTreeSet;

use bitcoin::OutPoint;
use everett_ledger::events::{Event, EventKind};
use everett_ledger::{Coin, Ledger, ScriptHash, World, WorldError};

use crate::conflicts::compare_conflicts;

use super::forest::{Coins, Forest, Mined, SCRIPTS, script};
use super::model::{Model, TipFacts};

/// Coins of a script that are asked for at once.
const PAGE: usize = 37;

/// Events that are shown from the first difference on.
const SHOWN_EVENTS: usize = 8;

/// Why a ledger is not what the model says.
#[derive(Clone, PartialEq, Eq)]
pub enum Difference {
    /// It says something else.
    Wrong(String),
    /// It says nothing: reading failed.
    Unreadable(String),
}

impl std::fmt::Debug for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Difference::Wrong(text) | Difference::Unreadable(text)) = self;
        f.write_str(text)
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<(), Difference> {
    let right = found == wanted;
    holds(
        || format!("{what}: found {found:?}, wanted {wanted:?}"),
        right,
    )
}

fn holds(what: impl FnOnce() -> String, condition: bool) -> Result<(), Difference> {
    condition
        .then_some(())
        .ok_or_else(|| Difference::Wrong(what()))
}

fn unreadable(error: impl std::fmt::Display) -> Difference {
    Difference::Unreadable(error.to_string())
}

/// Everything.
pub fn compare(ledger: &Ledger, forest: &Forest, model: &Model) -> Result<(), Difference> {
    compare_tree(ledger, forest, model)?;
    compare_worlds(ledger, forest, model)?;
    compare_conflicts(ledger)
        .map(drop)
        .map_err(Difference::Wrong)
}

/// Best block, tips, blocks with their bytes, orphans, events.
pub fn compare_tree(ledger: &Ledger, forest: &Forest, model: &Model) -> Result<(), Difference> {
    compare_blocks(ledger, forest, model)?;
    compare_events(ledger, model)
}

/// Best block, tips, blocks with their bytes, orphans.
pub fn compare_blocks(ledger: &Ledger, forest: &Forest, model: &Model) -> Result<(), Difference> {
    same(
        "best",
        ledger.best().hash(),
        forest.block(model.best()).hash,
    )?;
    compare_tips(ledger, forest, model)?;
    for block in 0..forest.count() {
        let mined = forest.block(block);
        let (hash, info) = (mined.hash, ledger.block_info(&mined.hash));
        match info {
            None => holds(|| format!("block {hash} is missing"), !model.knows(block))?,
            Some(info) => {
                holds(|| format!("block {hash} is unexpected"), model.knows(block))?;
                holds(
                    || format!("{info:?} is not as in {model:?}"),
                    model.agrees(forest, block, &info),
                )?;
                let bytes = ledger.block_bytes(&hash).map_err(unreadable)?;
                holds(|| format!("bytes of {hash}"), bytes == mined.bytes)?;
            }
        }
    }
    let orphans = ledger.orphans();
    let found: BTreeSet<_> = orphans
        .iter()
        .map(|orphan| (orphan.hash, orphan.previous))
        .collect();
    let parent = |block: usize| forest.block(forest.block(block).parent).hash;
    let wanted = model.orphans().iter();
    let wanted = wanted.map(|block| (forest.block(*block).hash, parent(*block)));
    same("orphans", found, wanted.collect())
}

fn compare_tips(ledger: &Ledger, forest: &Forest, model: &Model) -> Result<(), Difference> {
    let found = ledger.tips().into_iter().map(TipFacts::from).collect();
    let wanted = model.tips(forest);
    let differing: BTreeSet<&TipFacts> = wanted.symmetric_difference(&found).collect();
    holds(
        || format!("tips: one side only has {differing:#?}"),
        differing.is_empty(),
    )
}

fn compare_events(ledger: &Ledger, model: &Model) -> Result<(), Difference> {
    let events = ledger.events(0, usize::MAX).map_err(unreadable)?;
    for (expected, (seq, _)) in events.iter().enumerate() {
        same("sequence of an event", *seq, expected as u64)?;
    }
    let events = events.into_iter().map(|(_, event)| event);
    // When the base moves is the ledger's business; conflicts are held against the branches themselves, elsewhere.
    let left_out = [EventKind::Checkpointed, EventKind::ConflictFound];
    let found = in_order(events.filter(|event| !left_out.contains(&event.kind)));
    let wanted = in_order(model.events().iter().cloned());
    let pairs = found.iter().zip(&wanted);
    let first = pairs.take_while(|(found, wanted)| found == wanted).count();
    let (found, wanted) = (&found[first..], &wanted[first..]);
    let story = |events: &[Event]| -> Vec<String> {
        let line = |event: &Event| format!("{:?} {} -> {}", event.kind, event.from, event.to);
        events.iter().take(SHOWN_EVENTS).map(line).collect()
    };
    holds(
        || {
            format!(
                "event {first}: found {:#?}, wanted {:#?}",
                story(found),
                story(wanted)
            )
        },
        found == wanted,
    )
}

/// Events with those of branches that were retired together in the order of their tips.
fn in_order(events: impl Iterator<Item = Event>) -> Vec<Event> {
    let mut events: Vec<Event> = events.collect();
    let retired = |event: &Event| event.kind == EventKind::TipRetired;
    for run in events.chunk_by_mut(|a, b| retired(a) && retired(b)) {
        run.sort_by_key(|event| event.to);
    }
    events
}

/// Every world that is to be there, and none that is not.
pub fn compare_worlds(ledger: &Ledger, forest: &Forest, model: &Model) -> Result<(), Difference> {
    let worlds: BTreeSet<usize> = model.worlds().collect();
    for block in 0..forest.count() {
        let mined = forest.block(block);
        match ledger.world(&mined.hash) {
            Ok(world) => {
                holds(
                    || format!("there is a world at {}", mined.hash),
                    worlds.contains(&block),
                )?;
                compare_world(&world, forest, mined)?;
            }
            Err(error) => {
                let right = match &error {
                    _ if worlds.contains(&block) => false,
                    WorldError::Unknown { .. } => !model.knows(block),
                    WorldError::Invalidated { .. } => model.failed(block),
                    WorldError::Retired { .. } => model.connected(block),
                    WorldError::NotValidated { .. } => !model.connected(block),
                    WorldError::HeightUnknown { .. } => false,
                };
                holds(|| format!("world at {}: {error}", mined.hash), right)?;
            }
        }
    }
    Ok(())
}

/// Coins, balances and set info of one world.
pub fn compare_world(world: &World, forest: &Forest, mined: &Mined) -> Result<(), Difference> {
    let at = |what: &str| format!("{what} at {} (height {})", mined.hash, mined.height);
    let failed =
        |error: everett_ledger::ReadError| unreadable(format!("{}: {error}", at("a read")));
    same(&at("height"), world.height(), mined.height)?;
    let info = world.set_info().map_err(failed)?;
    same(&at("set info"), &info, mined.set_info())?;
    let mut found = Coins::new();
    for number in 0..SCRIPTS {
        let hash = ScriptHash::of(&script(number));
        let coins = coins_of(world, &hash).map_err(failed)?;
        let immature = |coin: &Coin| {
            coin.coinbase && coin.height + everett_ledger::COINBASE_MATURITY > mined.height
        };
        let sum = |filter: &dyn Fn(&Coin) -> bool| -> u64 {
            let coins = coins.iter().map(|(_, coin)| coin);
            let counted = coins.filter(|coin| filter(coin));
            counted.map(|coin| coin.amount.to_sat()).sum()
        };
        let balance = world.balance(&hash).map_err(failed)?;
        same(&at("balance"), balance.confirmed.to_sat(), sum(&|_| true))?;
        same(&at("immature"), balance.immature.to_sat(), sum(&immature))?;
        same(&at("coins of a script"), balance.coins, coins.len() as u64)?;
        found.extend(coins);
    }
    holds(|| at("coins"), found == *mined.coins)?;
    // What the block spent is gone, what its parent had is there.
    for (outpoint, _) in forest.block(mined.parent).coins.iter() {
        let coin = world.coin(outpoint).map_err(failed)?;
        same(&at("coin"), coin.as_ref(), mined.coins.get(outpoint))?;
    }
    Ok(())
}

fn coins_of(
    world: &World,
    script: &ScriptHash,
) -> Result<Vec<(OutPoint, Coin)>, everett_ledger::ReadError> {
    let mut coins = Vec::new();
    loop {
        let after = coins.last().map(|(outpoint, _)| *outpoint);
        let page = world.coins_of(script, after, PAGE)?;
        if page.is_empty() {
            return Ok(coins);
        }
        coins.extend(page);
    }
}
