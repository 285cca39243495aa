//! Owns how a PSBT is shown: what it spends and pays, and which of its inputs are signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::hex::DisplayHex;
use bitcoin::{Address, Network, Psbt};
use everett_proto::v1;
use serde::Serialize;

use super::some;
use crate::amount::btc;
use crate::output::View;

/// A PSBT that was worked on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct WorkedView {
    /// In base 64.
    pub(crate) psbt: String,
    pub(crate) complete: bool,
    pub(crate) txid: Option<String>,
    /// The signed transaction.
    pub(crate) hex: Option<String>,
}

impl From<v1::SignPsbtResponse> for WorkedView {
    fn from(signed: v1::SignPsbtResponse) -> WorkedView {
        WorkedView {
            psbt: STANDARD.encode(signed.psbt),
            complete: signed.complete,
            txid: some(signed.txid),
            hex: some(signed.raw.to_lower_hex_string()),
        }
    }
}

impl From<v1::FinalizePsbtResponse> for WorkedView {
    fn from(finished: v1::FinalizePsbtResponse) -> WorkedView {
        WorkedView {
            psbt: STANDARD.encode(finished.psbt),
            complete: finished.complete,
            txid: some(finished.txid),
            hex: some(finished.raw.to_lower_hex_string()),
        }
    }
}

impl View for WorkedView {
    fn text(&self) -> String {
        format!("{}\n", self.psbt)
    }
}

/// An input of a PSBT.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PsbtInputView {
    pub(crate) txid: String,
    pub(crate) vout: u32,
    pub(crate) amount_sat: Option<u64>,
    /// Signatures that are there.
    pub(crate) signatures: usize,
    pub(crate) finished: bool,
}

/// An output of a PSBT.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PsbtOutputView {
    pub(crate) amount_sat: u64,
    pub(crate) address: Option<String>,
    pub(crate) script_pubkey: String,
}

/// What a PSBT says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct PsbtView {
    /// Of the unsigned transaction.
    pub(crate) txid: String,
    pub(crate) inputs: Vec<PsbtInputView>,
    pub(crate) outputs: Vec<PsbtOutputView>,
    pub(crate) fee_sat: Option<u64>,
    /// Whether every input is finished.
    pub(crate) finished: bool,
}

impl PsbtView {
    pub(crate) fn new(psbt: &Psbt, network: Network) -> PsbtView {
        let coins = psbt.unsigned_tx.input.iter().zip(&psbt.inputs);
        let inputs: Vec<PsbtInputView> = coins
            .enumerate()
            .map(|(index, (input, told))| {
                let signed = told.partial_sigs.len() + told.tap_script_sigs.len();
                PsbtInputView {
                    txid: input.previous_output.txid.to_string(),
                    vout: input.previous_output.vout,
                    amount_sat: psbt.spend_utxo(index).ok().map(|coin| coin.value.to_sat()),
                    signatures: signed + usize::from(told.tap_key_sig.is_some()),
                    finished: told.final_script_sig.is_some()
                        || told.final_script_witness.is_some(),
                }
            })
            .collect();
        let outputs = psbt.unsigned_tx.output.iter().map(|output| {
            let address = Address::from_script(&output.script_pubkey, network).ok();
            PsbtOutputView {
                amount_sat: output.value.to_sat(),
                address: address.map(|address| address.to_string()),
                script_pubkey: output.script_pubkey.to_hex_string(),
            }
        });
        PsbtView {
            txid: psbt.unsigned_tx.compute_txid().to_string(),
            finished: inputs.iter().all(|input| input.finished),
            inputs,
            outputs: outputs.collect(),
            fee_sat: psbt.fee().ok().map(|fee| fee.to_sat()),
        }
    }
}

/// No amount of a transaction that anybody shows is near the limit.
fn bitcoins(sat: u64) -> String {
    btc(i64::try_from(sat).unwrap_or(i64::MAX))
}

impl View for PsbtView {
    fn text(&self) -> String {
        let mut text = format!("unsigned transaction {}\n", self.txid);
        for input in &self.inputs {
            let amount = input.amount_sat.map_or_else(
                || "an unknown amount".to_owned(),
                |sat| bitcoins(sat) + " BTC",
            );
            let state = match (input.finished, input.signatures) {
                (true, _) => "finished".to_owned(),
                (false, 1) => "1 signature".to_owned(),
                (false, count) => format!("{count} signatures"),
            };
            text += &format!("  from {}:{}  {amount}  {state}\n", input.txid, input.vout);
        }
        for output in &self.outputs {
            let to = output.address.as_ref().unwrap_or(&output.script_pubkey);
            text += &format!("  to {to}  {} BTC\n", bitcoins(output.amount_sat));
        }
        match self.fee_sat {
            Some(fee) => text += &format!("fee {} BTC\n", bitcoins(fee)),
            None => text += "fee unknown: it does not say what all inputs are worth\n",
        }
        text
    }
}
