//! Owns what is said of soft forks.

use std::cmp::Ordering;

use bitcoin::BlockHash;
use everett_ledger::{HeaderInfo, Ledger, Network};

use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(crate) static GETDEPLOYMENTINFO: Method = Method {
    name: "getdeploymentinfo",
    category: Category::Blockchain,
    about: "Which soft forks are active at a block, and which rules of scripts hold in it.",
    arguments: &[Argument::optional(
        "blockhash",
        Kind::Text,
        "The hash of the block; the chain's last one without it",
    )],
    result: "{\"hash\", \"height\", \"script_flags\", \"deployments\": {...}}    (json object) The soft forks by name",
    at: true,
    run: Run::Read(deployment_info),
};

fn deployment_info(call: &Call) -> Answer {
    let ledger = call.ledger();
    let hash = match call.maybe(0) {
        None => call.world()?.hash(),
        Some(_) => call.block_hash(0, "blockhash")?,
    };
    let info = ledger
        .header(&hash)
        .ok_or_else(|| RpcError::not_found("Block not found"))?;
    let params = ledger.params();
    let flags = params.script_flags(info.height, &hash);
    let mut names: Vec<String> = flags.iter().map(|flag| flag.to_string()).collect();
    names.sort_unstable();
    let mut deployments = Json::Object(Vec::new());
    for (name, height) in [
        ("bip34", params.bip34_height),
        ("bip66", params.bip66_height),
        ("bip65", params.bip65_height),
        ("csv", params.csv_height),
        ("segwit", params.segwit_height),
    ] {
        deployments.push(
            name,
            object! {
                "type" => "buried",
                "active" => info.height + 1 >= height,
                "height" => height,
            },
        );
    }
    if params.network == Network::Regtest {
        deployments.push("testdummy", Signalled { ledger }.json(&info)?);
    }
    Ok(object! {
        "hash" => hash,
        "height" => info.height,
        "script_flags" => names,
        "deployments" => deployments,
    })
}

/// Blocks of a period.
const PERIOD: u32 = 144;
/// Signals of a period that lock a deployment in.
const THRESHOLD: u32 = 108;
/// The bit of the version that Core signals its test deployment with.
const BIT: u32 = 28;

/// Core's test deployment (BIP9), which exists on regtest alone: begun at once, never over.
struct Signalled<'a> {
    ledger: &'a Ledger,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Defined,
    Started,
    LockedIn,
    Active,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Defined => "defined",
            State::Started => "started",
            State::LockedIn => "locked_in",
            State::Active => "active",
        }
    }
}

/// What holds after a block, and since which height.
#[derive(Clone, Copy)]
struct Since {
    state: State,
    height: u32,
}

impl Signalled<'_> {
    fn at(&self, tip: &BlockHash, height: u32) -> Result<HeaderInfo, RpcError> {
        let found = self.ledger.ancestor(tip, height);
        found.ok_or_else(|| RpcError::not_found("Block not found"))
    }

    /// Whether each block from a height to another one signals.
    fn signals(&self, tip: &BlockHash, first: u32, last: u32) -> Result<Vec<bool>, RpcError> {
        let signals = |height| {
            let version = self.at(tip, height)?.header.version.to_consensus() as u32;
            Ok(version >> 29 == 1 && version & (1 << BIT) != 0)
        };
        (first..=last).map(signals).collect()
    }

    /// The state of blocks after the first `count` ones of the chain that ends at `tip`.
    fn after(&self, tip: &BlockHash, count: u32) -> Result<Since, RpcError> {
        let mut now = Since {
            state: State::Defined,
            height: 0,
        };
        for period in 0..count / PERIOD {
            let next = (period + 1) * PERIOD;
            let state = match now.state {
                State::Defined => State::Started,
                State::Started => {
                    let signals = self.signals(tip, next - PERIOD, next - 1)?;
                    let count = signals.iter().filter(|signal| **signal).count() as u32;
                    match count.cmp(&THRESHOLD) {
                        Ordering::Less => State::Started,
                        _ => State::LockedIn,
                    }
                }
                State::LockedIn | State::Active => State::Active,
            };
            if state != now.state {
                now = Since {
                    state,
                    height: next,
                };
            }
            if state == State::Active {
                break;
            }
        }
        Ok(now)
    }

    fn json(&self, info: &HeaderInfo) -> Answer {
        let current = self.after(&info.hash, info.height)?;
        let next = self.after(&info.hash, info.height + 1)?;
        let mut bip9 = Json::Object(Vec::new());
        let signalling = matches!(current.state, State::Started | State::LockedIn);
        if signalling {
            bip9.push("bit", BIT);
        }
        bip9.push("start_time", 0);
        bip9.push("timeout", i64::MAX);
        bip9.push("min_activation_height", 0);
        bip9.push("status", current.state.word());
        bip9.push("since", current.height);
        bip9.push("status_next", next.state.word());
        if signalling {
            let first = info.height - info.height % PERIOD;
            let signals = self.signals(&info.hash, first, info.height)?;
            let elapsed = signals.len() as u32;
            let count = signals.iter().filter(|signal| **signal).count() as u32;
            let mut statistics = object! {
                "period" => PERIOD,
                "elapsed" => elapsed,
                "count" => count,
            };
            if current.state == State::Started {
                statistics.push("threshold", THRESHOLD);
                statistics.push("possible", PERIOD - THRESHOLD >= elapsed - count);
            }
            bip9.push("statistics", statistics);
            let marks = signals.iter().map(|signal| if *signal { '#' } else { '-' });
            bip9.push("signalling", marks.collect::<String>());
        }
        let mut json = object! { "type" => "bip9" };
        let active_since = match (current.state, next.state) {
            (State::Active, _) => Some(current.height),
            (_, State::Active) => Some(info.height + 1),
            _ => None,
        };
        json.push_some("height", active_since);
        json.push(
            "active",
            active_since.is_some_and(|height| height <= info.height + 1),
        );
        json.push("bip9", bip9);
        Ok(json)
    }
}
