//! Owns how the check of a transaction is shown.

use everett_proto::v1;
use serde::Serialize;

use super::super::world::{WorldView, seconds};
use super::{short, some};
use crate::amount::btc;
use crate::output::View;

/// The coin of an input in one world.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct InputWorldView {
    pub(crate) world: Option<WorldView>,
    /// `unspent`, `immature`, `pending`, `spent` or `missing`.
    pub(crate) coin: &'static str,
    /// Another transaction that waits and spends it.
    pub(crate) rival_txid: Option<String>,
    pub(crate) spent_block_hash: Option<String>,
    /// The least height of a block that may have the transaction there, where it is locked to one.
    pub(crate) final_height: Option<u32>,
    /// The least median time past of the block before, in unix seconds, where it is locked to one.
    pub(crate) final_time: Option<u64>,
    /// Whether the next block may have it, as far as lock times say.
    pub(crate) is_final: bool,
}

impl InputWorldView {
    /// From when on, for people; empty where the next block may have it.
    fn lock(&self) -> String {
        let mut text = String::new();
        if self.is_final {
            return text;
        }
        if let Some(height) = self.final_height {
            text += &format!(", not before block {height}");
        }
        if let Some(time) = self.final_time {
            text += &format!(", not before a median time past of {time}");
        }
        text
    }
}

impl From<v1::InputWorld> for InputWorldView {
    fn from(there: v1::InputWorld) -> InputWorldView {
        InputWorldView {
            coin: match there.kind() {
                v1::InputStateKind::Unspecified => "unknown",
                v1::InputStateKind::Unspent => "unspent",
                v1::InputStateKind::Immature => "immature",
                v1::InputStateKind::Pending => "pending",
                v1::InputStateKind::Spent => "spent",
                v1::InputStateKind::Missing => "missing",
            },
            world: there.world.map(WorldView::from),
            rival_txid: some(there.rival_txid),
            spent_block_hash: some(there.spent_block_hash),
            final_height: there.final_height,
            final_time: there.final_time.map(|time| seconds(Some(time))),
            is_final: there.r#final,
        }
    }
}

/// What was found of an input.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct InputVerdictView {
    pub(crate) input: u32,
    pub(crate) txid: String,
    pub(crate) vout: u32,
    pub(crate) amount_sat: Option<i64>,
    pub(crate) mine: bool,
    pub(crate) valid: bool,
    pub(crate) error: Option<String>,
    pub(crate) worlds: Vec<InputWorldView>,
}

impl From<v1::InputVerdict> for InputVerdictView {
    fn from(input: v1::InputVerdict) -> InputVerdictView {
        let outpoint = input.outpoint.unwrap_or_default();
        InputVerdictView {
            input: input.input,
            txid: outpoint.txid,
            vout: outpoint.vout,
            amount_sat: input.amount_sat,
            mine: input.mine,
            valid: input.valid,
            error: some(input.error),
            worlds: input.worlds.into_iter().map(Into::into).collect(),
        }
    }
}

/// What was found of a transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct VerifiedView {
    pub(crate) txid: String,
    pub(crate) valid: bool,
    pub(crate) valid_everywhere: bool,
    /// Whether the next block of the best world may have it, as far as lock times say.
    pub(crate) is_final: bool,
    pub(crate) fee_sat: Option<i64>,
    pub(crate) weight: u64,
    pub(crate) reject_reason: Option<String>,
    /// Whether the mempool would take it.
    pub(crate) mempool_allowed: bool,
    pub(crate) mempool_reject_reason: Option<String>,
    pub(crate) inputs: Vec<InputVerdictView>,
}

impl From<v1::VerifyTransactionResponse> for VerifiedView {
    fn from(answer: v1::VerifyTransactionResponse) -> VerifiedView {
        let mempool = answer.mempool.unwrap_or_default();
        VerifiedView {
            txid: answer.txid,
            valid: answer.valid,
            valid_everywhere: answer.valid_everywhere,
            is_final: answer.r#final,
            fee_sat: answer.fee_sat,
            weight: answer.weight,
            reject_reason: some(answer.reject_reason),
            mempool_allowed: mempool.allowed,
            mempool_reject_reason: some(mempool.reject_reason),
            inputs: answer.inputs.into_iter().map(Into::into).collect(),
        }
    }
}

impl View for VerifiedView {
    fn text(&self) -> String {
        let verdict = match (self.valid, self.valid_everywhere) {
            (true, true) => "valid, in every live world",
            (true, false) => "valid in the best world, not in every one",
            (false, _) => "not valid",
        };
        let mut text = format!("transaction {}: {verdict}\n", self.txid);
        if let Some(reason) = &self.reject_reason {
            text += &format!("whatever it spends: {reason}\n");
        }
        for input in &self.inputs {
            let script = match (&input.error, input.valid) {
                (_, true) => "script fine".to_owned(),
                (Some(error), _) => error.clone(),
                (None, false) => "script cannot be run: a coin is not known".to_owned(),
            };
            let amount = input
                .amount_sat
                .map_or_else(|| "unknown".to_owned(), |sat| btc(sat) + " BTC");
            text += &format!(
                "input {}: {}:{}  {amount}  {script}\n",
                input.input, input.txid, input.vout
            );
            for there in &input.worlds {
                let world = there.world.as_ref();
                let tip = world.map_or_else(String::new, |world| short(&world.tip_hash));
                let best = if world.is_some_and(|world| world.best) {
                    "*"
                } else {
                    " "
                };
                let rival = there
                    .rival_txid
                    .as_ref()
                    .map_or_else(String::new, |by| format!(", {by} waits to spend it"));
                let lock = there.lock();
                text += &format!("  {best} {tip}  {}{rival}{lock}\n", there.coin);
            }
        }
        if let Some(fee) = self.fee_sat {
            text += &format!("fee {} BTC, weight {}\n", btc(fee), self.weight);
        }
        text += &match (&self.mempool_reject_reason, self.mempool_allowed) {
            (_, true) => "the mempool would take it\n".to_owned(),
            (reason, false) => {
                format!(
                    "the mempool would refuse it: {}\n",
                    reason.as_deref().unwrap_or("no reason")
                )
            }
        };
        text
    }
}
