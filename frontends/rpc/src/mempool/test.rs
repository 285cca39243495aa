//! Owns the question whether transactions would be let in.

use std::sync::Arc;

use everett_ledger::decode::DecodedTransaction;
use everett_mempool::{Accepted, FeeRate, PackageOutcome, PackageRejectionKind, Rejection};
use everett_mempool::{PackageVerdict, RejectionKind};

use super::{check_count, ids, max_fee_rate, read_all};
use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static TESTMEMPOOLACCEPT: Method = Method {
    name: "testmempoolaccept",
    category: Category::Rawtransactions,
    about: "Whether transactions would be let in; nothing is changed. Several are judged together, parents first, and \
            may then replace nothing. In a world that is named: whether they would be if it were the best one.",
    arguments: &[
        Argument::required("rawtxs", Kind::Array, "The transactions").shown("[\"rawtx\",...]"),
        Argument::default(
            "maxfeerate",
            Kind::Any,
            "0.10",
            "Refuse what pays more than so many bitcoins for 1,000 virtual bytes; 0 allows any",
        ),
    ],
    result: "[{\"txid\", \"wtxid\", \"package-error\", \"allowed\", \"vsize\", \"fees\", \"reject-reason\", \
             \"reject-details\"}, ...]    (json array) What would become of each",
    at: true,
    run: Run::Read(test_accept),
};

fn test_accept(call: &Call) -> Answer {
    let list = call.arg(0);
    check_count(list)?;
    let rate = max_fee_rate(call.maybe(1))?;
    let transactions = read_all(list, |_| Ok(()))?;
    let verdict = verdict(call, &transactions)?;
    let package_error = verdict
        .rejection
        .as_ref()
        .filter(|rejection| rejection.kind == PackageRejectionKind::Policy)
        .map(ToString::to_string);
    let mut goes_on = true;
    let answers = transactions.iter().map(|tx| {
        let mut json = object! { "txid" => tx.txid, "wtxid" => tx.wtxid };
        json.push_some("package-error", package_error.clone());
        match verdict.of(&tx.wtxid) {
            Some(PackageOutcome::Accepted(accepted)) if goes_on => {
                goes_on = push_accepted(&mut json, accepted, rate);
            }
            Some(PackageOutcome::Refused(refused)) if goes_on => {
                push_refused(&mut json, &refused.rejection);
            }
            _ => {}
        }
        json
    });
    Ok(answers.collect())
}

fn verdict(
    call: &Call,
    transactions: &[Arc<DecodedTransaction>],
) -> Result<PackageVerdict, RpcError> {
    let mempool = call.handle().mempool();
    let named = match call.names_world() {
        true => Some(call.world()?),
        false => None,
    };
    let [tx] = transactions else {
        return Ok(match &named {
            Some(world) => mempool.test_accept_package_on(world, transactions)?,
            None => mempool.test_accept_package(transactions)?,
        });
    };
    let judged = match &named {
        Some(world) => mempool.test_accept_on(world, tx)?,
        None => mempool.test_accept(tx)?,
    };
    let outcome = match judged {
        Ok(accepted) => PackageOutcome::Accepted(accepted),
        Err(refused) => PackageOutcome::Refused(refused),
    };
    Ok(PackageVerdict {
        rejection: None,
        outcomes: vec![(tx.wtxid, outcome)],
    })
}

/// Whether it pays no more than it may.
fn push_accepted(json: &mut Json, accepted: &Accepted, rate: FeeRate) -> bool {
    let most = rate.fee(i64::try_from(accepted.vsize).unwrap_or(i64::MAX));
    if most != 0 && accepted.fee > most {
        json.push("allowed", false);
        json.push("reject-reason", "max-fee-exceeded");
        return false;
    }
    json.push("allowed", true);
    json.push("vsize", accepted.vsize);
    json.push("fees", fees(accepted));
    true
}

/// What is told of fees.
pub(super) fn fees(accepted: &Accepted) -> Json {
    object! {
        "base" => amount(accepted.fee),
        "effective-feerate" => amount(accepted.effective.sat_per_kvb()),
        "effective-includes" => ids(&accepted.effective_includes),
    }
}

fn push_refused(json: &mut Json, rejection: &Rejection) {
    json.push("allowed", false);
    if rejection.kind == RejectionKind::MissingInputs {
        json.push("reject-reason", "missing-inputs");
        return;
    }
    json.push("reject-reason", &*rejection.reason);
    json.push("reject-details", rejection.to_string());
}
