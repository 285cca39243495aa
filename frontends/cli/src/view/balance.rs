//! Owns how balances are shown.

use serde::Serialize;

use super::world::WorldView;
use crate::amount::btc;
use crate::output::View;
use crate::table::{Align, Table};

/// What one script has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct BalanceView {
    /// As the user named it.
    pub(crate) script: String,
    /// As Electrum has it.
    pub(crate) script_hash: String,
    /// All its coins.
    pub(crate) confirmed_sat: i64,
    /// The part that is coinbase younger than 100 blocks.
    pub(crate) immature_sat: i64,
    pub(crate) utxo_count: u32,
}

/// What scripts have in one world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct BalancesView {
    pub(crate) world: WorldView,
    pub(crate) balances: Vec<BalanceView>,
}

impl View for BalancesView {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("SCRIPT", Align::Left),
            ("CONFIRMED BTC", Align::Right),
            ("IMMATURE BTC", Align::Right),
            ("COINS", Align::Right),
        ]);
        for balance in &self.balances {
            table.row([
                balance.script.clone(),
                btc(balance.confirmed_sat),
                btc(balance.immature_sat),
                balance.utxo_count.to_string(),
            ]);
        }
        format!("{}{table}", self.world.line())
    }
}
