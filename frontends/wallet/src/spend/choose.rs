//! Owns in which order coins are looked at for a payment, and which of them go together.
//! Promises Bitcoin Core's order: well confirmed ones first, then change that waits behind few others; one kind of address before
//! several; the coins of an address together where that is wished.
//! Refuses to reckon, which the selection does.

use std::collections::BTreeMap;

use bitcoin::Script;

use super::candidates::Candidate;
use super::pick::{Needed, NotPicked, Offered, Picked, pick};
use super::versions::{TRUC_CHILD_WEIGHT, TRUC_VERSION};
use crate::keys::OutputType;

/// Most coins of one address that are spent together.
const MAX_GROUP: usize = 100;

/// What is asked of the coins together.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    /// Whether the coins of an address go together.
    pub(super) group: bool,
    /// Whether coins may be taken that others are about to pay.
    pub(super) include_unsafe: bool,
    /// So many before a coin that waits are too many, itself included, and so many together with it.
    pub(super) limits: (u64, u64),
    /// Whether coins may be taken behind long chains.
    pub(super) long_chains: bool,
    /// Whether others may be added to those that were asked for.
    pub(super) add: bool,
    /// The version of the transaction.
    pub(super) version: i32,
}

/// Why there are no coins for a payment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotChosen {
    /// Too few of them: satoshis that there are, and that are missing, with the fee for all.
    NotEnough { available: u64, missing: u64 },
    /// They would weigh too much; with those that were asked for, or without such.
    TooHeavy { asked: bool },
    /// Those that were asked for are too few, and no others may be added.
    AskedTooFew,
    /// Only with coins behind long chains there would be enough.
    LongChain,
}

/// Which coins are looked at.
#[derive(Clone, Copy)]
struct Tier {
    /// Fewest confirmations of what our own payments made.
    ours: u32,
    /// The same of what others made.
    theirs: u32,
    /// Most that wait before it, itself included.
    ancestors: u64,
    /// Most that hang together with it.
    cluster: u64,
    /// Whether some coins of an address may be taken without the others.
    partial: bool,
    /// Whether coins of several kinds of addresses may be taken.
    mixed: bool,
}

fn tiers(terms: &Terms) -> Vec<Tier> {
    let confirmed = |theirs, mixed| Tier {
        ours: 1,
        theirs,
        ancestors: 0,
        cluster: 0,
        partial: false,
        mixed,
    };
    let waiting = |theirs, (ancestors, cluster), partial| Tier {
        ours: 0,
        theirs,
        ancestors,
        cluster,
        partial,
        mixed: true,
    };
    let (ancestors, cluster) = (terms.limits.0.max(1), terms.limits.1.max(1));
    let most = (ancestors - 1, cluster - 1);
    let mut tiers = vec![
        confirmed(6, false),
        confirmed(1, true),
        waiting(1, (2, 2), false),
        waiting(1, ((ancestors / 3).min(4), (cluster / 3).min(4)), false),
        waiting(1, (ancestors / 2, cluster / 2), false),
        waiting(1, most, true),
    ];
    if terms.include_unsafe {
        tiers.push(waiting(0, most, true));
    }
    if terms.long_chains {
        tiers.push(waiting(1, (u64::MAX, u64::MAX), true));
    }
    tiers
}

/// Coins that are spent together, by their places.
struct Group {
    coins: Vec<usize>,
    kind: OutputType,
    /// Whether others of the same address are in full groups.
    rest: bool,
}

/// The coins that were not asked for, together as they are spent.
fn groups(candidates: &[Candidate], together: bool) -> Vec<Group> {
    let others = || (0..candidates.len()).filter(|place| !candidates[*place].wanted);
    if !together {
        let alone = |place: usize| Group {
            coins: vec![place],
            kind: candidates[place].kind(),
            rest: false,
        };
        return others().map(alone).collect();
    }
    let mut by_script: BTreeMap<&Script, Vec<usize>> = BTreeMap::new();
    for place in others() {
        let script = candidates[place].output.script_pubkey.as_script();
        by_script.entry(script).or_default().push(place);
    }
    let mut groups = Vec::new();
    for places in by_script.values() {
        for coins in places.chunks(MAX_GROUP) {
            groups.push(Group {
                coins: coins.to_vec(),
                kind: candidates[coins[0]].kind(),
                rest: coins.len() < MAX_GROUP && places.len() > MAX_GROUP,
            });
        }
    }
    groups
}

fn fits(group: &Group, tier: &Tier, candidates: &[Candidate]) -> bool {
    let coins = || group.coins.iter().map(|place| &candidates[*place]);
    let from_us = coins().all(|coin| coin.from_us);
    let depth = coins().map(|coin| coin.confirmations).min().unwrap_or(0);
    let ancestors: u64 = coins().map(|coin| coin.before.ancestors).sum();
    let cluster = coins().map(|coin| coin.before.cluster).max().unwrap_or(0);
    depth >= if from_us { tier.ours } else { tier.theirs }
        && ancestors <= tier.ancestors
        && cluster <= tier.cluster
        && (tier.partial || !group.rest)
}

/// What a set of coins is to the selection. What waits before those that were asked for is paid for once, in what is needed.
fn offer(places: &[usize], candidates: &[Candidate], wanted: bool) -> Offered {
    let coins = || places.iter().map(|place| &candidates[*place]);
    let bump: u64 = coins().map(|coin| coin.before.bump).sum();
    Offered {
        value: coins().map(|coin| coin.output.value.to_sat()).sum(),
        bump: if wanted { 0 } else { bump },
        weight: coins().map(|coin| coin.weight).sum(),
        inputs: places.len(),
        segwit: coins().any(|coin| coin.segwit),
        wanted,
    }
}

/// The places of the coins to take: those that were asked for, and others until there is enough.
pub(super) fn choose(
    candidates: &[Candidate],
    needed: &Needed,
    terms: &Terms,
) -> Result<Vec<usize>, NotChosen> {
    let asked: Vec<usize> = (0..candidates.len())
        .filter(|place| candidates[*place].wanted)
        .collect();
    let base: Vec<Offered> = (asked.iter())
        .map(|place| offer(&[*place], candidates, true))
        .collect();
    if !base.is_empty() {
        let unlimited = Needed {
            most_weight: u64::MAX,
            ..*needed
        };
        if pick(&base, &unlimited).is_ok() {
            return Ok(asked);
        }
    }
    if !terms.add {
        return Err(NotChosen::AskedTooFew);
    }
    let others = groups(candidates, terms.group);
    let solve = |chosen: &[&Group], needed: &Needed| -> Result<(i64, Vec<usize>), NotPicked> {
        let mut offered = base.clone();
        let others = chosen.iter();
        offered.extend(others.map(|group| offer(&group.coins, candidates, false)));
        let Picked { places, waste } = pick(&offered, needed)?;
        let added = places
            .iter()
            .filter_map(|place| place.checked_sub(base.len()));
        let added = added.flat_map(|place| chosen[place].coins.iter().copied());
        Ok((waste, asked.iter().copied().chain(added).collect()))
    };
    let mut too_heavy = false;
    let mut tried: Option<(Vec<usize>, bool, u64)> = None;
    for tier in tiers(terms) {
        let mut needed = *needed;
        if terms.version == TRUC_VERSION && tier.ours == 0 {
            needed.most_weight = needed.most_weight.min(TRUC_CHILD_WEIGHT);
        }
        let eligible: Vec<usize> = (0..others.len())
            .filter(|place| fits(&others[*place], &tier, candidates))
            .collect();
        // With the same ones it ends as the one before it did.
        let now = Some((eligible, tier.mixed, needed.most_weight));
        if tried == now {
            continue;
        }
        tried = now;
        let eligible = tried.iter().flat_map(|(eligible, ..)| eligible);
        let eligible: Vec<&Group> = eligible.map(|place| &others[*place]).collect();
        let mut best: Option<(i64, Vec<usize>)> = None;
        let mut kinds = 0;
        for kind in OutputType::ALL {
            let same = eligible.iter().copied().filter(|group| group.kind == kind);
            let same: Vec<&Group> = same.collect();
            if same.is_empty() {
                continue;
            }
            kinds += 1;
            match solve(&same, &needed) {
                Ok(solved) if best.as_ref().is_none_or(|best| solved.0 < best.0) => {
                    best = Some(solved);
                }
                Ok(_) | Err(NotPicked::NotEnough { .. }) => {}
                Err(NotPicked::TooHeavy) => too_heavy = true,
            }
        }
        if best.is_none() && tier.mixed && kinds > 1 {
            match solve(&eligible, &needed) {
                Ok(solved) => best = Some(solved),
                Err(NotPicked::NotEnough { .. }) => {}
                Err(NotPicked::TooHeavy) => too_heavy = true,
            }
        }
        if let Some((_, places)) = best {
            return Ok(places);
        }
    }
    if too_heavy {
        let asked = !asked.is_empty();
        return Err(NotChosen::TooHeavy { asked });
    }
    // A coin that has to go together with one that may not be taken may not be, either.
    let behind_any = Tier {
        ours: 0,
        theirs: if terms.include_unsafe { 0 } else { 1 },
        ancestors: u64::MAX,
        cluster: u64::MAX,
        partial: true,
        mixed: true,
    };
    let all = (others.iter()).filter(|group| fits(group, &behind_any, candidates));
    let all: Vec<&Group> = all.collect();
    let unlimited = Needed {
        most_weight: u64::MAX,
        ..*needed
    };
    match solve(&all, &unlimited) {
        Err(NotPicked::NotEnough { missing }) => {
            let places = all.iter().flat_map(|group| &group.coins).chain(&asked);
            let available = places.map(|place| candidates[*place].output.value.to_sat());
            Err(NotChosen::NotEnough {
                available: available.sum(),
                missing,
            })
        }
        _ => Err(NotChosen::LongChain),
    }
}

#[cfg(test)]
mod tests;
