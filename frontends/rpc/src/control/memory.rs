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
    about: "Which of Core's categories are logged in detail. What this node logs is set when it starts (--verbose); the \
            answer says which categories were asked for.",
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
    let mut logged = call.site.logged.lock();
    for (place, on) in [(0, true), (1, false)] {
        let Some(names) = call.maybe(place) else {
            continue;
        };
        for name in names.array()? {
            let name = name.text()?;
            let all = matches!(name, "" | "1" | "all");
            let known = LOG_CATEGORIES.iter().position(|category| *category == name);
            match known {
                _ if all => *logged = if on { u32::MAX } else { 0 },
                Some(bit) if on => *logged |= 1 << bit,
                Some(bit) => *logged &= !(1 << bit),
                None => {
                    return Err(RpcError::parameter(format!(
                        "unknown logging category {name}"
                    )));
                }
            }
        }
    }
    let mut json = Json::Object(Vec::new());
    for (bit, category) in LOG_CATEGORIES.iter().enumerate() {
        json.push(category, *logged & (1 << bit) != 0);
    }
    Ok(json)
}
