//! Owns what is said of mining as a whole.

use bitcoin::hex::DisplayHex;
use everett_ledger::Network;

use super::hash_rate::recent_hash_rate;
use crate::blockchain::chain_name;
use crate::call::Call;
use crate::json::{Json, amount, object};
use crate::mempool::view;
use crate::method::{Answer, Category, Method, Run};
use crate::show::{difficulty, target_hex};

pub(super) static GETMININGINFO: Method = Method {
    name: "getmininginfo",
    category: Category::Mining,
    about: "How hard the chain's last block was to mine and the next one will be, and the last template that was made.",
    arguments: &[],
    result: "{...}    (json object) blocks, currentblockweight and currentblocktx if a template was ever made, bits, \
             difficulty, target, networkhashps, pooledtx, blockmintxfee, chain, next, warnings",
    at: true,
    run: Run::Read(mining_info),
};

fn mining_info(call: &Call) -> Answer {
    let world = call.world()?;
    let ledger = call.ledger();
    let params = ledger.params();
    let header = world.header();
    let next = ledger.next_block(&world);
    let mut json = object! { "blocks" => world.height() };
    if let Some(last) = call.site.miner.last_assembled() {
        json.push("currentblockweight", last.weight);
        json.push("currentblocktx", last.transactions);
    }
    json.push("bits", format!("{:08x}", header.bits.to_consensus()));
    json.push("difficulty", difficulty(header.bits));
    json.push("target", target_hex(header.bits));
    json.push("networkhashps", recent_hash_rate(call, &world)?);
    let pending = view(call)?.len();
    json.push("pooledtx", pending);
    let least = call.site.miner.config().min_fee;
    json.push("blockmintxfee", amount(least.sat_per_kvb()));
    json.push("chain", chain_name(params.network));
    json.push(
        "next",
        object! {
            "height" => next.height,
            "bits" => format!("{:08x}", next.bits.to_consensus()),
            "difficulty" => difficulty(next.bits),
            "target" => target_hex(next.bits),
        },
    );
    if let (Network::Signet, Some(challenge)) = (params.network, &params.signet_challenge) {
        json.push("signet_challenge", challenge.to_lower_hex_string());
    }
    json.push("warnings", Json::Array(Vec::new()));
    Ok(json)
}
