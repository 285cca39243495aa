//! Owns the versions of script balances above the base.
//! Promises a balance at any world without summing: each change carries the totals of its own path.
//! Refuses to read the base: totals are relative to where the script entered the overlay.

use bitcoin::OutPoint;
use smallvec::SmallVec;

use super::shards::Shards;
use super::slab::Keyed;
use super::touched::{Touch, Touched};
use crate::coin::Coin;
use crate::delta::Delta;
use crate::id::{BlockId, ScriptHash};
use crate::path::Path;

/// Changes of a script's totals relative to some starting point; differences of two of them mean something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) sat: i64,
    /// What coinbases paid, never reduced: a coinbase cannot be spent while its age still matters.
    pub(crate) coinbase_sat: i64,
    pub(crate) coins: i64,
}

impl Totals {
    fn of(coin: &Coin, created: bool) -> Totals {
        let sat = coin.amount.to_sat() as i64;
        if created {
            Totals {
                sat,
                coinbase_sat: if coin.coinbase { sat } else { 0 },
                coins: 1,
            }
        } else {
            Totals {
                sat: -sat,
                coinbase_sat: 0,
                coins: -1,
            }
        }
    }

    pub(crate) fn plus(self, other: Totals) -> Totals {
        Totals {
            sat: self.sat + other.sat,
            coinbase_sat: self.coinbase_sat + other.coinbase_sat,
            coins: self.coins + other.coins,
        }
    }

    pub(crate) fn minus(self, other: Totals) -> Totals {
        Totals {
            sat: self.sat - other.sat,
            coinbase_sat: self.coinbase_sat - other.coinbase_sat,
            coins: self.coins - other.coins,
        }
    }
}

#[derive(Clone, Copy)]
struct Change {
    outpoint: OutPoint,
    block: BlockId,
    /// Height of the block, and in the lowest bit whether it created the coin.
    height_and_kind: u32,
    /// Totals of this path up to and with this change.
    running: Totals,
}

impl Change {
    fn new(
        outpoint: OutPoint,
        block: BlockId,
        height: u32,
        created: bool,
        running: Totals,
    ) -> Change {
        Change {
            outpoint,
            block,
            height_and_kind: height << 1 | u32::from(created),
            running,
        }
    }

    fn height(&self) -> u32 {
        self.height_and_kind >> 1
    }

    fn created(&self) -> bool {
        self.height_and_kind & 1 == 1
    }
}

struct Entry {
    script: ScriptHash,
    /// Running totals of the base's path where the overlay begins.
    floor: Totals,
    /// In the order of connection: on any path, heights rise from front to back.
    changes: SmallVec<[Change; 1]>,
}

impl Keyed for Entry {
    type Key = ScriptHash;

    fn key(&self) -> &ScriptHash {
        &self.script
    }

    fn husk() -> Entry {
        Entry::new(ScriptHash([0; 32]))
    }
}

impl Entry {
    fn new(script: ScriptHash) -> Entry {
        Entry {
            script,
            floor: Totals::default(),
            changes: SmallVec::new(),
        }
    }

    /// Running totals of `path` up to and with `height`.
    fn running_at(&self, path: &Path, height: u32) -> Totals {
        self.changes
            .iter()
            .rev()
            .find(|change| change.height() <= height && path.holds(change.height(), change.block))
            .map_or(self.floor, |change| change.running)
    }
}

/// `script -> changes`.
pub(crate) struct ScriptOverlay {
    entries: Shards<Entry>,
}

impl ScriptOverlay {
    pub(super) fn new() -> ScriptOverlay {
        ScriptOverlay {
            entries: Shards::new(),
        }
    }

    /// What the blocks of `path` above height `base` did to the script, and of that the coinbases above `mature`.
    pub(crate) fn totals(
        &self,
        script: &ScriptHash,
        path: &Path,
        base: u32,
        mature: Option<u32>,
    ) -> (Totals, i64) {
        self.entries
            .read(script, |entry| {
                let all = entry.running_at(path, path.height());
                let before = entry.running_at(path, base);
                let mature = mature.map_or(entry.floor, |height| entry.running_at(path, height));
                (all.minus(before), all.minus(mature).coinbase_sat)
            })
            .unwrap_or_default()
    }

    /// The script's coins behind `after` that blocks of `path` above height `base` touched: whether each is there at the
    /// path's end.
    pub(crate) fn coins(
        &self,
        script: &ScriptHash,
        path: &Path,
        base: u32,
        after: Option<OutPoint>,
    ) -> Touched {
        let touches = self.entries.read(script, |entry| {
            let visible = |(_, change): &(usize, &Change)| {
                change.height() > base
                    && after.is_none_or(|after| change.outpoint > after)
                    && path.holds(change.height(), change.block)
            };
            let touch = |(place, change): (usize, &Change)| Touch {
                outpoint: change.outpoint,
                place,
                there: change.created(),
            };
            let changes = entry.changes.iter().enumerate();
            changes.filter(visible).map(touch).collect()
        });
        Touched::new(touches.unwrap_or_default())
    }

    pub(super) fn apply(&self, block: BlockId, path: &Path, delta: &Delta) {
        let height = path.height();
        let changes = named_changes(delta);
        self.entries.change_all(
            &changes,
            |change| &change.0,
            |change| Entry::new(change.0),
            |entry, (_, outpoint, change, created)| {
                let running = entry.running_at(path, height).plus(*change);
                entry
                    .changes
                    .push(Change::new(*outpoint, block, height, *created, running));
            },
        );
    }

    /// Enters a block's changes in front of all others, a script's all at once: a busy one is moved once, not once a
    /// change.
    pub(super) fn unsettle(&self, block: BlockId, height: u32, delta: &Delta) {
        let mut changes = named_changes(delta);
        // Stable: a script's own changes keep their order.
        changes.sort_by_key(|change| change.0);
        for of_script in changes.chunk_by(|a, b| a.0 == b.0) {
            let script = of_script[0].0;
            let enter = |entry: &mut Entry| {
                let all = of_script
                    .iter()
                    .fold(Totals::default(), |sum, change| sum.plus(change.2));
                entry.floor = entry.floor.minus(all);
                let mut running = entry.floor;
                let new = of_script.iter().map(|(_, outpoint, change, created)| {
                    running = running.plus(*change);
                    Change::new(*outpoint, block, height, *created, running)
                });
                entry.changes.insert_many(0, new);
            };
            self.entries.change(&script, || Entry::new(script), enter);
        }
    }

    pub(super) fn forget(&self, script: &ScriptHash, block: BlockId) {
        self.remove(script, block, false);
    }

    pub(super) fn settle(&self, script: &ScriptHash, block: BlockId) {
        self.remove(script, block, true);
    }

    fn remove(&self, script: &ScriptHash, block: BlockId, settle: bool) {
        self.entries.prune(script, |entry| {
            if settle
                && let Some(last) = entry
                    .changes
                    .iter()
                    .rev()
                    .find(|change| change.block == block)
            {
                entry.floor = last.running;
            }
            entry.changes.retain(|change| change.block != block);
            if entry.changes.spilled() && entry.changes.len() * 2 <= entry.changes.capacity() {
                entry.changes.shrink_to_fit();
            }
            !entry.changes.is_empty()
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of the table, without the lists of scripts with more than one change.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.table_bytes()
    }
}

/// A change of a script's totals by one of its coins, which it creates or spends.
type NamedChange = (ScriptHash, OutPoint, Totals, bool);

/// What a delta does to scripts, in its order.
fn named_changes(delta: &Delta) -> Vec<NamedChange> {
    let named = |created: bool| {
        move |(outpoint, coin): &(OutPoint, Coin)| {
            let script = ScriptHash::of(&coin.script_pubkey);
            (script, *outpoint, Totals::of(coin, created), created)
        }
    };
    let spent = delta.spent.iter().map(named(false));
    spent.chain(delta.created.iter().map(named(true))).collect()
}
