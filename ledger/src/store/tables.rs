//! Owns the list of LMDB tables and what their keys and values are.
//! Promises that a row which cannot be read is named by table and key.
//! Refuses to be seen outside the store.
//!
//! Numbers in keys are big-endian, so that rows lie in their order; numbers in values are
//! little-endian. Hashes are in internal order. An *outpoint* is txid 32 and output number 1 to 5
//! (`codec::outpoint_bytes`). A *sealed* value is
//! `CRC-32 of key and rest (u32) | rest`. A *position* is `file u32 | offset u32 | length u32`.
//!
//! | table | key | value | written by |
//! |---|---|---|---|
//! | `meta` | a name | see `meta.rs` | `meta.rs` |
//! | `headers` | BlockId u32 | sealed: see `header.rs` | `header.rs` |
//! | `coins` | outpoint | a coin: see `codec::put_coin` | `base.rs` |
//! | `scripts` | script hash 32 | varint satoshis, varint coins, and the outpoint if it is one coin | `base.rs` |
//! | `script_coins` | script hash's first 8 bytes, outpoint | nothing; only of scripts with two coins or more | `base.rs` |
//! | `journal` | height u32, BlockId u32 | sealed: spent coins, created coins | `journal.rs` |
//! | `undo` | BlockId u32 | sealed: spent coins | `journal.rs` |
//! | `orphans` | block hash 32 | sealed: previous block hash 32, position | `orphans.rs` |
//! | `outbox` | event sequence u64 | sealed: the event | `outbox.rs` |
//! | `cursors` | subscriber's name | sealed: version u8, policy u8, sequence u64, block hash 32 | `outbox.rs` |
//! | `block_files` | file number u32 | its committed length u64 | `blocks.rs` |

use heed::types::Bytes;
use heed::{CommitOrAbort, CommitToken, Database, Env, OnCommit, RwTxn, WithoutTls};

/// A table: bytes to bytes, the codecs are ours.
pub(super) type Rows<'e> = Database<'e, Bytes, Bytes>;

/// One table's handle and name.
pub(super) struct Table<'e> {
    pub(super) rows: Rows<'e>,
    pub(super) name: &'static str,
}

/// All tables, open for as long as the environment is.
pub(super) struct Tables<'e> {
    pub(super) meta: Table<'e>,
    pub(super) headers: Table<'e>,
    pub(super) coins: Table<'e>,
    pub(super) scripts: Table<'e>,
    pub(super) script_coins: Table<'e>,
    pub(super) journal: Table<'e>,
    pub(super) undo: Table<'e>,
    pub(super) orphans: Table<'e>,
    pub(super) outbox: Table<'e>,
    pub(super) cursors: Table<'e>,
    pub(super) block_files: Table<'e>,
}

/// How many tables LMDB must make room for; some are left for later schemas.
pub(super) const MAX_TABLES: u32 = 32;

impl<'e> Tables<'e> {
    fn all<E>(
        mut table: impl FnMut(&'static str) -> Result<Table<'e>, E>,
    ) -> Result<Tables<'e>, E> {
        Ok(Tables {
            meta: table("meta")?,
            headers: table("headers")?,
            coins: table("coins")?,
            scripts: table("scripts")?,
            script_coins: table("script_coins")?,
            journal: table("journal")?,
            undo: table("undo")?,
            orphans: table("orphans")?,
            outbox: table("outbox")?,
            cursors: table("cursors")?,
            block_files: table("block_files")?,
        })
    }
}

/// Why the tables of an environment could not be had.
pub(super) enum Missing {
    /// LMDB failed.
    Lmdb(heed::Error),
    /// The table of this name is not there.
    Table(&'static str),
}

impl From<heed::Error> for Missing {
    fn from(error: heed::Error) -> Missing {
        Missing::Lmdb(error)
    }
}

/// The `meta` table alone, if the environment has one: an environment without was just made.
pub(super) fn open_meta(env: &Env<WithoutTls>) -> Result<Option<Rows<'static>>, heed::Error> {
    let transaction = env.read_txn()?;
    let opened = env.open_databases_and_commit(transaction, |opener, transaction| {
        let meta = opener.open_database::<Bytes, Bytes>(transaction, Some("meta"))?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(meta))
    })?;
    Ok(opened.commit().flatten())
}

/// Opens all tables of an environment that has them.
pub(super) fn open(env: &Env<WithoutTls>) -> Result<Tables<'static>, Missing> {
    let opened = env.open_databases_and_commit(env.read_txn()?, |opener, transaction| {
        let tables = Tables::all(
            |name| match opener.open_database(transaction, Some(name))? {
                Some(rows) => Ok(Table { rows, name }),
                None => Err(Missing::Table(name)),
            },
        )?;
        Ok::<_, Missing>(CommitOrAbort::<_, Missing>::Commit(tables))
    })?;
    match opened {
        CommitOrAbort::Commit(tables) => Ok(tables),
        CommitOrAbort::Abort(missing) => Err(missing),
    }
}

/// Creates the tables that are missing and lets `fill` write their first rows in the same transaction.
pub(super) fn create(
    env: &Env<WithoutTls>,
    fill: impl FnOnce(&Tables<'_>, &mut RwTxn<'_>) -> heed::Result<()>,
) -> Result<Tables<'static>, heed::Error> {
    let transaction = env.write_txn()?;
    let created = env.create_databases_and_commit(transaction, |opener, transaction| {
        let tables = Tables::all(|name| {
            let rows = opener.create_database(transaction, Some(name))?;
            Ok::<_, heed::Error>(Table { rows, name })
        })?;
        fill(&tables, transaction)?;
        Ok::<_, heed::Error>(CommitOrAbort::<_, heed::Error>::Commit(tables))
    })?;
    match created {
        CommitOrAbort::Commit(tables) => Ok(tables),
        CommitOrAbort::Abort(error) => Err(error),
    }
}

impl OnCommit for Table<'_> {
    type Committed = Table<'static>;

    fn on_commit(self, token: &CommitToken) -> Table<'static> {
        Table {
            rows: self.rows.on_commit(token),
            name: self.name,
        }
    }
}

impl OnCommit for Tables<'_> {
    type Committed = Tables<'static>;

    fn on_commit(self, token: &CommitToken) -> Tables<'static> {
        Tables {
            meta: self.meta.on_commit(token),
            headers: self.headers.on_commit(token),
            coins: self.coins.on_commit(token),
            scripts: self.scripts.on_commit(token),
            script_coins: self.script_coins.on_commit(token),
            journal: self.journal.on_commit(token),
            undo: self.undo.on_commit(token),
            orphans: self.orphans.on_commit(token),
            outbox: self.outbox.on_commit(token),
            cursors: self.cursors.on_commit(token),
            block_files: self.block_files.on_commit(token),
        }
    }
}
