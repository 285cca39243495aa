//! Owns how coins are shown.

use bitcoin::OutPoint;
use bitcoin::hex::DisplayHex;
use everett_ledger::Coin;
use everett_proto::v1;
use serde::Serialize;

use super::world::WorldView;
use crate::amount::btc;
use crate::output::View;
use crate::table::{Align, Table};

/// One unspent output.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct CoinView {
    pub(crate) txid: String,
    pub(crate) vout: u32,
    pub(crate) amount_sat: i64,
    /// Hexadecimal.
    pub(crate) script_pubkey: String,
    pub(crate) height: u32,
    pub(crate) coinbase: bool,
}

impl CoinView {
    pub(crate) fn new(outpoint: &OutPoint, coin: &Coin) -> CoinView {
        CoinView {
            txid: outpoint.txid.to_string(),
            vout: outpoint.vout,
            amount_sat: sat(coin.amount),
            script_pubkey: coin.script_pubkey.as_bytes().to_lower_hex_string(),
            height: coin.height,
            coinbase: coin.coinbase,
        }
    }
}

/// Satoshis as JSON and the gRPC interface have them.
pub(crate) fn sat(amount: bitcoin::Amount) -> i64 {
    i64::try_from(amount.to_sat()).unwrap_or(i64::MAX)
}

impl From<v1::UnspentOutput> for CoinView {
    fn from(output: v1::UnspentOutput) -> CoinView {
        CoinView {
            txid: output.txid,
            vout: output.vout,
            amount_sat: output.amount_sat,
            script_pubkey: output.script_pubkey.to_lower_hex_string(),
            height: output.height,
            coinbase: output.coinbase,
        }
    }
}

/// The coins of one script in one world, in the order of their outpoints.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct CoinsView {
    pub(crate) world: WorldView,
    /// As the user named it.
    pub(crate) script: String,
    pub(crate) script_hash: String,
    pub(crate) outputs: Vec<CoinView>,
    /// Whether there are more than were asked for.
    pub(crate) more: bool,
}

impl View for CoinsView {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("OUTPOINT", Align::Left),
            ("BTC", Align::Right),
            ("HEIGHT", Align::Right),
            ("", Align::Left),
        ]);
        let mut sum = 0i64;
        for output in &self.outputs {
            sum = sum.saturating_add(output.amount_sat);
            table.row([
                format!("{}:{}", output.txid, output.vout),
                btc(output.amount_sat),
                output.height.to_string(),
                if output.coinbase { "coinbase" } else { "" }.to_owned(),
            ]);
        }
        let more = if self.more {
            "; there are more: raise --limit"
        } else {
            ""
        };
        format!(
            "{}{table}{} coins, {} BTC{more}\n",
            self.world.line(),
            self.outputs.len(),
            btc(sum)
        )
    }
}
