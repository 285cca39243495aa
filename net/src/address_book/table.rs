//! Owns a table of buckets and what lies in them.
//! Promises one address to a place.
//! Refuses places that it does not have.

use super::{BUCKET_SIZE, Id};
use crate::endpoint::NetworkKind;

/// A place in a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

impl Place {
    /// The place of a bucket; both are below the table's numbers.
    pub(super) fn at(bucket: u64, position: u64) -> Place {
        Place((bucket * BUCKET_SIZE + position) as u32)
    }

    /// Its bucket and its position in there.
    pub(super) fn parts(self) -> (u64, u64) {
        (
            u64::from(self.0) / BUCKET_SIZE,
            u64::from(self.0) % BUCKET_SIZE,
        )
    }

    /// Its number in the table, bucket after bucket.
    pub(super) fn number(self) -> u32 {
        self.0
    }

    pub(super) fn from_number(number: u32) -> Place {
        Place(number)
    }
}

/// Buckets of 64 places.
pub(super) struct Table {
    /// Bucket after bucket. The network is here too, so that looking for one does not look at the addresses.
    cells: Vec<Option<(Id, NetworkKind)>>,
    /// Of each bucket, how many of its places are taken.
    taken: Vec<u8>,
}

impl Table {
    pub(super) fn new(buckets: u64) -> Table {
        Table {
            cells: vec![None; (buckets * BUCKET_SIZE) as usize],
            taken: vec![0; buckets as usize],
        }
    }

    pub(super) fn get(&self, place: Place) -> Option<Id> {
        let cell = self.cells.get(place.0 as usize).copied().flatten();
        cell.map(|(id, _)| id)
    }

    pub(super) fn has(&self, place: Place) -> bool {
        (place.0 as usize) < self.cells.len()
    }

    pub(super) fn put(&mut self, place: Place, id: Id, network: NetworkKind) {
        self.set(place, Some((id, network)));
    }

    pub(super) fn clear(&mut self, place: Place) {
        self.set(place, None);
    }

    fn set(&mut self, place: Place, to: Option<(Id, NetworkKind)>) {
        let bucket = u64::from(place.0) / BUCKET_SIZE;
        let taken = self.taken.get_mut(bucket as usize);
        if let (Some(cell), Some(taken)) = (self.cells.get_mut(place.0 as usize), taken) {
            *taken = *taken + u8::from(to.is_some()) - u8::from(cell.is_some());
            *cell = to;
        }
    }

    /// The buckets that have an address of one of these networks; of any, if there are none.
    pub(super) fn buckets_with(&self, networks: &[NetworkKind]) -> Vec<u64> {
        let buckets = self.taken.iter().zip(0..);
        let filled = buckets.filter(|(taken, _)| **taken > 0);
        let has = |bucket: &u64| self.first(*bucket, 0, networks).is_some();
        filled.map(|(_, bucket)| bucket).filter(has).collect()
    }

    /// The first address of one of these networks in a bucket, from a position on and around.
    pub(super) fn first(&self, bucket: u64, position: u64, networks: &[NetworkKind]) -> Option<Id> {
        let begin = (bucket * BUCKET_SIZE) as usize;
        let cells = self.cells.get(begin..begin + BUCKET_SIZE as usize)?;
        let (before, after) = cells.split_at_checked(position as usize)?;
        let wanted = |network| networks.is_empty() || networks.contains(&network);
        let mut ids = after.iter().chain(before).flatten();
        ids.find(|(_, network)| wanted(*network)).map(|(id, _)| *id)
    }

    /// What lies where, bucket after bucket.
    pub(super) fn filled(&self) -> impl Iterator<Item = (Place, Id)> + '_ {
        let places = self.cells.iter().enumerate();
        places.filter_map(|(place, cell)| Some((Place(place as u32), (*cell)?.0)))
    }

    /// That the numbers of taken places are right.
    #[cfg(test)]
    pub(super) fn check(&self) {
        for (bucket, taken) in self.cells.chunks(BUCKET_SIZE as usize).zip(&self.taken) {
            assert_eq!(bucket.iter().flatten().count(), usize::from(*taken));
        }
    }
}
