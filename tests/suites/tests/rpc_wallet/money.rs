//! Owns a node with wallets that earns and pays, for the tests beside it.

use std::path::PathBuf;

use everett_node::NodeConfig;
use everett_tests::rpc_client::RpcClient;
use everett_tests::rpc_node::RpcNode;
use serde_json::{Value, json};

/// A node with wallets.
pub(crate) struct Money {
    /// Runs until this is dropped.
    node: RpcNode,
    client: RpcClient,
}

impl Money {
    /// One whose wallet `miner` has three mature coinbases of 50, with an empty wallet `alice` beside it.
    pub(crate) fn earned() -> Money {
        Money::poor().enriched()
    }

    fn enriched(self) -> Money {
        let address = self.new_address("miner", "");
        self.node_call("generatetoaddress", json!([3, address]));
        self.mine_elsewhere(100);
        self
    }

    /// The same on a node that is set up otherwise.
    pub(crate) fn with(change: impl FnOnce(&mut NodeConfig)) -> Money {
        Money::poor_with(change).enriched()
    }

    /// One whose two wallets are empty.
    pub(crate) fn poor() -> Money {
        Money::poor_with(|_| ())
    }

    fn poor_with(change: impl FnOnce(&mut NodeConfig)) -> Money {
        let node = RpcNode::start_with_wallets(change);
        let client = node.client();
        let money = Money { node, client };
        for name in ["miner", "alice"] {
            money.node_call("createwallet", json!([name]));
        }
        money
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.node.port)
    }

    /// The file with its password.
    pub(crate) fn cookie_file(&self) -> PathBuf {
        self.node.directory.path().join(".cookie")
    }

    /// Blocks that pay neither wallet, on the best chain.
    pub(crate) fn mine_elsewhere(&self, count: u32) {
        self.node_call("generatetodescriptor", json!([count, "raw(51)#8lvh9jxk"]));
    }

    /// A block with these transactions in it, on a block of any branch; its hash.
    pub(crate) fn block_on(&self, parent: &str, transactions: &[&str]) -> String {
        let params =
            json!({ "output": "raw(51)#8lvh9jxk", "transactions": transactions, "at": parent });
        text(&self.node_call("generateblock", params)["hash"])
    }

    pub(crate) fn best(&self) -> String {
        text(&self.node_call("getbestblockhash", json!([])))
    }

    /// Calls a method of the node that has to succeed.
    pub(crate) fn node_call(&self, method: &str, params: Value) -> Value {
        self.client.call(method, params)
    }

    fn answer(&self, wallet: &str, method: &str, params: &Value) -> Value {
        let body = json!({ "method": method, "params": params, "id": 1 });
        let path = format!("/wallet/{wallet}");
        let answer = self.client.request("POST", &path, &body.to_string());
        let told = serde_json::from_str(&answer.body);
        told.unwrap_or_else(|error| panic!("{method} {params}: {error}: {answer:?}"))
    }

    /// Calls a method of a wallet that has to succeed.
    pub(crate) fn call(&self, wallet: &str, method: &str, params: Value) -> Value {
        let answer = self.answer(wallet, method, &params);
        assert!(answer["error"].is_null(), "{method} {params}: {answer}");
        answer["result"].clone()
    }

    /// Calls a method of a wallet that has to be refused; its code and message.
    pub(crate) fn refused(&self, wallet: &str, method: &str, params: Value) -> (i64, String) {
        let answer = self.answer(wallet, method, &params);
        let error = &answer["error"];
        let code = error["code"].as_i64();
        let code = code.unwrap_or_else(|| panic!("{method} {params} was not refused: {answer}"));
        (code, text(&error["message"]))
    }

    pub(crate) fn new_address(&self, wallet: &str, label: &str) -> String {
        text(&self.call(wallet, "getnewaddress", json!([label])))
    }

    pub(crate) fn balance(&self, wallet: &str) -> f64 {
        number(&self.call(wallet, "getbalance", json!([])))
    }

    /// Checks that an answer names these fields in this order.
    #[track_caller]
    pub(crate) fn check_order(&self, wallet: &str, method: &str, params: Value, expected: &[&str]) {
        let body = json!({ "method": method, "params": params, "id": 1 });
        let answer = self
            .client
            .request("POST", &format!("/wallet/{wallet}"), &body.to_string());
        let mut rest = answer.body.as_str();
        for name in expected {
            let place = rest.find(&format!("\"{name}\":"));
            let place =
                place.unwrap_or_else(|| panic!("{name} is not where it belongs: {}", answer.body));
            rest = &rest[place..];
        }
    }

    /// The bytes of a transaction of a wallet.
    pub(crate) fn hex(&self, wallet: &str, txid: &str) -> String {
        text(&self.call(wallet, "gettransaction", json!([txid]))["hex"])
    }
}

pub(crate) fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("not a string: {value}"))
        .to_owned()
}

pub(crate) fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("not a number: {value}"))
}

/// Checks the names of an object's fields, in whatever order.
#[track_caller]
pub(crate) fn check_fields(value: &Value, expected: &[&str]) {
    let fields = value.as_object();
    let fields = fields.unwrap_or_else(|| panic!("not an object: {value}"));
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    let mut found: Vec<&str> = fields.keys().map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, expected, "{value}");
}
