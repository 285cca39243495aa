//! Listening, TLS, tokens, health, reflection, the end.

use std::path::Path;
use std::time::Duration;

use everett_grpc::{BearerToken, Grpc, GrpcConfig, GrpcError, TlsFiles};
use everett_node::{Node, NodeError, Phase};
use everett_proto::v1;
use everett_proto::v1::ErrorReason;
use everett_proto::v1::world_service_client::WorldServiceClient;
use tempfile::TempDir;
use tokio_stream::StreamExt;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::support::*;

fn guarded(token: &str) -> Shape {
    let mut shape = Shape::default();
    shape.grpc.token = Some(BearerToken::new(token).expect("a token"));
    shape
}

fn with_token(value: &str) -> Request<v1::GetWorldRequest> {
    let mut request = Request::new(v1::GetWorldRequest::default());
    let value = value.parse().expect("a header value");
    request.metadata_mut().insert("authorization", value);
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_token_is_let_in_and_nobody_else() {
    let node = TestNode::start(guarded("open-sesame")).await;
    let mut worlds = node.worlds();
    let (code, reason) = (Code::Unauthenticated, ErrorReason::Unauthenticated);
    refused(
        worlds.get_world(v1::GetWorldRequest::default()).await,
        code,
        reason,
    );
    for wrong in [
        "Bearer open-sesam",
        "Bearer open-sesame2",
        "Bearer ",
        "Basic open-sesame",
        "open-sesame",
        "",
    ] {
        refused(worlds.get_world(with_token(wrong)).await, code, reason);
    }
    for right in ["Bearer open-sesame", "bearer open-sesame"] {
        worlds.get_world(with_token(right)).await.expect("let in");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_without_a_token_and_reflection_is_not() {
    let node = TestNode::start(guarded("open-sesame")).await;
    let mut health = HealthClient::new(node.channel.clone());
    health
        .check(HealthCheckRequest::default())
        .await
        .expect("told");
    let refused = ServerReflectionClient::new(node.channel.clone())
        .server_reflection_info(tokio_stream::iter([list_services()]))
        .await;
    assert_eq!(
        refused.expect_err("a refusal").code(),
        Code::Unauthenticated
    );
}

#[test]
fn a_token_is_visible_ascii_and_never_printed() {
    for wrong in ["", " ", "two words", "tab\tbed", "é"] {
        assert!(BearerToken::new(wrong).is_err(), "{wrong:?}");
    }
    let token = BearerToken::new("secret\n").expect("a file's last newline");
    assert!(!format!("{token:?}").contains("secret"));
}

async fn start_error(grpc: GrpcConfig) -> String {
    let directory = TempDir::new().expect("a directory");
    let config = node_config(&Shape::default(), &directory);
    let started = Node::builder(config)
        .frontend(Grpc::new(grpc))
        .start()
        .await;
    match started.err().expect("a refusal") {
        NodeError::Frontend { name, source } => {
            assert_eq!(name, "grpc");
            assert!(source.downcast_ref::<GrpcError>().is_some());
            source.to_string()
        }
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listening_beyond_loopback_takes_a_token_or_a_decision() {
    let open = GrpcConfig {
        listen: "0.0.0.0:0".parse().expect("an address"),
        ..GrpcConfig::default()
    };
    let refused = start_error(open.clone()).await;
    assert!(refused.contains("without a token"), "{refused}");
    let shape = Shape {
        grpc: GrpcConfig {
            allow_open: true,
            ..open.clone()
        },
        ..Shape::default()
    };
    TestNode::start(shape).await.node.stop().await;
    let mut shape = guarded("secret");
    shape.grpc.listen = open.listen;
    TestNode::start(shape).await.node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named() {
    let node = TestNode::lab().await;
    let taken = node.address.get().expect("bound");
    let refused = start_error(GrpcConfig {
        listen: taken,
        ..GrpcConfig::default()
    })
    .await;
    assert!(refused.contains(&taken.to_string()), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_zero_is_refused() {
    let refused = start_error(GrpcConfig {
        max_calls: 0,
        ..GrpcConfig::default()
    })
    .await;
    assert!(refused.contains("max_calls"), "{refused}");
}

/// A certificate for `localhost` and its key, in files.
fn identity(directory: &Path) -> (TlsFiles, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]);
    let made = made.expect("a certificate");
    let files = TlsFiles {
        certificate: directory.join("certificate.pem"),
        key: directory.join("key.pem"),
    };
    std::fs::write(&files.certificate, made.cert.pem()).expect("written");
    std::fs::write(&files.key, made.signing_key.serialize_pem()).expect("written");
    (files, made.cert.pem())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_serves_who_trusts_the_certificate_and_nobody_in_the_clear() {
    let directory = TempDir::new().expect("a directory");
    let (files, certificate) = identity(directory.path());
    let mut shape = Shape::default();
    shape.grpc.tls = Some(files);
    let node = TestNode::start(shape).await;
    let port = node.address.get().expect("bound").port();

    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(certificate))
        .domain_name("localhost");
    let channel = Channel::from_shared(format!("https://127.0.0.1:{port}"))
        .expect("a URI")
        .tls_config(tls)
        .expect("settings")
        .connect()
        .await
        .expect("connected");
    WorldServiceClient::new(channel)
        .get_world(v1::GetWorldRequest::default())
        .await
        .expect("served");

    let clear = node
        .worlds()
        .get_world(v1::GetWorldRequest::default())
        .await;
    clear.expect_err("no plain text");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_files_that_cannot_be_used_are_named() {
    let directory = TempDir::new().expect("a directory");
    let (files, _) = identity(directory.path());
    let missing = TlsFiles {
        key: directory.path().join("missing.pem"),
        ..files.clone()
    };
    let swapped = TlsFiles {
        certificate: files.key.clone(),
        key: files.certificate.clone(),
    };
    for (tls, named) in [(missing, "missing.pem"), (swapped, "key.pem")] {
        let refused = start_error(GrpcConfig {
            listen: "127.0.0.1:0".parse().expect("an address"),
            tls: Some(tls),
            ..GrpcConfig::default()
        })
        .await;
        assert!(refused.contains(named), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_follows_whether_the_node_catches_up() {
    let node = TestNode::lab().await;
    let mut health = HealthClient::new(node.channel.clone());
    for service in ["", "everett.v1.WorldService", "everett.v1.LabService"] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let mut told = health.watch(request).await.expect("told").into_inner();
        let mut next = async || told.message().await.expect("told").expect("more").status();
        assert_eq!(next().await, ServingStatus::Serving, "{service}");
        node.node.handle().set_phase(Phase::CatchingUp);
        assert_eq!(next().await, ServingStatus::NotServing, "{service}");
        node.node.handle().set_phase(Phase::Ready);
        assert_eq!(next().await, ServingStatus::Serving, "{service}");
    }
}

fn list_services() -> ServerReflectionRequest {
    ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_lists_the_services() {
    let node = TestNode::lab().await;
    let mut answers = ServerReflectionClient::new(node.channel.clone())
        .server_reflection_info(tokio_stream::iter([list_services()]))
        .await
        .expect("a stream")
        .into_inner();
    let answer = answers.message().await.expect("told").expect("an answer");
    let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
        panic!("{answer:?}");
    };
    let mut names: Vec<&str> = list.service.iter().map(|service| &*service.name).collect();
    names.sort_unstable();
    for expected in [
        "everett.v1.ChainService",
        "everett.v1.LabService",
        "everett.v1.LedgerService",
        "everett.v1.WorldService",
        "grpc.health.v1.Health",
    ] {
        assert!(names.contains(&expected), "{expected} in {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_finishes_its_calls_and_serves_no_more() {
    let node = TestNode::lab().await;
    let mut lab = node.make();
    let work = tokio::spawn(async move {
        let request = v1::MineBlocksRequest {
            count: 200,
            ..Default::default()
        };
        lab.mine_blocks(request).await
    });
    node.has_mined().await;
    let mut health = HealthClient::new(node.channel.clone());
    let watch = health.watch(HealthCheckRequest::default()).await;
    let mut watch = watch.expect("told").into_inner();
    let stop = tokio::spawn(node.node.stop());
    let mined = work.await.expect("ran").expect("finished");
    assert_eq!(mined.into_inner().block_hashes.len(), 200);
    let mut last = ServingStatus::Serving;
    while let Some(Ok(told)) = watch.next().await {
        last = told.status();
        if last == ServingStatus::NotServing {
            break;
        }
    }
    assert_eq!(last, ServingStatus::NotServing);
    drop((watch, health));
    stop.await.expect("stopped");
    let mut worlds = WorldServiceClient::new(node.channel.clone());
    let cut = worlds.get_world(v1::GetWorldRequest::default()).await;
    cut.expect_err("the connection is closed, or being closed");
    let late = worlds.get_world(v1::GetWorldRequest::default()).await;
    assert_eq!(late.expect_err("gone").code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_only_waits_for_news_does_not_keep_the_node_from_stopping() {
    let directory = TempDir::new().expect("a directory");
    let shape = Shape::default();
    for _ in 0..2 {
        let grpc = Grpc::new(shape.grpc.clone());
        let address = grpc.bound_address();
        // The second round also shows that the first one let go of the directory.
        let node = Node::builder(node_config(&shape, &directory))
            .frontend(grpc)
            .start()
            .await
            .expect("the node starts");
        let uri = format!("http://{}", address.get().expect("bound"));
        let channel = Channel::from_shared(uri).expect("a URI").connect_lazy();
        let mut health = HealthClient::new(channel);
        let watch = health.watch(HealthCheckRequest::default()).await;
        let watch = watch.expect("told").into_inner();
        // Because the client is told, and long before the node's grace ends.
        tokio::time::timeout(PATIENCE, node.stop())
            .await
            .expect("in time");
        drop(watch);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_wait_for_one_to_end() {
    let mut shape = Shape::default();
    shape.grpc.max_connections = 1;
    let node = TestNode::start(shape).await;
    let ask = |channel: &Channel| {
        let mut worlds = WorldServiceClient::new(channel.clone());
        async move { worlds.get_world(v1::GetWorldRequest::default()).await }
    };
    let uri = format!("http://{}", node.address.get().expect("bound"));
    let first = Channel::from_shared(uri).expect("a URI").connect_lazy();
    ask(&first).await.expect("served");
    let second = node.channel.clone();
    let waiting = tokio::spawn(async move { ask(&second).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!waiting.is_finished());
    drop(first);
    waiting.await.expect("ran").expect("served in turn");
}
