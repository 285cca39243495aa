//! Owns what is told of fees: what has to be paid to be confirmed in time.

use everett_mempool::{Horizon, Range};

use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static ESTIMATESMARTFEE: Method = Method {
    name: "estimatesmartfee",
    category: Category::Util,
    about: "What a transaction should pay for 1,000 virtual bytes to be confirmed within so many blocks, by what was \
            paid since the node started and how long that waited.",
    arguments: &[
        Argument::required("conf_target", Kind::Number, "The blocks, 1 to 1008"),
        Argument::default(
            "estimate_mode",
            Kind::Text,
            "\"economical\"",
            "economical, or conservative: looks back farther",
        ),
    ],
    result: "{\"feerate\", \"errors\", \"blocks\"}    (json object) The rate, or why there is none; for how many blocks it holds",
    at: false,
    run: Run::Read(smart),
};

pub(super) static ESTIMATERAWFEE: Method = Method {
    name: "estimaterawfee",
    category: Category::Hidden,
    about: "What the estimate of fees knows, for each horizon that tells of so many blocks.",
    arguments: &[
        Argument::required("conf_target", Kind::Number, "The blocks, 1 to 1008"),
        Argument::default(
            "threshold",
            Kind::Number,
            "0.95",
            "The part of transactions that has to be confirmed within them",
        ),
    ],
    result: "{\"short\", \"medium\", \"long\"}    (json object) Rate, and the ranges of rates that pay enough and too little",
    at: false,
    run: Run::Read(raw),
};

/// The names of the ways to estimate.
const MODES: [&str; 3] = ["unset", "economical", "conservative"];

fn target(call: &Call) -> Result<u32, RpcError> {
    let most = Horizon::Long.most_blocks();
    let target: i32 = call.int(0)?;
    let target = u32::try_from(target).ok();
    target
        .filter(|target| (1..=most).contains(target))
        .ok_or_else(|| {
            RpcError::parameter(format!("Invalid conf_target, must be between 1 and {most}"))
        })
}

fn smart(call: &Call) -> Answer {
    let blocks = target(call)?;
    let mode = call.maybe(1).map_or(Ok("economical"), Json::text)?;
    let mode = mode.to_ascii_lowercase();
    if !MODES.contains(&mode.as_str()) {
        return Err(RpcError::parameter(format!(
            "Invalid estimate_mode parameter, must be one of: \"{}\"",
            MODES.join("\", \"")
        )));
    }
    let (estimate, least) = {
        let view = call.handle().mempool().view()?;
        let estimate = view.fee_estimate(blocks, mode == "conservative");
        (estimate, view.min_fee())
    };
    let mut json = Json::Object(Vec::new());
    match estimate.rate {
        Some(rate) => json.push("feerate", amount(rate.max(least).sat_per_kvb())),
        None => json.push("errors", vec!["Insufficient data or no feerate found"]),
    }
    json.push("blocks", estimate.blocks);
    Ok(json)
}

fn range_json(range: &Range) -> Json {
    let hundredths = |value: f64| (value * 100.0).round() / 100.0;
    object! {
        "startrange" => range.start.round(),
        "endrange" => range.end.round(),
        "withintarget" => hundredths(range.within),
        "totalconfirmed" => hundredths(range.confirmed),
        "inmempool" => hundredths(range.pending),
        "leftmempool" => hundredths(range.left),
    }
}

fn raw(call: &Call) -> Answer {
    let blocks = target(call)?;
    let threshold = call.maybe(1).map_or(Ok(0.95), Json::real)?;
    if !(0.0..=1.0).contains(&threshold) {
        return Err(RpcError::parameter("Invalid threshold"));
    }
    let view = call.handle().mempool().view()?;
    let mut json = Json::Object(Vec::new());
    for horizon in Horizon::ALL {
        let Some(estimate) = view.raw_fee_estimate(horizon, blocks, threshold) else {
            continue;
        };
        let mut told = Json::Object(Vec::new());
        told.push_some(
            "feerate",
            estimate.rate.map(|rate| amount(rate.sat_per_kvb())),
        );
        told.push("decay", horizon.decay());
        told.push("scale", horizon.scale());
        let ranges = &estimate.ranges;
        if estimate.rate.is_some() {
            told.push("pass", range_json(&ranges.pass));
        }
        if estimate.rate.is_none() || ranges.fail.start >= 0.0 {
            told.push("fail", range_json(&ranges.fail));
        }
        if estimate.rate.is_none() {
            let none = "Insufficient data or no feerate found which meets threshold";
            told.push("errors", vec![none]);
        }
        json.push(horizon.as_str(), told);
    }
    Ok(json)
}
