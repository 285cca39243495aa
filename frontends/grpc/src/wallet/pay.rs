//! Owns payments: made ready, sent, replaced, sped up by a child.
//! Promises that nothing is sent where one of them fails; an address for change may have been used up then.

use std::collections::BTreeMap;

use bitcoin::consensus::serialize;
use bitcoin::{Amount, Psbt, Transaction, Txid};
use everett_ledger::decode::DecodedTransaction;
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::send_transaction_request::Payment;
use everett_wallet::spend::{Asked, BumpWish, Plan, Request, Scope, SpendError};
use everett_wallet::{Paid, RequestId, SendTerms, View, Wallet};
use tonic::Code;

use super::asking::Asking;
use super::fault::locked;
use super::{payments, psbt, terms};
use crate::convert;
use crate::convert::wallet as wallet_convert;
use crate::fault::Fault;
use crate::mempool_service::{announce, parse_transaction};
use crate::parse;

fn request(
    asking: &Asking<'_>,
    field: &str,
    terms: Option<v1::PaymentTerms>,
) -> Result<Request, Fault> {
    let network = asking.reading.ledger.params().network;
    terms::request(field, terms, network, asking.wallets.config())
}

/// Refuses a wallet that cannot sign now.
fn check_keys(wallet: &Wallet) -> Result<(), Fault> {
    let view = wallet.view()?;
    if view.keyring().flags().disable_private_keys {
        return Err(Fault::new(
            Code::FailedPrecondition,
            ErrorReason::KeysMissing,
            "the wallet only watches: build a PSBT instead, and have it signed elsewhere",
        ));
    }
    match view.keyring().is_locked() {
        true => Err(locked()),
        false => Ok(()),
    }
}

pub(crate) fn build(
    asking: &Asking<'_>,
    wallet: &Wallet,
    message: v1::BuildTransactionRequest,
) -> Result<v1::BuildTransactionResponse, Fault> {
    let request = request(asking, "terms", message.terms)?;
    let built = match message.sign {
        true => {
            if wallet.view()?.keyring().is_locked() {
                return Err(locked());
            }
            let prepared = wallet.prepare(&request, false, message.lock_coins)?;
            tell(wallet, &prepared.plan, &prepared.psbt, prepared.tx.as_ref())?
        }
        false => {
            let plan = match message.lock_coins {
                true => wallet.plan_and_lock(&request)?,
                false => wallet.plan(&request)?,
            };
            built_only(wallet, &plan)?
        }
    };
    Ok(v1::BuildTransactionResponse { built: Some(built) })
}

/// A payment that was made ready; `tx` where it is signed.
fn tell(
    wallet: &Wallet,
    plan: &Plan,
    psbt: &Psbt,
    tx: Option<&Transaction>,
) -> Result<v1::BuiltTransaction, Fault> {
    let view = wallet.view()?;
    let mut told = tell_of(&view, plan, psbt, tx);
    let found = view.inputs_of(&DecodedTransaction::new(plan.tx.clone()))?;
    let was_paid_from = view.was_paid_from();
    for (coin, found) in told.inputs.iter_mut().zip(&found) {
        coin.safe = found.is_everywhere();
        coin.reused = was_paid_from(&found.outpoint);
    }
    Ok(told)
}

/// The same without a look into the worlds, which may fail.
fn tell_of(
    view: &View<'_>,
    plan: &Plan,
    psbt: &Psbt,
    tx: Option<&Transaction>,
) -> v1::BuiltTransaction {
    let state = view.state(view.best());
    let height = view.best().height();
    let inputs = plan.tx.input.iter().zip(&plan.spent);
    let inputs = inputs.map(|(input, spent)| {
        let outpoint = &input.previous_output;
        let coin = state.coin(outpoint);
        v1::WalletCoin {
            height: coin.map_or(0, |coin| coin.height),
            confirmations: coin.map_or(0, |coin| height + 1 - coin.height),
            coinbase: coin.is_some_and(|coin| coin.coinbase),
            trusted: view.output(outpoint).is_some(),
            locked: view.lock_of(outpoint).is_some(),
            ..wallet_convert::coin(view, outpoint, spent.value, &spent.script_pubkey)
        }
    });
    let outputs = (0u32..).zip(&plan.tx.output).map(|(vout, output)| {
        let mine = view.keyring().slot_of(&output.script_pubkey).is_some();
        let sat = convert::sat(output.value);
        payments::output(view, vout, sat, &output.script_pubkey, mine)
    });
    v1::BuiltTransaction {
        txid: tx.unwrap_or(&plan.tx).compute_txid().to_string(),
        raw: tx.map(serialize).unwrap_or_default(),
        psbt: psbt.serialize(),
        complete: tx.is_some(),
        fee_sat: convert::sat(plan.fee),
        fee_rate_sat_per_kvb: plan.rate().sat_per_kvb(),
        weight: plan.weight,
        change_position: plan.change.and_then(|place| u32::try_from(place).ok()),
        inputs: inputs.collect(),
        outputs: outputs.collect(),
    }
}

pub(crate) fn send(
    asking: &Asking<'_>,
    wallet: &Wallet,
    message: v1::SendTransactionRequest,
) -> Result<v1::SendTransactionResponse, Fault> {
    let id = match message.request_id.as_str() {
        "" => None,
        text => {
            Some(RequestId::new(text).map_err(|bad| Fault::field("request_id", bad.to_string()))?)
        }
    };
    match send_new(asking, wallet, message, id.as_ref()) {
        Err(Sending::Spend(SpendError::Repeated { txid })) => told_again(wallet, &txid),
        Err(Sending::Spend(error)) => Err(error.into()),
        Err(Sending::Fault(fault)) => Err(fault),
        Ok(sent) => Ok(sent),
    }
}

/// Why a payment was not sent.
enum Sending {
    Spend(SpendError),
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for Sending {
    fn from(error: E) -> Sending {
        Sending::Fault(error.into())
    }
}

/// A payment that was sent before, by the same request id.
fn told_again(wallet: &Wallet, txid: &Txid) -> Result<v1::SendTransactionResponse, Fault> {
    let view = wallet.view()?;
    let Some(record) = view.record(txid) else {
        return Err(SpendError::Repeated { txid: *txid }.into());
    };
    let mut outputs = record.tx.output.iter();
    let change = outputs.position(|output| view.is_change(&output.script_pubkey));
    Ok(v1::SendTransactionResponse {
        txid: txid.to_string(),
        raw: serialize(&*record.tx),
        fee_sat: view.fee_of(txid)?.map(convert::sat),
        change_position: change.and_then(|place| u32::try_from(place).ok()),
        repeated: true,
    })
}

fn send_new(
    asking: &Asking<'_>,
    wallet: &Wallet,
    message: v1::SendTransactionRequest,
    id: Option<&RequestId>,
) -> Result<v1::SendTransactionResponse, Sending> {
    let tx = match message.payment {
        None => {
            let wrong = "set terms, transaction or psbt";
            return Err(Fault::field("payment", wrong).into());
        }
        Some(Payment::Terms(terms)) => {
            let request = request(asking, "terms", Some(terms))?;
            // Also where the wallet could not pay now.
            let repeated = wallet.refuse_repeated(id, Asked::Request(&request));
            repeated.map_err(Sending::Spend)?;
            check_keys(wallet)?;
            let paid = wallet.pay_once(&request, id).map_err(Sending::Spend)?;
            announce(asking.handle, &paid.txid);
            return Ok(v1::SendTransactionResponse {
                txid: paid.txid.to_string(),
                raw: serialize(&paid.tx),
                fee_sat: Some(convert::sat(paid.plan.fee)),
                change_position: (paid.plan.change).and_then(|place| u32::try_from(place).ok()),
                repeated: false,
            });
        }
        Some(Payment::Transaction(bytes)) => parse_transaction("transaction", &bytes)?.tx,
        Some(Payment::Psbt(bytes)) => {
            let unsigned = psbt::parse("psbt", &bytes)?.unsigned_tx;
            let repeated = wallet.refuse_repeated(id, Asked::Transaction(&unsigned));
            repeated.map_err(Sending::Spend)?;
            psbt::signed("psbt", &bytes)?
        }
    };
    let raw = serialize(&tx);
    let max_fee = match message.max_fee_sat {
        None => wallet.fees().most,
        Some(sat) => u64::try_from(sat)
            .map(Amount::from_sat)
            .map_err(|_| Fault::field("max_fee_sat", format!("{sat} is less than nothing")))?,
    };
    let terms = SendTerms {
        may_replace: true,
        scope: Scope::Best,
        max_fee: Some(max_fee),
    };
    let sent = wallet.send_once(tx, &BTreeMap::new(), terms, id);
    let txid = sent.map_err(Sending::Spend)?;
    announce(asking.handle, &txid);
    // It is sent: what cannot be told of it now is no error.
    let fee = (wallet.view().ok()).and_then(|view| view.fee_of(&txid).ok().flatten());
    Ok(v1::SendTransactionResponse {
        txid: txid.to_string(),
        raw,
        fee_sat: fee.map(convert::sat),
        change_position: None,
        repeated: false,
    })
}

pub(crate) fn bump(
    asking: &Asking<'_>,
    wallet: &Wallet,
    message: v1::BumpFeeRequest,
) -> Result<v1::BumpFeeResponse, Fault> {
    let txid = parse::txid("txid", &message.txid)?;
    let fee = terms::fee("fee", message.fee)?;
    let wish = BumpWish {
        fee,
        ..BumpWish::default()
    };
    let (built, old_fee) = match message.only_build {
        true => {
            let bumped = wallet.plan_bump(&txid, wish)?;
            (built_only(wallet, &bumped.new)?, bumped.old_fee)
        }
        false => {
            check_keys(wallet)?;
            let bumped = wallet.bump(&txid, wish)?;
            (sent(asking, wallet, &bumped.new)?, bumped.old_fee)
        }
    };
    Ok(v1::BumpFeeResponse {
        built: Some(built),
        old_fee_sat: convert::sat(old_fee),
    })
}

/// A payment that was only planned.
fn built_only(wallet: &Wallet, plan: &Plan) -> Result<v1::BuiltTransaction, Fault> {
    tell(wallet, plan, &wallet.psbt(plan)?, None)
}

/// Tells peers of a payment that was made, and the client.
fn sent(asking: &Asking<'_>, wallet: &Wallet, paid: &Paid) -> Result<v1::BuiltTransaction, Fault> {
    announce(asking.handle, &paid.txid);
    let mut psbt = wallet.psbt(&paid.plan)?;
    for (input, signed) in psbt.inputs.iter_mut().zip(&paid.tx.input) {
        input.final_script_sig = Some(signed.script_sig.clone()).filter(|sig| !sig.is_empty());
        input.final_script_witness = Some(signed.witness.clone()).filter(|one| !one.is_empty());
    }
    Ok(tell_of(&wallet.view()?, &paid.plan, &psbt, Some(&paid.tx)))
}

pub(crate) fn bump_with_child(
    asking: &Asking<'_>,
    wallet: &Wallet,
    message: v1::BumpWithChildRequest,
) -> Result<v1::BumpWithChildResponse, Fault> {
    let txid = parse::txid("txid", &message.txid)?;
    let fee = terms::fee("fee", message.fee)?;
    let child = wallet.view()?.child(&txid, fee, wallet.fees())?;
    let built = match message.only_build {
        true => built_only(wallet, &wallet.plan(&child.request)?)?,
        false => {
            check_keys(wallet)?;
            // Planned anew in its turn: a block may have the parent by now.
            sent(asking, wallet, &wallet.bump_child(&txid, fee)?)?
        }
    };
    Ok(v1::BumpWithChildResponse {
        built: Some(built),
        package_rate_sat_per_kvb: child.rate.sat_per_kvb(),
    })
}
