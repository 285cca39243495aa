//! Owns what is said of soft forks.

use bitcoin::BlockHash;
use everett_ledger::{HeaderInfo, Ledger};
use everett_mining::{DeploymentState, PERIOD, Since, TEST_BIT, THRESHOLD, TestDeployment};

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
    let deployment = call.site.miner.deployment();
    if deployment.is_on(params.network) {
        let signalled = Signalled { ledger, deployment };
        deployments.push("testdummy", signalled.json(&info)?);
    }
    Ok(object! {
        "hash" => hash,
        "height" => info.height,
        "script_flags" => names,
        "deployments" => deployments,
    })
}

/// Core's test deployment (BIP9) as a block sees it.
struct Signalled<'a> {
    ledger: &'a Ledger,
    deployment: &'a TestDeployment,
}

impl Signalled<'_> {
    fn at(&self, tip: &BlockHash, height: u32) -> Result<Since, RpcError> {
        let since = self.deployment.at(self.ledger, tip, height);
        since.ok_or_else(|| RpcError::not_found("Block not found"))
    }

    /// Whether each block from a height to another one signals.
    fn signals(&self, tip: &BlockHash, first: u32, last: u32) -> Result<Vec<bool>, RpcError> {
        let signals = TestDeployment::signals(self.ledger, tip, first, last);
        signals.ok_or_else(|| RpcError::not_found("Block not found"))
    }

    fn json(&self, info: &HeaderInfo) -> Answer {
        let current = self.at(&info.hash, info.height)?;
        let next = self.at(&info.hash, info.height + 1)?;
        let mut bip9 = Json::Object(Vec::new());
        let signalling = current.state.is_signalled();
        if signalling {
            bip9.push("bit", TEST_BIT);
        }
        let times = self.deployment.times();
        bip9.push("start_time", times.start);
        bip9.push("timeout", times.timeout);
        bip9.push("min_activation_height", times.min_activation_height);
        bip9.push("status", current.state.as_str());
        bip9.push("since", current.height);
        bip9.push("status_next", next.state.as_str());
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
            if current.state == DeploymentState::Started {
                statistics.push("threshold", THRESHOLD);
                statistics.push("possible", PERIOD - THRESHOLD >= elapsed - count);
            }
            bip9.push("statistics", statistics);
            let marks = signals.iter().map(|signal| if *signal { '#' } else { '-' });
            bip9.push("signalling", marks.collect::<String>());
        }
        let mut json = object! { "type" => "bip9" };
        let active_since = match (current.state, next.state) {
            (DeploymentState::Active, _) => Some(current.height),
            (_, DeploymentState::Active) => Some(info.height + 1),
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
