//! Owns the base: the flat UTXO set and the script index at one block.
//! Promises that `unfold` is the inverse of `fold`, row for row.
//! Refuses to spend a coin that is not there or to make one that is.
//!
//! - `coins`: outpoint -> a coin.
//! - `scripts`: script hash 32 -> varint(satoshis) | varint(coins) | the outpoint, if it is one coin.
//!   A script without coins has no row.
//! - `script_coins`: the script hash's first 8 bytes | outpoint -> nothing; for scripts with
//!   two coins or more. Scripts that share the 8 bytes share a stretch of the table; their coins are
//!   told apart by looking at each coin's script. Two of its rows never have the same key, because
//!   an outpoint has one script.

use std::cmp::Ordering;
use std::ops::Bound;

use bitcoin::hashes::Hash;
use bitcoin::{OutPoint, Txid};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use smallvec::SmallVec;

use super::codec::{
    Malformed, OUTPOINT_LENGTH, Source, outpoint_bytes, put_coin, put_varint, read_coin,
    read_outpoint,
};
use super::meta::BasePoint;
use super::reader::{Reader, Transaction, Writer};
use super::{StoreError, failpoint};
use crate::coin::Coin;
use crate::delta::Delta;
use crate::id::ScriptHash;

/// What the base knows of a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScriptSummary {
    /// The sum of its coins in satoshis.
    pub sat: u64,
    /// How many coins it has.
    pub coins: u64,
}

/// How much of a script hash `script_coins` keeps.
pub(super) const PREFIX_LENGTH: usize = 8;

type ScriptCoinKey = SmallVec<[u8; PREFIX_LENGTH + OUTPOINT_LENGTH]>;

/// A row of `scripts`.
#[derive(Clone, Copy, Default)]
struct ScriptRow {
    summary: ScriptSummary,
    /// Its coin, if it has one only.
    only: Option<OutPoint>,
}

impl ScriptRow {
    fn write(&self, row: &mut Vec<u8>) {
        row.clear();
        put_varint(row, self.summary.sat.into());
        put_varint(row, self.summary.coins.into());
        if let Some(outpoint) = &self.only {
            row.extend_from_slice(&outpoint_bytes(outpoint));
        }
    }

    fn read(value: &[u8]) -> Result<ScriptRow, Malformed> {
        let mut source = Source::new(value);
        let sat = source.varint_u64()?;
        let coins = source.varint_u64()?;
        let only = match coins {
            1 => Some(read_outpoint(&mut source)?),
            _ => None,
        };
        source.end()?;
        Ok(ScriptRow {
            summary: ScriptSummary { sat, coins },
            only,
        })
    }
}

fn read_coin_row(key: &[u8], value: &[u8]) -> Result<(OutPoint, Coin), Malformed> {
    let mut source = Source::new(key);
    let outpoint = read_outpoint(&mut source)?;
    source.end()?;
    Ok((outpoint, read_coin_value(value)?))
}

fn read_coin_value(value: &[u8]) -> Result<Coin, Malformed> {
    let mut source = Source::new(value);
    let coin = read_coin(&mut source)?;
    source.end()?;
    Ok(coin)
}

impl<T: Transaction> Reader<'_, T> {
    /// A coin of the base.
    pub fn coin(&self, outpoint: &OutPoint) -> Result<Option<Coin>, StoreError> {
        let key = outpoint_bytes(outpoint);
        self.get(&self.store.tables.coins, &key, read_coin_value)
    }

    /// All coins of the base: by txid bytes, then by output number.
    pub fn coins_in_order(
        &self,
    ) -> Result<impl Iterator<Item = Result<(OutPoint, Coin), StoreError>>, StoreError> {
        self.all_rows(&self.store.tables.coins, read_coin_row)
    }

    /// How many coins the base has.
    pub fn coin_count(&self) -> Result<u64, StoreError> {
        self.count(&self.store.tables.coins)
    }

    /// The coins of one transaction, by output number.
    pub fn coins_of_transaction(
        &self,
        txid: &Txid,
    ) -> Result<impl Iterator<Item = Result<(OutPoint, Coin), StoreError>> + use<'_, T>, StoreError>
    {
        let txid = txid.to_byte_array();
        let from = Bound::Included(txid.as_slice());
        self.rows(&self.store.tables.coins, from, &txid, read_coin_row)
    }

    /// Balance and number of coins of a script; `None` if it has none.
    pub fn script_summary(&self, script: &ScriptHash) -> Result<Option<ScriptSummary>, StoreError> {
        Ok(self.script_row(script)?.map(|row| row.summary))
    }

    fn prefix<'h>(&self, script: &'h ScriptHash) -> &'h [u8] {
        &script.0[..self.store.script_prefix]
    }

    fn script_coin_key(&self, script: &ScriptHash, outpoint: &OutPoint) -> ScriptCoinKey {
        let mut key = ScriptCoinKey::from_slice(self.prefix(script));
        key.extend_from_slice(&outpoint_bytes(outpoint));
        key
    }

    fn script_row(&self, script: &ScriptHash) -> Result<Option<ScriptRow>, StoreError> {
        self.get(&self.store.tables.scripts, &script.0, ScriptRow::read)
    }

    /// The coins of a script behind `after`, in the order of [`Reader::coins_in_order`].
    pub fn script_coins(
        &self,
        script: &ScriptHash,
        after: Option<OutPoint>,
    ) -> Result<impl Iterator<Item = Result<OutPoint, StoreError>> + use<'_, T>, StoreError> {
        let script = *script;
        let row = self.script_row(&script)?.unwrap_or_default();
        let behind = |outpoint: &OutPoint| match &after {
            Some(after) => outpoint_bytes(outpoint) > outpoint_bytes(after),
            None => true,
        };
        let only = row.only.filter(behind).map(Ok);
        let many = match row.summary.coins > 1 {
            true => Some(self.shared_script_coins(script, after)?),
            false => None,
        };
        Ok(only.into_iter().chain(many.into_iter().flatten()))
    }

    /// The rows of `script_coins` that belong to `script`.
    fn shared_script_coins(
        &self,
        script: ScriptHash,
        after: Option<OutPoint>,
    ) -> Result<impl Iterator<Item = Result<OutPoint, StoreError>> + use<'_, T>, StoreError> {
        let table = &self.store.tables.script_coins;
        let prefix_length = self.store.script_prefix;
        let read = move |key, _| {
            let mut source = Source::new(key);
            source.take(prefix_length)?;
            let outpoint = read_outpoint(&mut source)?;
            source.end()?;
            Ok(outpoint)
        };
        let start = after.map(|after| self.script_coin_key(&script, &after));
        let from = match &start {
            Some(after) => Bound::Excluded(after.as_slice()),
            None => Bound::Included(self.prefix(&script)),
        };
        let rows = self.rows(table, from, self.prefix(&script), read)?;
        let alone = !self.shares_prefix(&script)?;
        Ok(rows.filter_map(move |outpoint| match outpoint {
            Ok(outpoint) if !alone => match self.coin(&outpoint) {
                Ok(Some(coin)) if ScriptHash::of(&coin.script_pubkey) != script => None,
                Ok(Some(_)) => Some(Ok(outpoint)),
                Ok(None) => Some(Err(self.missing_coin(&outpoint))),
                Err(error) => Some(Err(error)),
            },
            other => Some(other),
        }))
    }

    /// Whether another script of the base has the same first 8 bytes.
    fn shares_prefix(&self, script: &ScriptHash) -> Result<bool, StoreError> {
        let from = Bound::Included(self.prefix(script));
        let read = |_, _| Ok(());
        let mut rows = self.rows(&self.store.tables.scripts, from, self.prefix(script), read)?;
        Ok(rows.nth(1).transpose()?.is_some())
    }

    fn missing_coin(&self, outpoint: &OutPoint) -> StoreError {
        let key = outpoint_bytes(outpoint);
        let why = Malformed("the coin is not there, though it should be");
        self.store.damaged_row("coins", &key, why)
    }
}

/// What a stretch of blocks did to one coin of the base.
#[derive(Clone, Copy, Default)]
struct Change<'d> {
    /// The coin that was in the base and is to go.
    removed: Option<&'d Coin>,
    /// The coin that is to be in the base.
    added: Option<&'d Coin>,
}

/// What a stretch of blocks did, netted out: coins made and spent within it left no trace.
#[derive(Default)]
struct Changes<'d>(HashMap<OutPoint, Change<'d>, RandomState>);

impl<'d> Changes<'d> {
    fn remove(&mut self, coins: &'d [(OutPoint, Coin)]) {
        for (outpoint, coin) in coins {
            let change = self.0.entry(*outpoint).or_default();
            if change.added.take().is_none() {
                change.removed = Some(coin);
            } else if change.removed.is_none() {
                self.0.remove(outpoint);
            }
        }
    }

    fn add(&mut self, coins: &'d [(OutPoint, Coin)]) {
        for (outpoint, coin) in coins {
            self.0.entry(*outpoint).or_default().added = Some(coin);
        }
    }

    /// In the order of the keys in `coins`.
    fn sorted(self) -> Vec<(OutPoint, Change<'d>)> {
        let mut sorted: Vec<_> = self.0.into_iter().collect();
        sorted.sort_unstable_by(|(a, _), (b, _)| key_order(a, b));
        sorted
    }
}

/// The order of [`outpoint_bytes`].
fn key_order(a: &OutPoint, b: &OutPoint) -> Ordering {
    let bytes = |outpoint: &OutPoint| outpoint.txid.to_byte_array();
    bytes(a).cmp(&bytes(b)).then(a.vout.cmp(&b.vout))
}

/// One coin that a script gains or loses.
struct ScriptChange {
    script: ScriptHash,
    outpoint: OutPoint,
    sat: u64,
    added: bool,
}

fn script_changes(changes: &[(OutPoint, Change<'_>)]) -> Vec<ScriptChange> {
    let one = |outpoint: &OutPoint, coin: Option<&Coin>, added: bool| {
        coin.map(|coin| ScriptChange {
            script: ScriptHash::of(&coin.script_pubkey),
            outpoint: *outpoint,
            sat: coin.amount.to_sat(),
            added,
        })
    };
    let mut all: Vec<ScriptChange> = changes
        .iter()
        .flat_map(|(outpoint, change)| {
            let removed = one(outpoint, change.removed, false);
            let added = one(outpoint, change.added, true);
            removed.into_iter().chain(added)
        })
        .collect();
    // Stable: each script's changes stay in the order of outpoints, removal before addition.
    all.sort_by_key(|change| change.script);
    all
}

impl Writer<'_> {
    /// Moves the base up to `to` by what the blocks in between did, lowest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] if a coin that was spent is not in the base or one that was made is.
    /// The writer must then be dropped.
    pub fn fold<'d>(
        &mut self,
        to: BasePoint,
        deltas: impl IntoIterator<Item = &'d Delta>,
    ) -> Result<(), StoreError> {
        let mut changes = Changes::default();
        for delta in deltas {
            changes.remove(&delta.spent);
            changes.add(&delta.created);
        }
        self.move_base(to, changes)
    }

    /// Moves the base down to `to` by undoing what the blocks above it did, highest first.
    ///
    /// # Errors
    ///
    /// As [`Writer::fold`].
    pub fn unfold<'d>(
        &mut self,
        to: BasePoint,
        undone: impl IntoIterator<Item = &'d Delta>,
    ) -> Result<(), StoreError> {
        let mut changes = Changes::default();
        for delta in undone {
            changes.remove(&delta.created);
            changes.add(&delta.spent);
        }
        self.move_base(to, changes)
    }

    fn move_base(&mut self, to: BasePoint, changes: Changes<'_>) -> Result<(), StoreError> {
        self.moves_base = true;
        failpoint::reach("fold-started");
        let changes = changes.sorted();
        // Scripts first: telling colliding ones apart needs the coins as they were.
        self.change_scripts(&script_changes(&changes))?;
        self.change_coins(&changes)?;
        self.put_base(to)
    }

    fn change_coins(&mut self, changes: &[(OutPoint, Change<'_>)]) -> Result<(), StoreError> {
        let store = self.store;
        let coins = &store.tables.coins;
        let first = self.coin_count()? == 0;
        let mut row = Vec::new();
        for (outpoint, change) in changes {
            let key = outpoint_bytes(outpoint);
            match (change.removed, change.added) {
                (_, None) => {
                    if !self.delete(coins, &key)? {
                        return Err(self.missing_coin(outpoint));
                    }
                }
                (removed, Some(coin)) => {
                    row.clear();
                    put_coin(&mut row, coin);
                    if removed.is_some() {
                        self.put(coins, &key, &row)?;
                    } else if !self.put_new(coins, &key, &row, first)? {
                        let why = Malformed("the coin is there already");
                        return Err(store.damaged_row(coins.name, &key, why));
                    }
                }
            }
        }
        Ok(())
    }

    fn change_scripts(&mut self, changes: &[ScriptChange]) -> Result<(), StoreError> {
        let store = self.store;
        // Put at the end: where an outpoint changes hands between two scripts with one prefix, its
        // key is deleted for the one before it is put for the other.
        let mut new_coins: Vec<ScriptCoinKey> = Vec::new();
        for changes in changes.chunk_by(|a, b| a.script == b.script) {
            self.change_script(changes, &mut new_coins)?;
        }
        new_coins.sort_unstable();
        for key in new_coins {
            self.put(&store.tables.script_coins, &key, &[])?;
        }
        Ok(())
    }

    /// Applies the changes of one script, of which there is at least one.
    fn change_script(
        &mut self,
        changes: &[ScriptChange],
        new_coins: &mut Vec<ScriptCoinKey>,
    ) -> Result<(), StoreError> {
        let store = self.store;
        let script = changes[0].script;
        let old = self.script_row(&script)?.unwrap_or_default();
        let damaged = |detail| store.damaged_row("scripts", &script.0, Malformed(detail));
        let mut summary = old.summary;
        // All additions before all removals: only the end result must not be negative.
        for change in changes.iter().filter(|change| change.added) {
            summary.coins += 1;
            summary.sat = summary
                .sat
                .checked_add(change.sat)
                .ok_or_else(|| damaged("the balance is too large"))?;
        }
        for change in changes.iter().filter(|change| !change.added) {
            let less = |a: u64, b: u64| a.checked_sub(b);
            summary.coins = less(summary.coins, 1).ok_or_else(|| damaged("coins are missing"))?;
            summary.sat =
                less(summary.sat, change.sat).ok_or_else(|| damaged("satoshis are missing"))?;
        }
        let only = match (old.summary.coins > 1, summary.coins > 1) {
            (true, true) => {
                self.change_script_coins(changes, new_coins)?;
                None
            }
            (true, false) => {
                let held = self.shared_script_coins(script, None)?;
                let held = held.collect::<Result<Vec<OutPoint>, StoreError>>()?;
                for outpoint in &held {
                    let key = self.script_coin_key(&script, outpoint);
                    self.delete(&store.tables.script_coins, &key)?;
                }
                apply(held, changes).pop()
            }
            (false, many) => {
                let mut held = apply(old.only.into_iter().collect(), changes);
                if many {
                    new_coins.extend(held.iter().map(|held| self.script_coin_key(&script, held)));
                }
                held.pop().filter(|_| !many)
            }
        };
        if only.is_some() != (summary.coins == 1) {
            return Err(damaged("its coins are not those that were spent"));
        }
        if summary.coins == 0 {
            self.delete(&store.tables.scripts, &script.0)?;
            return Ok(());
        }
        let mut row = Vec::new();
        ScriptRow { summary, only }.write(&mut row);
        self.put(&store.tables.scripts, &script.0, &row)
    }

    fn change_script_coins(
        &mut self,
        changes: &[ScriptChange],
        new_coins: &mut Vec<ScriptCoinKey>,
    ) -> Result<(), StoreError> {
        let store = self.store;
        for change in changes {
            let key = self.script_coin_key(&change.script, &change.outpoint);
            if change.added {
                new_coins.push(key);
            } else if !self.delete(&store.tables.script_coins, &key)? {
                let why = Malformed("the coin is not there, though it should be");
                return Err(store.damaged_row("script_coins", &key, why));
            }
        }
        Ok(())
    }
}

/// The few coins that a script has after `changes`.
fn apply(mut held: Vec<OutPoint>, changes: &[ScriptChange]) -> Vec<OutPoint> {
    let removed: std::collections::HashSet<OutPoint> = changes
        .iter()
        .filter(|change| !change.added)
        .map(|change| change.outpoint)
        .collect();
    held.retain(|outpoint| !removed.contains(outpoint));
    held.extend(
        changes
            .iter()
            .filter(|change| change.added)
            .map(|change| change.outpoint),
    );
    held
}

#[cfg(test)]
mod tests;
