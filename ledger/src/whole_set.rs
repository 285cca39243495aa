//! Owns the walk over all coins of one world.
//! Promises them in the order of their outpoints, the txid as bytes and then the output's number, whatever checkpoints do
//! meanwhile. Refuses to hold more than the changes above the base in memory.

use bitcoin::OutPoint;
use bitcoin::hashes::Hash;
use rayon::prelude::*;

use crate::coin::Coin;
use crate::error::ReadError;
use crate::id::BlockId;
use crate::setinfo::{SetHash, SetInfo, SetInfoBuilder, SetSummary};
use crate::store::{BasePoint, Reader};
use crate::world::World;

#[cfg(test)]
mod tests;

/// After how many coins it is asked whether to go on.
const ASK_EVERY: usize = 4_096;

impl World {
    /// Counts and hashes over all coins of this world. Reads the whole set: seconds per ten million coins.
    pub fn set_info(&self) -> Result<SetInfo, ReadError> {
        self.set_info_while(|| true)
    }

    /// [`World::set_info`] that stops with [`ReadError::Cancelled`] soon after `go_on` says no.
    pub fn set_info_while(&self, go_on: impl Fn() -> bool) -> Result<SetInfo, ReadError> {
        let info = self.gathered(SetInfoBuilder::new(), &go_on)?;
        Ok(info.finish())
    }

    /// Counts over all coins of this world, with one hash or none: what is not asked for is not worked out, which is
    /// most of the time of [`World::set_info`]. [`ReadError::Cancelled`] soon after `go_on` says no.
    pub fn set_summary_while(
        &self,
        hash: SetHash,
        go_on: impl Fn() -> bool,
    ) -> Result<SetSummary, ReadError> {
        let info = self.gathered(SetInfoBuilder::of(hash), &go_on)?;
        Ok(info.summary())
    }

    fn gathered(
        &self,
        mut info: SetInfoBuilder,
        go_on: &dyn Fn() -> bool,
    ) -> Result<SetInfoBuilder, ReadError> {
        self.with_store(|reader, base| {
            for row in self.coins(reader, base, go_on)? {
                let (outpoint, coin) = row?;
                info.add(&outpoint, &coin);
            }
            Ok(info)
        })
    }

    /// All coins. [`ReadError::Cancelled`] soon after `go_on` says no.
    pub(crate) fn coins<'r>(
        &self,
        reader: &'r Reader<'_>,
        base: BasePoint,
        go_on: &'r dyn Fn() -> bool,
    ) -> Result<impl Iterator<Item = Result<(OutPoint, Coin), ReadError>> + 'r, ReadError> {
        let mut above = self.changes_above(reader, base)?.peekable();
        let mut rows = reader.coins_in_order()?.peekable();
        let mut looked_at = 0;
        Ok(std::iter::from_fn(move || {
            loop {
                looked_at += 1;
                if looked_at % ASK_EVERY == 0 && !go_on() {
                    return Some(Err(ReadError::Cancelled));
                }
                let row = match rows.peek() {
                    Some(Ok((outpoint, _))) => Some(*outpoint),
                    Some(Err(_)) => return rows.next().map(|row| row.map_err(ReadError::from)),
                    None => None,
                };
                let change = above.next_if(|(changed, _)| row.is_none_or(|row| *changed <= row));
                let Some((changed, coin)) = change else {
                    return rows.next().map(|row| row.map_err(ReadError::from));
                };
                if row == Some(changed) {
                    rows.next();
                }
                if let Some(coin) = coin {
                    return Some(Ok((changed, coin)));
                }
            }
        }))
    }

    /// What the journal says of every coin that a block between the base and this world touched, in the order of
    /// outpoints: the coin, or that there is none.
    fn changes_above(
        &self,
        reader: &Reader<'_>,
        base: BasePoint,
    ) -> Result<impl Iterator<Item = (OutPoint, Option<Coin>)> + use<>, ReadError> {
        let blocks = (base.height + 1..=self.height())
            .map(|height| {
                let block = self.state.path.at(height).ok_or_else(|| self.gone())?;
                Ok((height, block))
            })
            .collect::<Result<Vec<(u32, BlockId)>, ReadError>>()?;
        let mut changes = Vec::new();
        for delta in reader.deltas(&blocks)? {
            let delta = delta.ok_or_else(|| self.gone())?;
            let spent = delta.spent.into_iter();
            changes.extend(spent.map(|(outpoint, _)| (outpoint, None)));
            let created = delta.created.into_iter();
            changes.extend(created.map(|(outpoint, coin)| (outpoint, Some(coin))));
        }
        Ok(last_of_each(changes))
    }
}

/// The last change of each coin, in the order of outpoints.
fn last_of_each(
    mut changes: Vec<(OutPoint, Option<Coin>)>,
) -> impl Iterator<Item = (OutPoint, Option<Coin>)> {
    let mut order = in_order(&changes).into_iter().peekable();
    std::iter::from_fn(move || {
        let mut at = order.next()?;
        let outpoint = changes[at].0;
        while let Some(later) = order.next_if(|later| changes[*later].0 == outpoint) {
            at = later;
        }
        Some((outpoint, changes[at].1.take()))
    })
}

/// The places of the changes, by outpoint and then as they happened.
fn in_order(changes: &[(OutPoint, Option<Coin>)]) -> Vec<usize> {
    // Numbers sort much faster than outpoints: the txid's beginning, the output's number, the place. Outpoints of two
    // transactions that begin alike, which somebody may have made on purpose, are put into order afterwards.
    let head_of = |key: &u128| key >> 64;
    let place_of = |key: &u128| (key & u128::from(u32::MAX)) as usize;
    let mut keys: Vec<u128> = changes
        .iter()
        .enumerate()
        .map(|(place, (outpoint, _))| {
            let txid = outpoint.txid.as_byte_array();
            let (head, _) = txid.split_first_chunk().expect("a txid has 32 bytes");
            let head = u128::from(u64::from_be_bytes(*head));
            debug_assert!(place <= u32::MAX as usize, "the changes would take 300 GB");
            head << 64 | u128::from(outpoint.vout) << 32 | place as u128
        })
        .collect();
    keys.par_sort_unstable();
    for alike in keys.chunk_by_mut(|a, b| head_of(a) == head_of(b)) {
        let outpoint = |key: &u128| changes[place_of(key)].0;
        let txid = outpoint(&alike[0]).txid;
        if alike.iter().any(|key| outpoint(key).txid != txid) {
            alike.sort_unstable_by_key(|key| (outpoint(key), place_of(key)));
        }
    }
    keys.iter().map(place_of).collect()
}
