//! A random script run over JSON-RPC against a Core with a wallet and here: the same keys on both sides, payments, double
//! spends, blocks that have something else than what waits, blocks taken as invalid and reconsidered, coins locked, addresses
//! labelled, wallets closed and opened; after every step the methods that tell of a wallet give the same answers.
//!
//! Where the two differ on purpose (the book tells) the script goes around it: what fell out of the chain is sent again here at
//! once, so Core is given it too; what stands against something that waits is sent again by Core when a wallet is opened, and is
//! given to ours then; amounts received are asked for with one confirmation at least; nothing is given up by hand; and whatever is
//! double-spent is so with all of its coins, for those that were left over are free here, and held by Core.
//!
//! `EVERETT_WALK_SEEDS` and `EVERETT_WALK_STEPS` as in `walk.rs`.

use bitcoin::{Amount, Denomination};
use everett_tests::random::Random;
use everett_tests::rpc_client::RpcClient;
use serde_json::{Value, json};

use crate::both::Both;
use crate::chain::ADDRESS;
use crate::compare::keep_digits;
use crate::walk::{seeds, steps, tell};

const WALLETS: [&str; 2] = ["a", "b"];
/// The masters of the test vectors of BIP39's first words, one for each wallet.
const MASTERS: [&str; 2] = [
    "tprv8ZgxMBicQKsPd7Uf69XL1XwhmjHopUGep8GuEiJDZmbQz6o58LninorQAfcKZWARbtRtfnLcJ5MQ2AtHcQJCCRUcMRvmDUjyEmNUWwx8UbK",
    "tprv8ZgxMBicQKsPe5YMU9gHen4Ez3ApihUfykaqUorj9t6FDqy3nP6eoXiAo2ssvpAjoLroQxHqr3R5nE3a5dU3DHTjTgJDd7zrbniJr6nrCzd",
];
const KINDS: [&str; 4] = ["legacy", "p2sh-segwit", "bech32", "bech32m"];
const LABELS: [&str; 3] = ["", "shop", "Zoë"];
/// Addresses that are watched ahead on both sides.
const KEYPOOL: u32 = 10;
/// Blocks at the end of the beginning, so that the first coinbases can be spent.
const MATURING: usize = 101;

struct Walk {
    both: Both,
    random: Random,
    now: u64,
    /// What was done, to be told when it goes wrong.
    done: Vec<String>,
    /// The addresses of each wallet.
    addresses: [Vec<Value>; 2],
    invalidated: Vec<Value>,
    sent: Vec<Value>,
}

/// What a server answers a wallet's call: the result and the error, numbers with a point as they are written.
fn ask(client: &RpcClient, wallet: Option<usize>, method: &str, params: &Value) -> Value {
    let path = wallet.map_or("/".to_owned(), |wallet| {
        format!("/wallet/{}", WALLETS[wallet])
    });
    let body = json!({ "method": method, "params": params, "id": 1 }).to_string();
    let answer = client.request("POST", &path, &body);
    let mut body: Value = serde_json::from_str(&keep_digits(&answer.body)).expect("JSON");
    order(method, &mut body["result"]);
    json!([body["result"], body["error"]])
}

/// Brings what has no order of its own into one, and leaves out what each server says of itself.
fn order(method: &str, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in ["walletversion", "format", "birthtime"] {
                fields.remove(name);
            }
            fields.values_mut().for_each(|field| order(method, field));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|item| order(method, item));
            // Where two are of one moment Core tells that one first that its map has first.
            if !matches!(method, "listtransactions" | "listdescriptors") {
                items.sort_by_key(Value::to_string);
            }
        }
        _ => {}
    }
}

fn sat(amount: &Value) -> u64 {
    let text = amount.as_str().expect("an amount");
    let amount = Amount::from_str_in(text, Denomination::Bitcoin).expect("an amount");
    amount.to_sat()
}

fn btc(sat: u64) -> Value {
    let amount = Amount::from_sat(sat);
    amount.to_string_in(Denomination::Bitcoin).into()
}

impl Walk {
    fn start(name: &str, seed: u64) -> Option<Walk> {
        let keypool = format!("-keypool={KEYPOOL}");
        let both = Both::start_with_wallets(name, &[&keypool], |node| {
            let wallets = node.wallets.as_mut().expect("a node with wallets");
            wallets.keypool = KEYPOOL;
            wallets.compat = false;
        })?;
        let mut walk = Walk {
            now: crate::both::START,
            both,
            random: Random::new(seed),
            done: vec![format!("seed {seed}")],
            addresses: [Vec::new(), Vec::new()],
            invalidated: Vec::new(),
            sent: Vec::new(),
        };
        for (wallet, master) in MASTERS.iter().enumerate() {
            walk.furnish(wallet, master);
            for kind in KINDS {
                walk.new_address(wallet, kind);
            }
        }
        for (wallet, kind, blocks) in [(0, 2, 4), (0, 3, 3), (1, 0, 2), (1, 1, 2)] {
            let address = walk.addresses[wallet][kind].clone();
            walk.mine(blocks, &address);
        }
        walk.mine(MATURING, &json!(ADDRESS));
        walk.check();
        Some(walk)
    }

    /// Asks both, which have to say the same; what they say.
    fn same(&self, wallet: Option<usize>, method: &str, params: Value) -> Value {
        let theirs = ask(&self.both.core, wallet, method, &params);
        let ours = ask(&self.both.ours, wallet, method, &params);
        assert!(
            ours == theirs,
            "{method} {params} of {wallet:?}\n  core {}\n  ours {}\nafter\n{}",
            tell(&theirs, &ours),
            tell(&ours, &theirs),
            self.done.join("\n")
        );
        ours[0].clone()
    }

    fn core(&self, method: &str, params: Value) -> Value {
        ask(&self.both.core, None, method, &params)[0].clone()
    }

    fn ours(&self, method: &str, params: Value) -> Value {
        ask(&self.both.ours, None, method, &params)[0].clone()
    }

    fn note(&mut self, what: String) {
        self.done.push(what);
    }

    fn furnish(&self, wallet: usize, master: &str) {
        let new = json!({ "wallet_name": WALLETS[wallet], "blank": true });
        self.same(None, "createwallet", new);
        let mut requests = Vec::new();
        for (purpose, form) in [
            (44, "pkh(@)"),
            (49, "sh(wpkh(@))"),
            (84, "wpkh(@)"),
            (86, "tr(@)"),
        ] {
            for internal in [false, true] {
                let key = format!("{master}/{purpose}h/1h/0h/{}/*", u8::from(internal));
                let text = form.replace('@', &key);
                let told = self.same(None, "getdescriptorinfo", json!([text]));
                let checksum = told["checksum"].as_str().expect("a checksum");
                requests.push(json!({
                    "desc": format!("{text}#{checksum}"), "timestamp": "now", "active": true,
                    "internal": internal, "range": [0, 15], "next_index": 0,
                }));
            }
        }
        self.same(Some(wallet), "importdescriptors", json!([requests]));
    }

    fn wallet(&mut self) -> usize {
        self.random.below(WALLETS.len())
    }

    fn label(&mut self) -> &'static str {
        LABELS[self.random.below(LABELS.len())]
    }

    fn address(&mut self) -> Value {
        let wallet = self.wallet();
        let known = &self.addresses[wallet];
        known[self.random.below(known.len())].clone()
    }

    fn new_address(&mut self, wallet: usize, kind: &str) {
        let label = self.label();
        let address = self.same(Some(wallet), "getnewaddress", json!([label, kind]));
        self.note(format!("{} gives {address} out", WALLETS[wallet]));
        self.addresses[wallet].push(address);
    }

    /// One that a wallet has not given out yet, as another copy of it may have done.
    fn address_ahead(&mut self) -> Value {
        let wallet = self.wallet();
        let listed = self.same(Some(wallet), "listdescriptors", json!([]));
        let descriptors = listed["descriptors"].as_array().expect("descriptors");
        let one = self.random.pick(descriptors).expect("eight of them");
        let index = one["next"].as_u64().expect("an index") + self.random.below(3) as u64;
        let derived = json!([one["desc"], [index, index]]);
        let address = self.same(None, "deriveaddresses", derived)[0].clone();
        self.note(format!("{address} is ahead of {}", WALLETS[wallet]));
        self.addresses[wallet].push(address.clone());
        address
    }

    /// Core mines, and we are given the blocks: versions of Core fill the first coinbases differently.
    fn give_blocks(&self, made: &[Value]) {
        for hash in made {
            let block = self.core("getblock", json!([hash, 0]));
            self.ours("submitblock", json!([block]));
        }
        self.same(None, "getbestblockhash", json!([]));
    }

    fn mine(&mut self, count: usize, address: &Value) {
        // It is not sorted: parents first.
        let body = json!({ "method": "generatetoaddress", "params": [count, address] });
        let answer = self.both.core.request("POST", "/", &body.to_string());
        let answer: Value = serde_json::from_str(&answer.body).expect("JSON");
        let made = answer["result"].as_array().cloned().unwrap_or_default();
        self.give_blocks(&made);
        self.note(format!("{} blocks to {address}", made.len()));
        self.settle();
    }

    /// Both wallets know of everything, and what we have sent again by ourselves waits there, too.
    fn settle(&self) {
        for _ in 0..2 {
            for server in [&self.both.core, &self.both.ours] {
                ask(server, None, "syncwithvalidationinterfacequeue", &json!([]));
            }
            let theirs = self.core("getrawmempool", json!([]));
            let theirs = theirs.as_array().cloned().unwrap_or_default();
            // Parents come before their children.
            let ours = self.both.ours.call("getrawmempool", json!([]));
            for txid in ours.as_array().cloned().unwrap_or_default() {
                if !theirs.contains(&txid) {
                    let hex = self.ours("getrawtransaction", json!([txid]));
                    self.core("sendrawtransaction", json!([hex, 0]));
                }
            }
        }
    }

    /// Core sends again what stands against something that waits: where that took the other one's place, it does so here.
    fn replace_what_core_replaced(&self) {
        let ours = self.ours("getrawmempool", json!([]));
        let ours = ours.as_array().cloned().unwrap_or_default();
        let theirs = self.both.core.call("getrawmempool", json!([]));
        for txid in theirs.as_array().cloned().unwrap_or_default() {
            if ours.contains(&txid) {
                continue;
            }
            let hex = self.core("getrawtransaction", json!([txid]));
            let tx = self.core("decoderawtransaction", json!([hex]));
            let spent: Value = (tx["vin"].as_array().into_iter().flatten())
                .map(|input| json!({ "txid": input["txid"], "vout": input["vout"] }))
                .collect();
            let spenders = self.ours("gettxspendingprevout", json!([spent]));
            let mut spenders = spenders.as_array().into_iter().flatten();
            if spenders.any(|spender| !spender["spendingtxid"].is_null()) {
                self.ours("sendrawtransaction", json!([hex, 0]));
            }
        }
    }

    fn send(&mut self, what: &str, hex: &Value) {
        let txid = self.same(None, "sendrawtransaction", json!([hex, 0]));
        self.note(format!("{what} {txid}"));
        self.settle();
        if !txid.is_null() {
            self.sent.push(txid);
        }
    }

    /// A payment to both wallets, of coins of one that blocks have, or of one coin that waits.
    fn pay(&mut self) {
        let wallet = self.wallet();
        let least = self.random.below(2);
        let coins = self.same(Some(wallet), "listunspent", json!([least]));
        let mut coins = coins.as_array().expect("coins").clone();
        let most = 1 + self.random.below(3);
        let mut inputs = Vec::new();
        while !coins.is_empty() && inputs.len() < most {
            inputs.push(coins.remove(self.random.below(coins.len())));
        }
        if let Some(waits) = inputs.iter().position(|coin| coin["confirmations"] == 0) {
            inputs = vec![inputs.remove(waits)];
        }
        let worth: u64 = inputs.iter().map(|coin| sat(&coin["amount"])).sum();
        let mut outputs = serde_json::Map::new();
        for _ in 0..1 + self.random.below(3) {
            if self.random.one_in(3) {
                let (wallet, kind) = (self.wallet(), KINDS[self.random.below(4)]);
                self.new_address(wallet, kind);
            }
            let address = match self.random.one_in(6) {
                true => self.address_ahead(),
                false => self.address(),
            };
            let part = worth * (5 + self.random.below(24) as u64) / 100;
            outputs.insert(address.as_str().expect("text").to_owned(), btc(part));
        }
        if worth < 1_000_000 {
            return;
        }
        let inputs: Value = (inputs.iter())
            .map(|coin| json!({ "txid": coin["txid"], "vout": coin["vout"] }))
            .collect();
        let places = outputs.len();
        let raw = self.same(None, "createrawtransaction", json!([inputs, outputs]));
        let mut options = json!({
            "add_inputs": false, "fee_rate": 1 + self.random.below(30),
            "changePosition": self.random.below(places + 1), "replaceable": self.random.one_in(2),
            "changeAddress": self.addresses[wallet][self.random.below(4)],
        });
        if self.random.one_in(3) {
            options["subtractFeeFromOutputs"] = json!([0]);
        }
        // Where a rival has not all of the coins ours refuses, unless it is told to look at the best world alone.
        let mut here = json!([raw, options]);
        here[1]["in"] = json!("best");
        let theirs = json!([raw, options]);
        let theirs = ask(&self.both.core, Some(wallet), "fundrawtransaction", &theirs);
        let ours = ask(&self.both.ours, Some(wallet), "fundrawtransaction", &here);
        assert_eq!(
            ours,
            theirs,
            "fundrawtransaction {here}\n{}",
            self.done.join("\n")
        );
        let funded = &ours[0];
        if funded.is_null() {
            return;
        }
        let signed = self.same(
            Some(wallet),
            "signrawtransactionwithwallet",
            json!([funded["hex"]]),
        );
        self.send("payment", &signed["hex"]);
    }

    /// A transaction that spends what one that waits spends, to one address; `None` where that is not all ours.
    fn rival_of(&mut self, txid: &Value) -> Option<Value> {
        let tx = self.ours("getrawtransaction", json!([txid, 1]));
        let mut inputs = Vec::new();
        let mut worth = 0;
        for input in tx["vin"].as_array()? {
            let from = self.ours("getrawtransaction", json!([input["txid"], 1]));
            let outputs = from["vout"].as_array()?;
            let spent = outputs.iter().find(|output| output["n"] == input["vout"])?;
            worth += sat(&spent["value"]);
            inputs.push(
                json!({ "txid": input["txid"], "vout": input["vout"], "sequence": 0xffff_fffd_u32 }),
            );
        }
        let left = worth.checked_sub(500_000).filter(|left| *left > 100_000)?;
        let to = self.address();
        let raw = json!([inputs, { to.as_str()?: btc(left) }]);
        let mut hex = self.same(None, "createrawtransaction", raw);
        let mut complete = false;
        for wallet in 0..WALLETS.len() {
            let signed = self.same(Some(wallet), "signrawtransactionwithwallet", json!([hex]));
            complete = signed["complete"] == true;
            hex = signed["hex"].clone();
        }
        complete.then_some(hex)
    }

    fn waiting(&mut self) -> Option<Value> {
        let waiting = self.same(None, "getrawmempool", json!([]));
        self.random.pick(waiting.as_array()?).cloned()
    }

    fn double_spend(&mut self) {
        let Some(txid) = self.waiting() else {
            return;
        };
        if let Some(hex) = self.rival_of(&txid) {
            self.send("rival", &hex);
        }
    }

    /// A block that has another spend of what a waiting transaction spends.
    fn block_against(&mut self) {
        let Some(txid) = self.waiting() else {
            return;
        };
        let entry = self.ours("getmempoolentry", json!([txid]));
        if entry["depends"]
            .as_array()
            .is_none_or(|parents| !parents.is_empty())
        {
            return;
        }
        let Some(hex) = self.rival_of(&txid) else {
            return;
        };
        let made = self.core("generateblock", json!([ADDRESS, [hex]]));
        if made.is_null() {
            return;
        }
        self.note(format!("a block against {txid}"));
        self.give_blocks(&[made["hash"].clone()]);
        let tx = self.ours("decoderawtransaction", json!([hex]));
        self.sent.push(tx["txid"].clone());
    }

    fn invalidate(&mut self) {
        let height = self.same(None, "getblockcount", json!([]));
        let height = height.as_u64().expect("a height") - self.random.below(3) as u64;
        let hash = self.same(None, "getblockhash", json!([height]));
        self.note(format!("invalidate {hash}"));
        self.same(None, "invalidateblock", json!([hash]));
        self.invalidated.push(hash);
        self.pass();
    }

    fn pass(&mut self) {
        self.now += self.random.between(1, 600);
        self.same(None, "setmocktime", json!([self.now]));
    }

    fn step(&mut self) {
        let wallet = self.wallet();
        match self.random.below(28) {
            0..=8 => self.pay(),
            9..=11 => {
                let to = match self.random.one_in(3) {
                    true => self.address(),
                    false => json!(ADDRESS),
                };
                let count = 1 + self.random.below(2);
                self.mine(count, &to);
            }
            12..=13 => self.double_spend(),
            14..=15 => self.block_against(),
            16..=17 => self.invalidate(),
            18 => {
                if let Some(hash) = self.invalidated.pop() {
                    self.note(format!("reconsider {hash}"));
                    self.same(None, "reconsiderblock", json!([hash]));
                }
            }
            19 => {
                let coins = self.same(Some(wallet), "listunspent", json!([0]));
                let coins = coins.as_array().expect("coins").clone();
                if let Some(coin) = self.random.pick(&coins) {
                    let coin = json!({ "txid": coin["txid"], "vout": coin["vout"] });
                    self.note(format!("lock {coin}"));
                    self.same(Some(wallet), "lockunspent", json!([false, [coin]]));
                }
            }
            20 => {
                self.note("unlock".to_owned());
                self.same(Some(wallet), "lockunspent", json!([true]));
            }
            21..=22 => {
                let (address, label) = (self.address(), self.label());
                self.note(format!("{} calls {address} {label:?}", WALLETS[wallet]));
                self.same(Some(wallet), "setlabel", json!([address, label]));
            }
            23 => {
                self.note(format!("{} is closed and opened", WALLETS[wallet]));
                for method in ["unloadwallet", "loadwallet"] {
                    for server in [&self.both.core, &self.both.ours] {
                        ask(server, None, method, &json!([WALLETS[wallet]]));
                    }
                }
                self.replace_what_core_replaced();
            }
            24 => {
                let from = 100 + self.random.below(10);
                self.note(format!("{} looks again from {from}", WALLETS[wallet]));
                self.same(Some(wallet), "rescanblockchain", json!([from]));
            }
            25 => {
                let address = self.addresses[wallet][0].clone();
                self.same(Some(wallet), "signmessage", json!([address, "hello"]));
                let more = 1 + self.random.below(30);
                self.same(Some(wallet), "keypoolrefill", json!([more]));
                let kind = KINDS[self.random.below(4)];
                self.same(Some(wallet), "getrawchangeaddress", json!([kind]));
            }
            _ => self.pass(),
        }
    }

    /// Asks for all that tells of a wallet.
    fn check(&mut self) {
        self.settle();
        self.same(None, "getrawmempool", json!([]));
        let tip = self.same(None, "getblockcount", json!([]));
        let tip = tip.as_u64().expect("a height");
        let back = self.random.below(5) as u64;
        let since = self.same(None, "getblockhash", json!([tip - back]));
        let label = self.label();
        let address = self.address();
        let forgotten = self.random.pick(&self.invalidated).cloned();
        let depth = self.random.below(7);
        let mut calls = vec![
            ("getbalances", json!([])),
            ("getbalance", json!([])),
            ("getbalance", json!(["*", depth])),
            ("getwalletinfo", json!([])),
            ("listunspent", json!([])),
            ("listunspent", json!([0])),
            ("listunspent", json!([0, 9_999_999, [address]])),
            (
                "listunspent",
                json!({ "minconf": 0, "include_unsafe": false }),
            ),
            (
                "listunspent",
                json!([0, 9_999_999, [], true, { "include_immature_coinbase": true }]),
            ),
            ("listtransactions", json!(["*", 1_000])),
            ("listtransactions", json!(["*", 1 + depth, depth])),
            ("listtransactions", json!([label, 50])),
            ("listsinceblock", json!([])),
            ("listsinceblock", json!([since, 1 + depth])),
            (
                "listsinceblock",
                json!({ "label": label, "include_change": true }),
            ),
            ("listreceivedbyaddress", json!([1, true])),
            ("listreceivedbyaddress", json!([1 + depth])),
            ("listreceivedbylabel", json!([1, true])),
            ("getreceivedbyaddress", json!([address, 1 + depth])),
            ("getreceivedbylabel", json!([label, 1])),
            ("getaddressinfo", json!([address])),
            ("getaddressesbylabel", json!([label])),
            ("listlabels", json!([])),
            ("listlockunspent", json!([])),
            ("listdescriptors", json!([])),
        ];
        calls.extend(forgotten.map(|hash| ("listsinceblock", json!([hash]))));
        for _ in 0..4 {
            if let Some(txid) = self.random.pick(&self.sent) {
                calls.push(("gettransaction", json!({ "txid": txid, "verbose": true })));
            }
        }
        for wallet in 0..WALLETS.len() {
            for (method, params) in &calls {
                self.same(Some(wallet), method, params.clone());
            }
        }
    }
}

#[test]
fn the_wallets_of_a_random_script_are_told_alike_at_every_step() {
    let name = "the_wallets_of_a_random_script_are_told_alike_at_every_step";
    for seed in seeds() {
        let Some(mut walk) = Walk::start(name, seed) else {
            return;
        };
        for _ in 0..steps() {
            walk.step();
            walk.check();
        }
        eprintln!("seed {seed}: {} steps, the same answers", steps());
    }
}
