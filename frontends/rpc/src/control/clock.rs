//! Owns the clock, where it may be held: on chains for tests.

use everett_ledger::Network;

use crate::call::Call;
use crate::error::RpcError;
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// The last time that a block's header can say.
const LAST_TIME: i64 = u32::MAX as i64;
/// The longest step of the scheduler.
const MAX_STEP: i64 = 3600;

pub(super) static SETMOCKTIME: Method = Method {
    name: "setmocktime",
    category: Category::Hidden,
    about: "Holds the clock at a time (regtest only).",
    arguments: &[Argument::required(
        "timestamp",
        Kind::Number,
        "Unix seconds; 0 lets the clock run again",
    )],
    result: "null    (json null)",
    at: false,
    run: Run::Read(set_mock_time),
};

fn set_mock_time(call: &Call) -> Answer {
    if call.ledger().params().network != Network::Regtest {
        return Err(RpcError::misc(
            "setmocktime is for regression testing (-regtest mode) only",
        ));
    }
    let time: i64 = call.int(0)?;
    match u64::try_from(time) {
        Ok(seconds) if time <= LAST_TIME => {
            call.ledger().clock().set(seconds);
            Ok(Json::Null)
        }
        _ => Err(RpcError::parameter(format!(
            "Mocktime must be in the range [0, {LAST_TIME}], not {time}."
        ))),
    }
}

pub(super) static MOCKSCHEDULER: Method = Method {
    name: "mockscheduler",
    category: Category::Hidden,
    about: "Sends scheduled work ahead (regtest only). Nothing here is scheduled by a clock that could be sent ahead.",
    arguments: &[Argument::required("delta_time", Kind::Number, "Seconds")],
    result: "null    (json null)",
    at: false,
    run: Run::Read(mock_scheduler),
};

fn mock_scheduler(call: &Call) -> Answer {
    if call.ledger().params().network != Network::Regtest {
        return Err(RpcError::misc(
            "mockscheduler is for regression testing (-regtest mode) only",
        ));
    }
    let step: i64 = call.int(0)?;
    match (1..=MAX_STEP).contains(&step) {
        true => Ok(Json::Null),
        false => Err(RpcError::misc(
            "delta_time must be between 1 and 3600 seconds (1 hr)",
        )),
    }
}
