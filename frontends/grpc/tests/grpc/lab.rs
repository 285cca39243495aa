//! LabService.

use bitcoin::absolute::LockTime;
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::{Amount, OutPoint, ScriptBuf, Sequence, Transaction, TxIn, TxOut, Witness};
use everett_ledger::Network;
use everett_node::{Node, NodeError};
use everett_proto::v1;
use everett_proto::v1::{ErrorReason, SubmitResult, WorldStatus};
use tonic::Code;

use crate::support::*;

/// A script that anyone can spend.
const ANYONE: [u8; 1] = [0x51];

#[tokio::test(flavor = "multi_thread")]
async fn outside_lab_mode_history_cannot_be_made() {
    let node = TestNode::start(Shape {
        lab: false,
        ..Shape::default()
    })
    .await;
    let mut lab = node.make();
    let (code, reason) = (Code::Unimplemented, ErrorReason::LabDisabled);
    refused(
        lab.mine_blocks(v1::MineBlocksRequest::default()).await,
        code,
        reason,
    );
    refused(
        lab.inject_block(v1::InjectBlockRequest::default()).await,
        code,
        reason,
    );
    refused(
        lab.invalidate_block(v1::InvalidateBlockRequest::default())
            .await,
        code,
        reason,
    );
    refused(
        lab.reconsider_block(v1::ReconsiderBlockRequest::default())
            .await,
        code,
        reason,
    );
    refused(
        lab.play_scenario(v1::PlayScenarioRequest::default()).await,
        code,
        reason,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lab_on_mainnet_does_not_start() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let shape = Shape {
        network: Network::Mainnet,
        ..Shape::default()
    };
    let refused = Node::builder(node_config(&shape, &directory)).start().await;
    assert!(matches!(refused.err(), Some(NodeError::LabOnMainnet)));
    let entries = std::fs::read_dir(directory.path()).expect("a directory");
    assert_eq!(entries.count(), 0, "nothing was opened");
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_mined_on_any_parent_and_never_twice_the_same() {
    let node = TestNode::lab().await;
    let trunk = node.mine(None, 3, None).await;
    let mut rivals = Vec::new();
    for _ in 0..3 {
        rivals.extend(node.mine(at(&trunk[0]), 1, None).await);
    }
    rivals.push(trunk[1].clone());
    rivals.sort_unstable();
    rivals.dedup();
    assert_eq!(rivals.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn given_transactions_are_mined_and_their_fees_paid_out() {
    let node = TestNode::lab().await;
    let blocks = node.mine(None, 101, None).await;
    let spend = spend_coinbase(&node, &blocks[0], 49_9999_0000).await;
    let request = v1::MineBlocksRequest {
        transactions: vec![serialize(&spend)],
        payout: script([9]),
        count: 2,
        ..Default::default()
    };
    let mined = node
        .make()
        .mine_blocks(request.clone())
        .await
        .expect("mined");
    let mined = mined.into_inner();
    assert_eq!(mined.block_hashes.len(), 2);
    assert_eq!(mined.world.expect("set").tip_hash, mined.block_hashes[1]);
    let balance = v1::GetBalanceRequest {
        world: at(&mined.block_hashes[0]),
        script: script([9]),
    };
    let balance = node.ledger().get_balance(balance).await.expect("a balance");
    let balance = balance.into_inner().balance.expect("set");
    assert_eq!(balance.confirmed_sat, 50_0001_0000);

    let details = refused(
        node.make().mine_blocks(request).await,
        Code::InvalidArgument,
        ErrorReason::BlockRejected,
    );
    let info = details.error_info().expect("set");
    assert_eq!(
        info.metadata["reject_reason"],
        "bad-txns-inputs-missingorspent"
    );
    let violations = &details.bad_request().expect("set").field_violations;
    assert_eq!(violations[0].field, "transactions");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_the_rules_refuse_is_told_with_cores_reason() {
    let node = TestNode::lab().await;
    let blocks = node.mine(None, 5, None).await;
    let immature = spend_coinbase(&node, &blocks[0], 50_0000_0000).await;
    let request = v1::MineBlocksRequest {
        transactions: vec![serialize(&immature)],
        ..Default::default()
    };
    let details = refused(
        node.make().mine_blocks(request).await,
        Code::InvalidArgument,
        ErrorReason::BlockRejected,
    );
    assert_eq!(
        details.error_info().expect("set").metadata["reject_reason"],
        "bad-txns-premature-spend-of-coinbase"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_mined_is_named() {
    let node = TestNode::lab().await;
    node.mine(None, 1, None).await;
    let ask = |request: v1::MineBlocksRequest| {
        let mut lab = node.make();
        async move { lab.mine_blocks(request).await }
    };
    let wrong = v1::MineBlocksRequest {
        count: everett_grpc::MAX_MINED_BLOCKS + 1,
        ..Default::default()
    };
    refused_field(ask(wrong).await, "count");
    let wrong = v1::MineBlocksRequest {
        transactions: vec![vec![0; 3]],
        ..Default::default()
    };
    refused_field(ask(wrong).await, "transactions[0]");
    let wrong = v1::MineBlocksRequest {
        payout: script_hash(&nowhere()),
        ..Default::default()
    };
    refused_field(ask(wrong).await, "payout.script_hash");
    let wrong = v1::MineBlocksRequest {
        parent: at(&nowhere()),
        ..Default::default()
    };
    refused(ask(wrong).await, Code::NotFound, ErrorReason::WorldUnknown);
    let wrong = v1::MineBlocksRequest {
        time: Some(prost_types::Timestamp {
            seconds: -1,
            nanos: 0,
        }),
        ..Default::default()
    };
    refused_field(ask(wrong).await, "time");
    let at_a_time = v1::MineBlocksRequest {
        parent: at_height(1),
        time: Some(prost_types::Timestamp {
            seconds: 1_700_000_100,
            nanos: 0,
        }),
        ..Default::default()
    };
    ask(at_a_time.clone()).await.expect("mined");
    refused_field(ask(at_a_time).await, "time");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_block_is_injected_mended_or_as_it_is() {
    let node = TestNode::lab().await;
    node.mine(None, 1, None).await;
    let request = v1::GetBlockRequest { world: None };
    let good = node.chain().get_block(request).await.expect("a block");
    let mut edited: bitcoin::Block = deserialize(&good.into_inner().block).expect("a block");
    edited.txdata[0].output[0].value += Amount::ONE_SAT;
    // The header of the good block is known: another second makes another one.
    edited.header.time += 1;
    while !edited.header.target().is_met_by(edited.block_hash()) {
        edited.header.nonce += 1;
    }
    let inject = |mend_header| v1::InjectBlockRequest {
        block: serialize(&edited),
        mend_header,
    };
    let answer = node.make().inject_block(inject(false)).await;
    let outcome = answer.expect("an answer").into_inner().block.expect("set");
    assert_eq!(outcome.result(), SubmitResult::Rejected);
    assert_eq!(outcome.reject_reason, "bad-txnmrklroot");

    let answer = node.make().inject_block(inject(true)).await;
    let answer = answer.expect("an answer").into_inner();
    let outcome = answer.block.expect("set");
    assert_eq!(outcome.result(), SubmitResult::Rejected);
    assert_eq!(outcome.reject_reason, "bad-cb-amount");
    let world = answer.world.expect("its header is in the tree");
    assert_eq!(world.status(), WorldStatus::Invalid);

    let garbage = v1::InjectBlockRequest {
        block: vec![1],
        mend_header: true,
    };
    refused_field(node.make().inject_block(garbage).await, "block");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalidated_block_aborts_reads_until_it_is_reconsidered() {
    let node = TestNode::lab().await;
    let blocks = node.mine(None, 3, None).await;
    let request = v1::InvalidateBlockRequest {
        block_hash: blocks[1].clone(),
    };
    let answer = node.make().invalidate_block(request).await.expect("done");
    let best = answer.into_inner().world.expect("set");
    assert_eq!((&best.tip_hash, best.best), (&blocks[0], true));
    let read = v1::GetWorldRequest {
        world: at(&blocks[2]),
    };
    let details = refused(
        node.worlds().get_world(read.clone()).await,
        Code::Aborted,
        ErrorReason::WorldInvalidated,
    );
    let metadata = &details.error_info().expect("set").metadata;
    assert_eq!(metadata["block_hash"], blocks[2]);

    let request = v1::ReconsiderBlockRequest {
        block_hash: blocks[1].clone(),
    };
    let answer = node.make().reconsider_block(request).await.expect("done");
    assert_eq!(answer.into_inner().world.expect("set").tip_hash, blocks[2]);
    node.worlds().get_world(read).await.expect("back");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_invalidated_is_named() {
    let node = TestNode::lab().await;
    let invalidate = |hash: &str| v1::InvalidateBlockRequest {
        block_hash: hash.to_owned(),
    };
    let genesis = node.node.handle().ledger().params().genesis_hash();
    refused(
        node.make()
            .invalidate_block(invalidate(&genesis.to_string()))
            .await,
        Code::FailedPrecondition,
        ErrorReason::BlockFixed,
    );
    refused(
        node.make().invalidate_block(invalidate(&nowhere())).await,
        Code::NotFound,
        ErrorReason::BlockUnknown,
    );
    refused_field(
        node.make().invalidate_block(invalidate("12")).await,
        "block_hash",
    );
    let reconsider = v1::ReconsiderBlockRequest {
        block_hash: nowhere(),
    };
    refused(
        node.make().reconsider_block(reconsider).await,
        Code::NotFound,
        ErrorReason::BlockUnknown,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_leaves_worlds_with_balances() {
    let node = TestNode::lab().await;
    let story = node.play().await;
    assert_eq!(story.0.worlds.len(), 3);
    let best = &story.0.worlds[0];
    assert_eq!(best.label, "double-spend");
    assert!(best.world.as_ref().expect("set").best);
    let carol = best.balances.iter().find(|balance| balance.name == "carol");
    assert_eq!(carol.expect("Carol").confirmed_sat, 49_9999_9000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_that_is_wrong_is_refused_with_its_line() {
    let node = TestNode::lab().await;
    let play = |scenario: String| v1::PlayScenarioRequest { scenario };
    let wrong = refused_field(
        node.make().play_scenario(play("title = 3".into())).await,
        "scenario",
    );
    assert!(wrong.contains("line"), "{wrong}");
    let long = " ".repeat(everett_grpc::MAX_SCENARIO_BYTES + 1);
    refused_field(node.make().play_scenario(play(long)).await, "scenario");
    let poor = r#"
title = "Nobody has anything"
[parties]
alice = "p2wpkh"
bob = "p2wpkh"
[[step]]
mine = 1
on = "genesis"
pay = [{ from = "alice", to = "bob", amount = "1 BTC" }]
"#;
    let details = refused(
        node.make().play_scenario(play(poor.into())).await,
        Code::FailedPrecondition,
        ErrorReason::ScenarioFailed,
    );
    assert!(
        details
            .error_info()
            .expect("set")
            .metadata
            .contains_key("line")
    );
}

/// A transaction that spends the coinbase of the block and pays `amount_sat` to anyone.
async fn spend_coinbase(node: &TestNode, block_hash: &str, amount_sat: u64) -> Transaction {
    let request = v1::GetBlockRequest {
        world: at(block_hash),
    };
    let block = node.chain().get_block(request).await.expect("a block");
    let block: bitcoin::Block = deserialize(&block.into_inner().block).expect("a block");
    Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![TxIn {
            previous_output: OutPoint::new(block.txdata[0].compute_txid(), 0),
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }],
        output: vec![TxOut {
            value: Amount::from_sat(amount_sat),
            script_pubkey: ScriptBuf::from_bytes(ANYONE.to_vec()),
        }],
    }
}
