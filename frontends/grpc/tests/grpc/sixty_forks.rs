//! Bitcoin Core's answers about 60 competing branches, asked for over gRPC.

use std::collections::BTreeSet;

use bitcoin::hex::FromHex;
use everett_proto::v1;
use everett_proto::v1::{ErrorReason, SubmitResult, WorldStatus};
use everett_tests::data::{BalanceRow, BlockRow, ForkRow, SixtyForks};
use tonic::Code;

use crate::support::*;

/// A page size that no list is a multiple of.
const PAGE: i32 = 7;

async fn submit_all(node: &TestNode, data: &SixtyForks) {
    // No block is too new.
    node.node.handle().ledger().clock().set(u32::MAX.into());
    let mut chain = node.chain();
    for block in &data.blocks {
        let request = v1::SubmitBlockRequest {
            block: block.clone(),
        };
        let answer = chain.submit_block(request).await.expect("an answer");
        let outcome = answer.into_inner().block.expect("set");
        let known = outcome.height == Some(0) && outcome.result() == SubmitResult::Known;
        assert!(
            known || outcome.result() == SubmitResult::Accepted,
            "{outcome:?}"
        );
    }
}

async fn check_set(node: &TestNode, row: &BlockRow) {
    let request = v1::GetUtxoSetInfoRequest {
        world: at(&row.hash),
    };
    let info = node.ledger().get_utxo_set_info(request).await;
    let info = info.expect("the set can be read").into_inner();
    let world = info.world.expect("set");
    assert_eq!((&world.tip_hash, world.height), (&row.hash, row.height));
    assert_eq!(world.chainwork, row.chainwork);
    assert_eq!(info.txouts, row.txouts, "{}", row.hash);
    assert_eq!(info.total_amount_sat as u64, row.total_sat, "{}", row.hash);
    assert_eq!(info.bogosize, row.bogosize, "{}", row.hash);
    assert_eq!(info.muhash, row.muhash, "{}", row.hash);
    assert_eq!(
        info.hash_serialized_3, row.hash_serialized_3,
        "{}",
        row.hash
    );

    let request = v1::GetBlockHeaderRequest {
        world: at(&row.hash),
    };
    let header = node.chain().get_block_header(request).await;
    let header = header.expect("known").into_inner().header.expect("set");
    let time = header.median_time_past.expect("set").seconds;
    assert_eq!(time, i64::from(row.mediantime));
    assert_eq!(header.transaction_count, row.ntx);
}

async fn check_balance(node: &TestNode, row: &BalanceRow) {
    let by_script = script(Vec::from_hex(&row.script).expect("hex"));
    let named = match &row.address {
        Some(text) => address(text),
        None => by_script.clone(),
    };
    let request = v1::GetBalanceRequest {
        world: at(&row.tip),
        script: named,
    };
    let balance = node.ledger().get_balance(request).await;
    let balance = balance
        .expect("a balance")
        .into_inner()
        .balance
        .expect("set");
    assert_eq!(
        balance.confirmed_sat as u64, row.balance_sat,
        "{} at {}",
        row.script, row.tip
    );
    assert_eq!(balance.utxo_count as usize, row.utxos.len());

    let mut request = v1::ListUnspentOutputsRequest {
        world: at(&row.tip),
        script: by_script,
        page_size: PAGE,
        ..Default::default()
    };
    let mut found = BTreeSet::new();
    loop {
        let page = node.ledger().list_unspent_outputs(request.clone()).await;
        let page = page.expect("a page").into_inner();
        for output in page.outputs {
            let key = (
                output.txid,
                output.vout,
                output.amount_sat as u64,
                output.height,
                output.coinbase,
            );
            assert!(found.insert(key), "no output twice");
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(
        found,
        row.utxos.iter().cloned().collect(),
        "{} at {}",
        row.script,
        row.tip
    );
}

async fn check_conflicts(node: &TestNode, fork: &ForkRow) {
    let mut request = v1::ListConflictsRequest {
        a: at(&fork.tip_a),
        b: at(&fork.tip_b),
        page_size: PAGE,
        ..Default::default()
    };
    let mut found = BTreeSet::new();
    loop {
        let page = node.worlds().list_conflicts(request.clone()).await;
        let page = page.expect("a page").into_inner();
        assert_eq!(page.fork_hash, fork.fork_point);
        for conflict in page.conflicts {
            let outpoint = conflict.outpoint.expect("set");
            found.insert((
                outpoint.txid,
                outpoint.vout,
                (conflict.txid_a, conflict.block_a),
                (conflict.txid_b, conflict.block_b),
            ));
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let expected = fork.conflicts.iter().map(|row| {
        (
            row.txid.clone(),
            row.vout,
            row.spent_in_a.clone(),
            row.spent_in_b.clone(),
        )
    });
    assert_eq!(found, expected.collect());
}

async fn check_tips(node: &TestNode, data: &SixtyForks) {
    let mut request = v1::ListWorldsRequest {
        page_size: PAGE,
        ..Default::default()
    };
    let mut found = BTreeSet::new();
    loop {
        let page = node.worlds().list_worlds(request.clone()).await;
        let page = page.expect("a page").into_inner();
        for world in page.worlds {
            let status = match world.status() {
                WorldStatus::Active => "active",
                WorldStatus::ValidFork => "valid-fork",
                other => panic!("{other:?}"),
            };
            let branch = world.height - world.fork_height;
            found.insert((world.tip_hash, world.height, branch, status.to_owned()));
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let expected = data.tips.iter().map(|tip| {
        (
            tip.hash.clone(),
            tip.height,
            tip.branchlen,
            tip.status.clone(),
        )
    });
    assert_eq!(found, expected.collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_world_answers_as_core_did() {
    let Some(data) = SixtyForks::load("sixty_forks over gRPC") else {
        return;
    };
    let node = TestNode::lab().await;
    submit_all(&node, &data).await;
    check_tips(&node, &data).await;
    for row in &data.rows {
        check_set(&node, row).await;
    }
    for row in &data.balances {
        check_balance(&node, row).await;
    }
    for fork in &data.forks {
        check_conflicts(&node, fork).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_short_horizon_worlds_are_retired_and_the_others_answer_as_core_did() {
    let Some(data) = SixtyForks::load("sixty_forks over gRPC") else {
        return;
    };
    let horizon = 25;
    let node = TestNode::start(Shape {
        horizon: Some(horizon),
        ..Shape::default()
    })
    .await;
    submit_all(&node, &data).await;
    let best = node.node.handle().ledger().best().height();
    let (mut inside, mut retired) = (0, 0);
    for row in &data.rows {
        let block = row.hash.parse().expect("a hash");
        let info = node.node.handle().ledger().block_info(&block);
        if info.expect("known").fork_height + horizon >= best {
            check_set(&node, row).await;
            inside += 1;
            continue;
        }
        let request = v1::GetUtxoSetInfoRequest {
            world: at(&row.hash),
        };
        refused(
            node.ledger().get_utxo_set_info(request).await,
            Code::FailedPrecondition,
            ErrorReason::WorldRetired,
        );
        retired += 1;
    }
    assert!(inside > 25 && retired > 600, "{inside} {retired}");
}
