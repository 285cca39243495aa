//! A random script run over JSON-RPC against Core and here: blocks mined, payments sent, packages, double spends, blocks taken
//! as invalid and reconsidered, and what is wrong; after every step all shared methods that tell of the chain and of what
//! waits give the same answers (`asked.rs` names them).
//!
//! One thing is not done: a block made precious that Core would then rank as it ranks another one of the same work. Of such
//! two it takes the one that lies lower in its memory, which no script can know; `Named` tells when.
//!
//! `EVERETT_WALK_SEEDS` names the seeds, as `1,2,3` or `10..20`; `EVERETT_WALK_STEPS` says how many steps each goes.

use std::cell::RefCell;

use bitcoin::consensus::encode::{deserialize, serialize_hex};
use bitcoin::hex::FromHex;
use bitcoin::{Block, Transaction, Txid};
use everett_tests::rpc_client::RpcClient;
use everett_tests::spender::{Fee, Lock, Order, Spender};
use serde_json::{Value, json};

use crate::both::{Both, START, verdict};
use crate::chain::ADDRESS;
use crate::coins::TRUE_OUTPUT;
use crate::compare::{keep_digits, key_order, normalise};

#[path = "asked.rs"]
mod asked;

const SEEDS: [u64; 2] = [1, 2];
const STEPS: usize = 40;
/// Blocks at the beginning, and the coinbases of them that can be spent.
const BLOCKS: usize = 130;
/// Blocks below the best one that are taken as invalid, at most.
const DEPTH: u64 = 4;

/// Blocks that were made precious, as Core counts them: down from -1, and anew when the best tip has more work than at the
/// last call. On regtest a block's height is its work.
#[derive(Default)]
struct Named {
    /// The last count, and the height of the best tip then.
    last: Option<(u32, u64)>,
    /// Hash, height and count.
    counts: Vec<(Value, u64, u32)>,
}

impl Named {
    /// Whether the block can be made precious while `best` is the best height: not if another one of its height counts the
    /// same then.
    fn take(&mut self, hash: &Value, height: u64, best: u64) -> bool {
        if height < best {
            return true;
        }
        let count = match self.last {
            Some((count, at)) if best <= at => count + 1,
            _ => 1,
        };
        let mut others = self.counts.iter().filter(|(other, ..)| other != hash);
        if others.any(|(_, at, other)| (*at, *other) == (height, count)) {
            return false;
        }
        self.last = Some((count, best));
        self.counts.retain(|(other, ..)| other != hash);
        self.counts.push((hash.clone(), height, count));
        true
    }
}

struct Walk {
    both: Both,
    spender: Spender,
    now: u64,
    /// What was done, to be told when it goes wrong.
    done: Vec<String>,
    invalidated: Vec<Value>,
    named: Named,
    /// Blocks that were looked into, in hexadecimal.
    blocks: Vec<Value>,
    /// All transactions that were let in.
    known: Vec<Txid>,
    /// Answers of this step that are not the same.
    differences: RefCell<Vec<String>>,
}

/// The part of a value where it begins to be another.
pub(crate) fn tell(value: &Value, other: &Value) -> String {
    let (text, other) = (value.to_string(), other.to_string());
    let same = text.chars().zip(other.chars());
    let same = same.take_while(|(one, other)| one == other).count();
    let shown = text.chars().skip(same.saturating_sub(200));
    shown.take(500).collect()
}

impl Walk {
    fn start(name: &str, seed: u64) -> Option<Walk> {
        let both = Both::start(name)?;
        let mut walk = Walk {
            both,
            spender: Spender::new(seed),
            now: START,
            done: vec![format!("seed {seed}")],
            invalidated: Vec::new(),
            named: Named::default(),
            blocks: Vec::new(),
            known: Vec::new(),
            differences: RefCell::default(),
        };
        let made = walk.mine(BLOCKS);
        for hash in &made[..30] {
            walk.learn_coinbase(hash);
        }
        walk.same_state();
        Some(walk)
    }

    fn same(&self, method: &str, params: Value) -> Value {
        let theirs = verdict(&self.both.core, method, &params);
        let ours = verdict(&self.both.ours, method, &params);
        self.compare(method, &params, &theirs, &ours);
        ours[1].clone()
    }

    fn note(&mut self, what: String) {
        self.done.push(what);
    }

    fn mine(&mut self, count: usize) -> Vec<Value> {
        let raw = format!("raw({TRUE_OUTPUT})");
        let made = self.same("generatetodescriptor", json!([count, raw]));
        self.check();
        let made = made.as_array().cloned().unwrap_or_default();
        let Some(last) = made.last() else {
            self.note("no blocks".to_owned());
            return made;
        };
        self.note(format!("{} blocks up to {last}", made.len()));
        made
    }

    fn learn_coinbase(&mut self, hash: &Value) {
        let block = self.same("getblock", json!([hash, 0]));
        let bytes = Vec::<u8>::from_hex(block.as_str().expect("a block")).expect("hexadecimal");
        self.blocks.push(block);
        let block: Block = deserialize(&bytes).expect("a block");
        self.spender.learn(&block.txdata[0]);
    }

    fn height(&self) -> u64 {
        let height = self.same("getblockcount", json!([]));
        height.as_u64().expect("a height")
    }

    /// The coins of a block that became old enough can be spent.
    fn learn_matured(&mut self, count: u64) {
        let height = self.height();
        for back in 0..count {
            if let Some(at) = (height - back).checked_sub(99) {
                let hash = self.same("getblockhash", json!([at]));
                self.learn_coinbase(&hash);
            }
        }
    }

    fn waiting(&self) -> Vec<Value> {
        let waiting = self.same("getrawmempool", json!([]));
        waiting.as_array().expect("a list").clone()
    }

    /// Gives a transaction to both; whether they took it.
    fn send(&mut self, what: &str, tx: &Transaction) -> bool {
        let hex = serialize_hex(tx);
        self.note(format!("{what} {}", tx.compute_txid()));
        if self.spender.random.one_in(3) {
            self.same("testmempoolaccept", json!([[hex]]));
        }
        let limit = if self.spender.random.one_in(3) {
            json!(0.1)
        } else {
            json!(0)
        };
        let sent = self.same("sendrawtransaction", json!([hex, limit]));
        if sent.is_null() {
            return false;
        }
        self.learn(tx);
        true
    }

    fn learn(&mut self, tx: &Transaction) {
        if !self.known.contains(&tx.compute_txid()) {
            self.known.push(tx.compute_txid());
            self.spender.learn(tx);
        }
    }

    fn chain(&mut self) {
        let length = 2 + self.spender.random.below(5);
        let version = if self.spender.random.one_in(4) { 3 } else { 2 };
        let Some(mut at) = self.spender.pick() else {
            return;
        };
        for _ in 0..length {
            let order = Order {
                inputs: vec![at],
                outputs: vec![Lock::WitnessScript, Lock::Key],
                version,
                fee: self.spender.fee(),
                dust: false,
            };
            let tx = self.spender.make(&order);
            if !self.send("chain", &tx) {
                break;
            }
            at = self.spender.coins.len() - 2;
        }
    }

    /// Another spend of what a waiting transaction spends.
    fn rival(&mut self) {
        let waiting = self.waiting();
        let Some(txid) = self.spender.random.pick(&waiting).cloned() else {
            return;
        };
        let entry = self.same("getmempoolentry", json!([txid]));
        let tx = self.same("getrawtransaction", json!([txid]));
        let bytes = Vec::<u8>::from_hex(tx.as_str().expect("bytes")).expect("hexadecimal");
        let tx: Transaction = deserialize(&bytes).expect("a transaction");
        let place = |coin: &everett_tests::spender::Known| {
            let mut inputs = tx.input.iter();
            inputs.any(|input| input.previous_output == coin.outpoint)
        };
        let Some(at) = self.spender.coins.iter().position(place) else {
            return;
        };
        let fee = entry["fees"]["descendant"].as_str().expect("an amount");
        let fee: f64 = fee.parse().expect("an amount");
        let more = self.spender.random.between(0, 400);
        let order = Order {
            inputs: vec![at],
            outputs: vec![Lock::WitnessScript],
            version: 2,
            fee: Fee::Exact((fee * 1e8).round() as u64 + more),
            dust: false,
        };
        let tx = self.spender.make(&order);
        self.send("rival", &tx);
    }

    fn family(&mut self) {
        let version = if self.spender.random.one_in(2) { 3 } else { 2 };
        let parents = 1 + self.spender.random.below(2);
        let dust = self.spender.random.one_in(3);
        let mut package: Vec<Transaction> = Vec::new();
        let before = self.spender.coins.len();
        let mut inputs = Vec::new();
        for _ in 0..parents {
            let Some(at) = self.spender.pick() else {
                return;
            };
            let rate = self.spender.random.between(0, 300);
            let fee = if dust { Fee::Exact(0) } else { Fee::Rate(rate) };
            let order = Order {
                inputs: vec![at],
                outputs: vec![Lock::WitnessScript],
                version,
                fee,
                dust,
            };
            let tx = self.spender.make(&order);
            inputs.extend(self.spender.coins.len()..self.spender.coins.len() + tx.output.len());
            self.spender.learn(&tx);
            package.push(tx);
        }
        inputs.retain(|at| *at < self.spender.coins.len());
        let order = Order {
            inputs,
            outputs: vec![Lock::Key],
            version,
            fee: Fee::Rate(self.spender.random.between(100, 20_000)),
            dust: false,
        };
        let child = self.spender.make(&order);
        // Whether they are there is for the servers to say.
        self.spender.coins.truncate(before);
        package.push(child);
        let hex: Vec<String> = package.iter().map(serialize_hex).collect();
        let txids: Vec<Txid> = package.iter().map(Transaction::compute_txid).collect();
        self.note(format!("package {txids:?}"));
        if self.spender.random.one_in(2) {
            self.same("testmempoolaccept", json!([hex]));
        }
        self.same("submitpackage", json!([hex]));
        let waiting = self.waiting();
        for tx in &package {
            if waiting.contains(&json!(tx.compute_txid())) {
                self.learn(tx);
            }
        }
    }

    fn invalidate(&mut self) {
        let back = self.spender.random.number_below(DEPTH);
        let hash = self.same("getblockhash", json!([self.height() - back]));
        self.note(format!("invalidate {hash}, {back} below the best"));
        // What is told of the world below the best one is what Core has when it is there.
        let below = self.same("getblockheader", json!([hash]))["previousblockhash"].clone();
        let told = json!({ "verbose": true, "at": below });
        let told = verdict(&self.both.ours, "getrawmempool", &told);
        self.same("invalidateblock", json!([hash]));
        if back == 0 && self.same("getbestblockhash", json!([])) == below {
            let true_now = verdict(&self.both.core, "getrawmempool", &json!([true]));
            self.compare("getrawmempool", &json!({ "at": below }), &true_now, &told);
        }
        self.invalidated.push(hash);
        // Else the next block might be the one that is taken as invalid.
        self.pass();
    }

    fn pass(&mut self) {
        self.now += self.spender.random.between(1, 2_000);
        self.note(format!("time {}", self.now));
        self.same("setmocktime", json!([self.now]));
    }

    fn reconsider(&mut self) {
        let index = self.spender.random.below(self.invalidated.len().max(1));
        if index < self.invalidated.len() {
            let hash = self.invalidated.remove(index);
            self.note(format!("reconsider {hash}"));
            self.same("reconsiderblock", json!([hash]));
        }
    }

    fn step(&mut self) {
        match self.spender.random.below(40) {
            0..=12 => {
                if let Some(tx) = self.spender.plain() {
                    self.send("plain", &tx);
                }
            }
            13..=17 => {
                let info = self.same("getblockchaininfo", json!([]));
                let height = info["blocks"].as_u64().expect("a height") as u32;
                let time = info["mediantime"].as_u64().expect("a time") as u32;
                if let Some((what, tx)) = self.spender.spoilt(height, time) {
                    self.send(&what, &tx);
                }
            }
            18..=20 => self.chain(),
            21..=22 => self.rival(),
            23..=25 => self.family(),
            26..=29 => {
                let count = 1 + self.spender.random.below(3);
                let made = self.mine(count);
                self.learn_matured(made.len() as u64);
            }
            30 => {
                let waiting = self.waiting();
                let some: Vec<&Value> = waiting.iter().take(5).collect();
                let chosen = json!([ADDRESS, some]);
                self.note("a block of chosen ones".to_owned());
                self.same("generateblock", chosen);
            }
            31..=33 => self.invalidate(),
            34..=35 => self.reconsider(),
            36 => {
                let waiting = self.waiting();
                if let Some(txid) = self.spender.random.pick(&waiting).cloned() {
                    let sat = self.spender.random.between(0, 20_000) as i64 - 8_000;
                    self.note(format!("{txid} counts {sat} more"));
                    self.same("prioritisetransaction", json!([txid, null, sat]));
                }
            }
            37 => {
                let tips = self.both.ours.call("getchaintips", json!([]));
                let tips = tips.as_array().expect("tips").clone();
                if let Some(tip) = self.spender.random.pick(&tips) {
                    let hash = tip["hash"].clone();
                    let height = tip["height"].as_u64().expect("a height");
                    let best = self.height();
                    if !self.named.take(&hash, height, best) {
                        return;
                    }
                    self.note(format!("precious {hash}"));
                    self.same("preciousblock", json!([hash]));
                }
            }
            _ => self.pass(),
        }
    }

    /// Fails where an answer of this step was not the same.
    fn check(&self) {
        let differences = self.differences.borrow();
        assert!(
            differences.is_empty(),
            "{}\nafter\n{}",
            differences.join("\n"),
            self.done.join("\n")
        );
    }

    /// Asks both many things at once: a request takes Core some 50 ms.
    fn same_all(&self, calls: &[(&str, Value)]) {
        let request =
            |(method, params): &(&str, Value)| json!({ "method": method, "params": params });
        let batch: Vec<Value> = calls.iter().map(request).collect();
        let batch = Value::Array(batch).to_string();
        let ask = |client: &RpcClient| {
            let answer = client.request("POST", "/", &batch);
            let mut replies: Vec<Value> =
                serde_json::from_str(&keep_digits(&answer.body)).expect("a list of replies");
            for ((method, _), reply) in calls.iter().zip(&mut replies) {
                normalise(method, reply);
            }
            (replies, key_order(&answer.body))
        };
        let (theirs, their_order) = ask(&self.both.core);
        let (ours, our_order) = ask(&self.both.ours);
        assert_eq!(theirs.len(), calls.len());
        assert_eq!(ours.len(), calls.len());
        for ((theirs, ours), (method, params)) in theirs.iter().zip(&ours).zip(calls) {
            self.compare(method, params, theirs, ours);
        }
        if self.differences.borrow().is_empty() {
            assert!(our_order == their_order, "the order of keys differs");
        }
    }

    fn compare(&self, method: &str, params: &Value, theirs: &Value, ours: &Value) {
        if ours != theirs {
            self.differences.borrow_mut().push(format!(
                "{method} {params}\n  core {}\n  ours {}",
                tell(theirs, ours),
                tell(ours, theirs)
            ));
        }
    }
}

/// The seeds that were asked for.
pub(crate) fn seeds() -> Vec<u64> {
    let Ok(text) = std::env::var("EVERETT_WALK_SEEDS") else {
        return SEEDS.to_vec();
    };
    let number = |text: &str| text.trim().parse::<u64>().expect("a seed is a number");
    match text.split_once("..") {
        Some((first, end)) => (number(first)..number(end)).collect(),
        None => text.split(',').map(number).collect(),
    }
}

/// The steps that were asked for.
pub(crate) fn steps() -> usize {
    let text = std::env::var("EVERETT_WALK_STEPS").ok();
    text.map_or(STEPS, |text| text.parse().expect("a number of steps"))
}

#[test]
fn a_random_script_is_answered_alike_at_every_step() {
    for seed in seeds() {
        let name = "a_random_script_is_answered_alike_at_every_step";
        let Some(mut walk) = Walk::start(name, seed) else {
            return;
        };
        for _ in 0..steps() {
            walk.step();
            walk.same_state();
        }
        eprintln!("seed {seed}: {} steps, the same answers", steps());
    }
}
