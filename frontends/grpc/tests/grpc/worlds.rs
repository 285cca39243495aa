//! WorldService.

use everett_proto::v1;
use everett_proto::v1::diff_worlds_response::Part;
use everett_proto::v1::{ErrorReason, WorldStatus};
use tonic::Code;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_node_has_one_world_at_genesis() {
    let node = TestNode::lab().await;
    let listed = node
        .worlds()
        .list_worlds(v1::ListWorldsRequest::default())
        .await
        .expect("listed")
        .into_inner();
    assert_eq!((listed.worlds.len(), listed.total_size), (1, 1));
    let world = &listed.worlds[0];
    assert_eq!(
        world.tip_hash,
        "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
    );
    assert_eq!(world.chainwork.len(), 64);
    assert_eq!(world.fork_hash, world.tip_hash);
    assert!(world.best && world.live && world.height == 0);
    assert_eq!(world.status(), WorldStatus::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn worlds_are_listed_best_first_over_pages_to_the_end() {
    let node = TestNode::lab().await;
    let trunk = node.mine(None, 3, None).await;
    for _ in 0..4 {
        node.mine(at(&trunk[0]), 1, None).await;
    }
    let mut seen = Vec::new();
    let mut request = v1::ListWorldsRequest {
        page_size: 2,
        ..Default::default()
    };
    loop {
        let page = node
            .worlds()
            .list_worlds(request.clone())
            .await
            .expect("a page")
            .into_inner();
        assert_eq!(page.total_size, 5);
        assert!(page.worlds.len() <= 2);
        seen.extend(page.worlds);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen.len(), 5);
    assert!(seen[0].best && seen[0].tip_hash == trunk[2]);
    for rival in &seen[1..] {
        assert!(!rival.best && rival.live);
        assert_eq!(rival.status(), WorldStatus::ValidFork);
        assert_eq!((&rival.fork_hash, rival.fork_height), (&trunk[0], 1));
    }
    let forks = v1::ListWorldsRequest {
        statuses: vec![WorldStatus::ValidFork.into()],
        ..Default::default()
    };
    let forks = node.worlds().list_worlds(forks).await.expect("forks");
    assert_eq!(forks.into_inner().worlds, seen[1..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_worlds_is_refused_once_the_list_has_changed() {
    let node = TestNode::lab().await;
    for _ in 0..2 {
        node.mine(at_height(0), 1, None).await;
    }
    let mut request = v1::ListWorldsRequest {
        page_size: 1,
        ..Default::default()
    };
    let page = node.worlds().list_worlds(request.clone()).await;
    request.page_token = page.expect("a page").into_inner().next_page_token;
    assert!(!request.page_token.is_empty());
    node.mine(None, 1, None).await;
    let wrong = refused_field(node.worlds().list_worlds(request).await, "page_token");
    assert!(wrong.contains("changed"), "{wrong}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_world_is_found_by_hash_height_best_and_nothing() {
    let node = TestNode::lab().await;
    let blocks = node.mine(None, 2, None).await;
    for (reference, height) in [
        (None, 2),
        (best(), 2),
        (at_height(1), 1),
        (at(&blocks[0]), 1),
        (at(&blocks[0].to_uppercase()), 1),
    ] {
        let request = v1::GetWorldRequest {
            world: reference.clone(),
        };
        let answer = node.worlds().get_world(request).await.expect("a world");
        let world = answer.into_inner().world.expect("set");
        assert_eq!(world.height, height, "{reference:?}");
        assert_eq!(world.best, height == 2);
        assert_eq!(world.status(), WorldStatus::Active);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_worlds_are_compared_from_one_tip_to_the_other() {
    let node = TestNode::lab().await;
    let trunk = node.mine(None, 3, None).await;
    let fork = node.mine(at(&trunk[0]), 1, None).await;
    let request = v1::CompareWorldsRequest {
        a: at(&trunk[2]),
        b: at(&fork[0]),
    };
    let answer = node
        .worlds()
        .compare_worlds(request)
        .await
        .expect("an answer");
    let answer = answer.into_inner();
    assert_eq!((&answer.fork_hash, answer.fork_height), (&trunk[0], 1));
    assert_eq!(answer.undone, [trunk[2].clone(), trunk[1].clone()]);
    assert_eq!(answer.applied, fork);
    assert_eq!(answer.a.expect("set").tip_hash, trunk[2]);
    assert_eq!(answer.b.expect("set").tip_hash, fork[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_streams_a_summary_and_then_what_it_counts() {
    let node = TestNode::lab().await;
    let story = node.play().await;
    let request = v1::DiffWorldsRequest {
        a: story.at("delivered"),
        b: story.at("double-spend"),
    };
    let mut parts = node
        .worlds()
        .diff_worlds(request)
        .await
        .expect("a stream")
        .into_inner();
    let Some(Part::Summary(summary)) = parts
        .message()
        .await
        .expect("a message")
        .and_then(|m| m.part)
    else {
        panic!("the summary comes first");
    };
    assert_eq!((summary.undone_count, summary.applied_count), (2, 3));
    let (mut coins, mut balances) = (Vec::new(), Vec::new());
    while let Some(message) = parts.message().await.expect("a message") {
        match message.part.expect("set") {
            Part::Summary(_) => panic!("there is one summary"),
            Part::Coins(more) => coins.extend(more.changes),
            Part::Balances(more) => balances.extend(more.changes),
        }
    }
    assert_eq!(coins.len() as u64, summary.coin_count);
    assert_eq!(balances.len() as u64, summary.balance_count);
    let bob = story.party("bob");
    let change = balances
        .iter()
        .find(|change| change.script_pubkey == bob.script_pubkey)
        .expect("Bob's balance differs");
    assert_eq!(
        (change.balance_a_sat, change.balance_b_sat),
        (20_0000_0000, 0)
    );
    assert_eq!(change.address, bob.address);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_longer_than_a_message_comes_in_several() {
    let node = TestNode::lab().await;
    let tip = node.mine(None, 1_000, None).await.pop();
    let tip = node.mine(at(&tip.expect("mined")), 10, None).await;
    let request = v1::DiffWorldsRequest {
        a: at_height(0),
        b: at(&tip[9]),
    };
    let answer = node.worlds().diff_worlds(request).await;
    let mut parts = answer.expect("a stream").into_inner();
    let mut messages = Vec::new();
    while let Some(message) = parts.message().await.expect("a message") {
        if let Some(Part::Coins(coins)) = message.part {
            messages.push(coins.changes.len());
        }
    }
    assert_eq!(messages, [1_000, 10]);
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_name_both_transactions_and_what_they_are_to_each_other() {
    let node = TestNode::lab().await;
    let story = node.play().await;
    let request = v1::ListConflictsRequest {
        a: story.at("delivered"),
        b: story.at("double-spend"),
        ..Default::default()
    };
    let answer = node.worlds().list_conflicts(request).await.expect("listed");
    let answer = answer.into_inner();
    assert_eq!(answer.conflicts.len(), 1);
    let conflict = &answer.conflicts[0];
    assert_eq!(conflict.kind(), v1::ConflictKind::DoubleSpend);
    assert_eq!(conflict.amount_sat, 50_0000_0000);
    assert_ne!(conflict.txid_a, conflict.txid_b);
    assert_eq!(conflict.script_pubkey, story.party("alice").script_pubkey);
    let world = answer.a.expect("set");
    assert_eq!(answer.fork_hash, world.fork_hash);

    let unlike = v1::ListConflictsRequest {
        a: story.at("delivered"),
        b: story.at("behind"),
        ..Default::default()
    };
    let answer = node.worlds().list_conflicts(unlike).await.expect("listed");
    assert!(answer.into_inner().conflicts.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_world_outlives_its_retirement_and_an_unpinned_one_does_not() {
    let node = TestNode::start(Shape {
        horizon: Some(5),
        ..Shape::default()
    })
    .await;
    let trunk = node.mine(None, 2, script([1])).await;
    let fork = node.mine(at(&trunk[0]), 1, script([2])).await;
    let request = v1::PinWorldRequest {
        world: at(&fork[0]),
        ttl: None,
    };
    let pin = node.worlds().pin_world(request).await.expect("pinned");
    let pin = pin.into_inner();
    assert!(pin.expire_time.is_some());
    assert_eq!(pin.world.as_ref().expect("set").tip_hash, fork[0]);
    node.mine(None, 60, None).await;

    let balance = |world| v1::GetBalanceRequest {
        world,
        script: script([2]),
    };
    let details = refused(
        node.ledger().get_balance(balance(at(&fork[0]))).await,
        Code::FailedPrecondition,
        ErrorReason::WorldRetired,
    );
    let metadata = &details.error_info().expect("set").metadata;
    assert_eq!(metadata["block_hash"], fork[0]);
    assert_eq!(metadata["horizon"], "5");
    let held = node
        .ledger()
        .get_balance(balance(pinned(&pin.pin_id)))
        .await;
    let held = held.expect("held").into_inner();
    assert_eq!(held.balance.expect("set").confirmed_sat, 50_0000_0000);
    let world = held.world.expect("set");
    assert!(!world.live && world.tip_hash == fork[0]);

    let unpin = v1::UnpinWorldRequest { pin_id: pin.pin_id };
    node.worlds()
        .unpin_world(unpin.clone())
        .await
        .expect("unpinned");
    refused(
        node.worlds().unpin_world(unpin.clone()).await,
        Code::NotFound,
        ErrorReason::WorldUnknown,
    );
    let details = refused(
        node.ledger()
            .get_balance(balance(pinned(&unpin.pin_id)))
            .await,
        Code::NotFound,
        ErrorReason::WorldUnknown,
    );
    assert_eq!(
        details.error_info().expect("set").metadata["pin_id"],
        unpin.pin_id
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pins_have_a_quota_and_an_end() {
    let mut shape = Shape::default();
    shape.grpc.pins.quota = 2;
    let node = TestNode::start(shape).await;
    let pin = |seconds| v1::PinWorldRequest {
        world: None,
        ttl: Some(prost_types::Duration { seconds, nanos: 0 }),
    };
    let first = node.worlds().pin_world(pin(600)).await.expect("pinned");
    node.worlds().pin_world(pin(600)).await.expect("pinned");
    let details = refused(
        node.worlds().pin_world(pin(600)).await,
        Code::ResourceExhausted,
        ErrorReason::PinQuota,
    );
    assert_eq!(details.error_info().expect("set").metadata["quota"], "2");
    let unpin = v1::UnpinWorldRequest {
        pin_id: first.into_inner().pin_id,
    };
    let unpinned = node.worlds().unpin_world(unpin).await;
    unpinned.expect("unpinned");
    let short = node.worlds().pin_world(pin(1)).await.expect("room again");
    let request = v1::GetWorldRequest {
        world: pinned(&short.into_inner().pin_id),
    };
    let begun = std::time::Instant::now();
    let gone = loop {
        let answer = node.worlds().get_world(request.clone()).await;
        if answer.is_err() {
            break answer;
        }
        assert!(begun.elapsed() < PATIENCE, "the pin has no end");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    refused(gone, Code::NotFound, ErrorReason::WorldUnknown);
    node.worlds().pin_world(pin(600)).await.expect("room again");
    refused_field(node.worlds().pin_world(pin(0)).await, "ttl");
    refused_field(node.worlds().pin_world(pin(-5)).await, "ttl");
    refused_field(node.worlds().pin_world(pin(i64::MIN)).await, "ttl");
}
