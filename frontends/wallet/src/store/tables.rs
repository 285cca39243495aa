//! Owns the names of a wallet's tables, and what the bytes of their keys and values are.
//! Promises that two rows never mean the same thing.
//! Refuses to know what is done with them: each row is written and read beside its noun.
//!
//! Numbers in keys are big-endian, so that rows lie in their order; numbers in values are little-endian.
//! Behind every value lies a checksum, which `rows.rs` adds and takes off.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | a name | see `store.rs`, `keys/seal.rs` |
//! | `descriptors` | number u32 | see `keys/descriptor.rs` |
//! | `scripts` | descriptor u32, index u32 | see `keys/held.rs` |
//! | `secrets` | descriptor u32 | see `keys/vault.rs` |
//! | `labels` | kind u8, what is labelled | see `labels.rs` |
//! | `locked` | txid 32, output u32 | nothing, or what the owner of the row wants |
//! | `transactions` | txid 32 | the row of a transaction |
//! | `blocks` | height u32, block hash 32 | what the block did to the wallet |
//! | `cursor` | a name | how far the wallet has followed the ledger |

/// A table of a wallet's file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Table {
    /// What the wallet is.
    Meta,
    /// Its descriptors.
    Descriptors,
    /// The scripts that they make.
    Scripts,
    /// The private part of descriptors, sealed or not.
    Secrets,
    /// Labels of addresses, transactions, coins and keys.
    Labels,
    /// Coins that are not to be spent.
    Locked,
    /// Transactions of ours.
    Transactions,
    /// What blocks did to the wallet.
    Blocks,
    /// How far it has followed the ledger.
    Cursor,
}

/// How many tables there are.
pub(super) const TABLE_COUNT: usize = 9;

/// All tables, in the order of their numbers.
pub(super) const TABLES: [Table; TABLE_COUNT] = [
    Table::Meta,
    Table::Descriptors,
    Table::Scripts,
    Table::Secrets,
    Table::Labels,
    Table::Locked,
    Table::Transactions,
    Table::Blocks,
    Table::Cursor,
];

impl Table {
    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Table::Meta => "meta",
            Table::Descriptors => "descriptors",
            Table::Scripts => "scripts",
            Table::Secrets => "secrets",
            Table::Labels => "labels",
            Table::Locked => "locked",
            Table::Transactions => "transactions",
            Table::Blocks => "blocks",
            Table::Cursor => "cursor",
        }
    }
}
