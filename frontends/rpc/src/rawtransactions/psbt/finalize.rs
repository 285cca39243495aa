//! Owns the last step of a PSBT: from signatures to a transaction.

use bitcoin::key::Secp256k1;
use bitcoin::secp256k1::All;
use bitcoin::{Psbt, ScriptBuf, Transaction, TxOut, Witness};
use miniscript::psbt::PsbtExt;

use super::{is_final, spent_output};
use crate::call::Call;
use crate::json::object;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::psbt::Partial;
use crate::signing::{Keys, Signatures, Signing, produce, verify};
use crate::transaction::encode_hex;

pub(in crate::rawtransactions) static FINALIZEPSBT: Method = Method {
    name: "finalizepsbt",
    category: Category::Rawtransactions,
    about: "Finishes the inputs of a PSBT that have all their signatures; if all have, gives the transaction.",
    arguments: &[
        Argument::required("psbt", Kind::Text, "The PSBT in base 64"),
        Argument::default(
            "extract",
            Kind::Bool,
            "true",
            "Whether the transaction is given rather than the PSBT",
        ),
    ],
    result: "{\"psbt\" or \"hex\", \"complete\"}    (json object) The PSBT or the transaction",
    at: false,
    run: Run::Read(finalize),
};

fn finalize(call: &Call) -> Answer {
    let mut partial = Partial::parse(call.text(0)?)?;
    let extract = call.bool_or(1, true)?;
    let complete = finalize_all(&mut partial.psbt);
    if complete && extract {
        let transaction = extracted(&partial.psbt);
        return Ok(object! { "hex" => encode_hex(&transaction), "complete" => true });
    }
    Ok(object! { "psbt" => partial.text(), "complete" => complete })
}

/// The transaction with what is final.
pub(crate) fn extracted(psbt: &Psbt) -> Transaction {
    let mut transaction = psbt.unsigned_tx.clone();
    for (input, told) in transaction.input.iter_mut().zip(&psbt.inputs) {
        input.script_sig = told.final_script_sig.clone().unwrap_or_default();
        input.witness = told.final_script_witness.clone().unwrap_or_default();
    }
    transaction
}

/// The signatures of an input by their keys, as they stand in scripts.
pub(super) fn signatures(psbt: &Psbt, index: usize) -> Signatures {
    let known = psbt.inputs.get(index).map(|input| &input.partial_sigs);
    let bytes = known.into_iter().flatten();
    bytes
        .map(|(key, signature)| (key.to_bytes(), signature.to_vec()))
        .collect()
}

/// The scripts that an input knows.
pub(super) fn scripts(psbt: &Psbt, index: usize, keys: &mut Keys) {
    let Some(input) = psbt.inputs.get(index) else {
        return;
    };
    let known = [&input.redeem_script, &input.witness_script];
    for script in known.into_iter().flatten() {
        keys.add_script(script.clone());
    }
}

/// Finishes every input that can be; whether all are final.
pub(super) fn finalize_all(psbt: &mut Psbt) -> bool {
    let secp = Secp256k1::new();
    let spent: Vec<Option<TxOut>> = (0..psbt.inputs.len())
        .map(|index| spent_output(psbt, index))
        .collect();
    let mut complete = true;
    for index in 0..psbt.inputs.len() {
        complete &= finalize_input(psbt, index, &spent, &secp);
    }
    complete
}

fn finalize_input(
    psbt: &mut Psbt,
    index: usize,
    spent: &[Option<TxOut>],
    secp: &Secp256k1<All>,
) -> bool {
    if is_final(psbt, index) {
        return verify(&extracted(psbt), spent, index).is_ok();
    }
    let mut keys = Keys::default();
    scripts(psbt, index, &mut keys);
    let transaction = psbt.unsigned_tx.clone();
    let signing = Signing {
        transaction: &transaction,
        spent,
        hash_type: 1,
        secp,
    };
    let known = signatures(psbt, index);
    if let Some(produced) = produce(&signing, &keys, index, known)
        && produced.complete
    {
        set_final(psbt, index, produced.script_sig, produced.witness, spent);
        return true;
    }
    if let Some(signature) = psbt.inputs.get(index).and_then(|input| input.tap_key_sig) {
        let witness = Witness::from_slice(&[signature.to_vec()]);
        let mut signed = extracted(psbt);
        if let Some(input) = signed.input.get_mut(index) {
            input.witness = witness.clone();
        }
        if verify(&signed, spent, index).is_ok() {
            set_final(psbt, index, ScriptBuf::new(), witness, spent);
            return true;
        }
    }
    if psbt.finalize_inp_mall_mut(secp, index).is_err() || !is_final(psbt, index) {
        return false;
    }
    let Some(input) = psbt.inputs.get(index) else {
        return false;
    };
    let script = input.final_script_sig.clone().unwrap_or_default();
    let witness = input.final_script_witness.clone().unwrap_or_default();
    set_final(psbt, index, script, witness, spent);
    true
}

/// Sets what is final, and clears what is not needed any more.
fn set_final(
    psbt: &mut Psbt,
    index: usize,
    script: ScriptBuf,
    witness: Witness,
    spent: &[Option<TxOut>],
) {
    let Some(input) = psbt.inputs.get_mut(index) else {
        return;
    };
    if !witness.is_empty() {
        input.witness_utxo = spent.get(index).cloned().flatten();
    }
    input.final_script_sig = Some(script).filter(|script| !script.is_empty());
    input.final_script_witness = Some(witness).filter(|witness| !witness.is_empty());
    input.partial_sigs.clear();
    input.sighash_type = None;
    input.tap_key_sig = None;
    input.tap_script_sigs.clear();
    input.tap_scripts.clear();
    input.tap_key_origins.clear();
    input.tap_internal_key = None;
    input.tap_merkle_root = None;
    input.ripemd160_preimages.clear();
    input.sha256_preimages.clear();
    input.hash160_preimages.clear();
    input.hash256_preimages.clear();
    input.bip32_derivation.clear();
    input.redeem_script = None;
    input.witness_script = None;
}
