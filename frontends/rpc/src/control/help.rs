//! Owns help, stop, uptime and what the server says of itself.

use std::time::Duration;

use crate::call::Call;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::registry;

/// Longest wait before `stop` answers.
const MAX_WAIT: Duration = Duration::from_secs(60);

pub(super) static HELP: Method = Method {
    name: "help",
    category: Category::Control,
    about: "Lists all methods, or tells what one of them does.",
    arguments: &[Argument::optional("command", Kind::Text, "The method")],
    result: "\"str\"    (string) The text",
    at: false,
    run: Run::Read(help),
};

fn help(call: &Call) -> Answer {
    let command = call.maybe(0).map_or(Ok(""), Json::text)?;
    Ok(registry::help(command, call.handle().wallets().is_some()).into())
}

pub(super) static STOP: Method = Method {
    name: "stop",
    category: Category::Control,
    about: "Stops the node, in order.",
    arguments: &[Argument::optional(
        "wait",
        Kind::Number,
        "Milliseconds to wait before the answer",
    )
    .hidden()],
    result: "\"str\"    (string) That it stops",
    at: false,
    run: Run::Wait(|call| Box::pin(stop(call))),
};

async fn stop(call: Call) -> Answer {
    call.handle().shut_down();
    if let Some(wait) = call.maybe(0) {
        let milliseconds: i32 = wait.int()?;
        let wait = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
        tokio::time::sleep(wait.min(MAX_WAIT)).await;
    }
    Ok("Everett stopping".into())
}

pub(super) static UPTIME: Method = Method {
    name: "uptime",
    category: Category::Control,
    about: "How long the server has been running.",
    arguments: &[],
    result: "n    (numeric) Seconds",
    at: false,
    run: Run::Read(|call| Ok(call.site.uptime().into())),
};

pub(super) static GETRPCINFO: Method = Method {
    name: "getrpcinfo",
    category: Category::Control,
    about: "The commands that run, and where the log is.",
    arguments: &[],
    result: "{\"active_commands\": [{\"method\", \"duration\"}, ...], \"logpath\"}    (json object) Durations in microseconds",
    at: false,
    run: Run::Read(rpc_info),
};

fn rpc_info(call: &Call) -> Answer {
    Ok(object! {
        "active_commands" => call.site.active(),
        "logpath" => call.site.config.log_path.display().to_string(),
    })
}
