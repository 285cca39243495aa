//! Owns the events of the ledger: what changed among the worlds, in the order in which it did.
//! Promises that each is in the outbox by the same commit as the block that caused it.
//! Refuses delivery: subscribers and cursors build on these rows.

use bitcoin::BlockHash;
use bitcoin::hashes::Hash;

use crate::store::StoreError;

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EventKind {
    /// A branch began: a second child of a block, or the first child of one that was no tip.
    TipAdded,
    /// A tip moved one block on.
    TipExtended,
    /// Another world is the best one now; also a shorter chain, after an invalidation.
    BestChanged,
    /// A branch fell behind the horizon.
    TipRetired,
    /// A block broke a rule or was invalidated by hand.
    BlockInvalid,
    /// The base moved up.
    Checkpointed,
}

impl EventKind {
    const ALL: [EventKind; 6] = [
        EventKind::TipAdded,
        EventKind::TipExtended,
        EventKind::BestChanged,
        EventKind::TipRetired,
        EventKind::BlockInvalid,
        EventKind::Checkpointed,
    ];
}

/// One entry of the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Where the story starts: the tip extended, the old best tip, the parent of an invalid block, the old base.
    pub from: BlockHash,
    /// Where it ends: the new tip, the new best tip, the retired tip, the invalid block, the new base.
    pub to: BlockHash,
    /// The last block that both share.
    pub fork: BlockHash,
    /// With `BestChanged`: the blocks taken back, highest first.
    pub undone: Vec<BlockHash>,
    /// With `BestChanged`: the blocks put on, lowest first.
    pub applied: Vec<BlockHash>,
    /// Unix seconds.
    pub time: u64,
}

impl Event {
    /// An event between two blocks of one chain.
    pub(crate) fn step(kind: EventKind, from: BlockHash, to: BlockHash, time: u64) -> Event {
        Event {
            kind,
            from,
            to,
            fork: from,
            undone: Vec::new(),
            applied: Vec::new(),
            time,
        }
    }

    /// The row: kind (1 byte), time (u64), from, to, fork (32 bytes each), then both lists as a u32 count and hashes.
    /// Integers are little-endian, hashes in internal byte order.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(113 + 32 * (self.undone.len() + self.applied.len()));
        row.push(self.kind as u8);
        row.extend_from_slice(&self.time.to_le_bytes());
        for hash in [&self.from, &self.to, &self.fork] {
            row.extend_from_slice(hash.as_byte_array());
        }
        for list in [&self.undone, &self.applied] {
            row.extend_from_slice(&(list.len() as u32).to_le_bytes());
            list.iter()
                .for_each(|hash| row.extend_from_slice(hash.as_byte_array()));
        }
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Event, StoreError> {
        let mut fields = Fields(row);
        let parse = |fields: &mut Fields<'_>| {
            let kind = *EventKind::ALL.get(usize::from(fields.take::<1>()?[0]))?;
            let time = u64::from_le_bytes(fields.take()?);
            let (from, to, fork) = (fields.hash()?, fields.hash()?, fields.hash()?);
            let (undone, applied) = (fields.hashes()?, fields.hashes()?);
            fields.0.is_empty().then_some(Event {
                kind,
                from,
                to,
                fork,
                undone,
                applied,
                time,
            })
        };
        parse(&mut fields)
            .ok_or_else(|| StoreError::corrupt("outbox", format!("a row of {} bytes", row.len())))
    }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn hash(&mut self) -> Option<BlockHash> {
        self.take().map(BlockHash::from_byte_array)
    }

    fn hashes(&mut self) -> Option<Vec<BlockHash>> {
        let count = u32::from_le_bytes(self.take()?) as usize;
        if count > self.0.len() / 32 {
            return None;
        }
        (0..count).map(|_| self.hash()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_survives_its_row_and_a_cut_row_is_refused() {
        let hash = |byte| BlockHash::from_byte_array([byte; 32]);
        let event = Event {
            kind: EventKind::BestChanged,
            from: hash(1),
            to: hash(2),
            fork: hash(3),
            undone: vec![hash(1)],
            applied: vec![hash(4), hash(2)],
            time: 1_700_000_000,
        };
        let row = event.encode();
        assert_eq!(Event::decode(&row).unwrap(), event);
        for length in 0..row.len() {
            assert!(Event::decode(&row[..length]).is_err());
        }
    }
}
