//! Owns what an event is, and its row.
//! Promises to read every row that any version of this program wrote.

use bitcoin::hashes::Hash;
use bitcoin::{Amount, BlockHash, OutPoint, Txid};

use crate::coin::ScriptPubKey;
use crate::conflict::{Conflict, ConflictKind};
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
    /// A new block spends coins that a block of another branch spends in other transactions.
    ConflictFound,
}

impl EventKind {
    /// All of them; the place of each is its byte in a row.
    pub const ALL: [EventKind; 7] = [
        EventKind::TipAdded,
        EventKind::TipExtended,
        EventKind::BestChanged,
        EventKind::TipRetired,
        EventKind::BlockInvalid,
        EventKind::Checkpointed,
        EventKind::ConflictFound,
    ];

    /// Its name as it stands in the log and in answers, such as `BestChanged`.
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::TipAdded => "TipAdded",
            EventKind::TipExtended => "TipExtended",
            EventKind::BestChanged => "BestChanged",
            EventKind::TipRetired => "TipRetired",
            EventKind::BlockInvalid => "BlockInvalid",
            EventKind::Checkpointed => "Checkpointed",
            EventKind::ConflictFound => "ConflictFound",
        }
    }
}

/// The version of the rows that are written. A row of the first schema has none: it starts with its kind, which is less
/// than 128, and knows nothing of conflicts.
const ROW_VERSION: u8 = 128 + 1;

/// Bytes of the smallest conflict in a row: outpoint, amount, length of the script, two transactions, kind.
const LEAST_CONFLICT: usize = 36 + 8 + 4 + 64 + 1;

/// One entry of the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Where the story starts: the tip extended, the block a new branch leaves from, the old best tip, the block where a
    /// retired branch left the best chain, the parent of an invalid block, the old base, the block that spent the coins
    /// before.
    pub from: BlockHash,
    /// Where it ends: the new tip, the new best tip, the retired tip, the invalid block, the new base, the new block that
    /// spends them too.
    pub to: BlockHash,
    /// The last block that both share.
    pub fork: BlockHash,
    /// With `BestChanged`: the blocks taken back, highest first.
    pub undone: Vec<BlockHash>,
    /// With `BestChanged`: the blocks put on, lowest first.
    pub applied: Vec<BlockHash>,
    /// Unix seconds.
    pub time: u64,
    /// With `ConflictFound`: the coins, by outpoint, each with `from` as its block A and `to` as its block B. Those of
    /// one pair of blocks may stand in several events.
    pub conflicts: Vec<Conflict>,
    /// With `ConflictFound`, in the last event of a block: conflicts beyond the limit of what a block's events list.
    /// [`Ledger::conflicts`](crate::Ledger::conflicts) has them.
    pub unlisted: u32,
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
            conflicts: Vec::new(),
            unlisted: 0,
        }
    }

    /// Appends the row: version (1 byte), kind (1 byte), time (u64), from, to, fork (32 bytes each), then both lists of
    /// blocks as a u32 count and hashes; with `ConflictFound` also a u32 count of conflicts, each txid 32, vout u32,
    /// satoshis u64, length of the script u32 and the script, txid A 32, txid B 32, kind (1 byte), and then u32 of how
    /// many more there are. Integers are little-endian, hashes in internal byte order.
    pub(crate) fn encode(&self, row: &mut Vec<u8>) {
        row.reserve(114 + 32 * (self.undone.len() + self.applied.len()));
        row.extend_from_slice(&[ROW_VERSION, self.kind as u8]);
        row.extend_from_slice(&self.time.to_le_bytes());
        for hash in [&self.from, &self.to, &self.fork] {
            row.extend_from_slice(hash.as_byte_array());
        }
        for list in [&self.undone, &self.applied] {
            row.extend_from_slice(&(list.len() as u32).to_le_bytes());
            list.iter()
                .for_each(|hash| row.extend_from_slice(hash.as_byte_array()));
        }
        if self.kind == EventKind::ConflictFound {
            row.extend_from_slice(&(self.conflicts.len() as u32).to_le_bytes());
            self.conflicts
                .iter()
                .for_each(|conflict| encode_conflict(conflict, row));
            row.extend_from_slice(&self.unlisted.to_le_bytes());
        }
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Event, StoreError> {
        Event::parse(&mut Fields(row))
            .ok_or_else(|| StoreError::corrupt("outbox", format!("a row of {} bytes", row.len())))
    }

    /// What kind of event a row is of; `None` for a row that is none.
    pub(crate) fn kind_of(row: &[u8]) -> Option<EventKind> {
        Fields(row).kind()
    }

    fn parse(fields: &mut Fields<'_>) -> Option<Event> {
        let kind = fields.kind()?;
        let time = u64::from_le_bytes(fields.take()?);
        let (from, to, fork) = (fields.hash()?, fields.hash()?, fields.hash()?);
        let (undone, applied) = (fields.hashes()?, fields.hashes()?);
        let (mut conflicts, mut unlisted) = (Vec::new(), 0);
        if kind == EventKind::ConflictFound {
            let count = fields.count(LEAST_CONFLICT)?;
            conflicts.reserve_exact(count);
            for _ in 0..count {
                conflicts.push(fields.conflict(from, to)?);
            }
            unlisted = u32::from_le_bytes(fields.take()?);
        }
        fields.0.is_empty().then_some(Event {
            kind,
            from,
            to,
            fork,
            undone,
            applied,
            time,
            conflicts,
            unlisted,
        })
    }
}

fn encode_conflict(conflict: &Conflict, row: &mut Vec<u8>) {
    let script = conflict.script_pubkey.as_bytes();
    row.extend_from_slice(conflict.outpoint.txid.as_byte_array());
    row.extend_from_slice(&conflict.outpoint.vout.to_le_bytes());
    row.extend_from_slice(&conflict.amount.to_sat().to_le_bytes());
    row.extend_from_slice(&(script.len() as u32).to_le_bytes());
    row.extend_from_slice(script);
    row.extend_from_slice(conflict.txid_a.as_byte_array());
    row.extend_from_slice(conflict.txid_b.as_byte_array());
    row.push(conflict.kind as u8);
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn kind(&mut self) -> Option<EventKind> {
        let kind = match self.byte()? {
            ROW_VERSION => self.byte()?,
            kind if kind < 128 => kind,
            _ => return None,
        };
        EventKind::ALL.get(usize::from(kind)).copied()
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn hash(&mut self) -> Option<BlockHash> {
        self.take().map(BlockHash::from_byte_array)
    }

    fn txid(&mut self) -> Option<Txid> {
        self.take().map(Txid::from_byte_array)
    }

    /// A count of things of at least `least` bytes; none that the row cannot hold.
    fn count(&mut self, least: usize) -> Option<usize> {
        let count = u32::from_le_bytes(self.take()?) as usize;
        (count <= self.0.len() / least).then_some(count)
    }

    fn hashes(&mut self) -> Option<Vec<BlockHash>> {
        let count = self.count(32)?;
        (0..count).map(|_| self.hash()).collect()
    }

    fn conflict(&mut self, block_a: BlockHash, block_b: BlockHash) -> Option<Conflict> {
        let (txid, vout) = (self.txid()?, u32::from_le_bytes(self.take()?));
        let amount = Amount::from_sat(u64::from_le_bytes(self.take()?));
        let length = self.count(1)?;
        let (script, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        let (txid_a, txid_b) = (self.txid()?, self.txid()?);
        let kind = *ConflictKind::ALL.get(usize::from(self.byte()?))?;
        Some(Conflict {
            outpoint: OutPoint { txid, vout },
            amount,
            script_pubkey: ScriptPubKey::new(script),
            txid_a,
            txid_b,
            block_a,
            block_b,
            kind,
        })
    }
}

#[cfg(test)]
mod tests;
