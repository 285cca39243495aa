//! Owns how payments are shown that were made ready or sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::hex::DisplayHex;
use everett_proto::v1;
use serde::Serialize;

use super::payment::PaymentOutputView;
use super::{WalletCoinView, some};
use crate::amount::btc;
use crate::output::View;

/// A payment that was made ready.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct BuiltView {
    pub(crate) txid: String,
    pub(crate) complete: bool,
    pub(crate) fee_sat: i64,
    pub(crate) fee_rate_sat_per_kvb: i64,
    pub(crate) weight: u64,
    pub(crate) change_position: Option<u32>,
    pub(crate) inputs: Vec<WalletCoinView>,
    pub(crate) outputs: Vec<PaymentOutputView>,
    /// The signed transaction.
    pub(crate) hex: Option<String>,
    /// In base 64.
    pub(crate) psbt: String,
    /// Whether it was sent.
    pub(crate) sent: bool,
}

impl BuiltView {
    pub(crate) fn new(built: v1::BuiltTransaction, sent: bool) -> BuiltView {
        BuiltView {
            txid: built.txid,
            complete: built.complete,
            fee_sat: built.fee_sat,
            fee_rate_sat_per_kvb: built.fee_rate_sat_per_kvb,
            weight: built.weight,
            change_position: built.change_position,
            inputs: built.inputs.into_iter().map(Into::into).collect(),
            outputs: built.outputs.into_iter().map(Into::into).collect(),
            hex: some(built.raw.to_lower_hex_string()),
            psbt: STANDARD.encode(built.psbt),
            sent,
        }
    }

    /// What it spends and pays, for people.
    pub(crate) fn summary(&self) -> String {
        let what = match (self.sent, self.complete) {
            (true, _) => "sent",
            (false, true) => "signed, not sent",
            (false, false) => "not signed",
        };
        let mut text = format!("transaction {} ({what})\n", self.txid);
        for input in &self.inputs {
            text += &format!(
                "  from {}:{}  {} BTC\n",
                input.txid,
                input.vout,
                btc(input.amount_sat)
            );
        }
        for output in &self.outputs {
            text += &output.line();
        }
        text += &format!(
            "fee {} BTC, {}.{:03} sat/vB\n",
            btc(self.fee_sat),
            self.fee_rate_sat_per_kvb / 1_000,
            self.fee_rate_sat_per_kvb % 1_000
        );
        text
    }
}

impl View for BuiltView {
    fn text(&self) -> String {
        self.summary()
    }
}

/// A payment that was sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct SentView {
    pub(crate) txid: String,
    pub(crate) fee_sat: Option<i64>,
    pub(crate) change_position: Option<u32>,
    pub(crate) hex: String,
    /// Whether it was sent before, and nothing now.
    pub(crate) repeated: bool,
}

impl From<v1::SendTransactionResponse> for SentView {
    fn from(sent: v1::SendTransactionResponse) -> SentView {
        SentView {
            txid: sent.txid,
            fee_sat: sent.fee_sat,
            change_position: sent.change_position,
            hex: sent.raw.to_lower_hex_string(),
            repeated: sent.repeated,
        }
    }
}

impl View for SentView {
    /// The id alone, so that it can be passed on.
    fn text(&self) -> String {
        format!("{}\n", self.txid)
    }
}
