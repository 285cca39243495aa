//! Owns what transactions count as paying, where somebody says otherwise.

use std::sync::atomic::Ordering;

use everett_script::policy::is_dust;

use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static PRIORITISETRANSACTION: Method = Method {
    name: "prioritisetransaction",
    category: Category::Mining,
    about: "Lets a transaction count as paying more or less than it does when blocks are made.",
    arguments: &[
        Argument::required("txid", Kind::Text, "The transaction's id"),
        Argument::optional("dummy", Kind::Number, "Must be 0, or left out"),
        Argument::required(
            "fee_delta",
            Kind::Number,
            "Satoshis that it counts as paying more; added to what was said before",
        ),
    ],
    result: "true    (boolean)",
    at: false,
    run: Run::Write(prioritise),
};

fn prioritise(call: &Call) -> Answer {
    let txid = call.txid(0, "txid")?;
    let is_zero = |value: &Json| match value {
        Json::Number(text) => text.parse::<f64>().is_ok_and(|number| number == 0.0),
        _ => false,
    };
    let sat: i64 = call.int(2)?;
    if !call.maybe(1).is_none_or(is_zero) {
        return Err(RpcError::parameter(
            "Priority is no longer supported, dummy argument to prioritisetransaction must be 0.",
        ));
    }
    let mempool = call.handle().mempool();
    let config = mempool.config();
    let pending = {
        let view = mempool.view()?;
        view.transaction(&txid).cloned()
    };
    let has_dust = pending.as_ref().is_some_and(|tx| {
        let mut outputs = tx.tx.output.iter();
        outputs.any(|output| is_dust(output, config.standard.dust_relay_fee))
    });
    if config.require_standard && has_dust {
        return Err(RpcError::parameter(
            "Priority is not supported for transactions with dust outputs.",
        ));
    }
    mempool.prioritise(txid, sat)?;
    if pending.is_some() {
        call.site.prioritised.fetch_add(1, Ordering::Relaxed);
    }
    Ok(Json::Bool(true))
}

pub(super) static GETPRIORITISEDTRANSACTIONS: Method = Method {
    name: "getprioritisedtransactions",
    category: Category::Mining,
    about: "All that was said of what transactions count as paying, pending or not.",
    arguments: &[],
    result: "{\"txid\": {\"fee_delta\", \"in_mempool\", \"modified_fee\"}, ...}    (json object) In satoshis, by transaction",
    at: false,
    run: Run::Read(prioritised),
};

fn prioritised(call: &Call) -> Answer {
    let view = call.handle().mempool().view();
    let view = view?;
    let mut json = Json::Object(Vec::new());
    for one in view.prioritised() {
        let mut told = object! {
            "fee_delta" => one.delta,
            "in_mempool" => one.modified_fee.is_some(),
        };
        told.push_some("modified_fee", one.modified_fee);
        json.push(&one.txid.to_string(), told);
    }
    Ok(json)
}
