//! Owns the methods that say back what they are told, for tests of clients.

use crate::call::Call;
use crate::error::RpcError;
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// What the last argument may not be: Core tests its own reports of errors by it.
const TRIGGER: &str = "trigger_internal_bug";

/// Ten arguments of any kind.
static ARGUMENTS: [Argument; 10] = [
    of("arg0"),
    of("arg1"),
    of("arg2"),
    of("arg3"),
    of("arg4"),
    of("arg5"),
    of("arg6"),
    of("arg7"),
    of("arg8"),
    of("arg9"),
];

const fn of(name: &'static str) -> Argument {
    Argument::optional(name, Kind::AnyText, "Anything")
}

pub(super) static ECHO: Method = Method {
    name: "echo",
    category: Category::Hidden,
    about: "Says back what it is told. bitcoin-cli passes its words on as strings.",
    arguments: &ARGUMENTS,
    result: "[...]    (json array) The arguments",
    at: false,
    run: Run::Read(echo),
};

pub(super) static ECHOJSON: Method = Method {
    name: "echojson",
    category: Category::Hidden,
    about: "Says back what it is told. bitcoin-cli reads its words as JSON first.",
    arguments: &ARGUMENTS,
    result: "[...]    (json array) The arguments",
    at: false,
    run: Run::Read(echo),
};

fn echo(call: &Call) -> Answer {
    match call.arg(9) {
        Json::Text(text) if text == TRIGGER => Err(RpcError::misc(
            "Internal bug detected: the last argument asked for it",
        )),
        _ => Ok(Json::Array(call.places().to_vec())),
    }
}

pub(super) static ECHOIPC: Method = Method {
    name: "echoipc",
    category: Category::Hidden,
    about: "Says back what it is told. Core asks another process to; there is none here.",
    arguments: &[Argument::required("arg", Kind::Text, "A string")],
    result: "\"str\"    (string) The same",
    at: false,
    run: Run::Read(|call| Ok(call.text(0)?.into())),
};
