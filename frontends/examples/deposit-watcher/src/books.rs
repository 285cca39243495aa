//! Owns the books: deposits, credits and the cursor, in one SQLite file.
//! Promises that they change by whole steps of the chain only, the cursor with them.

use std::collections::HashSet;
use std::path::Path;

use bitcoin::consensus::encode;
use bitcoin::hashes::Hash;
use bitcoin::{Block, BlockHash, OutPoint, ScriptBuf, Txid};
use everett_ledger::{BlockError, Cursor, Event, EventKind, Ledger};
use rusqlite::{Connection, OptionalExtension, Transaction, params};

const TABLES: &str = "
    create table if not exists cursor (
        only  integer primary key check (only = 1),
        seq   integer not null,
        block blob not null
    );
    -- Outputs to watched scripts in blocks of the best chain.
    create table if not exists deposits (
        txid     blob not null,
        vout     integer not null,
        block    blob not null,
        height   integer not null,
        script   blob not null,
        sat      integer not null,
        credited integer not null default 0,
        primary key (txid, vout, block)
    );
    create index if not exists deposits_by_block on deposits (block);
    create index if not exists deposits_by_height on deposits (height, credited);
    -- What was credited (sat > 0) and taken back (sat < 0), in order; never changed, only added to.
    create table if not exists entries (
        number integer primary key autoincrement,
        txid   blob not null,
        vout   integer not null,
        sat    integer not null
    );
";

/// What is watched, and when it counts.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The scripts whose deposits are credited.
    pub scripts: HashSet<ScriptBuf>,
    /// How many blocks a deposit needs, its own among them; at least 1.
    pub confirmations: u32,
}

/// An output to a watched script in a block of the best chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deposit {
    /// The output.
    pub outpoint: OutPoint,
    /// Its block.
    pub block: BlockHash,
    /// Height of its block.
    pub height: u32,
    /// Its value in satoshis.
    pub sat: u64,
    /// Whether it is credited.
    pub credited: bool,
}

/// One line of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The deposit.
    pub outpoint: OutPoint,
    /// Satoshis: credited if positive, taken back if negative.
    pub sat: i64,
}

/// Why the books could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// SQLite says why.
    #[error("the books: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A block of the best chain could not be had.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A block does not decode.
    #[error("block {hash}: {source}")]
    Undecodable {
        /// The block.
        hash: BlockHash,
        /// Why.
        source: encode::Error,
    },
    /// A block is not in the tree.
    #[error("block {0} is unknown")]
    Unknown(BlockHash),
}

/// The books, open.
pub struct Books {
    connection: Connection,
    watched: Watched,
}

impl Books {
    /// Opens the books in a file, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn open(path: &Path, watched: Watched) -> Result<Books, BookError> {
        Books::with(Connection::open(path)?, watched)
    }

    /// Books in memory, for a replay.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn in_memory(watched: Watched) -> Result<Books, BookError> {
        Books::with(Connection::open_in_memory()?, watched)
    }

    fn with(connection: Connection, watched: Watched) -> Result<Books, BookError> {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.execute_batch(TABLES)?;
        Ok(Books {
            connection,
            watched,
        })
    }

    /// Where the books stand; `None` if nothing was ever booked.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn cursor(&self) -> Result<Option<Cursor>, BookError> {
        let query = "select seq, block from cursor";
        let row = self.connection.query_row(query, [], |row| {
            Ok(Cursor {
                seq: row.get(0)?,
                block: BlockHash::from_byte_array(row.get(1)?),
            })
        });
        Ok(row.optional()?)
    }

    /// Books one event with its cursor, whole or not at all.
    ///
    /// # Errors
    ///
    /// SQLite's, and where a block cannot be read; nothing is booked then.
    pub fn book(
        &mut self,
        ledger: &Ledger,
        event: &Event,
        cursor: Cursor,
    ) -> Result<(), BookError> {
        let transaction = self.connection.transaction()?;
        if event.kind == EventKind::BestChanged {
            let step = Step {
                transaction: &transaction,
                watched: &self.watched,
                ledger,
            };
            step.take(event)?;
        }
        transaction.execute(
            "insert or replace into cursor values (1, ?, ?)",
            params![cursor.seq, cursor.block.to_byte_array()],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Every deposit, by height and outpoint.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn deposits(&self) -> Result<Vec<Deposit>, BookError> {
        let mut query = self.connection.prepare(
            "select txid, vout, block, height, sat, credited from deposits order by height, txid, vout",
        )?;
        let rows = query.query_map([], |row| {
            Ok(Deposit {
                outpoint: OutPoint::new(Txid::from_byte_array(row.get(0)?), row.get(1)?),
                block: BlockHash::from_byte_array(row.get(2)?),
                height: row.get(3)?,
                sat: row.get(4)?,
                credited: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The journal.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn entries(&self) -> Result<Vec<Entry>, BookError> {
        let query = "select txid, vout, sat from entries order by number";
        let mut query = self.connection.prepare(query)?;
        let rows = query.query_map([], |row| {
            Ok(Entry {
                outpoint: OutPoint::new(Txid::from_byte_array(row.get(0)?), row.get(1)?),
                sat: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What is credited, in satoshis.
    ///
    /// # Errors
    ///
    /// SQLite's.
    pub fn credited(&self) -> Result<u64, BookError> {
        let query = "select coalesce(sum(sat), 0) from entries";
        Ok(self.connection.query_row(query, [], |row| row.get(0))?)
    }
}

/// One step of the best chain on its way into the books.
struct Step<'t> {
    transaction: &'t Transaction<'t>,
    watched: &'t Watched,
    ledger: &'t Ledger,
}

impl Step<'_> {
    fn take(&self, event: &Event) -> Result<(), BookError> {
        for hash in &event.undone {
            self.undo(hash)?;
        }
        for hash in &event.applied {
            self.apply(hash)?;
        }
        let height = self.height(&event.to)?;
        // A chain that became shorter takes confirmations away.
        let buried = (u64::from(height) + 1).saturating_sub(u64::from(self.watched.confirmations));
        self.settle("credited = 1 and height > ?", buried, false)?;
        self.settle("credited = 0 and height <= ?", buried, true)
    }

    fn height(&self, hash: &BlockHash) -> Result<u32, BookError> {
        let info = self.ledger.block_info(hash);
        Ok(info.ok_or(BookError::Unknown(*hash))?.height)
    }

    fn undo(&self, hash: &BlockHash) -> Result<(), BookError> {
        let block = hash.to_byte_array();
        self.transaction.execute(
            "insert into entries (txid, vout, sat)
             select txid, vout, -sat from deposits where block = ? and credited = 1 order by txid, vout",
            params![block],
        )?;
        let gone = "delete from deposits where block = ?";
        self.transaction.execute(gone, params![block])?;
        Ok(())
    }

    fn apply(&self, hash: &BlockHash) -> Result<(), BookError> {
        let bytes = self.ledger.block_bytes(hash)?;
        let block: Block =
            encode::deserialize(&bytes).map_err(|source| BookError::Undecodable {
                hash: *hash,
                source,
            })?;
        let height = self.height(hash)?;
        for transaction in &block.txdata {
            let mut txid = None;
            for (vout, output) in transaction.output.iter().enumerate() {
                if !self.watched.scripts.contains(&output.script_pubkey) {
                    continue;
                }
                let txid = *txid.get_or_insert_with(|| transaction.compute_txid());
                self.transaction.execute(
                    "insert into deposits (txid, vout, block, height, script, sat) values (?, ?, ?, ?, ?, ?)",
                    params![
                        txid.to_byte_array(),
                        vout as u32,
                        hash.to_byte_array(),
                        height,
                        output.script_pubkey.as_bytes(),
                        output.value.to_sat(),
                    ],
                )?;
            }
        }
        Ok(())
    }

    /// Credits deposits, or takes credits back.
    fn settle(&self, which: &str, buried: u64, credit: bool) -> Result<(), BookError> {
        let sign = if credit { "" } else { "-" };
        self.transaction.execute(
            &format!(
                "insert into entries (txid, vout, sat)
                 select txid, vout, {sign}sat from deposits where {which} order by height, txid, vout"
            ),
            params![buried],
        )?;
        let now = format!(
            "update deposits set credited = {} where {which}",
            u8::from(credit)
        );
        self.transaction.execute(&now, params![buried])?;
        Ok(())
    }
}
