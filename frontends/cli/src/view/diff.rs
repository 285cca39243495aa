//! Owns how the difference of two worlds is shown.

use serde::Serialize;

use super::coin::CoinView;
use super::world::WorldView;
use crate::amount::btc;
use crate::output::View;
use crate::table::{Align, Table};

/// A coin that only one of two worlds has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct CoinChangeView {
    /// `a` or `b`: the world that has it.
    pub(crate) only_in: &'static str,
    #[serde(flatten)]
    pub(crate) coin: CoinView,
}

/// A script that has another balance in each of two worlds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct BalanceChangeView {
    /// Hexadecimal.
    pub(crate) script_pubkey: String,
    /// Its address, if it has one.
    pub(crate) address: Option<String>,
    pub(crate) balance_a_sat: i64,
    pub(crate) balance_b_sat: i64,
}

/// All that sets two worlds apart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct DiffView {
    pub(crate) a: WorldView,
    pub(crate) b: WorldView,
    pub(crate) fork_hash: String,
    pub(crate) fork_height: u32,
    /// The blocks of `a` above the fork, from its tip down.
    pub(crate) undone: Vec<String>,
    /// The blocks of `b` above the fork, up to its tip.
    pub(crate) applied: Vec<String>,
    pub(crate) coins: Vec<CoinChangeView>,
    pub(crate) balances: Vec<BalanceChangeView>,
}

impl View for DiffView {
    fn text(&self) -> String {
        let mut coins = Table::new([
            ("ONLY IN", Align::Left),
            ("COIN", Align::Left),
            ("BTC", Align::Right),
        ]);
        for change in &self.coins {
            coins.row([
                change.only_in.to_owned(),
                format!("{}:{}", change.coin.txid, change.coin.vout),
                btc(change.coin.amount_sat),
            ]);
        }
        let mut balances = Table::new([
            ("SCRIPT", Align::Left),
            ("A BTC", Align::Right),
            ("B BTC", Align::Right),
            ("B - A BTC", Align::Right),
        ]);
        for change in &self.balances {
            let script = change.address.as_ref().unwrap_or(&change.script_pubkey);
            balances.row([
                script.clone(),
                btc(change.balance_a_sat),
                btc(change.balance_b_sat),
                btc(change.balance_b_sat.saturating_sub(change.balance_a_sat)),
            ]);
        }
        format!(
            "a {}b {}fork at {} (height {}): {} blocks to undo, {} to apply\n\n{coins}\n{balances}\
             {} coins and {} balances differ\n",
            self.a.line(),
            self.b.line(),
            self.fork_hash,
            self.fork_height,
            self.undone.len(),
            self.applied.len(),
            self.coins.len(),
            self.balances.len()
        )
    }
}
