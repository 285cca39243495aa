//! Owns how a wallet's transactions are shown, and how each stands in which world.

use bitcoin::hex::DisplayHex;
use everett_proto::v1;
use serde::Serialize;

use super::super::world::{WorldView, seconds};
use super::{plain, short, some};
use crate::amount::btc;
use crate::output::View;
use crate::table::{Align, Table};

/// How a payment stands in one world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct StateView {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) world: Option<WorldView>,
    /// `confirmed`, `pending`, `conflicted` or `gone`.
    pub(crate) state: &'static str,
    pub(crate) confirmations: u32,
    /// The block that has it, or the other one.
    pub(crate) block_hash: Option<String>,
    pub(crate) height: Option<u32>,
    pub(crate) in_mempool: Option<bool>,
    /// The transaction that spends what it spends.
    pub(crate) conflicting_txid: Option<String>,
    /// The coin that both spend, or that is missing.
    pub(crate) outpoint: Option<String>,
}

impl From<v1::PaymentState> for StateView {
    fn from(state: v1::PaymentState) -> StateView {
        let kind = state.kind();
        let confirmed = kind == v1::PaymentStateKind::Confirmed;
        let pending = kind == v1::PaymentStateKind::Pending;
        StateView {
            world: state.world.map(WorldView::from),
            state: word(kind),
            confirmations: state.confirmations,
            block_hash: some(state.block_hash),
            height: confirmed.then_some(state.height),
            in_mempool: pending.then_some(state.in_mempool),
            conflicting_txid: some(state.conflicting_txid),
            outpoint: (state.outpoint).map(|coin| format!("{}:{}", coin.txid, coin.vout)),
        }
    }
}

fn word(kind: v1::PaymentStateKind) -> &'static str {
    match kind {
        v1::PaymentStateKind::Unspecified => "unknown",
        v1::PaymentStateKind::Confirmed => "confirmed",
        v1::PaymentStateKind::Pending => "pending",
        v1::PaymentStateKind::Conflicted => "conflicted",
        v1::PaymentStateKind::Gone => "gone",
    }
}

impl StateView {
    /// In some words, such as `conflicted by 9495ef24…`.
    pub(crate) fn words(&self) -> String {
        match (self.state, &self.conflicting_txid, self.in_mempool) {
            ("confirmed", _, _) => format!(
                "confirmed at {}, {} deep",
                self.height.unwrap_or_default(),
                self.confirmations
            ),
            ("conflicted", Some(by), _) => format!("conflicted by {by}"),
            ("pending", _, Some(false)) => "pending, not in the mempool".to_owned(),
            (word, _, _) => word.to_owned(),
        }
    }
}

/// An output of a payment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PaymentOutputView {
    pub(crate) vout: u32,
    pub(crate) amount_sat: i64,
    pub(crate) address: Option<String>,
    pub(crate) script_pubkey: String,
    pub(crate) label: Option<String>,
    pub(crate) mine: bool,
    pub(crate) change: bool,
}

impl From<v1::PaymentOutput> for PaymentOutputView {
    fn from(output: v1::PaymentOutput) -> PaymentOutputView {
        PaymentOutputView {
            vout: output.vout,
            amount_sat: output.amount_sat,
            address: some(output.address),
            script_pubkey: output.script_pubkey.to_lower_hex_string(),
            label: some(output.label),
            mine: output.mine,
            change: output.change,
        }
    }
}

impl PaymentOutputView {
    /// A line of a list.
    pub(crate) fn line(&self) -> String {
        let to = self.address.as_ref().unwrap_or(&self.script_pubkey);
        let whose = match (self.change, self.mine) {
            (true, _) => "  (change)",
            (false, true) => "  (mine)",
            (false, false) => "",
        };
        let label = self
            .label
            .as_deref()
            .map_or_else(String::new, |label| format!("  {}", plain(label)));
        format!(
            "  {:>3}  {:>17} BTC  {to}{whose}{label}\n",
            self.vout,
            btc(self.amount_sat)
        )
    }
}

/// A transaction of a wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PaymentView {
    pub(crate) txid: String,
    /// What it brings the wallet; negative for what it costs.
    pub(crate) net_sat: i64,
    pub(crate) fee_sat: Option<i64>,
    pub(crate) sent: bool,
    pub(crate) coinbase: bool,
    /// Unix seconds.
    pub(crate) time: u64,
    /// Unix seconds.
    pub(crate) received_time: u64,
    pub(crate) outputs: Vec<PaymentOutputView>,
    pub(crate) states: Vec<StateView>,
    pub(crate) abandoned: bool,
    pub(crate) replaces_txid: Option<String>,
    pub(crate) replaced_by_txid: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) comment_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hex: Option<String>,
}

impl From<v1::Payment> for PaymentView {
    fn from(payment: v1::Payment) -> PaymentView {
        PaymentView {
            txid: payment.txid,
            net_sat: payment.net_sat,
            fee_sat: payment.fee_sat,
            sent: payment.sent,
            coinbase: payment.coinbase,
            time: seconds(payment.time),
            received_time: seconds(payment.received_time),
            outputs: payment.outputs.into_iter().map(Into::into).collect(),
            states: payment.states.into_iter().map(Into::into).collect(),
            abandoned: payment.abandoned,
            replaces_txid: some(payment.replaces_txid),
            replaced_by_txid: some(payment.replaced_by_txid),
            label: some(payment.label),
            comment: some(payment.comment),
            comment_to: some(payment.comment_to),
            hex: some(payment.raw.to_lower_hex_string()),
        }
    }
}

impl View for PaymentView {
    fn text(&self) -> String {
        let mut text = format!("transaction {}\n", self.txid);
        text += &format!("net {} BTC", btc(self.net_sat));
        if let Some(fee) = self.fee_sat {
            text += &format!(", fee {} BTC", btc(fee));
        }
        text += match (self.coinbase, self.sent) {
            (true, _) => ", mined",
            (false, true) => ", sent",
            (false, false) => ", received",
        };
        text += if self.abandoned { ", given up\n" } else { "\n" };
        for (what, said) in [
            ("label", &self.label),
            ("comment", &self.comment),
            ("to", &self.comment_to),
            ("replaces", &self.replaces_txid),
            ("replaced by", &self.replaced_by_txid),
        ] {
            if let Some(said) = said {
                text += &format!("{what}: {}\n", plain(said));
            }
        }
        text += "outputs:\n";
        for output in &self.outputs {
            text += &output.line();
        }
        let mut table = Table::new([
            ("", Align::Left),
            ("HEIGHT", Align::Right),
            ("WORLD", Align::Left),
            ("STATE", Align::Left),
        ]);
        for state in &self.states {
            let world = state.world.as_ref();
            table.row([
                if world.is_some_and(|world| world.best) {
                    "*"
                } else {
                    " "
                }
                .to_owned(),
                world.map_or_else(String::new, |world| world.height.to_string()),
                world.map_or_else(String::new, |world| short(&world.tip_hash)),
                state.words(),
            ]);
        }
        format!("{text}{table}")
    }
}

/// A wallet's transactions, as they stand in one world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PaymentsView {
    pub(crate) world: WorldView,
    /// The latest first.
    pub(crate) payments: Vec<PaymentView>,
    /// Whether there are more.
    pub(crate) more: bool,
}

impl View for PaymentsView {
    fn text(&self) -> String {
        let mut table = Table::new([
            ("NET BTC", Align::Right),
            ("STATE", Align::Left),
            ("TRANSACTION", Align::Left),
            ("LABEL", Align::Left),
        ]);
        for payment in &self.payments {
            let state = payment.states.first();
            let labels = payment
                .outputs
                .iter()
                .filter(|output| output.mine != payment.sent);
            let mut labels = labels.filter_map(|output| output.label.as_deref());
            let label = payment.label.as_deref().or_else(|| labels.next());
            table.row([
                btc(payment.net_sat),
                state.map_or_else(String::new, StateView::words),
                payment.txid.clone(),
                plain(label.unwrap_or_default()),
            ]);
        }
        let more = if self.more { "and more: --limit\n" } else { "" };
        format!("{}{table}{more}", self.world.line())
    }
}
