//! A history in steps, each one commit: the same numbers give the same rows and block files, so
//! that what a crash left can be compared with a store that saw none, bit for bit.

use std::collections::BTreeMap;
use std::path::Path;

use bitcoin::block::{Header, Version};
use bitcoin::hashes::Hash;
use bitcoin::{BlockHash, CompactTarget, OutPoint, TxMerkleNode};

use super::super::fixtures::{coin, config, outpoint};
use super::super::*;
use crate::coin::Coin;
use crate::delta::Delta;
use crate::id::BlockId;

/// Blocks of a step.
const BLOCKS: u32 = 3;
/// Every fourth step is a checkpoint, every twelfth one that goes back.
const CHECKPOINT: u64 = 4;
const REWIND: u64 = 12;
/// Coins that a block makes; half of them are spent five blocks later.
const COINS: u64 = 40;
const SPENT_AFTER: u32 = 5;

pub(super) fn header_row(id: u32) -> HeaderRow {
    let header = Header {
        version: Version::from_consensus(id as i32),
        prev_blockhash: BlockHash::from_byte_array([id as u8; 32]),
        merkle_root: TxMerkleNode::from_byte_array([9; 32]),
        time: 1_700_000_000 + id,
        bits: CompactTarget::from_consensus(0x207f_ffff),
        nonce: id,
    };
    HeaderRow {
        id: BlockId(id),
        hash: header.block_hash(),
        header,
        height: id,
        parent: id.checked_sub(1).map(BlockId),
        position: None,
        state: id as u8,
        reason: String::new(),
        debug: String::new(),
        sequence: u64::from(id) << 33,
        first_seen: 1_700_000_000,
        tx_count: 1 + id,
    }
}

fn made(block: u32) -> Vec<(OutPoint, Coin)> {
    let numbers = (0..COINS).map(|n| u64::from(block) * COINS + n);
    numbers
        .map(|n| (outpoint(n), coin(n % 50, n * 1000, block)))
        .collect()
}

fn delta(block: u32) -> Delta {
    let spent = match block.checked_sub(SPENT_AFTER) {
        Some(old) => made(old).into_iter().step_by(2).collect(),
        None => vec![],
    };
    Delta {
        spent,
        created: made(block),
    }
}

/// A store's history, and how its blocks are.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) block_length: usize,
    pub(super) block_file_size: u64,
}

pub(super) const SMALL_BLOCKS: Shape = Shape {
    block_length: 700,
    block_file_size: 4096,
};
pub(super) const LARGE_BLOCKS: Shape = Shape {
    block_length: 60_000,
    block_file_size: 1 << 27,
};

impl Shape {
    pub(super) fn open(self, directory: &Path) -> Result<Store, StoreError> {
        let block_file_size = self.block_file_size;
        Store::open(StoreConfig {
            block_file_size,
            ..config(directory)
        })
    }

    /// How many steps a store has behind it.
    pub(super) fn steps(store: &Store) -> u64 {
        store
            .read()
            .unwrap()
            .meta_u64("steps")
            .unwrap()
            .unwrap_or(0)
    }

    /// Does the next step and returns how many are done.
    pub(super) fn step(self, store: &Store) -> Result<u64, StoreError> {
        let done = Shape::steps(store) + 1;
        if done.is_multiple_of(CHECKPOINT) {
            self.checkpoint(store, done)?;
        } else {
            self.group(store, done)?;
        }
        Ok(done)
    }

    fn group(self, store: &Store, done: u64) -> Result<(), StoreError> {
        let first = store.read()?.best()?.map_or(0, |best| best.0 + 1);
        let ids = first..first + BLOCKS;
        let mut positions = Vec::new();
        for id in ids.clone() {
            let position = store.append_block(&vec![id as u8; self.block_length + id as usize]);
            positions.push(position.inspect_err(|_| store.discard_appended_blocks())?);
        }
        let mut writer = store.write()?;
        for (id, position) in ids.zip(positions) {
            let row = HeaderRow {
                position: Some(position),
                ..header_row(id)
            };
            writer.put_header(&row)?;
            writer.put_delta(id, BlockId(id), &delta(id))?;
            writer.append_event(&id.to_le_bytes())?;
            writer.put_best(BlockId(id))?;
        }
        writer.put_meta_u64("steps", done)?;
        writer.commit()
    }

    fn checkpoint(self, store: &Store, done: u64) -> Result<(), StoreError> {
        let mut writer = store.write()?;
        let base = writer.base()?.height;
        let folded = match done.is_multiple_of(REWIND) {
            true => base + 1,
            false => writer.best()?.map_or(0, |best| best.0 - 1),
        };
        let to = |height| BasePoint {
            block: BlockId(height),
            height,
        };
        // The base starts at genesis, which here makes coins like any other block.
        let first = if base == 0 { 0 } else { base + 1 };
        let deltas: Vec<Delta> = (first..=folded).map(delta).collect();
        if done.is_multiple_of(REWIND) {
            writer.unfold(to(base - 1), [&delta(base)])?;
            writer.put_delta(base, BlockId(base), &delta(base))?;
            writer.delete_undo(BlockId(base))?;
        } else {
            writer.fold(to(folded), &deltas)?;
            for id in first..=folded {
                writer.put_undo(BlockId(id), &delta(id).spent)?;
                writer.delete_delta(id, BlockId(id))?;
            }
        }
        writer.trim_outbox(done)?;
        writer.put_meta_u64("steps", done)?;
        writer.commit()
    }

    /// All that a store holds after each of the first `steps` steps, none first.
    pub(super) fn references(self, steps: usize) -> Vec<Contents> {
        let directory = tempfile::tempdir().unwrap();
        let store = self.open(directory.path()).unwrap();
        let mut references = vec![Contents::of(&store)];
        for _ in 0..steps {
            self.step(&store).unwrap();
            references.push(Contents::of(&store));
        }
        references
    }
}

/// Every row and every byte of the block files.
#[derive(PartialEq, Eq)]
pub(super) struct Contents {
    rows: BTreeMap<(&'static str, Vec<u8>), Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
}

impl Contents {
    pub(super) fn of(store: &Store) -> Contents {
        Contents {
            files: store.blocks.contents(),
            ..Contents::rows_of(store)
        }
    }

    /// Only what the tables hold: what a reader can be sure of while a writer appends.
    pub(super) fn rows_of(store: &Store) -> Contents {
        let reader = store.read().unwrap();
        let t = &store.tables;
        let tables = [
            &t.meta,
            &t.headers,
            &t.coins,
            &t.scripts,
            &t.script_coins,
            &t.journal,
            &t.undo,
            &t.orphans,
            &t.outbox,
            &t.cursors,
            &t.block_files,
        ];
        let mut rows = BTreeMap::new();
        for table in tables {
            let copy = |key: &[u8], value: &[u8]| Ok(((table.name, key.to_vec()), value.to_vec()));
            rows.extend(reader.all_rows(table, copy).unwrap().map(Result::unwrap));
        }
        Contents {
            rows,
            files: BTreeMap::new(),
        }
    }

    /// A number that differs when the rows do.
    pub(super) fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for ((table, key), value) in &self.rows {
            for part in [table.as_bytes(), key, value] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        hasher.finalize()
    }

    /// Panics with what differs.
    pub(super) fn assert_eq(&self, wanted: &Contents, when: &str) {
        for (key, value) in &wanted.rows {
            assert_eq!(self.rows.get(key), Some(value), "{when}: row {key:?}");
        }
        assert_eq!(
            self.rows.len(),
            wanted.rows.len(),
            "{when}: rows that should not be"
        );
        for (name, bytes) in &wanted.files {
            assert!(
                self.files.get(name) == Some(bytes),
                "{when}: block file {name}"
            );
        }
        assert_eq!(
            self.files.len(),
            wanted.files.len(),
            "{when}: block files that should not be"
        );
    }
}

#[test]
fn the_history_makes_checkpoints_rewinds_and_several_block_files() {
    let references = SMALL_BLOCKS.references(24);
    let last = references.last().unwrap();
    assert!(last.files.len() > 3);
    let count = |name| last.rows.keys().filter(|(table, _)| *table == name).count();
    assert!(count("coins") > 500 && count("journal") > 1 && count("undo") > 10);
    assert!(count("scripts") == 50 && count("script_coins") > 500 && count("outbox") > 20);
}

#[test]
fn a_store_in_memory_has_the_same_rows_and_files_as_one_on_disk_after_every_step() {
    let references = SMALL_BLOCKS.references(24);
    let store = Store::open(StoreConfig {
        place: Place::Memory,
        block_file_size: SMALL_BLOCKS.block_file_size,
        ..config(Path::new(""))
    })
    .unwrap();
    Contents::of(&store).assert_eq(&references[0], "opened");
    for (step, wanted) in references.iter().enumerate().skip(1) {
        // A group that is given up leaves nothing.
        store.append_block(&vec![7; 3000]).unwrap();
        let mut writer = store.write().unwrap();
        writer.put_meta_u64("steps", 77).unwrap();
        writer.trim_outbox(u64::MAX).unwrap();
        drop(writer);
        let before = store.read().unwrap();
        SMALL_BLOCKS.step(&store).unwrap();
        // What was read before goes on as it was.
        let steps = before.meta_u64("steps").unwrap().unwrap_or(0);
        assert_eq!(steps, step as u64 - 1);
        Contents::of(&store).assert_eq(wanted, &format!("step {step}"));
    }
}

#[test]
fn there_is_no_reader_beside_a_store_in_memory() {
    let reader = Store::open(StoreConfig {
        place: Place::Memory,
        access: Access::Reader,
        ..config(Path::new(""))
    });
    assert!(matches!(reader.err(), Some(StoreError::NoLedger { .. })));
}
