//! Owns what a miner is told to work on (BIP22, BIP23, BIP9, BIP145).

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};

use bitcoin::hex::DisplayHex;
use bitcoin::opcodes::OP_TRUE;
use bitcoin::script::Builder;
use bitcoin::{ScriptBuf, Txid};
use everett_ledger::rules::block::MAX_BLOCK_SIGOPS_COST;
use everett_ledger::rules::transaction::{MAX_BLOCK_WEIGHT, WITNESS_SCALE_FACTOR};
use everett_ledger::{Network, World};
use everett_mining::{BlockTemplate, Chosen, DeploymentState, TEST_BIT};
use parking_lot::Mutex;

use super::longpoll::Watched;
use super::named_world;
use super::proposal::propose;
use crate::blockchain::is_catching_up;
use crate::call::Call;
use crate::error::{CLIENT_IN_INITIAL_DOWNLOAD, CLIENT_NOT_CONNECTED, RpcError};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};
use crate::show::target_hex;
use crate::transaction::encode_hex;

/// Most bytes of a block: a limit from before witnesses, scaled.
const MAX_BLOCK_BYTES: usize = 4_000_000;
/// Seconds for which a template is good although transactions came.
const GOOD_FOR: u64 = 5;
/// What the deployment for tests is called.
const TEST_DEPLOYMENT: &str = "testdummy";

pub(super) static GETBLOCKTEMPLATE: Method = Method {
    name: "getblocktemplate",
    category: Category::Mining,
    about: "What a miner should work on, or what is wrong with a block that a miner proposes (BIP22, BIP23, BIP9, BIP145).",
    arguments: &[Argument::required(
        "template_request",
        Kind::Object,
        "mode (template or proposal), rules (segwit, and signet on a signet), capabilities, longpollid (wait until there \
         is something else), data (the block that is proposed)",
    )
    .shown(
        "{\"mode\":\"str\",\"capabilities\":[\"str\",...],\"rules\":[\"segwit\",\"str\",...],\"longpollid\":\"str\",\"data\":\"hex\"}",
    )],
    result: "{...}    (json object) The template; for a proposal null, or (string) what is wrong with it",
    at: true,
    run: Run::Wait(|call| Box::pin(block_template(call))),
};

/// The template that was made last, for the next one who asks.
#[derive(Default)]
pub(crate) struct Templates {
    /// Held while a template is made: who asks meanwhile gets that one.
    last: Mutex<Last>,
    /// Changes of the mempool that are in it: who waits for others reads this without the lock.
    updates: AtomicU64,
}

#[derive(Default)]
struct Last {
    template: Option<BlockTemplate>,
    /// Unix seconds when it was made.
    time: u64,
}

impl Templates {
    /// The changes of the mempool that are in the template that was made last.
    pub(super) fn last_updates(&self) -> u64 {
        self.updates.load(Ordering::Acquire)
    }
}

async fn block_template(call: Call) -> Answer {
    let request = call.arg(0);
    let mode = match request.get("mode") {
        Json::Null => "template",
        Json::Text(mode) => mode.as_str(),
        _ => return Err(RpcError::parameter("Invalid mode")),
    };
    let longpoll = request.get("longpollid").clone();
    if mode == "proposal" {
        let handle = call.handle().clone();
        return handle.read(move |_| propose(&call)).await?;
    }
    let mut rules = BTreeSet::new();
    if let Json::Array(named) = request.get("rules") {
        for rule in named {
            rules.insert(rule.text()?.to_owned());
        }
    }
    if mode != "template" {
        return Err(RpcError::parameter("Invalid mode"));
    }
    let network = call.ledger().params().network;
    if network == Network::Mainnet {
        check_connected(&call)?;
    }
    if !longpoll.is_null() {
        Watched::parse(&call, &longpoll)?.wait(&call).await?;
    }
    if network == Network::Signet && !rules.contains("signet") {
        return Err(RpcError::parameter(
            "getblocktemplate must be called with the signet rule set (call with {\"rules\": [\"segwit\", \"signet\"]})",
        ));
    }
    if !rules.contains("segwit") {
        return Err(RpcError::parameter(
            "getblocktemplate must be called with the segwit rule set (call with {\"rules\": [\"segwit\"]})",
        ));
    }
    let handle = call.handle().clone();
    handle.read(move |_| make(&call)).await?
}

fn check_connected(call: &Call) -> Result<(), RpcError> {
    if call.peers()?.list().is_empty() {
        return Err(RpcError::new(
            CLIENT_NOT_CONNECTED,
            "Bitcoin Core is not connected!",
        ));
    }
    match is_catching_up(call) {
        false => Ok(()),
        true => Err(RpcError::new(
            CLIENT_IN_INITIAL_DOWNLOAD,
            "Bitcoin Core is in initial sync and waiting for blocks...",
        )),
    }
}

/// Whom a template pays that is not meant to be mined as it is: anybody.
fn anybody() -> ScriptBuf {
    Builder::new().push_opcode(OP_TRUE).into_script()
}

fn make(call: &Call) -> Answer {
    let miner = &call.site.miner;
    if let Some(world) = named_world(call)? {
        let template = miner.template_on(&world, &anybody())?;
        return Ok(template_json(
            call,
            &world,
            &template,
            call.site.mempool_updates(),
        ));
    }
    // The count of changes is that of the mempool on the best world.
    let mempool = call.handle().mempool();
    mempool.catch_up()?;
    let templates = &call.site.templates;
    let mut last = templates.last.lock();
    let now = call.ledger().clock().now();
    let updates = call.site.mempool_updates();
    let best = call.ledger().best();
    let changed = updates != templates.last_updates() && now.saturating_sub(last.time) > GOOD_FOR;
    let kept = last.template.take();
    let kept = kept.filter(|template| template.template.parent == best.hash() && !changed);
    let mut template = match kept {
        Some(template) => template,
        None => {
            templates.updates.store(updates, Ordering::Release);
            last.time = now;
            miner.template(&anybody())?
        }
    };
    // The best world may have moved on while the template was made.
    let parent = call.ledger().world(&template.template.parent)?;
    miner.refresh(&mut template, &parent);
    let updates = templates.last_updates();
    last.template = Some(template.clone());
    // What takes longest keeps nobody waiting.
    drop(last);
    Ok(template_json(call, &parent, &template, updates))
}

fn template_json(call: &Call, parent: &World, template: &BlockTemplate, updates: u64) -> Json {
    let params = call.ledger().params();
    let signet = params.network == Network::Signet;
    let header = &template.template;
    let segwit = header.witness_active;
    let scale = if segwit { 1 } else { WITNESS_SCALE_FACTOR };
    let mut rules = vec!["csv".to_owned()];
    if segwit {
        rules.extend(["!segwit".to_owned(), "taproot".to_owned()]);
    }
    if signet {
        rules.push("!signet".to_owned());
    }
    let mut available = Json::Object(Vec::new());
    let mut version = header.version;
    match test_deployment(call, parent) {
        Some(DeploymentState::Started) => available.push(TEST_DEPLOYMENT, TEST_BIT),
        Some(DeploymentState::LockedIn) => {
            available.push(TEST_DEPLOYMENT, TEST_BIT);
            version |= 1 << TEST_BIT;
        }
        Some(DeploymentState::Active) => rules.push(TEST_DEPLOYMENT.to_owned()),
        Some(DeploymentState::Defined | DeploymentState::Failed) | None => {}
    }
    let mut json = object! {
        "capabilities" => vec!["proposal"],
        "version" => version,
        "rules" => rules,
        "vbavailable" => available,
        "vbrequired" => 0,
        "previousblockhash" => header.parent,
        "transactions" => transactions_json(&template.chosen, scale),
        "coinbaseaux" => Json::Object(Vec::new()),
        "coinbasevalue" => header.reward.to_sat(),
        "longpollid" => format!("{}{updates}", header.parent),
        "target" => target_hex(header.bits),
        "mintime" => template.min_time,
        "mutable" => vec!["time", "transactions", "prevblock"],
        "noncerange" => "00000000ffffffff",
        "sigoplimit" => MAX_BLOCK_SIGOPS_COST / scale as u64,
        "sizelimit" => MAX_BLOCK_BYTES / scale,
    };
    if segwit {
        json.push("weightlimit", MAX_BLOCK_WEIGHT);
    }
    json.push("curtime", header.time);
    json.push("bits", format!("{:08x}", header.bits.to_consensus()));
    json.push("height", header.height);
    if let (true, Some(challenge)) = (signet, &params.signet_challenge) {
        json.push("signet_challenge", challenge.to_lower_hex_string());
    }
    let commitment = template.witness_commitment();
    json.push_some(
        "default_witness_commitment",
        commitment.map(|script| script.to_hex_string()),
    );
    json
}

/// How far the deployment for tests is for the block after `parent`, where there is one.
fn test_deployment(call: &Call, parent: &World) -> Option<DeploymentState> {
    let ledger = call.ledger();
    let deployment = call.site.miner.deployment();
    if !deployment.is_on(ledger.params().network) {
        return None;
    }
    let since = deployment.at(ledger, &parent.hash(), parent.height() + 1)?;
    Some(since.state)
}

fn transactions_json(chosen: &[Chosen], scale: usize) -> Json {
    let mut places: HashMap<Txid, usize> = HashMap::with_capacity(chosen.len());
    let mut transactions = Vec::with_capacity(chosen.len());
    // The coinbase is at 0.
    for (
        place,
        Chosen {
            tx,
            fee,
            sigop_cost,
        },
    ) in (1..).zip(chosen)
    {
        let parents = tx.tx.input.iter().map(|input| input.previous_output.txid);
        let depends: Vec<usize> = parents
            .filter_map(|parent| places.get(&parent).copied())
            .collect();
        places.insert(tx.txid, place);
        transactions.push(object! {
            "data" => encode_hex(&tx.tx),
            "txid" => tx.txid,
            "hash" => tx.wtxid,
            "depends" => depends,
            "fee" => *fee,
            "sigops" => sigop_cost / scale as u64,
            "weight" => tx.stripped_size * 3 + tx.size,
        });
    }
    Json::Array(transactions)
}
