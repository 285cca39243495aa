//! What malformed and impossible requests are answered.

use std::time::Duration;

use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::script::Script as Named;
use tokio::task::JoinSet;
use tonic::{Code, Request};

use crate::support::*;

fn balance(world: Option<v1::WorldRef>, script: Option<v1::Script>) -> v1::GetBalanceRequest {
    v1::GetBalanceRequest { world, script }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_hash_is_refused_with_its_field() {
    let node = TestNode::lab().await;
    let short = &nowhere()[1..];
    let odd = format!("{}g", &nowhere()[1..]);
    let long = nowhere() + "00";
    for wrong in ["", "12", short, &odd, &long, "0x12", &"é".repeat(64)] {
        let request = v1::GetWorldRequest { world: at(wrong) };
        refused_field(node.worlds().get_world(request).await, "world.block_hash");
        let request = v1::CompareWorldsRequest {
            a: None,
            b: at(wrong),
        };
        refused_field(node.worlds().compare_worlds(request).await, "b.block_hash");
        let request = v1::GetTransactionRequest {
            txid: wrong.to_owned(),
            ..Default::default()
        };
        refused_field(node.ledger().get_transaction(request).await, "txid");
        let request = balance(None, script_hash(wrong));
        refused_field(
            node.ledger().get_balance(request).await,
            "script.script_hash",
        );
    }
    let request = v1::GetTransactionOutputRequest::default();
    refused_field(
        node.ledger().get_transaction_output(request).await,
        "outpoint",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_world_is_not_found() {
    let node = TestNode::lab().await;
    for (world, key) in [
        (at(&nowhere()), "block_hash"),
        (at_height(1), "height"),
        (pinned("nothing"), "pin_id"),
    ] {
        let request = balance(world, script([1]));
        let details = refused(
            node.ledger().get_balance(request).await,
            Code::NotFound,
            ErrorReason::WorldUnknown,
        );
        let info = details.error_info().expect("set");
        assert!(info.metadata.contains_key(key), "{:?}", info.metadata);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_script_or_address_is_refused_and_the_other_network_named() {
    let node = TestNode::lab().await;
    refused_field(
        node.ledger().get_balance(balance(None, None)).await,
        "script",
    );
    let empty = Some(v1::Script { script: None });
    refused_field(
        node.ledger().get_balance(balance(None, empty)).await,
        "script",
    );
    refused_field(
        node.ledger()
            .get_balance(balance(None, script(vec![0; 10_001])))
            .await,
        "script.script_pubkey",
    );
    node.ledger()
        .get_balance(balance(None, script(vec![0; 10_000])))
        .await
        .expect("the longest script");
    for (text, network) in [
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "mainnet"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "mainnet"),
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "testnet3"),
        ("", "no address"),
        ("bcrt1qqqqq", "no address"),
        ("not an address", "no address"),
        (&"x".repeat(5_000), "too long"),
    ] {
        let wrong = refused_field(
            node.ledger()
                .get_balance(balance(None, address(text)))
                .await,
            "script.address",
        );
        assert!(wrong.contains(network), "{wrong}");
        assert!(wrong.len() < 500);
        if network == "mainnet" {
            assert!(wrong.contains("regtest"), "{wrong}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_that_does_not_exist_is_refused() {
    let node = TestNode::lab().await;
    let request = v1::ListWorldsRequest {
        statuses: vec![99],
        ..Default::default()
    };
    refused_field(node.worlds().list_worlds(request).await, "statuses[0]");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_beyond_the_limit_is_refused_and_one_within_it_is_not() {
    let node = TestNode::lab().await;
    let submit = |length| v1::SubmitBlockRequest {
        block: vec![0; length],
    };
    let answer = node
        .chain()
        .submit_block(submit(everett_grpc::MAX_REQUEST_BYTES - 64))
        .await;
    answer.expect("an answer about the block");
    let refused = node
        .chain()
        .submit_block(submit(everett_grpc::MAX_REQUEST_BYTES + 1))
        .await;
    assert_eq!(refused.expect_err("too long").code(), Code::OutOfRange);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_stops_the_work_and_is_answered_as_such() {
    let node = TestNode::lab().await;
    let held = node.hold_writer().await;
    let mut request = Request::new(v1::MineBlocksRequest::default());
    request
        .metadata_mut()
        .insert("grpc-timeout", "300m".parse().expect("a value"));
    let answer = node.make().mine_blocks(request).await;
    refused(
        answer,
        Code::DeadlineExceeded,
        ErrorReason::DeadlineExceeded,
    );

    drop(held);
    // Behind all that waited for the writer.
    node.mine(None, 1, None).await;
    assert_eq!(
        node.node.handle().ledger().best().height(),
        1,
        "the call whose time was up mined nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn mining_stops_when_its_own_deadline_passes() {
    let node = TestNode::lab().await;
    let mut request = Request::new(v1::MineBlocksRequest {
        count: everett_grpc::MAX_MINED_BLOCKS,
        ..Default::default()
    });
    request
        .metadata_mut()
        .insert("grpc-timeout", "160m".parse().expect("a value"));
    let answer = node.make().mine_blocks(request).await;
    refused(
        answer,
        Code::DeadlineExceeded,
        ErrorReason::DeadlineExceeded,
    );
    // It has its turn when the work has stopped.
    let behind = node.mine(None, 1, None).await;
    let best = node.node.handle().ledger().best();
    assert_eq!(best.hash().to_string(), behind[0]);
    assert!(best.height() - 1 < everett_grpc::MAX_MINED_BLOCKS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_limit_ends_calls_without_a_deadline() {
    let mut shape = Shape::default();
    shape.grpc.max_time = Some(Duration::from_millis(60));
    let node = TestNode::start(shape).await;
    let request = v1::MineBlocksRequest {
        count: everett_grpc::MAX_MINED_BLOCKS,
        ..Default::default()
    };
    refused(
        node.make().mine_blocks(request).await,
        Code::DeadlineExceeded,
        ErrorReason::DeadlineExceeded,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calls_than_the_limit_are_refused_at_once() {
    let mut shape = Shape::default();
    shape.grpc.max_calls = 1;
    let node = TestNode::start(shape).await;
    let held = node.hold_writer().await;
    let mut calls = JoinSet::new();
    for _ in 0..2 {
        let mut lab = node.make();
        calls.spawn(async move { lab.mine_blocks(v1::MineBlocksRequest::default()).await });
    }
    // One waits for the writer: whichever is the other one finds no room.
    let refusal = calls.join_next().await.expect("a call").expect("ran");
    refused(refusal, Code::ResourceExhausted, ErrorReason::Overloaded);
    let request = balance(
        None,
        Some(v1::Script {
            script: Some(Named::ScriptPubkey(vec![1])),
        }),
    );
    let details = refused(
        node.ledger().get_balance(request.clone()).await,
        Code::ResourceExhausted,
        ErrorReason::Overloaded,
    );
    assert_eq!(details.error_info().expect("set").metadata["limit"], "1");
    drop(held);
    let mined = calls.join_next().await.expect("a call").expect("ran");
    mined.expect("mined");
    node.ledger()
        .get_balance(request)
        .await
        .expect("room again");
}
