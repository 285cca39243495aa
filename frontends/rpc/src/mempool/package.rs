//! Owns the way of several transactions into the mempool, a child with its parents.

use std::collections::BTreeSet;

use bitcoin::Txid;
use everett_mempool::{PackageOutcome, is_child_with_parents_tree};

use super::submit::tell_peers;
use super::test::fees;
use super::{check_burn, check_count, max_burn, max_fee_rate, read_all};
use crate::call::Call;
use crate::error::{RpcError, VERIFY_ERROR};
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static SUBMITPACKAGE: Method = Method {
    name: "submitpackage",
    category: Category::Rawtransactions,
    about: "Gives in a transaction with parents of it that are not confirmed, the child last. Each that stands by \
            itself is let in by itself, the rest by what all of them pay together. One transaction will do.",
    arguments: &[
        Argument::required("package", Kind::Array, "The transactions").shown("[\"rawtx\",...]"),
        Argument::default(
            "maxfeerate",
            Kind::Any,
            "0.10",
            "Refuse what pays more than so many bitcoins for 1,000 virtual bytes; 0 allows any",
        ),
        Argument::default(
            "maxburnamount",
            Kind::Any,
            "0.00",
            "Refuse what has an output that nobody can spend of more than so many bitcoins",
        ),
    ],
    result: "{\"package_msg\", \"tx-results\": {\"wtxid\": {...}, ...}, \"replaced-transactions\": [...]}    \
             (json object) What became of all, of each, and of those whose place they took",
    at: false,
    run: Run::Read(submit_package),
};

fn submit_package(call: &Call) -> Answer {
    let list = call.arg(0);
    check_count(list)?;
    let rate = max_fee_rate(call.maybe(1))?;
    let most_burnt = max_burn(call.maybe(2))?;
    let transactions = read_all(list, |transaction| check_burn(transaction, most_burnt))?;
    if transactions.len() > 1 && !is_child_with_parents_tree(&transactions) {
        return Err(RpcError::new(
            VERIFY_ERROR,
            "package topology disallowed. not child-with-parents or parents depend on each other.",
        ));
    }
    let limit = (rate.sat_per_kvb() != 0).then_some(rate);
    let verdict = call
        .handle()
        .mempool()
        .accept_package(&transactions, limit)?;
    let message = verdict.rejection.as_ref();
    let message = message.map_or_else(|| "success".to_owned(), ToString::to_string);
    let mut results: Vec<(String, Json)> = Vec::with_capacity(transactions.len());
    let mut replaced: BTreeSet<Txid> = BTreeSet::new();
    for tx in &transactions {
        let mut json = object! { "txid" => tx.txid };
        match verdict.of(&tx.wtxid) {
            None => json.push("error", "package-not-validated"),
            Some(PackageOutcome::DifferentWitness(other)) => json.push("other-wtxid", *other),
            Some(PackageOutcome::Refused(refused)) => {
                json.push("error", refused.rejection.to_string());
            }
            Some(PackageOutcome::Known { vsize, fee }) => {
                tell_peers(call, &tx.txid);
                json.push("vsize", *vsize);
                json.push("fees", object! { "base" => amount(*fee) });
            }
            Some(PackageOutcome::Accepted(accepted)) => {
                tell_peers(call, &tx.txid);
                json.push("vsize", accepted.vsize);
                json.push("fees", fees(accepted));
                replaced.extend(accepted.replaced.iter().map(|tx| tx.txid));
            }
        }
        let wtxid = tx.wtxid.to_string();
        match results.iter_mut().find(|(of, _)| *of == wtxid) {
            Some((_, told)) => *told = json,
            None => results.push((wtxid, json)),
        }
    }
    Ok(object! {
        "package_msg" => message,
        "tx-results" => Json::Object(results),
        "replaced-transactions" => replaced.into_iter().collect::<Json>(),
    })
}
