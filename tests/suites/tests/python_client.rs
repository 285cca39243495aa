//! A client in another language, made from the `.proto` files, that keeps balances from events alone: on the regtest
//! chain with 60 competing branches, every one of whose tips becomes the best one.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use everett_grpc::{Grpc, GrpcConfig};
use everett_ledger::{LedgerConfig, Network, Outcome, Params};
use everett_node::{Handle, Node, NodeConfig};
use everett_tests::data::SixtyForks;
use everett_tests::python;

/// How long the client may take to see what it waits for.
const PATIENCE: Duration = Duration::from_secs(180);

async fn submit_all(handle: &Handle, blocks: &[Vec<u8>]) {
    for block in blocks {
        let block = block.clone();
        let submitted = handle
            .submit(move |ledger| ledger.submit_block(&block))
            .await;
        let submitted = submitted.expect("the node runs").expect("the disk works");
        assert!(!matches!(submitted.outcome, Outcome::Rejected { .. }));
    }
}

/// Takes back the best block again and again, until each of these was the best tip.
async fn until_each_was_best(handle: &Handle, tips: &BTreeSet<String>) {
    let mut missing = tips.clone();
    loop {
        let best = handle.ledger().best().hash();
        missing.remove(&best.to_string());
        if missing.is_empty() {
            return;
        }
        let taken = handle
            .write(move |ledger| ledger.invalidate_block(&best))
            .await;
        taken
            .expect("the node runs")
            .expect("it is not the genesis block");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_keeps_balances_from_events_alone_over_sixty_forks() {
    let Some(data) = SixtyForks::load("python_client") else {
        return;
    };
    let Some(recorded) =
        everett_tests::data::find("python_client", "worlds/regtest-60-forks/balances.jsonl")
    else {
        return;
    };
    let python = match python::with_grpc(Path::new(env!("CARGO_TARGET_TMPDIR"))) {
        Ok(python) => python,
        Err(why) => {
            println!("python_client: SKIPPED: no Python with grpcio can be had: {why}");
            return;
        }
    };
    let tips: BTreeSet<String> = data.balances.iter().map(|row| row.tip.clone()).collect();
    assert!(tips.len() >= 61, "each tip, and what was one before");
    let directory = tempfile::tempdir().expect("a directory");
    let config = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
    let listen: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let grpc = Grpc::new(GrpcConfig {
        listen,
        ..GrpcConfig::default()
    });
    let address = grpc.bound_address();
    let mut config = NodeConfig::new(config);
    config.lab = true;
    let node = Node::builder(config)
        .frontend(grpc)
        .start()
        .await
        .expect("the node starts");
    let handle = node.handle().clone();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut client = Command::new(python)
        .arg(here.join("clients/follow_balances.py"))
        .arg(address.get().expect("bound").to_string())
        .arg(here.join("../../proto"))
        .arg(&recorded)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    submit_all(&handle, &data.blocks).await;
    until_each_was_best(&handle, &tips).await;
    let started = Instant::now();
    while client.try_wait().expect("it is ours").is_none() {
        if started.elapsed() > PATIENCE {
            client.kill().expect("it runs");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let output = client.wait_with_output().expect("it has ended");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaint}", output.status);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    println!("{told}");
    assert_eq!(told["tips"], tips.len());
    assert!(
        told["compared"].as_u64() >= Some(data.balances.len() as u64),
        "{told}"
    );
    assert!(told["reorganisations"].as_u64() > Some(60), "{told}");
    assert!(told["connections"].as_u64() > Some(5), "{told}");
    node.stop().await;
}
