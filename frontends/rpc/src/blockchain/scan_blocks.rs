//! Owns the search for the blocks that pay to scripts, or spend what was paid to them.

use std::collections::{BTreeMap, HashSet};

use bitcoin::{BlockHash, Script, ScriptBuf};
use everett_ledger::ReadError;

use super::read_block;
use super::scan::{ACTION, SCANOBJECTS, wanted_scripts};
use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

pub(super) static SCANBLOCKS: Method = Method {
    name: "scanblocks",
    category: Category::Blockchain,
    about: "Finds the blocks, on the chain of the world that is asked, that pay to scripts or spend what was paid to them. \
            The blocks themselves are read, so that no index is needed and none is found by mistake.",
    arguments: &[
        ACTION,
        SCANOBJECTS,
        Argument::default("start_height", Kind::Number, "0", "The first block"),
        Argument::optional(
            "stop_height",
            Kind::Number,
            "The last block [default: the tip]",
        ),
        Argument::default(
            "filtertype",
            Kind::Text,
            "\"basic\"",
            "basic is the only one",
        ),
        Argument::optional("options", Kind::Object, "What can be given by name").options(&[
            Argument::default(
                "filter_false_positives",
                Kind::Bool,
                "false",
                "Of no effect: there are none",
            ),
        ]),
    ],
    result: "{\"from_height\", \"to_height\", \"relevant_blocks\": [\"hash\", ...], \"completed\"}    (json object) \
             The blocks, the lowest first",
    at: true,
    run: Run::Read(scan_blocks),
};

fn scan_blocks(call: &Call) -> Answer {
    let scan = &call.site.block_scan;
    match call.text(0)? {
        "status" => Ok(match scan.progress() {
            Some(progress) => object! {
                "progress" => progress,
                "current_height" => scan.height(),
            },
            None => Json::Null,
        }),
        "abort" => Ok(Json::Bool(scan.abort())),
        "start" => start(call),
        other => Err(RpcError::parameter(format!("Invalid action '{other}'"))),
    }
}

fn start(call: &Call) -> Answer {
    let scanning = call.site.block_scan.begin().ok_or_else(|| {
        RpcError::parameter("Scan already in progress, use action \"abort\" or \"status\"")
    })?;
    if call.maybe(4).map_or(Ok("basic"), Json::text)? != "basic" {
        return Err(RpcError::not_found("Unknown filtertype"));
    }
    if let Some(given) = call
        .maybe(5)
        .and_then(|options| options.find("filter_false_positives"))
    {
        given.bool()?;
    }
    let world = call.world()?;
    let on_chain = |place, or, wrong| -> Result<u32, RpcError> {
        let height: i32 = call.int_or(place, or)?;
        let known = u32::try_from(height)
            .ok()
            .filter(|height| *height <= world.height());
        known.ok_or_else(|| RpcError::misc(wrong))
    };
    let tip = i32::try_from(world.height()).unwrap_or(i32::MAX);
    let first = on_chain(2, 0, "Invalid start_height")?;
    let last = on_chain(3, tip, "Invalid stop_height")?;
    if last < first {
        return Err(RpcError::misc("Invalid stop_height"));
    }
    let scripts = wanted_scripts(call, call.arg(1))?;
    let wanted = Wanted::new(&scripts);
    let mut relevant: Vec<BlockHash> = Vec::new();
    let mut to = first;
    for height in first..=last {
        if !call.goes_on() {
            return Err(ReadError::Cancelled.into());
        }
        if scanning.aborted() {
            break;
        }
        let hash =
            (world.block_hash_at(height)).ok_or_else(|| RpcError::not_found("Block not found"))?;
        if wanted.touched_by(call, &hash)? {
            relevant.push(hash);
        }
        to = height;
        scanning.at_height(height);
        scanning.at(u64::from(height - first + 1) * 100 / u64::from(last - first + 1));
    }
    Ok(object! {
        "from_height" => first,
        "to_height" => to,
        "relevant_blocks" => relevant.into_iter().collect::<Json>(),
        "completed" => !scanning.aborted(),
    })
}

/// The scripts that are looked for: those that a filter of BIP158 would have, so neither empty ones nor OP_RETURN.
struct Wanted<'a>(HashSet<&'a Script>);

impl<'a> Wanted<'a> {
    fn new(scripts: &'a BTreeMap<ScriptBuf, String>) -> Wanted<'a> {
        let scripts = scripts.keys().map(ScriptBuf::as_script);
        Wanted(
            scripts
                .filter(|script| !script.is_empty() && !script.is_op_return())
                .collect(),
        )
    }

    /// Whether a block pays to one of them, or spends what was paid to one.
    fn touched_by(&self, call: &Call, hash: &BlockHash) -> Result<bool, RpcError> {
        let block = read_block(hash, &call.ledger().block_bytes(hash)?)?;
        let outputs = block.txdata.iter().flat_map(|tx| &tx.output);
        let mut paid = outputs.map(|output| output.script_pubkey.as_script());
        // What a block spends of its own outputs was among them.
        if paid.any(|script| self.0.contains(script)) {
            return Ok(true);
        }
        let spent = call.ledger().coins_spent_by(hash)?.unwrap_or_default();
        Ok(spent.iter().any(|(_, coin)| {
            let script: &Script = &coin.script_pubkey;
            self.0.contains(script)
        }))
    }
}
