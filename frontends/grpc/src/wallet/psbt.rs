//! Owns PSBTs (BIP174): signed by a wallet, joined, finished.
//! Promises that what was signed by others stays.

use bitcoin::consensus::serialize;
use bitcoin::{OutPoint, Psbt, Transaction};
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_wallet::Wallet;
use everett_wallet::keys::{Process, finalize, read_psbt};
use tonic::Code;

use super::asking::Asking;
use crate::fault::Fault;

/// Most PSBTs that are joined at once.
const MAX_COMBINED: usize = 100;

/// The PSBT of a request.
pub(crate) fn parse(field: &str, bytes: &[u8]) -> Result<Psbt, Fault> {
    if bytes.is_empty() {
        return Err(Fault::field(field, "a PSBT is missing"));
    }
    read_psbt(bytes).map_err(|error| Fault::field(field, error.to_string()))
}

/// The transaction of a PSBT that has all its signatures.
pub(crate) fn signed(field: &str, bytes: &[u8]) -> Result<Transaction, Fault> {
    let mut psbt = parse(field, bytes)?;
    if finalize(&mut psbt) {
        return Ok(extracted(&psbt));
    }
    let is_final = |input: &bitcoin::psbt::Input| {
        input.final_script_sig.is_some() || input.final_script_witness.is_some()
    };
    let input = psbt.inputs.iter().position(|input| !is_final(input));
    let input = input.unwrap_or_default();
    let message = format!("input {input} of the PSBT lacks signatures; have it signed first");
    let fault = Fault::new(Code::FailedPrecondition, ErrorReason::NotSigned, message);
    Err(fault.with("input", input))
}

/// The transaction of a PSBT whose inputs are all finished.
pub(crate) fn extracted(psbt: &Psbt) -> Transaction {
    let mut tx = psbt.unsigned_tx.clone();
    for (input, told) in tx.input.iter_mut().zip(&psbt.inputs) {
        input.script_sig = told.final_script_sig.clone().unwrap_or_default();
        input.witness = told.final_script_witness.clone().unwrap_or_default();
    }
    tx
}

pub(crate) fn sign(
    _: &Asking<'_>,
    wallet: &Wallet,
    request: v1::SignPsbtRequest,
) -> Result<v1::SignPsbtResponse, Fault> {
    let mut psbt = parse("psbt", &request.psbt)?;
    let process = Process {
        sign: !request.only_update,
        finalize: !request.leave_unfinished && !request.only_update,
        ..Process::default()
    };
    let view = wallet.view()?;
    let spent = |outpoint: &OutPoint| view.spent_coin(outpoint);
    view.keyring().process_psbt(&mut psbt, spent, process)?;
    drop(view);
    let mut whole = psbt.clone();
    let complete = finalize(&mut whole);
    Ok(v1::SignPsbtResponse {
        txid: txid(&whole, complete),
        raw: raw(&whole, complete),
        psbt: psbt.serialize(),
        complete,
    })
}

fn raw(whole: &Psbt, complete: bool) -> Vec<u8> {
    match complete {
        true => serialize(&extracted(whole)),
        false => Vec::new(),
    }
}

fn txid(whole: &Psbt, complete: bool) -> String {
    let txid = match complete {
        true => extracted(whole).compute_txid(),
        false => whole.unsigned_tx.compute_txid(),
    };
    txid.to_string()
}

/// Joins what several have signed of one transaction.
pub(crate) fn combine(
    request: &v1::CombinePsbtsRequest,
) -> Result<v1::CombinePsbtsResponse, Fault> {
    let count = request.psbts.len();
    if !(2..=MAX_COMBINED).contains(&count) {
        let wrong = format!("{count} PSBTs; 2 to {MAX_COMBINED} are joined");
        return Err(Fault::field("psbts", wrong));
    }
    let mut merged: Option<Psbt> = None;
    for (index, bytes) in request.psbts.iter().enumerate() {
        let field = format!("psbts[{index}]");
        let other = parse(&field, bytes)?;
        let Some(merged) = &mut merged else {
            merged = Some(other);
            continue;
        };
        // The library drops the whole transaction where one of them has the spent output alone.
        let whole: Vec<_> = (merged.inputs.iter().zip(&other.inputs))
            .map(|(a, b)| a.non_witness_utxo.clone().or(b.non_witness_utxo.clone()))
            .collect();
        merged
            .combine(other)
            .map_err(|_| Fault::field(field, "it is of another transaction than the first one"))?;
        for (input, whole) in merged.inputs.iter_mut().zip(whole) {
            input.non_witness_utxo = whole;
        }
    }
    let merged = merged.ok_or_else(|| Fault::field("psbts", "they are missing"))?;
    Ok(v1::CombinePsbtsResponse {
        psbt: merged.serialize(),
    })
}

/// Finishes what has all its signatures.
pub(crate) fn finish(request: &v1::FinalizePsbtRequest) -> Result<v1::FinalizePsbtResponse, Fault> {
    let mut psbt = parse("psbt", &request.psbt)?;
    let complete = finalize(&mut psbt);
    Ok(v1::FinalizePsbtResponse {
        txid: txid(&psbt, complete),
        raw: raw(&psbt, complete),
        psbt: psbt.serialize(),
        complete,
    })
}
