//! Owns how events of wallets are shown: a line each.

use everett_proto::v1;
use everett_proto::v1::WalletEventKind;
use serde::Serialize;

use super::super::world::seconds;
use super::payment::StateView;
use super::warning::WarningView;
use super::{WalletBalanceView, plain, some};
use crate::amount::btc;

/// Something that happened to a wallet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct EventView {
    pub(crate) kind: String,
    pub(crate) wallet: String,
    pub(crate) sequence: u64,
    /// Unix seconds.
    pub(crate) time: u64,
    /// Events that were not taken in time: this is to say so.
    pub(crate) missed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) txid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<StateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state_before: Option<StateView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) balance: Option<WalletBalanceView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) balance_before: Option<WalletBalanceView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warning: Option<WarningView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warning_end: Option<&'static str>,
}

impl From<v1::StreamWalletEventsResponse> for EventView {
    fn from(event: v1::StreamWalletEventsResponse) -> EventView {
        let name = event.kind().as_str_name();
        let name = name.strip_prefix("WALLET_EVENT_KIND_").unwrap_or(name);
        EventView {
            kind: name.to_lowercase(),
            sequence: event.sequence,
            time: seconds(event.time),
            missed: event.missed,
            warning_end: match event.warning_end() {
                v1::WarningEnd::Unspecified => None,
                v1::WarningEnd::Won => Some("won"),
                v1::WarningEnd::FellBehind => Some("fell behind"),
                v1::WarningEnd::Gone => Some("gone"),
                v1::WarningEnd::Harmless => Some("harmless"),
            },
            wallet: event.wallet,
            txid: some(event.txid),
            state: event.state.map(Into::into),
            state_before: event.state_before.map(Into::into),
            balance: event.balance.map(Into::into),
            balance_before: event.balance_before.map(Into::into),
            warning: event.warning.map(Into::into),
        }
    }
}

impl EventView {
    /// The kinds that are about warnings.
    pub(crate) const WARNINGS: [WalletEventKind; 3] = [
        WalletEventKind::WarningAppeared,
        WalletEventKind::WarningChanged,
        WalletEventKind::WarningCleared,
    ];

    /// For people.
    pub(crate) fn line(&self) -> String {
        if self.missed > 0 {
            let count = self.missed;
            return format!("{count} events were missed: ask the wallets how they stand\n");
        }
        let mut text = format!("{}: {}", plain(&self.wallet), self.kind.replace('_', " "));
        if let Some(txid) = &self.txid {
            text += &format!(" {txid}");
        }
        if let Some(before) = &self.state_before {
            text += &format!(", was {}", before.state);
        }
        if let Some(state) = &self.state {
            text += &format!(", {}", state.words());
        }
        if let (Some(before), Some(balance)) = (&self.balance_before, &self.balance) {
            text += &format!(
                ", spendable {} BTC -> {} BTC",
                btc(before.spendable_sat),
                btc(balance.spendable_sat)
            );
            if balance.pending_sat != 0 {
                text += &format!(", pending {} BTC", btc(balance.pending_sat));
            }
        }
        if let Some(end) = self.warning_end {
            text += &format!(" ({end})");
        }
        if let Some(warning) = &self.warning {
            text += &format!(": {}", warning.lines().trim_end());
        }
        text + "\n"
    }
}
