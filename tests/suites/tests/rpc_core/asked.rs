//! Owns what both servers are asked after every step of the random script.

use bitcoin::consensus::encode::serialize_hex;
use bitcoin::{OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use serde_json::{Value, json};

use super::Walk;
use crate::chain::ADDRESS;

type Call = (&'static str, Value);

impl Walk {
    /// Asks for everything.
    pub(super) fn same_state(&mut self) {
        self.same("syncwithvalidationinterfacequeue", json!([]));
        let tip = self.same("getbestblockhash", json!([]));
        let height = self.height();
        let mut calls = of_the_chain(&tip, height);
        calls.extend(of_the_mempool());
        calls.extend(of_fees());
        self.of_blocks(&mut calls);
        self.of_transactions(&mut calls);
        self.same_all(&calls);
        self.check();
    }

    /// Blocks of all branches.
    fn of_blocks(&mut self, calls: &mut Vec<Call>) {
        for hash in self.invalidated.clone() {
            calls.push(("getblockheader", json!([hash])));
            calls.push(("getblock", json!([hash, 1])));
        }
        let tips = self.same("getchaintips", json!([]));
        let tips = tips.as_array().expect("tips").clone();
        for _ in 0..2 {
            let Some(tip) = self.spender.random.pick(&tips) else {
                return;
            };
            let hash = tip["hash"].clone();
            calls.push(("getblockheader", json!([hash])));
            calls.push(("getblockheader", json!([hash, false])));
            calls.push(("getblock", json!([hash, 0])));
            calls.push(("getblock", json!([hash, 2])));
            calls.push(("getblock", json!([hash, 3])));
            calls.push(("getblockstats", json!([hash])));
            calls.push(("getblockstats", json!([hash, ["height", "totalfee"]])));
            calls.push(("getchaintxstats", json!([3, hash])));
            calls.push(("getdeploymentinfo", json!([hash])));
            calls.push(("waitforblock", json!([hash, 1])));
            let known = self.spender.random.pick(&self.known).copied();
            if let Some(txid) = known {
                calls.push(("getrawtransaction", json!([txid, 2, hash])));
                calls.push(("gettxoutproof", json!([[txid], hash])));
            }
        }
        // Both have all blocks: this says what they think of one.
        if let Some(block) = self.spender.random.pick(&self.blocks) {
            let header = &block.as_str().expect("hexadecimal")[..160];
            calls.push(("submitblock", json!([block])));
            calls.push(("submitheader", json!([header])));
        }
    }

    /// Some that wait, some that were let in at some time, and coins.
    fn of_transactions(&mut self, calls: &mut Vec<Call>) {
        let waiting = self.waiting();
        for _ in 0..3 {
            if let Some(txid) = self.spender.random.pick(&waiting).cloned() {
                calls.extend(about_waiting(&txid));
            }
            if let Some(txid) = self.spender.random.pick(&self.known).copied() {
                for vout in 0..2 {
                    calls.push(("gettxout", json!([txid, vout])));
                    calls.push(("gettxout", json!([txid, vout, false])));
                }
                calls.push(("getmempoolentry", json!([txid])));
                calls.push(("getmempoolcluster", json!([txid])));
                for verbosity in 0..3 {
                    calls.push(("getrawtransaction", json!([txid, verbosity])));
                }
                calls.push(("gettxoutproof", json!([[txid]])));
            }
            if let Some(coin) = self.spender.random.pick(&self.spender.coins).cloned() {
                let outpoint = coin.outpoint;
                let asked = json!([{ "txid": outpoint.txid, "vout": outpoint.vout }]);
                calls.push(("gettxspendingprevout", json!([asked])));
                calls.push(("gettxout", json!([outpoint.txid, outpoint.vout])));
                // Core writes all it has to the disk before it scans.
                if self.spender.random.one_in(8) {
                    let script = coin.output.script_pubkey.to_hex_string();
                    let asked = json!(["start", [format!("raw({script})")]]);
                    calls.push(("scantxoutset", asked));
                }
                self.of_a_spend(outpoint, calls);
            }
        }
    }

    /// What looks for the coins that a transaction spends.
    fn of_a_spend(&mut self, outpoint: OutPoint, calls: &mut Vec<Call>) {
        let tx = Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: bitcoin::absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: outpoint,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output: vec![TxOut {
                value: bitcoin::Amount::from_sat(1_000),
                script_pubkey: everett_tests::spender::payout(),
            }],
        };
        let hex = serialize_hex(&tx);
        calls.push(("testmempoolaccept", json!([[hex]])));
        calls.push(("signrawtransactionwithkey", json!([hex, []])));
        calls.push(("combinerawtransaction", json!([[hex, hex]])));
        calls.push(("decoderawtransaction", json!([hex])));
        if self.spender.random.one_in(4) {
            let psbt = self.same("converttopsbt", json!([hex]));
            calls.push(("utxoupdatepsbt", json!([psbt])));
            calls.push(("analyzepsbt", json!([psbt])));
            calls.push(("decodepsbt", json!([psbt])));
            let proof = self.same("gettxoutproof", json!([[outpoint.txid]]));
            calls.push(("verifytxoutproof", json!([proof])));
        }
    }
}

fn of_the_chain(tip: &Value, height: u64) -> Vec<Call> {
    let address = format!("addr({ADDRESS})");
    vec![
        ("getblockchaininfo", json!([])),
        ("getblockheader", json!([tip])),
        ("getblock", json!([tip])),
        ("getblock", json!([tip, 3])),
        ("getblockstats", json!([tip])),
        ("getblockstats", json!([height])),
        ("getblockhash", json!([height])),
        ("getblockhash", json!([height + 1])),
        ("getchaintips", json!([])),
        ("getchaintxstats", json!([])),
        ("getchaintxstats", json!([5, tip])),
        ("getchainstates", json!([])),
        ("getdeploymentinfo", json!([])),
        ("getdifficulty", json!([])),
        ("gettxoutsetinfo", json!([])),
        ("gettxoutsetinfo", json!(["muhash"])),
        ("gettxoutsetinfo", json!(["none"])),
        ("verifychain", json!([3, 3])),
        ("waitforblockheight", json!([height, 100])),
        ("waitforblock", json!([tip, 100])),
        ("getconnectioncount", json!([])),
        ("scantxoutset", json!(["start", [address]])),
    ]
}

fn of_the_mempool() -> Vec<Call> {
    vec![
        ("getmempoolinfo", json!([])),
        ("getrawmempool", json!([])),
        ("getrawmempool", json!([true])),
        ("getrawmempool", json!([false, true])),
        ("getmempoolfeeratediagram", json!([])),
        ("getprioritisedtransactions", json!([])),
        ("getblocktemplate", json!([{ "rules": ["segwit"] }])),
        ("getmininginfo", json!([])),
        ("getnetworkhashps", json!([])),
        ("getnetworkhashps", json!([-1])),
        ("getnetworkhashps", json!([7, 100])),
    ]
}

fn of_fees() -> Vec<Call> {
    vec![
        ("estimatesmartfee", json!([2])),
        ("estimatesmartfee", json!([8, "conservative"])),
        ("estimatesmartfee", json!([1_000])),
        ("estimaterawfee", json!([2, 0.5])),
        ("estimaterawfee", json!([15])),
    ]
}

/// The questions about a transaction that waits.
fn about_waiting(txid: &Value) -> Vec<Call> {
    vec![
        ("getmempoolentry", json!([txid])),
        ("getmempoolcluster", json!([txid])),
        ("getmempoolancestors", json!([txid])),
        ("getmempooldescendants", json!([txid])),
        ("getmempoolancestors", json!([txid, true])),
        ("getmempooldescendants", json!([txid, true])),
        ("getrawtransaction", json!([txid, 1])),
        ("getrawtransaction", json!([txid, 2])),
        ("getrawtransaction", json!([txid])),
    ]
}
