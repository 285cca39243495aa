//! PeerService on a test double of the network: shapes, refusals, and streams that are not read.

use std::sync::Arc;
use std::time::Duration;

use everett_grpc::{BearerToken, GrpcConfig, StreamLimits};
use everett_node::{PeerEventKind, SyncPhase};
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::disconnect_peer_request::Peer as Named;
use everett_proto::v1::peer_service_client::PeerServiceClient;
use everett_tests::peers_double::{EVENTS, PeersDouble};
use tonic::transport::Channel;
use tonic::{Code, Request};

use crate::support::*;

type Client = PeerServiceClient<Channel>;

fn client(node: &TestNode) -> Client {
    PeerServiceClient::new(node.channel.clone())
}

/// A node with a network that is a test double.
async fn networked() -> (TestNode, Arc<PeersDouble>, Client) {
    let node = TestNode::start(Shape::default()).await;
    let double = Arc::new(PeersDouble::sample());
    node.node.handle().serve_peers(double.clone());
    let client = client(&node);
    (node, double, client)
}

fn by_id(id: u64) -> v1::DisconnectPeerRequest {
    v1::DisconnectPeerRequest {
        peer: Some(Named::PeerId(id)),
    }
}

fn by_address(address: &str) -> v1::DisconnectPeerRequest {
    v1::DisconnectPeerRequest {
        peer: Some(Named::Address(address.to_owned())),
    }
}

fn add(address: &str) -> v1::AddPeerRequest {
    v1::AddPeerRequest {
        address: address.to_owned(),
        once: false,
        v1: false,
    }
}

fn ban(subnet: &str, seconds: Option<i64>) -> v1::BanPeerRequest {
    v1::BanPeerRequest {
        subnet: subnet.to_owned(),
        duration: seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
    }
}

fn unban(subnet: &str) -> v1::UnbanPeerRequest {
    v1::UnbanPeerRequest {
        subnet: subnet.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_network_every_call_says_so_whatever_it_asks() {
    let node = TestNode::lab().await;
    let mut client = client(&node);
    macro_rules! disabled {
        ($call:expr) => {
            refused(
                $call.await,
                Code::FailedPrecondition,
                ErrorReason::NetworkDisabled,
            )
        };
    }
    disabled!(client.list_peers(v1::ListPeersRequest {}));
    disabled!(client.add_peer(add("")));
    disabled!(client.disconnect_peer(by_id(1)));
    disabled!(client.ban_peer(ban("", None)));
    disabled!(client.unban_peer(unban("")));
    disabled!(client.list_bans(v1::ListBansRequest {}));
    let answer = client
        .stream_peer_events(v1::StreamPeerEventsRequest {})
        .await;
    refused(
        answer.map(|_| ()),
        Code::FailedPrecondition,
        ErrorReason::NetworkDisabled,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_are_listed_with_all_that_is_known_of_them() {
    let (_node, double, mut client) = networked().await;
    let answer = client.list_peers(v1::ListPeersRequest {}).await.unwrap();
    let answer = answer.into_inner();
    let [first, second] = answer.peers.as_slice() else {
        panic!("{answer:?}");
    };
    assert_eq!((first.peer_id, second.peer_id), (1, 2));
    assert_eq!(first.address, "203.0.113.7:8333");
    assert_eq!(first.connection_type, "outbound-full-relay");
    assert_eq!(first.transport, "v2");
    assert_eq!(first.session_id, "ab".repeat(32));
    assert_eq!(first.service_names, ["NETWORK", "WITNESS", "P2P_V2"]);
    assert_eq!(first.services, 1 | 1 << 3 | 1 << 11);
    assert_eq!((first.bytes_received, first.bytes_sent), (2_300_064, 1_298));
    let commands: Vec<&str> = first.messages.iter().map(|m| m.command.as_str()).collect();
    assert_eq!(commands, ["block", "getdata", "ping"]);
    assert_eq!(first.ping.unwrap().nanos, 12_345_000);
    assert_eq!(first.time_offset.unwrap().seconds, -2);
    assert_eq!((first.best_height, first.common_height), (4_000, 1_000));
    assert_eq!(first.heights_in_flight, [1_001, 1_002, 1_003]);
    assert_eq!(first.features, ["sendtips"]);
    // What is not known is told as such.
    assert_eq!(second.transport, "v1");
    assert_eq!(second.session_id, "");
    assert_eq!(second.best_block_hash, "");
    assert_eq!((second.best_height, second.common_height), (-1, -1));
    assert_eq!(second.presync_height, -1);
    assert_eq!((second.ping, second.last_received_time), (None, None));
    assert_eq!(second.misbehavior, "sent a header without work");

    let sync = answer.sync.unwrap();
    assert_eq!(sync.phase(), v1::SyncPhase::Blocks);
    assert_eq!((sync.best_height, sync.header_height), (1_000, 4_000));
    assert_eq!((sync.blocks_in_flight, sync.branches_in_flight), (3, 1));
    assert_eq!(sync.remaining.unwrap().seconds, 90);
    assert_eq!(answer.listening_addresses, ["127.0.0.1:18444"]);
    assert_eq!(answer.added_peers[0].address, "203.0.113.7:8333");
    assert_eq!(answer.known_addresses, 42);
    assert_eq!(
        (answer.bytes_received, answer.bytes_sent),
        (7_000_000, 9_000)
    );

    for (phase, told) in [
        (SyncPhase::Waiting, v1::SyncPhase::Waiting),
        (SyncPhase::Presync, v1::SyncPhase::Presync),
        (SyncPhase::Headers, v1::SyncPhase::Headers),
        (SyncPhase::Synced, v1::SyncPhase::Synced),
    ] {
        double.change(|shown| {
            shown.progress.phase = phase;
            shown.progress.remaining = None;
        });
        let answer = client.list_peers(v1::ListPeersRequest {}).await.unwrap();
        let sync = answer.into_inner().sync.unwrap();
        assert_eq!((sync.phase(), sync.remaining), (told, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_is_added_once_and_its_address_has_a_port() {
    let (_node, _double, mut client) = networked().await;
    let answer = client.add_peer(add("192.0.2.1")).await.unwrap();
    assert_eq!(answer.into_inner().address, "192.0.2.1:18444");
    let details = refused(
        client.add_peer(add("192.0.2.1:18444")).await,
        Code::AlreadyExists,
        ErrorReason::PeerKnown,
    );
    let info = details.error_info().unwrap();
    assert_eq!(info.metadata["address"], "192.0.2.1:18444");
    for wrong in [
        "",
        "nowhere",
        "192.0.2.1:99999",
        "a\nb",
        &"7".repeat(100_000),
    ] {
        let said = refused_field(client.add_peer(add(wrong)).await, "address");
        assert!(said.len() < 1_000, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_ended_by_number_or_address() {
    let (_node, double, mut client) = networked().await;
    client.disconnect_peer(by_id(1)).await.unwrap();
    let details = refused(
        client.disconnect_peer(by_id(1)).await,
        Code::NotFound,
        ErrorReason::PeerUnknown,
    );
    assert_eq!(details.error_info().unwrap().metadata["peer_id"], "1");
    let address = "[2001:db8::9]:51000";
    client.disconnect_peer(by_address(address)).await.unwrap();
    assert!(double.change(|shown| shown.peers.is_empty()));
    let details = refused(
        client.disconnect_peer(by_address(address)).await,
        Code::NotFound,
        ErrorReason::PeerUnknown,
    );
    assert_eq!(details.error_info().unwrap().metadata["address"], address);
    refused_field(client.disconnect_peer(by_address("x")).await, "address");
    let nobody = v1::DisconnectPeerRequest { peer: None };
    refused_field(client.disconnect_peer(nobody).await, "peer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_lasts_a_day_unless_told_otherwise_and_can_be_taken_back() {
    let (_node, _double, mut client) = networked().await;
    for (seconds, lasts) in [(None, 86_400), (Some(60), 60)] {
        let request = ban("203.0.113.0/24", seconds);
        let answer = client.ban_peer(request).await.unwrap().into_inner();
        let ban = answer.ban.unwrap();
        assert_eq!(ban.subnet, "203.0.113.0/24");
        let (created, until) = (ban.create_time.unwrap(), ban.until_time.unwrap());
        assert_eq!(until.seconds - created.seconds, lasts);
    }
    let bans = client.list_bans(v1::ListBansRequest {}).await.unwrap();
    let subnets = bans.into_inner().bans.into_iter().map(|ban| ban.subnet);
    let subnets: Vec<String> = subnets.collect();
    assert_eq!(subnets, ["198.51.100.0/24", "203.0.113.0/24"]);
    client.unban_peer(unban("203.0.113.0/24")).await.unwrap();
    let details = refused(
        client.unban_peer(unban("203.0.113.0/24")).await,
        Code::NotFound,
        ErrorReason::PeerUnknown,
    );
    let info = details.error_info().unwrap();
    assert_eq!(info.metadata["subnet"], "203.0.113.0/24");
    for wrong in ["", "everybody", &"1".repeat(10_000)] {
        refused_field(client.ban_peer(ban(wrong, None)).await, "subnet");
        refused_field(client.unban_peer(unban(wrong)).await, "subnet");
    }
    for seconds in [0, -1, i64::MAX, i64::MIN, 200 * 365 * 86_400] {
        let request = ban("192.0.2.1", Some(seconds));
        refused_field(client.ban_peer(request).await, "duration");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_told_and_whoever_does_not_read_learns_how_many_are_gone() {
    let (_node, double, mut client) = networked().await;
    let request = v1::StreamPeerEventsRequest {};
    let mut events = client
        .stream_peer_events(request)
        .await
        .unwrap()
        .into_inner();
    double.tell(PeerEventKind::Established, Some(7));
    let event = events.message().await.unwrap().unwrap();
    assert_eq!(event.kind(), v1::PeerEventKind::Established);
    assert_eq!((event.peer_id, event.missed), (7, 0));
    assert_eq!(event.address, "203.0.113.7:8333");
    assert_eq!((event.reason.as_str(), event.time.is_some()), ("", true));
    double.tell(PeerEventKind::Failed("refused".to_owned()), None);
    let event = events.message().await.unwrap().unwrap();
    assert_eq!(event.kind(), v1::PeerEventKind::Failed);
    assert_eq!((event.peer_id, event.reason.as_str()), (0, "refused"));

    // More than all that stands between the two: the transport's window, the queue, the network's own.
    const FLOOD: u64 = 20_000;
    let long = "x".repeat(1_000);
    for number in 0..FLOOD {
        double.tell(PeerEventKind::Lost(long.clone()), Some(number));
        if number % EVENTS as u64 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let (mut told, mut missed) = (0, 0);
    loop {
        let event = events.message().await.unwrap().unwrap();
        told += 1;
        missed += event.missed;
        if event.peer_id == FLOOD - 1 {
            break;
        }
    }
    assert_eq!(told + missed, FLOOD);
    assert!(missed > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_deadline_and_with_the_node() {
    let (node, double, mut client) = networked().await;
    let request = v1::StreamPeerEventsRequest {};
    let mut events = client
        .stream_peer_events(request)
        .await
        .unwrap()
        .into_inner();
    let mut request = Request::new(v1::StreamPeerEventsRequest {});
    request.set_timeout(Duration::from_secs(1));
    let mut ending = client
        .stream_peer_events(request)
        .await
        .unwrap()
        .into_inner();
    let ended = ending.message().await.expect_err("the deadline");
    assert_eq!(ended.code(), Code::DeadlineExceeded);

    // The one without a deadline goes on, until the node stops.
    double.tell(PeerEventKind::Established, Some(1));
    events.message().await.unwrap().unwrap();
    node.node.stop().await;
    refused(
        events.message().await,
        Code::Unavailable,
        ErrorReason::ShuttingDown,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_no_more_streams_than_allowed() {
    let shape = Shape {
        grpc: GrpcConfig {
            streams: StreamLimits {
                max_streams: 2,
                ..StreamLimits::default()
            },
            ..Shape::default().grpc
        },
        ..Shape::default()
    };
    let node = TestNode::start(shape).await;
    let double = Arc::new(PeersDouble::sample());
    node.node.handle().serve_peers(double.clone());
    let mut client = client(&node);
    let mut open = Vec::new();
    for _ in 0..2 {
        let request = v1::StreamPeerEventsRequest {};
        open.push(client.stream_peer_events(request).await.unwrap());
    }
    let request = v1::StreamPeerEventsRequest {};
    let answer = client.stream_peer_events(request).await;
    refused(
        answer.map(|_| ()),
        Code::ResourceExhausted,
        ErrorReason::Overloaded,
    );
    // Whoever goes away makes room.
    open.pop();
    let started = std::time::Instant::now();
    loop {
        let request = v1::StreamPeerEventsRequest {};
        if client.stream_peer_events(request).await.is_ok() {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_guards_peers_too() {
    let shape = Shape {
        grpc: GrpcConfig {
            token: Some(BearerToken::new("open-sesame").unwrap()),
            ..Shape::default().grpc
        },
        ..Shape::default()
    };
    let node = TestNode::start(shape).await;
    node.node
        .handle()
        .serve_peers(Arc::new(PeersDouble::sample()));
    let mut client = client(&node);
    refused(
        client.list_peers(v1::ListPeersRequest {}).await,
        Code::Unauthenticated,
        ErrorReason::Unauthenticated,
    );
    let mut request = Request::new(v1::ListPeersRequest {});
    let token = "Bearer open-sesame".parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    client.list_peers(request).await.unwrap();
}
