//! Owns the pair of servers that are asked the same.

use everett_node::NodeConfig;
use everett_rpc::RpcConfig;
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::rpc_client::RpcClient;
use serde_json::{Value, json};

use crate::compare::{keep_digits, key_order, normalise};
use everett_tests::rpc_node::RpcNode;

/// The time at which both start.
pub(crate) const START: u64 = 1_700_000_000;

/// Both servers, asked the same.
pub(crate) struct Both {
    pub(crate) core: RpcClient,
    pub(crate) ours: RpcClient,
    _daemon: Bitcoind,
    pub(crate) everett: RpcNode,
}

/// What a server says: status, result, error, and the order of keys.
pub(crate) fn verdict(client: &RpcClient, method: &str, params: &Value) -> Value {
    let answer = client.answer(method, params);
    let mut body: Value = serde_json::from_str(&keep_digits(&answer.body)).expect("JSON");
    normalise(method, &mut body);
    let order = key_order(&answer.body);
    json!([answer.status, body["result"], body["error"], order])
}

/// Whether the answer to `help METHOD` is that there is none.
fn is_unknown(help: &Value) -> bool {
    let text = help.as_str().unwrap_or_default();
    text.starts_with("help: unknown command")
}

impl Both {
    pub(crate) fn start(name: &str) -> Option<Both> {
        Both::start_with(name, &[], |_| ())
    }

    /// With options of Core's, and what they are here.
    pub(crate) fn start_with(
        name: &str,
        options: &[&str],
        change: impl FnOnce(&mut RpcConfig),
    ) -> Option<Both> {
        let program = program(name)?;
        let daemon = Bitcoind::start(&program, &[&["-txindex=1"], options].concat());
        Some(Both::of(daemon, RpcNode::start_with(change)))
    }

    /// With wallets on both sides; says that the test is skipped where that Core was built without.
    pub(crate) fn start_with_wallets(
        name: &str,
        options: &[&str],
        change: impl FnOnce(&mut NodeConfig),
    ) -> Option<Both> {
        let program = program(name)?;
        let daemon = Bitcoind::start(&program, &[&["-txindex=1"], options].concat());
        if daemon
            .try_call("help", &["createwallet"])
            .map_or(true, |help| is_unknown(&help))
        {
            eprintln!("{name}: skipped: this Bitcoin Core was built without a wallet");
            return None;
        }
        Some(Both::of(daemon, RpcNode::start_with_wallets(change)))
    }

    fn of(daemon: Bitcoind, everett: RpcNode) -> Both {
        let core = RpcClient::new(daemon.rpc_port(), &daemon.cookie());
        let ours = everett.client();
        let both = Both {
            core,
            ours,
            _daemon: daemon,
            everett,
        };
        both.same("setmocktime", json!([START]));
        both
    }

    /// Asks both, which have to say the same; what they say.
    pub(crate) fn same(&self, method: &str, params: Value) -> Value {
        let theirs = verdict(&self.core, method, &params);
        let ours = verdict(&self.ours, method, &params);
        assert_eq!(ours, theirs, "{method} {params}");
        ours[1].clone()
    }
}
