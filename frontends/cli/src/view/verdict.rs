//! Owns how verdicts on spends are shown.

use everett_script::policy::Template;
use serde::Serialize;

use super::coin::sat;
use super::world::WorldView;
use crate::amount::btc;
use crate::output::View;
use crate::spend::{Spend, Verdict};
use crate::table::{Align, Table};

/// Whether a transaction may spend what it spends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct VerdictsView {
    /// Whether every input that was looked at verifies.
    pub(crate) ok: bool,
    /// Bitcoin Core's name for the first failure.
    pub(crate) error: Option<&'static str>,
    pub(crate) txid: String,
    pub(crate) wtxid: String,
    /// Bitcoin Core's names, joined by commas.
    pub(crate) flags: String,
    pub(crate) inputs: Vec<VerdictView>,
    /// Where the transaction was found, if it was looked up.
    #[serde(flatten)]
    pub(crate) found: Option<FoundView>,
}

/// Where a transaction that is verified stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct FoundView {
    pub(crate) world: WorldView,
    pub(crate) block_hash: String,
    pub(crate) height: u32,
    /// Its place in the block; 0 is the coinbase, which spends nothing.
    pub(crate) index: u32,
}

/// One input.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct VerdictView {
    pub(crate) input: usize,
    pub(crate) ok: bool,
    /// Bitcoin Core's name for the failure.
    pub(crate) error: Option<&'static str>,
    /// Bitcoin Core's text for it.
    pub(crate) message: Option<String>,
    /// `txid:vout`.
    pub(crate) spends: String,
    pub(crate) amount_sat: i64,
    /// Core's name for the kind of script pubkey that is spent.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
}

impl VerdictsView {
    pub(crate) fn new(
        spend: &Spend,
        verdicts: &[Verdict],
        found: Option<FoundView>,
    ) -> VerdictsView {
        let view = |verdict: &Verdict| {
            let error = verdict.result.err();
            let spent = &spend.spent[verdict.input];
            VerdictView {
                input: verdict.input,
                ok: error.is_none(),
                error: error.map(|error| error.name()),
                message: error.map(|error| error.to_string()),
                spends: spend.tx.input[verdict.input].previous_output.to_string(),
                amount_sat: sat(spent.value),
                kind: Template::of(spent.script_pubkey.as_bytes()).name(),
            }
        };
        let inputs: Vec<VerdictView> = verdicts.iter().map(view).collect();
        let error = inputs.iter().find_map(|input| input.error);
        VerdictsView {
            ok: error.is_none(),
            error,
            txid: spend.tx.compute_txid().to_string(),
            wtxid: spend.tx.compute_wtxid().to_string(),
            flags: spend.flags.to_string(),
            inputs,
            found,
        }
    }

    /// The failures in one sentence; `None` if there are none.
    pub(crate) fn failure(&self) -> Option<String> {
        let mut failed = self.inputs.iter().filter(|input| !input.ok);
        let first = failed.next()?;
        let message = first.message.as_deref().unwrap_or_default();
        let more = match failed.count() {
            0 => String::new(),
            count => format!(", and {count} more"),
        };
        Some(format!(
            "input {} of {} does not verify: {message}{more}",
            first.input, self.txid
        ))
    }
}

impl View for VerdictsView {
    fn text(&self) -> String {
        let mut text = String::new();
        if let Some(found) = &self.found {
            text.push_str(&found.world.line());
        }
        text.push_str(&format!("transaction {}\n", self.txid));
        if let Some(found) = &self.found {
            text.push_str(&format!(
                "in block {} (height {}, place {})\n",
                found.block_hash, found.height, found.index
            ));
        }
        text.push_str(&format!("flags {}\n", self.flags));
        if self.inputs.is_empty() {
            text.push_str("it spends nothing, so there is no script to verify\n");
            return text;
        }
        let mut table = Table::new([
            ("INPUT", Align::Right),
            ("VERDICT", Align::Left),
            ("BTC", Align::Right),
            ("TYPE", Align::Left),
            ("SPENDS", Align::Left),
        ]);
        for input in &self.inputs {
            table.row([
                input.input.to_string(),
                input.error.unwrap_or("ok").to_owned(),
                btc(input.amount_sat),
                input.kind.to_owned(),
                input.spends.clone(),
            ]);
        }
        text.push_str(&table.to_string());
        text
    }
}
