//! Owns the list of tables and what their keys and values are.
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
//! | `txs` | txid 32, BlockId u32 | see `txs.rs` | `txs.rs` |
//! | `tx_blocks` | BlockId u32 | nothing; blocks that `txs` has the transactions of | `txs.rs` |

/// How many tables there are.
pub(super) const TABLE_COUNT: usize = 13;

/// One table: its place among all of them, and its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) number: usize,
    pub(super) name: &'static str,
}

/// All tables.
pub(super) struct Tables {
    pub(super) meta: Table,
    pub(super) headers: Table,
    pub(super) coins: Table,
    pub(super) scripts: Table,
    pub(super) script_coins: Table,
    pub(super) journal: Table,
    pub(super) undo: Table,
    pub(super) orphans: Table,
    pub(super) outbox: Table,
    pub(super) cursors: Table,
    pub(super) block_files: Table,
    pub(super) txs: Table,
    pub(super) tx_blocks: Table,
}

/// The names of all tables, each at its number.
pub(super) const TABLE_NAMES: [&str; TABLE_COUNT] = [
    "meta",
    "headers",
    "coins",
    "scripts",
    "script_coins",
    "journal",
    "undo",
    "orphans",
    "outbox",
    "cursors",
    "block_files",
    "txs",
    "tx_blocks",
];

pub(super) const TABLES: Tables = Tables {
    meta: table(0),
    headers: table(1),
    coins: table(2),
    scripts: table(3),
    script_coins: table(4),
    journal: table(5),
    undo: table(6),
    orphans: table(7),
    outbox: table(8),
    cursors: table(9),
    block_files: table(10),
    txs: table(11),
    tx_blocks: table(12),
};

const fn table(number: usize) -> Table {
    Table {
        number,
        name: TABLE_NAMES[number],
    }
}
