//! Owns the chain that both sides are given, made by Core: outputs of every kind, a side branch, a branch that is taken
//! back by hand, and a header whose block never comes.

use std::collections::BTreeMap;

use bitcoin::absolute::LockTime;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::FromHex;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Txid, Witness};
use everett_tests::rpc_client::RpcClient;
use serde_json::{Value, json};

/// The public key of the private key 1.
pub(crate) const KEY: &str = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const UNCOMPRESSED: &str = "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8";
const XPUB: &str = "tpubD6NzVbkrYhZ4WaWSyoBvQwbpLkojyoTZPRsgXELWz3Popb3qkjcJyJUGLnL4qHHoQvao8ESaAstxYSnhyswJ76uZPStJRJCTKvosUCJZL5B";
pub(crate) const WIF: &str = "cMahea7zqjxrtgAbB7LSGbcQUr1uX1ojuat9jZodMN87JcbXMTcA";
/// Its witness address.
pub(crate) const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
/// An address that side branches pay.
const ELSEWHERE: &str = "bcrt1pmfr3p9j00pfxjh0zmgp99y8zftmd3s5pmedqhyptwy6lm87hf5ssm803es";
const UNKNOWN: &str = "00000000000000000000000000000000000000000000000000000000000000ff";
/// The height of the best chain: two periods of Core's test deployment.
const HEIGHT: u32 = 290;
/// The first height whose coinbase is mature when it is spent.
const SPENDING: u32 = 161;

/// The chain, and what calls say of it.
pub(crate) struct Chain {
    /// What stands for `$NAME` in calls.
    pub(crate) names: BTreeMap<&'static str, String>,
    best: Vec<String>,
    side: Vec<String>,
    bad: Vec<String>,
    loose: String,
}

fn script(hex: &str) -> ScriptBuf {
    ScriptBuf::from_bytes(Vec::from_hex(hex).expect("hexadecimal"))
}

/// One output of each kind.
fn scripts() -> Vec<ScriptBuf> {
    let x_only = &KEY[2..];
    [
        "0014751e76e8199196d454941c45d1b3a323f1433bd6".to_owned(),
        format!("21{KEY}ac"),
        format!("41{UNCOMPRESSED}ac"),
        "76a914751e76e8199196d454941c45d1b3a323f1433bd688ac".to_owned(),
        format!("5121{KEY}21{KEY}52ae"),
        "6a0474657374".to_owned(),
        "51024e73".to_owned(),
        format!("5120{x_only}"),
        "a9141a027ab82ae61bf90602223514dc6b6bc1d097ee87".to_owned(),
        "7551".to_owned(),
        format!("5220{}", "07".repeat(32)),
        format!("0020{}", "09".repeat(32)),
        "4c".to_owned(),
        format!("5120{}", "ff".repeat(32)),
        String::new(),
    ]
    .iter()
    .map(|hex| script(hex))
    .collect()
}

fn spending(outpoints: &[OutPoint], output: Vec<TxOut>) -> String {
    let input = |outpoint: &OutPoint| TxIn {
        previous_output: *outpoint,
        script_sig: ScriptBuf::new(),
        sequence: Sequence(0xffff_fffd),
        witness: Witness::new(),
    };
    serialize_hex(&Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: outpoints.iter().map(input).collect(),
        output,
    })
}

fn coinbase_of(core: &RpcClient, block: &str) -> String {
    let block = core.call("getblock", json!([block]));
    block["tx"][0].as_str().expect("a coinbase").to_owned()
}

fn hashes(value: Value) -> Vec<String> {
    serde_json::from_value(value).expect("hashes")
}

impl Chain {
    /// Makes it in a fresh Core.
    pub(crate) fn mine(core: &RpcClient) -> Chain {
        core.call("generatetoaddress", json!([SPENDING - 1, ADDRESS]));
        let at = |height: u32| core.text("getblockhash", json!([height]));
        let outpoint =
            |txid: &str, vout: u32| OutPoint::new(txid.parse::<Txid>().expect("an id"), vout);
        let coinbases = [1, 2].map(|height| outpoint(&coinbase_of(core, &at(height)), 0));
        let outputs = scripts()
            .into_iter()
            .enumerate()
            .map(|(index, script_pubkey)| TxOut {
                value: Amount::from_sat(100_000_000 + index as u64),
                script_pubkey,
            });
        let raw = spending(&coinbases, outputs.collect());
        let signed = core.call("signrawtransactionwithkey", json!([raw, [WIF]]));
        let signed = signed["hex"].as_str().expect("a transaction").to_owned();
        let txid = core.call("decoderawtransaction", json!([signed]));
        let txid = txid["txid"].as_str().expect("an id").to_owned();
        let second = TxOut {
            value: Amount::from_sat(150_000_000),
            script_pubkey: scripts()[0].clone(),
        };
        let raw_second = spending(&[outpoint(&txid, 3), outpoint(&txid, 4)], vec![second]);
        let previous = json!([
            { "txid": txid, "vout": 3, "scriptPubKey": scripts()[3].to_hex_string(), "amount": 1.00000003 },
            { "txid": txid, "vout": 4, "scriptPubKey": scripts()[4].to_hex_string(), "amount": 1.00000004 },
        ]);
        let second = core.call(
            "signrawtransactionwithkey",
            json!([raw_second, [WIF], previous]),
        );
        assert_eq!(second["complete"], true, "{second}");
        let second = second["hex"].as_str().expect("a transaction").to_owned();
        let spend = core.call("generateblock", json!([ADDRESS, [signed, second]]));
        let spend = spend["hash"].as_str().expect("a hash").to_owned();
        core.call("generatetoaddress", json!([HEIGHT - SPENDING, ADDRESS]));
        let tip = core.text("getbestblockhash", json!([]));
        let branch = |height: u32, blocks: u32| {
            let above = at(height);
            core.call("invalidateblock", json!([above]));
            let made = hashes(core.call("generatetoaddress", json!([blocks, ELSEWHERE])));
            core.call("reconsiderblock", json!([above]));
            made
        };
        let (side, bad) = (branch(HEIGHT - 4, 3), branch(HEIGHT - 2, 2));
        assert_eq!(core.text("getbestblockhash", json!([])), tip);
        core.call("invalidateblock", json!([bad[0]]));
        let loose = core.call("generateblock", json!([ELSEWHERE, [], false]));
        let header = loose["hash"].as_str().expect("a hash").to_owned();
        let loose = loose["hex"].as_str().expect("a block")[..160].to_owned();
        core.call("submitheader", json!([loose]));
        let hex = |hash: &str| core.text("getblock", json!([hash, 0]));
        let tip_hex = hex(&tip);
        let second_id = core.call("decoderawtransaction", json!([second]));
        let inputs = |places: &[u32]| {
            let inputs: Vec<Value> = places
                .iter()
                .map(|vout| json!({ "txid": txid, "vout": vout }))
                .collect();
            core.text("createrawtransaction", json!([inputs, { ADDRESS: 0.5 }]))
        };
        let part = |unsigned: &str| {
            let signed = core.call("signrawtransactionwithkey", json!([unsigned, [WIF]]));
            signed["hex"].as_str().expect("a transaction").to_owned()
        };
        let psbt = |places: &[u32]| core.text("converttopsbt", json!([inputs(places)]));
        let processed = |psbt: &str, finish: bool| {
            let descriptor = format!("wpkh({WIF})");
            let answer = core.call(
                "descriptorprocesspsbt",
                json!([psbt, [descriptor], "ALL", true, finish]),
            );
            answer["psbt"].as_str().expect("a PSBT").to_owned()
        };
        let unsigned = inputs(&[0, 1, 2, 6, 7, 8, 9]);
        // Core itself forgets taproot signatures when it combines.
        let plain = inputs(&[0, 1, 2]);
        let names = BTreeMap::from([
            ("GENESIS", at(0)),
            ("SPEND", spend.clone()),
            ("SIDE", side[2].clone()),
            ("BAD", bad[0].clone()),
            ("UNKNOWN", UNKNOWN.to_owned()),
            ("HEADER", header),
            ("TXID", txid.clone()),
            ("TX2", second_id["txid"].as_str().expect("an id").to_owned()),
            ("KEY", KEY.to_owned()),
            ("XPUB", XPUB.to_owned()),
            ("ADDRESS", ADDRESS.to_owned()),
            ("WIF", WIF.to_owned()),
            ("TIPHEADER", tip_hex[..160].to_owned()),
            (
                "LOOSEHEADER",
                format!("00000020{}{}", "aa".repeat(32), &tip_hex[72..160]),
            ),
            ("TIPHEX", tip_hex),
            ("BADHEADER", hex(&bad[0])[..160].to_owned()),
            ("BADHEX", hex(&bad[0])),
            ("SIGNED2", second),
            ("SIGNED", signed),
            ("RAW2", raw_second),
            ("RAW", raw),
            ("COINBASE", coinbase_of(core, &tip)),
            ("SIDECOINBASE", coinbase_of(core, &side[2])),
            ("PROOF", core.text("gettxoutproof", json!([[txid], spend]))),
            (
                "SIDEPROOF",
                core.text(
                    "gettxoutproof",
                    json!([[coinbase_of(core, &side[0])], side[0]]),
                ),
            ),
            ("PARTSIGNED", part(&plain)),
            ("PLAIN", plain.clone()),
            (
                "PSBTOLD",
                core.text("converttopsbt", json!([plain, false, null, 0])),
            ),
            ("PSBTMIX", psbt(&[0, 1, 3, 4, 7, 8, 11])),
            (
                "PSBTFULL",
                core.text("utxoupdatepsbt", json!([psbt(&[0, 1])])),
            ),
            ("PSBTSEGWIT", psbt(&[0])),
            (
                "PSBTUPDATED",
                core.text(
                    "utxoupdatepsbt",
                    json!([psbt(&[0]), [format!("wpkh({KEY})")]]),
                ),
            ),
            ("PSBTSIGNED", processed(&psbt(&[0]), false)),
            ("PSBTDONE", processed(&psbt(&[0]), true)),
            ("UNSIGNED", unsigned),
            ("B143", at(143)),
            ("B144", at(144)),
            ("B287", at(287)),
            ("B288", at(288)),
            ("TIP", tip),
        ]);
        Chain {
            names,
            best: (1..=HEIGHT).map(|height| hex(&at(height))).collect(),
            side: side.iter().map(|hash| hex(hash)).collect(),
            bad: bad.iter().map(|hash| hex(hash)).collect(),
            loose,
        }
    }

    /// Gives it to another node, over the same interface.
    pub(crate) fn load(&self, node: &RpcClient) {
        for block in &self.best {
            assert_eq!(node.call("submitblock", json!([block])), Value::Null);
        }
        for block in self.side.iter().chain(&self.bad) {
            let answer = node.call("submitblock", json!([block]));
            assert_eq!(answer, "inconclusive");
        }
        node.call("invalidateblock", json!([self.names["BAD"]]));
        node.call("submitheader", json!([self.loose]));
    }

    /// A call with the names replaced.
    pub(crate) fn fill(&self, call: &str) -> Value {
        serde_json::from_str(&self.fill_text(call)).expect("a call in JSON")
    }

    /// A text with the names replaced.
    pub(crate) fn fill_text(&self, call: &str) -> String {
        let mut text = call.to_owned();
        let mut names: Vec<_> = self.names.iter().collect();
        // `$SIDECOINBASE` before `$SIDE`.
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        for (name, value) in names {
            text = text.replace(&format!("${name}"), value);
        }
        text
    }
}
