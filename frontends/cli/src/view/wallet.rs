//! Owns how wallets are shown: what they are, what they have in each world.
//! Promises bitcoins to people and satoshis to programs.

pub(crate) mod address;
pub(crate) mod built;
pub(crate) mod event;
pub(crate) mod payment;
pub(crate) mod psbt;
pub(crate) mod verified;
pub(crate) mod warning;

use everett_proto::v1;
use serde::Serialize;

use super::world::{WorldView, seconds};
use crate::amount::btc;
use crate::output::View;
use crate::table::{Align, Table};

/// Something that was done, in a line and as an object.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Done {
    pub(crate) line: String,
    pub(crate) json: serde_json::Value,
}

impl Done {
    pub(crate) fn new(line: impl Into<String>, json: serde_json::Value) -> Done {
        Done {
            line: line.into(),
            json,
        }
    }
}

impl Serialize for Done {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(to)
    }
}

impl View for Done {
    fn text(&self) -> String {
        format!("{}\n", self.line)
    }
}

/// The first characters of a hash: enough to tell worlds apart on a line.
pub(crate) fn short(hash: &str) -> String {
    const CHARS: usize = 16;
    hash.chars().take(CHARS).collect()
}

/// Nothing for what is empty.
pub(crate) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A text of somebody else, such as a label, so that it cannot move the cursor.
pub(crate) fn plain(text: &str) -> String {
    let escaped = text.chars().map(|one| match one.is_control() {
        true => one.escape_default().to_string(),
        false => one.to_string(),
    });
    escaped.collect()
}

/// A wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WalletView {
    pub(crate) name: String,
    pub(crate) loaded: bool,
    pub(crate) encrypted: bool,
    pub(crate) locked: bool,
    /// Unix seconds.
    pub(crate) unlocked_until: Option<u64>,
    pub(crate) watch_only: bool,
    pub(crate) blank: bool,
    pub(crate) avoid_reuse: bool,
    pub(crate) load_at_start: bool,
    pub(crate) keypool: u32,
    pub(crate) descriptors: u32,
    pub(crate) payments: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) missed_scan: Option<MissedView>,
}

/// Blocks that were pruned before they were looked into for older keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct MissedView {
    /// Height of the first one.
    pub(crate) from_height: u32,
    /// The height behind the last one.
    pub(crate) below_height: u32,
}

impl From<v1::Wallet> for WalletView {
    fn from(wallet: v1::Wallet) -> WalletView {
        WalletView {
            name: wallet.name,
            loaded: true,
            encrypted: wallet.encrypted,
            locked: wallet.locked,
            unlocked_until: wallet.unlocked_until.map(|time| seconds(Some(time))),
            watch_only: wallet.watch_only,
            blank: wallet.blank,
            avoid_reuse: wallet.avoid_reuse,
            load_at_start: wallet.load_at_start,
            keypool: wallet.keypool,
            descriptors: wallet.descriptor_count,
            payments: wallet.payment_count,
            missed_scan: (wallet.missed_scan_from_height)
                .zip(wallet.missed_scan_below_height)
                .map(|(from_height, below_height)| MissedView {
                    from_height,
                    below_height,
                }),
        }
    }
}

impl WalletView {
    fn state(&self) -> &'static str {
        match (self.watch_only, self.encrypted, self.locked) {
            (true, _, _) => "watches",
            (_, false, _) => "no passphrase",
            (_, true, true) => "locked",
            (_, true, false) => "unlocked",
        }
    }

    /// What is missing in it, in a line; nothing where nothing is.
    fn missed(&self) -> String {
        let Some(missed) = self.missed_scan else {
            return String::new();
        };
        format!(
            "{}: the blocks from height {} to {} were pruned before they were looked into, and what its keys were paid there is missing: \
             fetch them and load it anew, or do without (everett wallet rescan --abort)\n",
            WalletView::shown_name(&self.name),
            missed.from_height,
            missed.below_height.saturating_sub(1)
        )
    }

    fn shown_name(name: &str) -> String {
        match name {
            "" => "\"\"".to_owned(),
            name => plain(name),
        }
    }
}

impl View for WalletView {
    fn text(&self) -> String {
        let name = WalletView::shown_name(&self.name);
        let start = match self.load_at_start {
            true => ", loaded when the node starts",
            false => "",
        };
        format!("wallet {name}: {}{start}\n", self.state())
    }
}

/// All wallets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WalletsView {
    pub(crate) wallets: Vec<WalletView>,
    /// The names of those that are not loaded.
    pub(crate) unloaded: Vec<String>,
}

impl View for WalletsView {
    fn text(&self) -> String {
        if self.wallets.is_empty() && self.unloaded.is_empty() {
            return "no wallets; make one with `everett wallet create NAME`\n".to_owned();
        }
        let mut table = Table::new([
            ("NAME", Align::Left),
            ("STATE", Align::Left),
            ("PAYMENTS", Align::Right),
            ("AT START", Align::Left),
        ]);
        for wallet in &self.wallets {
            table.row([
                WalletView::shown_name(&wallet.name),
                wallet.state().to_owned(),
                wallet.payments.to_string(),
                if wallet.load_at_start { "yes" } else { "no" }.to_owned(),
            ]);
        }
        for name in &self.unloaded {
            let name = WalletView::shown_name(name);
            table.row([name, "not loaded".to_owned(), String::new(), String::new()]);
        }
        let missed: String = self.wallets.iter().map(WalletView::missed).collect();
        format!("{table}{missed}")
    }
}

/// What a wallet has in one world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WalletBalanceView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) world: Option<WorldView>,
    pub(crate) spendable_sat: i64,
    pub(crate) confirmed_sat: i64,
    pub(crate) pending_sat: i64,
    pub(crate) immature_sat: i64,
    pub(crate) held_sat: i64,
    /// What is at addresses that the wallet avoids.
    pub(crate) reused_sat: i64,
    pub(crate) coins: u64,
}

impl From<v1::WalletBalance> for WalletBalanceView {
    fn from(balance: v1::WalletBalance) -> WalletBalanceView {
        WalletBalanceView {
            world: balance.world.map(WorldView::from),
            spendable_sat: balance.spendable_sat,
            confirmed_sat: balance.confirmed_sat,
            pending_sat: balance.pending_sat,
            immature_sat: balance.immature_sat,
            held_sat: balance.held_sat,
            reused_sat: balance.reused_sat,
            coins: balance.coin_count,
        }
    }
}

/// What a wallet has in every world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WalletBalancesView {
    pub(crate) wallet: WalletView,
    pub(crate) balances: Vec<WalletBalanceView>,
    pub(crate) safe_sat: i64,
    pub(crate) at_risk_sat: i64,
    /// Live worlds.
    pub(crate) worlds: u32,
    pub(crate) warnings: u32,
}

impl From<v1::GetWalletResponse> for WalletBalancesView {
    fn from(answer: v1::GetWalletResponse) -> WalletBalancesView {
        let safe = answer.safe.unwrap_or_default();
        WalletBalancesView {
            wallet: answer.wallet.unwrap_or_default().into(),
            balances: answer.balances.into_iter().map(Into::into).collect(),
            safe_sat: safe.safe_sat,
            at_risk_sat: safe.at_risk_sat,
            worlds: safe.world_count,
            warnings: answer.warning_count,
        }
    }
}

impl View for WalletBalancesView {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("", Align::Left),
            ("HEIGHT", Align::Right),
            ("SPENDABLE BTC", Align::Right),
            ("PENDING BTC", Align::Right),
            ("IMMATURE BTC", Align::Right),
            ("COINS", Align::Right),
            ("WORLD", Align::Left),
        ]);
        for balance in &self.balances {
            let world = balance.world.as_ref();
            table.row([
                if world.is_some_and(|world| world.best) {
                    "*"
                } else {
                    " "
                }
                .to_owned(),
                world.map_or_else(String::new, |world| world.height.to_string()),
                btc(balance.spendable_sat),
                btc(balance.pending_sat),
                btc(balance.immature_sat),
                balance.coins.to_string(),
                world.map_or_else(String::new, |world| world.tip_hash.clone()),
            ]);
        }
        let worlds = match self.worlds {
            1 => "the one live world".to_owned(),
            count => format!("all {count} live worlds"),
        };
        let mut text = format!("{table}safe: {} BTC in {worlds}", btc(self.safe_sat));
        if self.at_risk_sat > 0 {
            text += &format!(", {} BTC not in all of them", btc(self.at_risk_sat));
        }
        text += "\n";
        let best = self.balances.iter().find(|balance| {
            let world = balance.world.as_ref();
            world.is_some_and(|world| world.best)
        });
        if let Some(best) = best.filter(|best| best.reused_sat > 0) {
            text += &format!(
                "{} BTC more are at addresses that were paid from before: --use-reused spends them\n",
                btc(best.reused_sat)
            );
        }
        if self.warnings > 0 {
            text += &format!(
                "{} rival {} would take something away: everett wallet warnings\n",
                self.warnings,
                if self.warnings == 1 {
                    "branch"
                } else {
                    "branches"
                }
            );
        }
        text += &self.wallet.missed();
        text
    }
}

/// A coin of a wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WalletCoinView {
    pub(crate) txid: String,
    pub(crate) vout: u32,
    pub(crate) amount_sat: i64,
    pub(crate) address: Option<String>,
    pub(crate) label: Option<String>,
    /// `None` while it waits.
    pub(crate) height: Option<u32>,
    pub(crate) confirmations: u32,
    pub(crate) coinbase: bool,
    pub(crate) immature: bool,
    pub(crate) trusted: bool,
    pub(crate) locked: bool,
    pub(crate) solvable: bool,
    /// Whether every live world has it.
    pub(crate) safe: bool,
    /// Whether its address was paid from before, in a wallet that avoids that.
    pub(crate) reused: bool,
}

impl From<v1::WalletCoin> for WalletCoinView {
    fn from(coin: v1::WalletCoin) -> WalletCoinView {
        let outpoint = coin.outpoint.unwrap_or_default();
        WalletCoinView {
            txid: outpoint.txid,
            vout: outpoint.vout,
            amount_sat: coin.amount_sat,
            address: some(coin.address),
            label: some(coin.label),
            height: Some(coin.height).filter(|_| coin.confirmations > 0),
            confirmations: coin.confirmations,
            coinbase: coin.coinbase,
            immature: coin.immature,
            trusted: coin.trusted,
            locked: coin.locked,
            solvable: coin.solvable,
            safe: coin.safe,
            reused: coin.reused,
        }
    }
}

/// The coins of a wallet in one world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WalletCoinsView {
    pub(crate) world: WorldView,
    pub(crate) coins: Vec<WalletCoinView>,
}

impl View for WalletCoinsView {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("AMOUNT BTC", Align::Right),
            ("CONF", Align::Right),
            ("", Align::Left),
            ("COIN", Align::Left),
            ("LABEL", Align::Left),
        ]);
        let mut total = 0;
        for coin in &self.coins {
            let words = [
                (coin.locked, "locked"),
                (coin.immature, "immature"),
                (coin.reused, "reused address"),
                (coin.confirmations == 0 && !coin.trusted, "untrusted"),
                (
                    coin.trusted && !coin.immature && !coin.safe,
                    "not in all worlds",
                ),
            ];
            let words: Vec<&str> = words
                .iter()
                .filter(|(is, _)| *is)
                .map(|(_, word)| *word)
                .collect();
            table.row([
                btc(coin.amount_sat),
                coin.confirmations.to_string(),
                words.join(", "),
                format!("{}:{}", coin.txid, coin.vout),
                plain(coin.label.as_deref().unwrap_or_default()),
            ]);
            total += coin.amount_sat;
        }
        format!(
            "{}{table}{} coins, {} BTC\n",
            self.world.line(),
            self.coins.len(),
            btc(total)
        )
    }
}

#[cfg(test)]
mod tests;
