//! Owns the commands that pay: build, verify, send, bump, cpfp, abandon.

use std::process::ExitCode;

use bitcoin::{Amount, Txid};
use everett_proto::v1;
use everett_proto::v1::fee_choice::Fee;
use everett_proto::v1::script::Script as Named;
use everett_proto::v1::send_transaction_request::Payment;
use everett_proto::v1::verify_transaction_request::Subject;
use serde_json::json;

use super::{Asked, see, write_out};
use crate::args::wallet::{BuildArgs, BumpArgs, FeeArgs, Given, In, PaymentArgs, SendArgs};
use crate::failure::Failure;
use crate::view::wallet::Done;
use crate::view::wallet::built::{BuiltView, SentView};
use crate::view::wallet::verified::VerifiedView;

/// What is to be known where no answer came.
const MAY_BE_BUMPED: &str = "it may have been done: `everett wallet payment TXID` and `everett wallet history` show it if it was";

fn address(address: &str) -> Option<v1::Script> {
    Some(v1::Script {
        script: Some(Named::Address(address.to_owned())),
    })
}

fn fee(args: &FeeArgs) -> Option<v1::FeeChoice> {
    let rate = args.fee_rate.map(|rate| Fee::RateSatPerKvb(rate.0));
    let fee = rate.or(args.target.map(Fee::TargetBlocks));
    fee.map(|fee| v1::FeeChoice { fee: Some(fee) })
}

/// What a payment is to be.
pub(super) fn terms(args: &PaymentArgs) -> Result<v1::PaymentTerms, Failure> {
    let recipient = |to: &str, amount: Option<bitcoin::Amount>| v1::Recipient {
        script: address(to),
        // No amount that can be paid is near the limit; the node says so of the others.
        amount_sat: amount.map_or(0, |amount| {
            i64::try_from(amount.to_sat()).unwrap_or(i64::MAX)
        }),
        pays_fee: args.fee_from_amount && amount.is_some(),
        takes_rest: amount.is_none(),
    };
    let mut recipients = Vec::new();
    if let Some(to) = &args.address {
        recipients.push(recipient(to, args.amount));
    }
    recipients.extend(args.to.iter().map(|to| recipient(&to.address, to.amount)));
    recipients.extend(args.all.iter().map(|to| recipient(to, None)));
    if recipients.is_empty() {
        return Err(Failure::usage(
            "nobody is paid: write ADDRESS AMOUNT, --to ADDRESS=AMOUNT, or --all ADDRESS",
        ));
    }
    let scope = match args.scope {
        None | Some(In::All) => v1::CoinScope::AllWorlds,
        Some(In::Best) => v1::CoinScope::Best,
    };
    let coins = args.coin.iter().map(|coin| v1::OutPoint {
        txid: coin.txid.to_string(),
        vout: coin.vout,
    });
    Ok(v1::PaymentTerms {
        recipients,
        scope: scope.into(),
        fee: fee(&args.fee),
        coins: coins.collect(),
        add_coins: args.add_coins,
        include_untrusted: args.untrusted,
        use_reused: args.use_reused,
        change: args.change.as_deref().and_then(address),
        change_kind: see::kind(args.change_kind).into(),
        replaceable: args.not_replaceable.then_some(false),
        comment: args.comment.clone(),
        comment_to: args.comment_to.clone(),
        ..Default::default()
    })
}

/// `everett wallet build`, and `psbt create` with `unsigned`.
pub(super) fn build(asked: &Asked, args: BuildArgs) -> Result<ExitCode, Failure> {
    let request = v1::BuildTransactionRequest {
        wallet: asked.wallet.clone(),
        terms: Some(terms(&args.payment)?),
        sign: !args.unsigned,
        lock_coins: args.lock,
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.build_transaction(request).await)?;
    let view = BuiltView::new(answer.built.unwrap_or_default(), false);
    let written = match &view.hex {
        Some(hex) if !args.psbt => hex,
        _ => &view.psbt,
    };
    let written = format!("{written}\n");
    let output = args.output.as_deref();
    match (asked.json, output) {
        (_, Some(_)) => {
            write_out(&written, output)?;
            asked.show(&view)
        }
        (true, None) => asked.show(&view),
        // The transaction alone, so that it can be passed on; what it is goes to standard error.
        (false, None) => {
            eprint!("{}", view.summary());
            write_out(&written, None)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

pub(super) fn verify(asked: &Asked, given: Given) -> Result<ExitCode, Failure> {
    let request = v1::VerifyTransactionRequest {
        wallet: asked.wallet.clone(),
        subject: Some(match given {
            Given::Transaction(bytes) => Subject::Transaction(bytes),
            Given::Psbt(bytes) => Subject::Psbt(bytes),
        }),
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.verify_transaction(request).await)?;
    let view = VerifiedView::from(answer);
    asked.show(&view)?;
    match view.valid {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

pub(super) fn send(asked: &Asked, args: SendArgs) -> Result<ExitCode, Failure> {
    let payment = match args.raw {
        None => Payment::Terms(terms(&args.payment)?),
        Some(Given::Transaction(bytes)) => Payment::Transaction(bytes),
        Some(Given::Psbt(bytes)) => Payment::Psbt(bytes),
    };
    let max_fee = args.max_fee.map(Amount::to_sat);
    let request = v1::SendTransactionRequest {
        wallet: asked.wallet.clone(),
        // An amount that was read is no more than 21 million bitcoin.
        max_fee_sat: max_fee.and_then(|sat| i64::try_from(sat).ok()),
        payment: Some(payment),
        request_id: args.request_id.unwrap_or_default(),
    };
    let advice = match request.request_id.as_str() {
        "" => {
            "the payment may have been made: `everett wallet history` shows it if it was, so look there before paying again (with \
             --request-id a payment can be asked for again and is made once)"
        }
        _ => {
            "the payment may have been made: ask for it again with the same --request-id, which makes it once and shows it"
        }
    };
    let sent = asked
        .node
        .ask_wallet(async |mut client| client.send_transaction(request).await)
        .map_err(|failure| failure.advise_unanswered(advice))?;
    if sent.repeated && !asked.json {
        eprintln!("nothing was sent now: this is the payment that was made with that --request-id");
    }
    asked.show(&SentView::from(sent))
}

pub(super) fn bump(asked: &Asked, args: BumpArgs) -> Result<ExitCode, Failure> {
    let request = v1::BumpFeeRequest {
        wallet: asked.wallet.clone(),
        txid: args.txid.to_string(),
        fee: fee(&args.fee),
        only_build: args.build,
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.bump_fee(request).await)
        .map_err(|failure| failure.advise_unanswered(MAY_BE_BUMPED))?;
    bumped(asked, answer.built, args.build)
}

pub(super) fn bump_with_child(asked: &Asked, args: BumpArgs) -> Result<ExitCode, Failure> {
    let request = v1::BumpWithChildRequest {
        wallet: asked.wallet.clone(),
        txid: args.txid.to_string(),
        fee: fee(&args.fee),
        only_build: args.build,
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.bump_with_child(request).await)
        .map_err(|failure| failure.advise_unanswered(MAY_BE_BUMPED))?;
    bumped(asked, answer.built, args.build)
}

fn bumped(
    asked: &Asked,
    built: Option<v1::BuiltTransaction>,
    only_build: bool,
) -> Result<ExitCode, Failure> {
    let view = BuiltView::new(built.unwrap_or_default(), !only_build);
    if asked.json || !only_build {
        return asked.show(&view);
    }
    eprint!("{}", view.summary());
    write_out(&format!("{}\n", view.psbt), None)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn abandon(asked: &Asked, txid: &Txid) -> Result<ExitCode, Failure> {
    let request = v1::AbandonPaymentRequest {
        wallet: asked.wallet.clone(),
        txid: txid.to_string(),
    };
    asked
        .node
        .ask_wallet(async |mut client| client.abandon_payment(request).await)?;
    let json = json!({ "abandoned": txid.to_string() });
    asked.show(&Done::new(format!("{txid} is given up"), json))
}
