//! EventService: what a client is told, from where it likes, and how it learns what it missed.

use std::time::Duration;

use everett_proto::v1;
use everett_proto::v1::event_service_client::EventServiceClient;
use everett_proto::v1::stream_events_request::Start;
use everett_proto::v1::stream_events_response::Message;
use everett_proto::v1::{ErrorReason, EventKind};
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::support::*;

type Events = Streaming<v1::StreamEventsResponse>;

fn client(node: &TestNode) -> EventServiceClient<Channel> {
    EventServiceClient::new(node.channel.clone())
}

async fn open(node: &TestNode, request: v1::StreamEventsRequest) -> Events {
    let stream = client(node).stream_events(request).await;
    stream.expect("a stream").into_inner()
}

async fn message(events: &mut Events) -> Message {
    let message = tokio::time::timeout(PATIENCE, events.message()).await;
    let message = message.expect("in time").expect("no failure");
    message.expect("no end").message.expect("set")
}

/// The next event; heartbeats are passed over.
async fn event(events: &mut Events) -> v1::Event {
    loop {
        if let Message::Event(event) = message(events).await {
            return event;
        }
    }
}

fn named(name: &str) -> v1::StreamEventsRequest {
    v1::StreamEventsRequest {
        subscriber: name.to_owned(),
        ..Default::default()
    }
}

fn kinds(kinds: &[EventKind]) -> Vec<i32> {
    kinds.iter().map(|kind| (*kind).into()).collect()
}

#[tokio::test]
async fn a_subscriber_goes_on_after_what_it_acknowledged() {
    let node = TestNode::lab().await;
    let mut events = open(&node, named("indexer")).await;
    let blocks = node.mine(None, 3, None).await;
    let mut best = Vec::new();
    let mut last = None;
    while best.len() < 3 {
        let event = event(&mut events).await;
        if event.kind() == EventKind::BestChanged {
            assert_eq!(event.applied, std::slice::from_ref(&event.to_hash));
            best.push(event.to_hash.clone());
            if best.len() == 2 {
                last = event.cursor.clone();
            }
        }
    }
    assert_eq!(best, blocks);
    drop(events);
    let ack = v1::AckEventsRequest {
        subscriber: "indexer".to_owned(),
        cursor: last,
    };
    client(&node).ack_events(ack).await.expect("noted");

    let mut again = open(&node, named("indexer")).await;
    loop {
        let event = event(&mut again).await;
        if event.kind() == EventKind::BestChanged {
            assert_eq!((&event.from_hash, &event.to_hash), (&blocks[1], &blocks[2]));
            assert_eq!((event.from_height, event.to_height), (2, 3));
            break;
        }
    }

    let list = client(&node)
        .list_subscribers(v1::ListSubscribersRequest {})
        .await;
    let list = list.expect("an answer").into_inner();
    let [subscriber] = &list.subscribers[..] else {
        panic!("{list:?}");
    };
    assert_eq!(subscriber.name, "indexer");
    assert!(subscriber.lag_events > 0 && subscriber.missed_events == 0);
    assert_eq!(
        subscriber.cursor.as_ref().expect("set").seq + subscriber.lag_events,
        list.next_seq
    );
    let delete = v1::DeleteSubscriberRequest {
        subscriber: "indexer".to_owned(),
    };
    client(&node)
        .delete_subscriber(delete.clone())
        .await
        .expect("there");
    let gone = client(&node).delete_subscriber(delete).await;
    refused(gone, Code::NotFound, ErrorReason::SubscriberUnknown);
}

#[tokio::test]
async fn the_nodes_own_subscribers_are_nobody_elses() {
    let node = TestNode::lab().await;
    let own = "everett.log".to_owned();
    let stream = v1::StreamEventsRequest {
        subscriber: own.clone(),
        ..Default::default()
    };
    refused_field(client(&node).stream_events(stream).await, "subscriber");
    let delete = v1::DeleteSubscriberRequest {
        subscriber: own.clone(),
    };
    refused_field(client(&node).delete_subscriber(delete).await, "subscriber");
    let acknowledge = v1::AckEventsRequest {
        subscriber: own,
        ..Default::default()
    };
    refused_field(client(&node).ack_events(acknowledge).await, "subscriber");
}

#[tokio::test]
async fn a_client_that_knows_a_block_of_a_lost_branch_is_led_to_the_best_one() {
    let node = TestNode::lab().await;
    let story = node.play().await;
    let best = node.node.handle().ledger().best();
    let lost = node
        .node
        .handle()
        .ledger()
        .tips()
        .into_iter()
        .find(|tip| tip.hash != best.hash())
        .expect("a rival");
    assert!(!story.0.blocks.is_empty());
    for policy in [v1::EventPolicy::Lossless, v1::EventPolicy::Conflating] {
        let mut events = open(
            &node,
            v1::StreamEventsRequest {
                policy: policy.into(),
                start: Some(Start::Locator(v1::BlockLocator {
                    block_hashes: vec![nowhere(), lost.hash.to_string()],
                })),
                ..Default::default()
            },
        )
        .await;
        let step = event(&mut events).await;
        assert_eq!(step.kind(), EventKind::BestChanged);
        assert_eq!(step.seq, None);
        assert_eq!(step.from_hash, lost.hash.to_string());
        assert_eq!(step.to_hash, best.hash().to_string());
        assert_eq!(step.fork_hash, lost.fork_hash.to_string());
        assert_eq!(step.undone.first(), Some(&step.from_hash));
        assert_eq!(step.applied.last(), Some(&step.to_hash));
    }
}

#[tokio::test]
async fn watched_scripts_are_told_with_what_they_had_and_have() {
    let node = TestNode::lab().await;
    let mine = script([0x51]);
    let watch = v1::StreamEventsRequest {
        watch: vec![mine.clone().expect("a script")],
        only_watched: true,
        kinds: kinds(&[EventKind::BestChanged]),
        ..Default::default()
    };
    let mut events = open(&node, watch).await;
    node.mine(None, 1, script([0x52])).await;
    let paid = node.mine(None, 1, mine).await;
    let event = event(&mut events).await;
    assert_eq!(
        event.to_hash, paid[0],
        "the block before paid somebody else"
    );
    let [change] = &event.changes[..] else {
        panic!("{event:?}");
    };
    let (before, after) = (
        change.before.as_ref().expect("set"),
        change.after.as_ref().expect("set"),
    );
    assert_eq!((before.confirmed_sat, before.utxo_count), (0, 0));
    assert_eq!((after.confirmed_sat, after.utxo_count), (5_000_000_000, 1));
    assert_eq!(
        (change.confirmed_delta_sat, change.utxo_delta),
        (5_000_000_000, 1)
    );
    assert!(!event.changes_unknown);

    // Taken back by hand: the chain gets shorter, the balance goes.
    let invalidate = v1::InvalidateBlockRequest {
        block_hash: paid[0].clone(),
    };
    node.make()
        .invalidate_block(invalidate)
        .await
        .expect("done");
    let event = self::event(&mut events).await;
    assert_eq!((event.from_height, event.to_height), (2, 1));
    // The world that was left is invalid: no balance can be read there, but what went is known.
    let [change] = &event.changes[..] else {
        panic!("{event:?}");
    };
    assert_eq!((&change.before, event.changes_unknown), (&None, false));
    assert_eq!(change.after.as_ref().expect("set").confirmed_sat, 0);
    assert_eq!(
        (change.confirmed_delta_sat, change.utxo_delta),
        (-5_000_000_000, -1)
    );
}

#[tokio::test]
async fn conflicts_are_told_as_they_are_found() {
    let node = TestNode::lab().await;
    let mut events = open(
        &node,
        v1::StreamEventsRequest {
            kinds: kinds(&[EventKind::ConflictFound]),
            ..Default::default()
        },
    )
    .await;
    node.play().await;
    let event = event(&mut events).await;
    assert_eq!(event.kind(), EventKind::ConflictFound);
    let [conflict] = &event.conflicts[..] else {
        panic!("{event:?}");
    };
    assert_eq!(conflict.kind(), v1::ConflictKind::DoubleSpend);
    assert_eq!(
        (&conflict.block_a, &conflict.block_b),
        (&event.from_hash, &event.to_hash)
    );
    assert_ne!(conflict.txid_a, conflict.txid_b);
}

#[tokio::test]
async fn where_nothing_happens_there_are_heartbeats_and_filters_do_not_hide_the_cursor() {
    let node = TestNode::lab().await;
    let request = v1::StreamEventsRequest {
        kinds: kinds(&[EventKind::TipRetired]),
        heartbeat: Some(prost_types::Duration {
            seconds: 1,
            nanos: 0,
        }),
        ..Default::default()
    };
    let mut events = open(&node, request).await;
    let blocks = node.mine(None, 2, None).await;
    loop {
        let Message::Heartbeat(heartbeat) = message(&mut events).await else {
            panic!("no event of this kind happened");
        };
        if heartbeat.cursor.expect("set").block_hash == blocks[1] {
            break;
        }
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_told_where_it_was() {
    let mut shape = Shape::default();
    shape.grpc.streams.slow_consumer = Duration::from_millis(300);
    let node = TestNode::start(shape).await;
    let mut events = open(&node, v1::StreamEventsRequest::default()).await;
    // More than the queue and the transport's windows hold.
    let mut blocks = Vec::new();
    for _ in 0..4 {
        blocks = node.mine(None, 1_000, None).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (mut told, mut last) = (0, None);
    let failure = loop {
        let message = tokio::time::timeout(PATIENCE, events.message()).await;
        match message.expect("the stream is cut off") {
            Ok(Some(message)) => {
                let Some(Message::Event(event)) = message.message else {
                    continue;
                };
                told += 1;
                last = event.cursor;
            }
            Ok(None) => panic!("an end without a word"),
            Err(failure) => break failure,
        }
    };
    let details = refused::<()>(
        Err(failure),
        Code::ResourceExhausted,
        ErrorReason::SlowConsumer,
    );
    let metadata = &details.error_info().expect("set").metadata;
    let last = last.expect("some were told");
    assert_eq!(metadata["seq"], last.seq.to_string());
    assert_eq!(metadata["block_hash"], last.block_hash);
    assert!(told > 0);

    // It goes on from there, and has missed nothing.
    let request = v1::StreamEventsRequest {
        start: Some(Start::Cursor(last.clone())),
        ..Default::default()
    };
    let mut events = open(&node, request).await;
    let mut next = last.seq;
    loop {
        let event = event(&mut events).await;
        assert_eq!(event.seq, Some(next));
        next += 1;
        if event.kind() == EventKind::BestChanged && event.to_hash == blocks[999] {
            break;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_streamed_is_refused_with_the_field() {
    let node = TestNode::lab().await;
    let ask = |request| async { client(&node).stream_events(request).await };
    let request = v1::StreamEventsRequest {
        policy: 7,
        ..Default::default()
    };
    refused_field(ask(request).await, "policy");
    let request = v1::StreamEventsRequest {
        kinds: vec![1, 0],
        ..Default::default()
    };
    refused_field(ask(request).await, "kinds[1]");
    let request = v1::StreamEventsRequest {
        only_watched: true,
        ..Default::default()
    };
    refused_field(ask(request).await, "only_watched");
    let request = v1::StreamEventsRequest {
        start: Some(Start::Now(false)),
        ..Default::default()
    };
    refused_field(ask(request).await, "now");
    let request = v1::StreamEventsRequest {
        start: Some(Start::Locator(v1::BlockLocator::default())),
        ..Default::default()
    };
    refused_field(ask(request).await, "locator.block_hashes");
    refused_field(ask(named(&"n".repeat(401))).await, "subscriber");
    let request = v1::StreamEventsRequest {
        heartbeat: Some(prost_types::Duration::default()),
        ..Default::default()
    };
    refused_field(ask(request).await, "heartbeat");
    let request = v1::StreamEventsRequest {
        start: Some(Start::Locator(v1::BlockLocator {
            block_hashes: vec![nowhere()],
        })),
        ..Default::default()
    };
    refused(
        ask(request).await,
        Code::NotFound,
        ErrorReason::BlockUnknown,
    );

    let genesis = node
        .node
        .handle()
        .ledger()
        .world_at_height(0)
        .expect("there");
    let cursor = v1::EventCursor {
        seq: 1_000_000,
        block_hash: genesis.hash().to_string(),
    };
    let request = v1::StreamEventsRequest {
        start: Some(Start::Cursor(cursor.clone())),
        ..Default::default()
    };
    let mut events = match ask(request).await {
        Ok(events) => events.into_inner(),
        Err(failure) => {
            refused::<()>(Err(failure), Code::OutOfRange, ErrorReason::CursorAhead);
            return;
        }
    };
    let answer = events.message().await;
    refused(answer, Code::OutOfRange, ErrorReason::CursorAhead);
    let ack = v1::AckEventsRequest {
        subscriber: "nobody".to_owned(),
        cursor: Some(v1::EventCursor { seq: 0, ..cursor }),
    };
    let answer = client(&node).ack_events(ack).await;
    refused(answer, Code::NotFound, ErrorReason::SubscriberUnknown);
}

#[tokio::test]
async fn streams_have_a_quota_and_end_with_the_node() {
    let mut shape = Shape::default();
    shape.grpc.streams.max_streams = 1;
    let node = TestNode::start(shape).await;
    let mut events = open(&node, v1::StreamEventsRequest::default()).await;
    let second = client(&node)
        .stream_events(v1::StreamEventsRequest::default())
        .await;
    refused(second, Code::ResourceExhausted, ErrorReason::Overloaded);
    node.node.stop().await;
    let end = events.message().await;
    refused(end, Code::Unavailable, ErrorReason::ShuttingDown);
}
