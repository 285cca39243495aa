//! Owns the transactions of a wallet as they are told: what each brought, and how it stands in which world.

use bitcoin::{OutPoint, Script};
use everett_proto::v1;
use everett_wallet::{LabelKind, Record, View, Wallet, WalletError};

use super::asking::Asking;
use crate::convert;
use crate::convert::wallet as wallet_convert;
use crate::fault::Fault;
use crate::paging::{self, List, Token};
use crate::parse;

pub(crate) fn list(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::ListPaymentsRequest,
) -> Result<v1::ListPaymentsResponse, Fault> {
    let page_size = paging::page_size(request.page_size)?;
    let token = Token::parse(List::Payments, &request.page_token)?;
    let reference = paging::pinned(token.as_ref(), 0, request.world);
    let world = asking.reading.world("world", reference)?;
    let filter = wallet.name().as_bytes();
    let mut before = None;
    if let Some(token) = &token {
        token.check(&[world.hash()], filter)?;
        before = Some(u64::from_be_bytes(token.position()?));
    }
    let told_world = asking.reading.tell(&world)?;
    let view = wallet.view()?;
    let (state, pending) = (view.state(&world), view.pending_on(&world)?);
    let mut rest =
        (view.records().rev()).filter(|record| before.is_none_or(|before| record.order < before));
    let mut payments = Vec::new();
    let mut last = None;
    for record in rest.by_ref().take(page_size) {
        asking.reading.patience.check()?;
        let standing = view.payment_in(&record.txid, &world, &state, &pending)?;
        let mut payment = tell(&view, record)?;
        payment.states = vec![v1::PaymentState {
            world: Some(told_world.clone()),
            ..wallet_convert::payment_state(&standing)
        }];
        payments.push(payment);
        last = Some(record.order);
    }
    let more = rest.next().is_some();
    let next = last.filter(|_| more).map(|last| {
        let position = last.to_be_bytes().to_vec();
        Token::new(List::Payments, &[world.hash()], filter, position).to_text()
    });
    Ok(v1::ListPaymentsResponse {
        world: Some(told_world),
        payments,
        next_page_token: next.unwrap_or_default(),
    })
}

pub(crate) fn get(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::GetPaymentRequest,
) -> Result<v1::GetPaymentResponse, Fault> {
    let txid = parse::txid("txid", &request.txid)?;
    let view = wallet.view()?;
    let record = view.record(&txid);
    let record = record.ok_or(WalletError::NoSuchTransaction { txid })?;
    let mut payment = tell(&view, record)?;
    payment.raw = bitcoin::consensus::serialize(&*record.tx);
    for world in asking.worlds(&view, request.worlds)? {
        asking.reading.patience.check()?;
        let standing = view.payment(&txid, &world)?;
        payment.states.push(v1::PaymentState {
            world: Some(asking.reading.tell(&world)?),
            ..wallet_convert::payment_state(&standing)
        });
    }
    Ok(v1::GetPaymentResponse {
        payment: Some(payment),
    })
}

pub(crate) fn abandon(
    _: &Asking<'_>,
    wallet: &Wallet,
    request: v1::AbandonPaymentRequest,
) -> Result<v1::AbandonPaymentResponse, Fault> {
    let txid = parse::txid("txid", &request.txid)?;
    wallet.abandon(&txid)?;
    Ok(v1::AbandonPaymentResponse {})
}

/// A transaction without its states.
pub(crate) fn tell(view: &View<'_>, record: &Record) -> Result<v1::Payment, Fault> {
    let spent = record.tx.input.iter();
    let spent = spent.filter_map(|input| view.output(&input.previous_output));
    let spent: i64 = spent.map(|output| convert::sat(output.amount)).sum();
    // A transaction has fewer outputs than a u32 counts.
    let outputs: Vec<v1::PaymentOutput> = (0u32..)
        .zip(&record.tx.output)
        .map(|(vout, txout)| {
            let mine = view.output(&OutPoint::new(record.txid, vout)).is_some();
            output(
                view,
                vout,
                convert::sat(txout.value),
                &txout.script_pubkey,
                mine,
            )
        })
        .collect();
    let received = outputs.iter().filter(|output| output.mine);
    let received: i64 = received.map(|output| output.amount_sat).sum();
    let labels = view.keyring().labels();
    let label = labels.get(LabelKind::Tx, &record.txid.to_string());
    let note = |name: &str| record.notes.get(name).cloned().unwrap_or_default();
    let id = |txid: Option<bitcoin::Txid>| txid.map_or_else(String::new, |txid| txid.to_string());
    Ok(v1::Payment {
        txid: record.txid.to_string(),
        net_sat: received - spent,
        fee_sat: view.fee_of(&record.txid)?.map(convert::sat),
        sent: record.ours || spent > 0,
        coinbase: record.tx.is_coinbase(),
        outputs,
        received_time: Some(convert::time(record.received)),
        time: Some(convert::time(record.time)),
        states: Vec::new(),
        abandoned: record.abandoned,
        replaces_txid: id(record.replaces),
        replaced_by_txid: id(record.replaced_by),
        label: label.map_or_else(String::new, |label| label.text.clone()),
        comment: note("comment"),
        comment_to: note("to"),
        raw: Vec::new(),
    })
}

/// An output as it is told.
pub(crate) fn output(
    view: &View<'_>,
    vout: u32,
    amount_sat: i64,
    script: &Script,
    mine: bool,
) -> v1::PaymentOutput {
    let keyring = view.keyring();
    let address = bitcoin::Address::from_script(script, keyring.network());
    let address = address.map_or_else(|_| String::new(), |address| address.to_string());
    let label = keyring.labels().address(&address);
    v1::PaymentOutput {
        vout,
        amount_sat,
        script_pubkey: script.to_bytes(),
        label: label.map_or_else(String::new, |label| label.text.clone()),
        mine,
        change: mine && view.is_change(script),
        address,
    }
}
