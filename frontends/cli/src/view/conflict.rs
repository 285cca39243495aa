//! Owns how conflicts are shown: coins that two branches spend in different transactions.

use bitcoin::hex::DisplayHex;
use everett_ledger::{Conflict, ConflictKind};
use everett_proto::v1;
use serde::Serialize;

use super::coin::sat;
use super::world::WorldView;
use crate::amount::btc;
use crate::output::View;
use crate::table::{Align, Table};

/// One coin, spent twice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct ConflictView {
    pub(crate) txid: String,
    pub(crate) vout: u32,
    pub(crate) amount_sat: i64,
    /// Hexadecimal.
    pub(crate) script_pubkey: String,
    /// The transaction that spends it in `a`, and its block.
    pub(crate) txid_a: String,
    pub(crate) block_a: String,
    pub(crate) txid_b: String,
    pub(crate) block_b: String,
    /// `same-recipients`, `fee-bump` or `double-spend`.
    pub(crate) kind: &'static str,
}

impl From<&Conflict> for ConflictView {
    fn from(conflict: &Conflict) -> ConflictView {
        ConflictView {
            txid: conflict.outpoint.txid.to_string(),
            vout: conflict.outpoint.vout,
            amount_sat: sat(conflict.amount),
            script_pubkey: conflict.script_pubkey.as_bytes().to_lower_hex_string(),
            txid_a: conflict.txid_a.to_string(),
            block_a: conflict.block_a.to_string(),
            txid_b: conflict.txid_b.to_string(),
            block_b: conflict.block_b.to_string(),
            kind: match conflict.kind {
                ConflictKind::SameRecipients => "same-recipients",
                ConflictKind::FeeBump => "fee-bump",
                ConflictKind::DoubleSpend => "double-spend",
            },
        }
    }
}

impl From<v1::Conflict> for ConflictView {
    fn from(conflict: v1::Conflict) -> ConflictView {
        let kind = match conflict.kind() {
            v1::ConflictKind::SameRecipients => "same-recipients",
            v1::ConflictKind::FeeBump => "fee-bump",
            v1::ConflictKind::DoubleSpend => "double-spend",
            v1::ConflictKind::Unspecified => "unknown",
        };
        let outpoint = conflict.outpoint.unwrap_or_default();
        ConflictView {
            txid: outpoint.txid,
            vout: outpoint.vout,
            amount_sat: conflict.amount_sat,
            script_pubkey: conflict.script_pubkey.to_lower_hex_string(),
            txid_a: conflict.txid_a,
            block_a: conflict.block_a,
            txid_b: conflict.txid_b,
            block_b: conflict.block_b,
            kind,
        }
    }
}

/// Every coin that two worlds spend in different transactions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct ConflictsView {
    pub(crate) a: WorldView,
    pub(crate) b: WorldView,
    pub(crate) fork_hash: String,
    pub(crate) conflicts: Vec<ConflictView>,
}

impl View for ConflictsView {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("KIND", Align::Left),
            ("BTC", Align::Right),
            ("COIN, AND WHAT SPENDS IT IN A AND B", Align::Left),
        ]);
        for conflict in &self.conflicts {
            table.row([
                conflict.kind.to_owned(),
                btc(conflict.amount_sat),
                format!("{}:{}", conflict.txid, conflict.vout),
            ]);
            table.row([
                String::new(),
                String::new(),
                format!("a {}", conflict.txid_a),
            ]);
            table.row([
                String::new(),
                String::new(),
                format!("b {}", conflict.txid_b),
            ]);
        }
        format!(
            "a {}b {}fork at {}\n\n{table}{} conflicts\n",
            self.a.line(),
            self.b.line(),
            self.fork_hash,
            self.conflicts.len()
        )
    }
}
