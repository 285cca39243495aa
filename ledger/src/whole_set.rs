//! Owns the walk over all coins of one world.
//! Promises them in the order of their outpoints, the txid as bytes and then the output's number, whatever checkpoints do
//! meanwhile. Refuses to hold more than the changes above the base in memory.

use std::collections::HashMap;

use bitcoin::OutPoint;

use crate::coin::Coin;
use crate::error::ReadError;
use crate::setinfo::{SetInfo, SetInfoBuilder};
use crate::store::{BasePoint, Reader};
use crate::world::World;

/// After how many coins it is asked whether to go on.
const ASK_EVERY: usize = 4_096;

impl World {
    /// Counts and hashes over all coins of this world. Reads the whole set: seconds per ten million coins.
    pub fn set_info(&self) -> Result<SetInfo, ReadError> {
        self.set_info_while(|| true)
    }

    /// [`World::set_info`] that stops with [`ReadError::Cancelled`] soon after `go_on` says no.
    pub fn set_info_while(&self, go_on: impl Fn() -> bool) -> Result<SetInfo, ReadError> {
        self.with_store(|reader, base| {
            let mut info = SetInfoBuilder::new();
            for row in self.coins(reader, base, &go_on)? {
                let (outpoint, coin) = row?;
                info.add(&outpoint, &coin);
            }
            Ok(info.finish())
        })
    }

    /// All coins. [`ReadError::Cancelled`] soon after `go_on` says no.
    pub(crate) fn coins<'r>(
        &self,
        reader: &'r Reader<'_>,
        base: BasePoint,
        go_on: &'r dyn Fn() -> bool,
    ) -> Result<impl Iterator<Item = Result<(OutPoint, Coin), ReadError>> + 'r, ReadError> {
        let mut above: Vec<(OutPoint, Option<Coin>)> =
            self.changes_above(reader, base)?.into_iter().collect();
        above.sort_unstable_by_key(|(outpoint, _)| *outpoint);
        let mut above = above.into_iter().peekable();
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

    /// What the journal says of every coin that a block between the base and this world touched.
    fn changes_above(
        &self,
        reader: &Reader<'_>,
        base: BasePoint,
    ) -> Result<HashMap<OutPoint, Option<Coin>>, ReadError> {
        let mut changes = HashMap::new();
        for height in base.height + 1..=self.height() {
            let block = self.state.path.at(height).ok_or_else(|| self.gone())?;
            let delta = reader.delta(height, block)?.ok_or_else(|| self.gone())?;
            changes.extend(
                delta
                    .spent
                    .into_iter()
                    .map(|(outpoint, _)| (outpoint, None)),
            );
            changes.extend(
                delta
                    .created
                    .into_iter()
                    .map(|(outpoint, coin)| (outpoint, Some(coin))),
            );
        }
        Ok(changes)
    }
}
