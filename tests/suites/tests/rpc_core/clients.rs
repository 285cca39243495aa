//! Clients that none of us wrote: Core's `bitcoin-cli`, the crates `bitcoincore-rpc` and `corepc-client`, and PyPI's
//! `python-bitcoinrpc`.

use std::path::Path;
use std::process::Command;

use bitcoin::hex::DisplayHex;
use bitcoincore_rpc::RpcApi;
use everett_lab::Lab;
use everett_tests::bitcoind::program;
use everett_tests::python;
use serde_json::{Value, json};

use everett_tests::rpc_node::RpcNode;

/// Blocks of the chain that clients ask about.
const HEIGHT: u64 = 12;

/// A node with some blocks, handed in over JSON-RPC.
fn node() -> RpcNode {
    let everett = RpcNode::start();
    let client = everett.client();
    let lab = Lab::new(7);
    for _ in 0..HEIGHT {
        let mined = lab.mine(lab.best(), []).expect("the lab mines");
        let bytes = lab.ledger().block_bytes(&mined.hash());
        let bytes = bytes.expect("it was just mined");
        let answer = client.call("submitblock", json!([bytes.to_lower_hex_string()]));
        assert_eq!(answer, Value::Null);
    }
    everett
}

#[test]
fn bitcoin_cli_finds_the_node_by_its_directory_and_speaks_with_it() {
    let Some(program) = program("rpc_core") else {
        return;
    };
    let everett = node();
    let cli = program.with_file_name("bitcoin-cli");
    let ask = |options: &[&str]| {
        let answer = Command::new(&cli)
            .arg("-regtest")
            .arg(format!("-rpcport={}", everett.port))
            .arg(format!(
                "-rpccookiefile={}",
                everett.directory.path().join(".cookie").display()
            ))
            .args(options)
            .output()
            .expect("bitcoin-cli lies beside bitcoind");
        let out = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
        let errors = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
        (answer.status.code(), out, errors)
    };
    assert_eq!(ask(&["getblockcount"]).1, HEIGHT.to_string());
    let hash = ask(&["getblockhash", "3"]).1;
    assert_eq!(ask(&["-named", "getblockhash", "height=3"]).1, hash);
    let named = ask(&["-named", "getblockcount", &format!("at={hash}")]);
    assert_eq!(named.1, "3", "{named:?}");
    let (code, _, errors) = ask(&["getblockhash", "99"]);
    assert_eq!(code, Some(8));
    assert!(
        errors.contains("error code: -8\nerror message:\nBlock height out of range"),
        "{errors}"
    );
    let info = ask(&["-getinfo"]);
    assert_eq!(info.0, Some(0), "{info:?}");
    assert!(info.1.contains("Blocks: 12"), "{}", info.1);
    assert!(ask(&["help"]).1.starts_with("== Blockchain =="));
    assert_eq!(ask(&["-netinfo"]).0, Some(0));
    assert_eq!(ask(&["stop"]).1, "Everett stopping");
}

#[test]
fn bitcoincore_rpc_reads_what_it_knows() {
    let everett = node();
    let cookie = everett.directory.path().join(".cookie");
    let url = format!("http://127.0.0.1:{}", everett.port);
    let auth = bitcoincore_rpc::Auth::CookieFile(cookie);
    let client = bitcoincore_rpc::Client::new(&url, auth).expect("a client");
    assert_eq!(client.get_block_count().expect("an answer"), HEIGHT);
    let best = client.get_best_block_hash().expect("an answer");
    let block = client.get_block(&best).expect("an answer");
    assert_eq!(block.block_hash(), best);
    let header = client.get_block_header_info(&best).expect("an answer");
    assert_eq!(header.height as u64, HEIGHT);
    let txid = block.txdata[0].compute_txid();
    let coin = client.get_tx_out(&txid, 0, None).expect("an answer");
    assert!(coin.expect("unspent").coinbase);
    let info = client
        .get_raw_transaction_info(&txid, Some(&best))
        .expect("an answer");
    assert_eq!(info.blockhash, Some(best));
    let set = client
        .get_tx_out_set_info(None, None, None)
        .expect("an answer");
    assert_eq!(set.height, HEIGHT);
    assert!(client.get_connection_count().is_ok() && client.get_peer_info().is_ok());
    assert_eq!(client.version().expect("an answer"), 310_000);
    assert_eq!(client.uptime().map(|_| ()).ok(), Some(()));
    assert!(client.get_chain_tips().expect("an answer").len() == 1);
    let missing = client.get_block_hash(1000).expect_err("there is none");
    assert!(
        missing.to_string().contains("Block height out of range"),
        "{missing}"
    );
}

#[test]
#[allow(
    deprecated,
    reason = "the crate goes on under another name; programs have it under this one"
)]
fn corepc_client_reads_what_it_knows() {
    use corepc_client::client_sync::Auth;
    use corepc_client::client_sync::v30::Client;
    let everett = node();
    let cookie = everett.directory.path().join(".cookie");
    let url = format!("http://127.0.0.1:{}", everett.port);
    let client = Client::new_with_auth(&url, Auth::CookieFile(cookie)).expect("a client");
    assert_eq!(client.get_block_count().expect("an answer").0, HEIGHT);
    let info = client.get_blockchain_info().expect("an answer");
    assert_eq!(info.into_model().expect("its fields").blocks as u64, HEIGHT);
    let network = client.get_network_info().expect("an answer");
    assert!(network.into_model().is_ok());
    let tips = client.get_chain_tips().expect("an answer");
    assert_eq!(tips.0.len(), 1);
    let set = client.get_tx_out_set_info().expect("an answer");
    assert!(set.into_model().is_ok());
    let best = client.best_block_hash().expect("an answer");
    let block = client.get_block_verbose_one(best).expect("an answer");
    assert!(block.into_model().is_ok());
    let deployments = client.get_deployment_info(&best).expect("an answer");
    assert!(deployments.into_model().is_ok());
    let states = client.get_chain_states().expect("an answer");
    assert!(states.into_model().is_ok());
}

#[test]
fn python_bitcoinrpc_calls_and_reads_amounts_and_errors() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = python::with_packages(
        directory,
        "python-bitcoinrpc",
        &["python-bitcoinrpc==1.0"],
        "import bitcoinrpc.authproxy",
    );
    let python = match python {
        Ok(python) => python,
        Err(why) => {
            eprintln!("rpc_core: skipped: no Python with python-bitcoinrpc: {why}");
            return;
        }
    };
    let everett = node();
    let script = r#"
import sys
from decimal import Decimal
from bitcoinrpc.authproxy import AuthServiceProxy, JSONRPCException
rpc = AuthServiceProxy(sys.argv[1])
assert rpc.getblockcount() == 12
# Its batches expect the two fields of JSON-RPC 1.1 and ask for 2.0, so that Core's answers break them as well.
hashes = [rpc.getblockhash(height) for height in range(13)]
assert hashes[12] == rpc.getbestblockhash()
block = rpc.getblock(hashes[12], 2)
assert block["tx"][0]["vout"][0]["value"] == Decimal("50.00000000"), block
try:
    rpc.getblockhash(99)
    raise SystemExit("no error")
except JSONRPCException as error:
    assert error.code == -8, error
print("fine")
"#;
    let url = format!("http://{}@127.0.0.1:{}", everett.cookie(), everett.port);
    let output = python::run(Command::new(python).args(["-c", script, &url]));
    let output = output.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "fine");
}
