//! Owns what a rival branch would change, in words.

use everett_wallet::{DEFAULT_WARN_BLOCKS, View, Warning};

use super::payments::{StateCell, cell};
use crate::fault::Fault;
use crate::pages::wallets::some;
use crate::show::{self, Btc};

/// Payments of a warning that are told, at most.
const MAX_PAYMENTS: usize = 10;

pub(super) struct WarningRow {
    pub(super) hash: String,
    pub(super) short: String,
    pub(super) height: u32,
    /// How far the branch is behind, in words.
    pub(super) behind: String,
    pub(super) fork_height: u32,
    pub(super) lost: Option<Btc>,
    pub(super) coins: String,
    pub(super) double_spend: bool,
    pub(super) payments: Vec<(String, String, StateCell)>,
    pub(super) more: usize,
}

pub(super) fn list(view: &View<'_>) -> Result<Vec<WarningRow>, Fault> {
    let warnings = view.warnings(DEFAULT_WARN_BLOCKS)?;
    Ok(warnings.iter().map(row).collect())
}

fn row(warning: &Warning) -> WarningRow {
    let payments = warning.payments.iter().take(MAX_PAYMENTS);
    WarningRow {
        hash: warning.tip.to_string(),
        short: show::short(&warning.tip),
        height: warning.height,
        behind: match warning.behind {
            0 => "as high as the best one".to_owned(),
            behind @ 1.. => format!(
                "{} behind",
                show::count(behind.unsigned_abs(), "block", "blocks")
            ),
            ahead => format!(
                "{} higher than the best one, of less work",
                show::count(ahead.unsigned_abs(), "block", "blocks")
            ),
        },
        fork_height: warning.fork_height,
        lost: some(warning.lost_amount),
        coins: show::count(warning.lost.len() as u64, "coin", "coins"),
        double_spend: warning.has_double_spend(),
        payments: payments
            .map(|(txid, state)| (txid.to_string(), show::short(txid), cell(state, false)))
            .collect(),
        more: warning.payments.len().saturating_sub(MAX_PAYMENTS),
    }
}
