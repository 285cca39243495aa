//! Owns the node that the tests ask, and a client that asks a wallet of it.

use everett_node::NodeConfig;
use everett_tests::rpc_client::RpcClient;
use everett_tests::rpc_node::RpcNode;
use everett_wallet::keys::Kdf;
use serde_json::{Value, json};

/// Addresses ahead: few, so that wallets are made quickly.
pub(crate) const KEYPOOL: u32 = 5;

/// A node with wallets, none of them there yet.
pub(crate) fn node() -> RpcNode {
    node_with(|_| ())
}

/// The same, set up otherwise.
pub(crate) fn node_with(change: impl FnOnce(&mut NodeConfig)) -> RpcNode {
    RpcNode::start_with_wallets(|node| {
        let wallets = node.wallets.as_mut().expect("wallets by default");
        wallets.keypool = KEYPOOL;
        wallets.kdf = Kdf {
            memory: 64,
            passes: 1,
            lanes: 1,
        };
        change(node);
    })
}

/// A client that asks one wallet, or whichever is loaded.
pub(crate) struct Asker {
    client: RpcClient,
    path: String,
}

impl Asker {
    /// Whichever wallet is loaded.
    pub(crate) fn any(node: &RpcNode) -> Asker {
        Asker {
            client: node.client(),
            path: "/".to_owned(),
        }
    }

    /// The wallet of this name.
    pub(crate) fn of(node: &RpcNode, wallet: &str) -> Asker {
        Asker {
            client: node.client(),
            path: format!("/wallet/{wallet}"),
        }
    }

    pub(crate) fn ask(&self, method: &str, params: &Value) -> Value {
        let body = json!({ "method": method, "params": params, "id": 1 });
        let answer = self.client.request("POST", &self.path, &body.to_string());
        serde_json::from_str(&answer.body)
            .unwrap_or_else(|error| panic!("{method} {params}: {error}: {answer:?}"))
    }

    /// What a method answers that has to succeed.
    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        let body = self.ask(method, &params);
        assert!(body["error"].is_null(), "{method} {params}: {body}");
        body["result"].clone()
    }

    /// The same, text.
    pub(crate) fn text(&self, method: &str, params: Value) -> String {
        let result = self.call(method, params);
        result.as_str().expect("a string").to_owned()
    }

    /// The code that a method refuses with, whose message has to begin so.
    #[track_caller]
    pub(crate) fn refused(&self, method: &str, params: Value, code: i64, message: &str) {
        let error = self.ask(method, &params)["error"].clone();
        let said = error["message"].as_str().unwrap_or_default();
        assert!(
            error["code"] == code && said.starts_with(message),
            "{method} {params}: {error}, not {code} {message}"
        );
    }
}

/// The keys of an object, in their order.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    let object = value.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}
