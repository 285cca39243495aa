//! Owns a table of buckets and what lies in them.
//! Promises one address to a place.
//! Refuses places that it does not have.

use super::{BUCKET_SIZE, Id};

/// A place in a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

impl Place {
    /// The place of a bucket; both are below the table's numbers.
    pub(super) fn at(bucket: u64, position: u64) -> Place {
        Place((bucket * BUCKET_SIZE + position) as u32)
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
pub(super) struct Table(Vec<Option<Id>>);

impl Table {
    pub(super) fn new(buckets: u64) -> Table {
        Table(vec![None; (buckets * BUCKET_SIZE) as usize])
    }

    pub(super) fn buckets(&self) -> u64 {
        self.0.len() as u64 / BUCKET_SIZE
    }

    pub(super) fn get(&self, place: Place) -> Option<Id> {
        self.0.get(place.0 as usize).copied().flatten()
    }

    pub(super) fn has(&self, place: Place) -> bool {
        (place.0 as usize) < self.0.len()
    }

    pub(super) fn set(&mut self, place: Place, id: Option<Id>) {
        if let Some(it) = self.0.get_mut(place.0 as usize) {
            *it = id;
        }
    }

    #[cfg(test)]
    pub(super) fn filled(&self) -> impl Iterator<Item = (Place, Id)> + '_ {
        let places = self.0.iter().enumerate();
        places.filter_map(|(place, id)| Some((Place(place as u32), (*id)?)))
    }
}
