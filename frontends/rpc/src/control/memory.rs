//! Owns what is said of memory and of the log.

use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// Core's categories of log lines, by name.
pub const LOG_CATEGORIES: [&str; 29] = [
    "addrman",
    "bench",
    "blockstorage",
    "cmpctblock",
    "coindb",
    "estimatefee",
    "http",
    "i2p",
    "ipc",
    "kernel",
    "leveldb",
    "mempool",
    "mempoolrej",
    "net",
    "privatebroadcast",
    "proxy",
    "prune",
    "qt",
    "rand",
    "reindex",
    "rpc",
    "scan",
    "selectcoins",
    "tor",
    "txpackages",
    "txreconciliation",
    "validation",
    "walletdb",
    "zmq",
];

/// A category that Core knows and that has nothing to say any more.
const GONE: &str = "libevent";

pub(super) static GETMEMORYINFO: Method = Method {
    name: "getmemoryinfo",
    category: Category::Control,
    about: "Memory that is locked for keys: none, since no keys are kept.",
    arguments: &[Argument::default(
        "mode",
        Kind::Text,
        "\"stats\"",
        "stats, or mallocinfo",
    )],
    result: "{\"locked\": {...}}    (json object) The figures, all 0",
    at: false,
    run: Run::Read(memory_info),
};

fn memory_info(call: &Call) -> Answer {
    match call.maybe(0).map_or(Ok("stats"), Json::text)? {
        "stats" => Ok(object! {
            "locked" => object! {
                "used" => 0,
                "free" => 0,
                "total" => 0,
                "locked" => 0,
                "chunks_used" => 0,
                "chunks_free" => 0,
            },
        }),
        "mallocinfo" => Err(RpcError::parameter("mallocinfo mode not available")),
        mode => Err(RpcError::parameter(format!("unknown mode {mode}"))),
    }
}

pub(super) static LOGGING: Method = Method {
    name: "logging",
    category: Category::Control,
    about: "Which of Core's categories are logged in detail, as -debug does it at the start. A node that was not started as \
            bitcoind logs what --verbose said, and remembers here what was asked for.",
    arguments: &[
        Argument::optional(
            "include",
            Kind::Array,
            "Categories to add; all stands for every one",
        )
        .shown("[\"include_category\",...]"),
        Argument::optional("exclude", Kind::Array, "Categories to take away")
            .shown("[\"exclude_category\",...]"),
    ],
    result: "{\"category\": true|false, ...}    (json object) Each category",
    at: false,
    run: Run::Read(logging),
};

fn logging(call: &Call) -> Answer {
    let mut remembered = call.site.logged.lock();
    if let Some(log) = &call.site.config.log {
        *remembered = log.logged().into_iter().collect();
    }
    for (place, on) in [(0, true), (1, false)] {
        let Some(names) = call.maybe(place) else {
            continue;
        };
        for name in names.array()? {
            let name = name.text()?;
            let all = matches!(name, "" | "1" | "all");
            let known = LOG_CATEGORIES
                .iter()
                .filter(|category| all || **category == name);
            let known: Vec<&str> = known.copied().collect();
            // What has nothing to say any more is taken.
            if known.is_empty() && name != GONE {
                return Err(RpcError::parameter(format!(
                    "unknown logging category {name}"
                )));
            }
            match on {
                true => remembered.extend(known),
                false => remembered.retain(|logged| !known.contains(logged)),
            }
            // What stands before a name that there is not holds, as in Core.
            if let Some(log) = &call.site.config.log {
                log.set(&remembered.iter().copied().collect::<Vec<_>>());
            }
        }
    }
    let mut json = Json::Object(Vec::new());
    for category in LOG_CATEGORIES {
        json.push(category, remembered.contains(category));
    }
    Ok(json)
}
