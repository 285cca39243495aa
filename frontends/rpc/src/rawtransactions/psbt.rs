//! Owns the methods about partially signed transactions.

mod analyze;
mod create;
mod decode;
mod finalize;
mod join;
mod update;

use bitcoin::{Psbt, TxOut};

pub(super) use analyze::ANALYZEPSBT;
pub(super) use create::{CONVERTTOPSBT, CREATEPSBT};
pub(super) use decode::DECODEPSBT;
pub(super) use finalize::FINALIZEPSBT;
pub(crate) use finalize::extracted;
pub(super) use join::{COMBINEPSBT, JOINPSBTS};
pub(super) use update::{DESCRIPTORPROCESSPSBT, UTXOUPDATEPSBT};

/// The output that an input spends, if the PSBT has it.
fn spent_output(psbt: &Psbt, index: usize) -> Option<TxOut> {
    let input = psbt.inputs.get(index)?;
    let outpoint = psbt.unsigned_tx.input.get(index)?.previous_output;
    match (&input.non_witness_utxo, &input.witness_utxo) {
        (Some(transaction), _) => {
            let same = transaction.compute_txid() == outpoint.txid;
            let output = transaction.output.get(outpoint.vout as usize);
            output.filter(|_| same).cloned()
        }
        (None, witness) => witness.clone(),
    }
}

/// Whether an input is final.
fn is_final(psbt: &Psbt, index: usize) -> bool {
    psbt.inputs.get(index).is_some_and(|input| {
        input.final_script_sig.is_some() || input.final_script_witness.is_some()
    })
}
