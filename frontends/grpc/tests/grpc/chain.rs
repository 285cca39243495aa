//! ChainService.

use bitcoin::consensus::{deserialize, serialize};
use everett_proto::v1;
use everett_proto::v1::{ErrorReason, SubmitResult, WorldStatus};
use tonic::Code;

use crate::support::*;

async fn block(node: &TestNode, world: Option<v1::WorldRef>) -> v1::GetBlockResponse {
    let request = v1::GetBlockRequest { world };
    let answer = node.chain().get_block(request).await.expect("a block");
    answer.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_comes_back_byte_for_byte_with_what_is_known_about_it() {
    let node = TestNode::lab().await;
    let blocks = node.mine(None, 3, None).await;
    let answer = block(&node, at(&blocks[1])).await;
    let decoded: bitcoin::Block = deserialize(&answer.block).expect("a block");
    assert_eq!(decoded.block_hash().to_string(), blocks[1]);
    let header = answer.header.expect("set");
    assert_eq!(header.raw, serialize(&decoded.header));
    assert_eq!(header.raw.len(), 80);
    assert_eq!((&header.hash, header.height), (&blocks[1], 2));
    assert_eq!(
        (&header.previous_hash, &header.next_hash),
        (&blocks[0], &blocks[2])
    );
    assert_eq!(header.transaction_count, 1);
    assert_eq!(header.size_bytes as usize, answer.block.len());
    assert_eq!(header.merkle_root, decoded.header.merkle_root.to_string());
    assert_eq!(header.status(), WorldStatus::Active);
    assert_eq!(answer.world.expect("set").height, 2);

    let request = v1::GetBlockHeaderRequest {
        world: at(&blocks[1]),
    };
    let only = node
        .chain()
        .get_block_header(request)
        .await
        .expect("a header");
    assert_eq!(only.into_inner().header, Some(header));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_one_chain_come_over_pages_to_the_end() {
    let node = TestNode::lab().await;
    let trunk = node.mine(None, 7, None).await;
    let fork = node.mine(at(&trunk[2]), 2, None).await;
    let mut request = v1::ListHeadersRequest {
        world: at(&fork[1]),
        start_height: 2,
        page_size: 2,
        ..Default::default()
    };
    let mut found = Vec::new();
    loop {
        let page = node.chain().list_headers(request.clone()).await;
        let page = page.expect("a page").into_inner();
        found.extend(page.headers.into_iter().map(|header| header.hash));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let expected = [&trunk[1], &trunk[2], &fork[0], &fork[1]];
    assert_eq!(found.iter().collect::<Vec<_>>(), expected);

    request.page_token.clear();
    request.end_height = Some(3);
    let page = node.chain().list_headers(request.clone()).await;
    let page = page.expect("a page").into_inner();
    assert_eq!((page.headers.len(), page.next_page_token.as_str()), (2, ""));
    request.start_height = 1_000;
    let page = node.chain().list_headers(request).await.expect("a page");
    assert!(page.into_inner().headers.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_all_branches_stand_side_by_side() {
    let node = TestNode::lab().await;
    let trunk = node.mine(None, 3, None).await;
    let mut second = vec![trunk[1].clone()];
    for _ in 0..4 {
        second.extend(node.mine(at(&trunk[0]), 1, None).await);
    }
    let mut expected = vec![trunk[0].clone()];
    expected.extend(second);
    expected.push(trunk[2].clone());
    for page_size in [1, 2, 3, 100] {
        let mut request = v1::ListHeadersRequest {
            start_height: 1,
            all_branches: true,
            page_size,
            ..Default::default()
        };
        let mut found = Vec::new();
        loop {
            let page = node.chain().list_headers(request.clone()).await;
            let page = page.expect("a page").into_inner();
            found.extend(page.headers.into_iter().map(|header| header.hash));
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        assert_eq!(found, expected, "pages of {page_size}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submitted_block_is_accepted_once_waits_for_its_parent_or_is_rejected() {
    let miner = TestNode::lab().await;
    miner.mine(None, 3, None).await;
    let mut blocks = Vec::new();
    for height in 1..=3 {
        blocks.push(block(&miner, at_height(height)).await.block);
    }
    let node = TestNode::start(Shape {
        lab: false,
        ..Shape::default()
    })
    .await;
    let submit = |bytes: Vec<u8>| async {
        let request = v1::SubmitBlockRequest { block: bytes };
        let answer = node.chain().submit_block(request).await.expect("an answer");
        answer.into_inner()
    };

    let answer = submit(blocks[0].clone()).await;
    let outcome = answer.block.expect("set");
    assert_eq!(outcome.result(), SubmitResult::Accepted);
    assert!(outcome.best && outcome.height == Some(1) && outcome.reject_reason.is_empty());
    assert!(answer.world.expect("set").best);

    let outcome = submit(blocks[0].clone()).await.block.expect("set");
    assert_eq!(outcome.result(), SubmitResult::Known);
    assert_eq!(outcome.reject_reason, "duplicate");

    let answer = submit(blocks[2].clone()).await;
    assert_eq!(answer.world, None);
    let outcome = answer.block.expect("set");
    assert_eq!(outcome.result(), SubmitResult::Orphan);
    assert_eq!(outcome.reject_reason, "prev-blk-not-found");
    let second: bitcoin::Block = deserialize(&blocks[1]).expect("a block");
    assert_eq!(outcome.previous_hash, second.block_hash().to_string());

    let answer = submit(blocks[1].clone()).await;
    assert_eq!(answer.block.expect("set").result(), SubmitResult::Accepted);
    assert_eq!(answer.joined.len(), 1);
    assert_eq!(answer.joined[0].result(), SubmitResult::Accepted);
    assert_eq!(answer.joined[0].height, Some(3));

    let outcome = submit(vec![1, 2, 3]).await.block.expect("set");
    assert_eq!(outcome.result(), SubmitResult::Undecodable);
    assert_eq!(outcome.reject_reason, "Block decode failed");

    let mut greedy = second;
    greedy.header.nonce = greedy.header.nonce.wrapping_add(1);
    greedy.txdata[0].output[0].value += bitcoin::Amount::ONE_SAT;
    let outcome = submit(serialize(&greedy)).await.block.expect("set");
    assert_eq!(outcome.result(), SubmitResult::Rejected);
    assert!(!outcome.reject_reason.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_served_after_their_world_is_gone() {
    let node = TestNode::start(Shape {
        horizon: Some(5),
        ..Shape::default()
    })
    .await;
    let trunk = node.mine(None, 2, None).await;
    let retired = node.mine(at(&trunk[0]), 1, None).await;
    node.mine(None, 60, None).await;
    let answer = block(&node, at(&retired[0])).await;
    assert!(!answer.world.expect("set").live);

    let invalid = node.mine(None, 1, None).await;
    let request = v1::InvalidateBlockRequest {
        block_hash: invalid[0].clone(),
    };
    node.make().invalidate_block(request).await.expect("done");
    let answer = block(&node, at(&invalid[0])).await;
    assert_eq!(answer.world.expect("set").status(), WorldStatus::Invalid);
    assert!(!answer.header.expect("set").reject_reason.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_block_is_not_found() {
    let node = TestNode::lab().await;
    let request = v1::GetBlockRequest {
        world: at(&nowhere()),
    };
    let details = refused(
        node.chain().get_block(request).await,
        Code::NotFound,
        ErrorReason::BlockUnknown,
    );
    assert_eq!(
        details.error_info().expect("set").metadata["block_hash"],
        nowhere()
    );
    let request = v1::GetBlockHeaderRequest {
        world: at_height(5),
    };
    refused(
        node.chain().get_block_header(request).await,
        Code::NotFound,
        ErrorReason::WorldUnknown,
    );
}
