//! Owns what a rival branch would change for a wallet, as scripts have it.

use everett_wallet::Warning;
use rhai::{Array, Dynamic, Engine};
use serde_json::{Value, json};

use super::WalletValue;
use crate::book::Book;
use crate::fault::Fault;
use crate::show::{Align, Shown, btc, facts};
use crate::value::output::sat;

/// What a rival branch would change.
#[derive(Clone)]
pub(crate) struct WarningValue {
    warning: Warning,
}

impl WarningValue {
    pub(super) fn list(wallet: &WalletValue, blocks: u32) -> Result<Array, Fault> {
        wallet.look(|view| {
            let warnings = view.warnings(blocks)?.into_iter();
            let values = warnings.map(|warning| Dynamic::from(WarningValue { warning }));
            Ok(values.collect())
        })
    }
}

impl Shown for WarningValue {
    const KIND: &'static str = "Warning";

    fn line(&self) -> String {
        let warning = &self.warning;
        let how = match warning.has_double_spend() {
            true => ", with a double spend",
            false => "",
        };
        format!(
            "the branch at {} would take {} BTC{how}",
            warning.tip,
            btc(sat(warning.lost_amount))
        )
    }

    fn text(&self) -> Result<String, Fault> {
        let warning = &self.warning;
        let mut text = facts([
            (
                "branch",
                format!("{} (height {})", warning.tip, warning.height),
            ),
            ("behind", format!("{} blocks", warning.behind)),
            (
                "fork",
                format!("{} (height {})", warning.fork, warning.fork_height),
            ),
            (
                "would take",
                format!("{} BTC", btc(sat(warning.lost_amount))),
            ),
            ("double spend", warning.has_double_spend().to_string()),
        ]);
        for (txid, state) in &warning.payments {
            text.push_str(&format!("{:<13} {txid}\n", state.word()));
        }
        Ok(text)
    }

    fn json(&self) -> Result<Value, Fault> {
        let warning = &self.warning;
        let payments = warning.payments.iter();
        let payments: Vec<Value> = payments
            .map(|(txid, state)| json!({ "txid": txid.to_string(), "state": state.word() }))
            .collect();
        Ok(json!({
            "tip_hash": warning.tip.to_string(),
            "height": warning.height,
            "behind": warning.behind,
            "fork_hash": warning.fork.to_string(),
            "fork_height": warning.fork_height,
            "lost_sat": sat(warning.lost_amount),
            "coins": warning.lost.len(),
            "double_spend": warning.has_double_spend(),
            "payments": payments,
        }))
    }

    fn columns() -> Vec<(&'static str, Align)> {
        vec![
            ("WOULD TAKE", Align::Right),
            ("DOUBLE SPEND", Align::Left),
            ("BEHIND", Align::Right),
            ("BRANCH", Align::Left),
        ]
    }

    fn cells(&self) -> Result<Vec<String>, Fault> {
        let warning = &self.warning;
        Ok(vec![
            btc(sat(warning.lost_amount)),
            if warning.has_double_spend() {
                "yes"
            } else {
                "no"
            }
            .to_owned(),
            warning.behind.to_string(),
            warning.tip.to_string(),
        ])
    }
}

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.kind::<WarningValue>(engine, "what a rival branch would change for a wallet")
        .equal_by(|value| value.warning.clone())
        .get("tip", "the branch's tip", |value| {
            Ok(value.warning.tip.to_string())
        })
        .get("height", "its height", |value| {
            Ok(i64::from(value.warning.height))
        })
        .get(
            "behind",
            "how many blocks it is behind the best one",
            |value| Ok(value.warning.behind),
        )
        .get(
            "lost_sat",
            "what its coins are worth that the branch lacks",
            |value| Ok(sat(value.warning.lost_amount)),
        )
        .get("lost_btc", "the same in bitcoin, as text", |value| {
            Ok(btc(sat(value.warning.lost_amount)))
        })
        .get(
            "double_spend",
            "whether the branch spends otherwise what the wallet was paid with",
            |value| Ok(value.warning.has_double_spend()),
        )
        .get(
            "payments",
            "the payments that something stands against there, by id",
            |value| {
                let payments = value.warning.payments.iter();
                Ok(payments
                    .map(|(txid, _)| Dynamic::from(txid.to_string()))
                    .collect::<Array>())
            },
        );
}
