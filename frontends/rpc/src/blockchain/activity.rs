//! Owns what happened to the outputs of scripts in some blocks, and among what waits for one.

use std::collections::{BTreeMap, HashMap};

use bitcoin::{Network, OutPoint, Script, Transaction};

use super::read_block;
use super::scan::{SCANOBJECTS, wanted_scripts};
use crate::call::{Call, parse_block_hash};
use crate::error::RpcError;
use crate::json::{Json, amount, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Need, Run};
use crate::show::script_json;
use everett_ledger::{BlockInfo, ReadError};

pub(super) static GETDESCRIPTORACTIVITY: Method = Method {
    name: "getdescriptoractivity",
    category: Category::Blockchain,
    about: "What was paid to descriptors and what of that was spent, in some blocks (such as scanblocks finds) of the chain \
            of the world that is asked, and among the transactions that wait.",
    arguments: &[
        Argument::required(
            "blockhashes",
            Kind::Array,
            "The blocks, in any order; each on the chain that is asked",
        )
        .shown("[\"blockhash\",...]"),
        Argument {
            need: Need::Required,
            ..SCANOBJECTS
        },
        Argument::default(
            "include_mempool",
            Kind::Bool,
            "true",
            "Whether what waits is looked at as well; without effect where a world is named",
        ),
    ],
    result: "{\"activity\": [{\"type\": \"spend\"|\"receive\", \"amount\", \"blockhash\", \"height\", ...}, ...]}    (json object) \
             What happened, the lowest block first; blockhash and height are left out of what waits. A spend has spend_txid, \
             spend_vin, prevout_txid, prevout_vout and prevout_spk; a receive has txid, vout and output_spk",
    at: true,
    run: Run::Read(descriptor_activity),
};

/// What was found so far, and how scripts are shown.
struct Found<'a> {
    events: Vec<Json>,
    network: Network,
    wanted: &'a dyn Fn(&Script) -> bool,
}

impl Found<'_> {
    fn event(kind: &str, sat: u64, block: Option<&BlockInfo>) -> Json {
        let mut event = object! {
            "type" => kind,
            "amount" => amount(i64::try_from(sat).unwrap_or(i64::MAX)),
        };
        if let Some(block) = block {
            event.push("blockhash", block.hash);
            event.push("height", block.height);
        }
        event
    }

    fn spend(
        &mut self,
        (tx, input): (&Transaction, usize),
        (script, sat): (&Script, u64),
        block: Option<&BlockInfo>,
    ) {
        let Some(spent) = tx.input.get(input).filter(|_| (self.wanted)(script)) else {
            return;
        };
        let mut event = Found::event("spend", sat, block);
        event.push("spend_txid", tx.compute_txid());
        event.push("spend_vin", input);
        event.push("prevout_txid", spent.previous_output.txid);
        event.push("prevout_vout", spent.previous_output.vout);
        event.push("prevout_spk", script_json(script, self.network));
        self.events.push(event);
    }

    fn receive(&mut self, tx: &Transaction, block: Option<&BlockInfo>) {
        for (place, output) in tx.output.iter().enumerate() {
            if (self.wanted)(&output.script_pubkey) {
                let mut event = Found::event("receive", output.value.to_sat(), block);
                event.push("txid", tx.compute_txid());
                event.push("vout", place);
                event.push(
                    "output_spk",
                    script_json(&output.script_pubkey, self.network),
                );
                self.events.push(event);
            }
        }
    }
}

fn descriptor_activity(call: &Call) -> Answer {
    let world = call.world()?;
    let mut blocks: BTreeMap<u32, BlockInfo> = BTreeMap::new();
    for value in call.arg(0).array()? {
        let hash = parse_block_hash(value, "blockhash")?;
        let info = call.ledger().block_info(&hash);
        let info = info.ok_or_else(|| RpcError::not_found("Block not found"))?;
        if world.block_hash_at(info.height) != Some(hash) {
            return Err(RpcError::parameter("Block is not in main chain"));
        }
        blocks.insert(info.height, info);
    }
    let scripts = wanted_scripts(call, call.arg(1))?;
    let mut found = Found {
        events: Vec::new(),
        network: call.ledger().params().network.to_bitcoin(),
        wanted: &|script| scripts.contains_key(script),
    };
    for info in blocks.values() {
        if !call.goes_on() {
            return Err(ReadError::Cancelled.into());
        }
        in_block(call, info, &mut found)?;
    }
    if call.bool_or(2, true)? && !call.names_world() {
        in_mempool(call, &mut found)?;
    }
    Ok(object! { "activity" => Json::Array(found.events) })
}

fn in_block(call: &Call, info: &BlockInfo, found: &mut Found<'_>) -> Result<(), RpcError> {
    let block = read_block(&info.hash, &call.ledger().block_bytes(&info.hash)?)?;
    let spent = call.ledger().coins_spent_by(&info.hash)?;
    let earlier: HashMap<OutPoint, _> = spent.unwrap_or_default().into_iter().collect();
    let mut own: HashMap<OutPoint, (&Script, u64)> = HashMap::new();
    for tx in &block.txdata {
        for (place, input) in tx.input.iter().enumerate() {
            let outpoint = &input.previous_output;
            let coin = match earlier.get(outpoint) {
                Some(coin) => {
                    let script: &Script = &coin.script_pubkey;
                    Some((script, coin.amount.to_sat()))
                }
                None => own.get(outpoint).copied(),
            };
            // A coinbase spends nothing.
            if let Some(coin) = coin {
                found.spend((tx, place), coin, Some(info));
            }
        }
        found.receive(tx, Some(info));
        let txid = tx.compute_txid();
        for (place, output) in (0..).zip(&tx.output) {
            let coin = (output.script_pubkey.as_script(), output.value.to_sat());
            own.insert(OutPoint::new(txid, place), coin);
        }
    }
    Ok(())
}

fn in_mempool(call: &Call, found: &mut Found<'_>) -> Result<(), RpcError> {
    let view = call.handle().mempool().view()?;
    for tx in view.transactions() {
        for (place, input) in tx.tx.input.iter().enumerate() {
            let outpoint = &input.previous_output;
            match view.transaction(&outpoint.txid) {
                Some(parent) => {
                    let output = parent.tx.output.get(outpoint.vout as usize);
                    if let Some(output) = output {
                        let coin = (output.script_pubkey.as_script(), output.value.to_sat());
                        found.spend((&tx.tx, place), coin, None);
                    }
                }
                None => {
                    if let Some(coin) = view.world().coin(outpoint)? {
                        let script: &Script = &coin.script_pubkey;
                        found.spend((&tx.tx, place), (script, coin.amount.to_sat()), None);
                    }
                }
            }
        }
        found.receive(&tx.tx, None);
    }
    Ok(())
}
