//! Owns the versions of coins above the base.

use bitcoin::{Amount, OutPoint};
use smallvec::SmallVec;

use super::shards::Shards;
use super::slab::Keyed;
use crate::coin::{Coin, ScriptPubKey};
use crate::delta::Delta;
use crate::id::BlockId;
use crate::path::Path;

/// What the overlay says of a coin at one world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Seen {
    /// A block on the path made it.
    Created(Coin),
    /// A block on the path spent it.
    Spent,
    /// No block on the path above the base touched it: ask the base.
    Untouched,
}

/// The parts of a coin that are the same on every branch; an outpoint names its transaction, so they cannot differ.
struct Body {
    amount: Amount,
    script_pubkey: ScriptPubKey,
    coinbase: bool,
}

#[derive(Clone, Copy)]
struct Version {
    block: BlockId,
    /// Height of the block, and in the lowest bit whether it created the coin.
    height_and_kind: u32,
}

impl Version {
    fn new(block: BlockId, height: u32, created: bool) -> Version {
        Version {
            block,
            height_and_kind: height << 1 | u32::from(created),
        }
    }

    fn height(self) -> u32 {
        self.height_and_kind >> 1
    }

    fn created(self) -> bool {
        self.height_and_kind & 1 == 1
    }
}

/// A block of any branch that spends a coin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct OtherSpend {
    pub(crate) block: BlockId,
    pub(crate) outpoint: OutPoint,
    /// The block's height.
    pub(crate) height: u32,
}

struct Entry {
    outpoint: OutPoint,
    /// Missing while only spends of a coin of the base are known.
    body: Option<Body>,
    /// In the order of connection: on any path, heights rise from front to back.
    versions: SmallVec<[Version; 2]>,
}

impl Keyed for Entry {
    type Key = OutPoint;

    fn key(&self) -> &OutPoint {
        &self.outpoint
    }

    fn husk() -> Entry {
        Entry::empty(OutPoint::null())
    }
}

impl Entry {
    fn empty(outpoint: OutPoint) -> Entry {
        Entry {
            outpoint,
            body: None,
            versions: SmallVec::new(),
        }
    }

    fn set_body(&mut self, coin: &Coin) {
        if self.body.is_none() {
            self.body = Some(Body {
                amount: coin.amount,
                script_pubkey: coin.script_pubkey.clone(),
                coinbase: coin.coinbase,
            });
        }
    }

    fn note_spends(&self, spends: &mut Vec<OtherSpend>) {
        let made = self.versions.iter().filter(|version| !version.created());
        spends.extend(made.map(|version| OtherSpend {
            outpoint: self.outpoint,
            block: version.block,
            height: version.height(),
        }));
    }

    fn seen_from(&self, path: &Path) -> Seen {
        let visible = self
            .versions
            .iter()
            .rev()
            .find(|version| path.holds(version.height(), version.block));
        match (visible, &self.body) {
            (Some(version), Some(body)) if version.created() => Seen::Created(Coin {
                amount: body.amount,
                script_pubkey: body.script_pubkey.clone(),
                height: version.height(),
                coinbase: body.coinbase,
            }),
            (Some(_), _) => Seen::Spent,
            (None, _) => Seen::Untouched,
        }
    }
}

/// `outpoint -> versions`.
pub(crate) struct CoinOverlay {
    entries: Shards<Entry>,
}

impl CoinOverlay {
    pub(super) fn new() -> CoinOverlay {
        CoinOverlay {
            entries: Shards::new(),
        }
    }

    pub(crate) fn get(&self, outpoint: &OutPoint, path: &Path) -> Seen {
        self.entries
            .read(outpoint, |entry| entry.seen_from(path))
            .unwrap_or(Seen::Untouched)
    }

    /// Enters the versions of a block; answers with the other spends of what it spent.
    pub(super) fn apply(&self, block: BlockId, height: u32, delta: &Delta) -> Vec<OtherSpend> {
        let mut others = Vec::new();
        let (spent, created) = (
            Version::new(block, height, false),
            Version::new(block, height, true),
        );
        let spent = delta
            .spent
            .iter()
            .map(|(outpoint, _)| (*outpoint, None, spent));
        let created = delta
            .created
            .iter()
            .map(|(outpoint, coin)| (*outpoint, Some(coin), created));
        let changes: Vec<(OutPoint, Option<&Coin>, Version)> = spent.chain(created).collect();
        self.entries.change_all(
            &changes,
            |change| &change.0,
            |change| Entry::empty(change.0),
            |entry, (_, coin, version)| {
                match coin {
                    Some(coin) => entry.set_body(coin),
                    None => entry.note_spends(&mut others),
                }
                entry.versions.push(*version);
            },
        );
        others
    }

    /// Adds every spend of `outpoint`, on any branch, to `spends`.
    pub(crate) fn spends(&self, outpoint: &OutPoint, spends: &mut Vec<OtherSpend>) {
        self.entries
            .read(outpoint, |entry| entry.note_spends(spends));
    }

    pub(super) fn uncreate(&self, outpoint: OutPoint, coin: &Coin, block: BlockId) {
        self.change(outpoint, |entry| {
            entry.set_body(coin);
            entry
                .versions
                .insert(0, Version::new(block, coin.height, true));
        });
    }

    pub(super) fn unspend(&self, outpoint: OutPoint, block: BlockId, height: u32) {
        self.change(outpoint, |entry| {
            entry.versions.insert(0, Version::new(block, height, false))
        });
    }

    fn change(&self, outpoint: OutPoint, change: impl FnOnce(&mut Entry)) {
        self.entries
            .change(&outpoint, || Entry::empty(outpoint), change);
    }

    pub(super) fn forget(&self, outpoint: OutPoint, block: BlockId) {
        self.entries.prune(&outpoint, |entry| {
            entry.versions.retain(|version| version.block != block);
            if entry.versions.spilled() && entry.versions.len() <= entry.versions.inline_size() {
                entry.versions.shrink_to_fit();
            }
            if !entry.versions.iter().any(|version| version.created()) {
                entry.body = None;
            }
            !entry.versions.is_empty()
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes of the table, without the scripts it shares.
    pub(crate) fn bytes(&self) -> usize {
        self.entries.table_bytes()
    }
}
