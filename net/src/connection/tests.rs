use bitcoin::p2p::Magic;
use tokio::io::duplex;

use super::*;
use crate::message::{Command, Message};
use crate::peer::Purpose;
use crate::session::SessionConfig;

fn endpoint() -> crate::Endpoint {
    std::net::SocketAddr::from(([10, 0, 0, 1], 8333)).into()
}

#[tokio::test]
async fn a_connection_runs_over_anything_that_carries_bytes() {
    // Three bytes at a time.
    let (ours, theirs) = duplex(3);
    let config = SessionConfig::new(Magic::REGTEST);
    let called = tokio::spawn(Connection::start(
        theirs,
        endpoint(),
        Purpose::Inbound,
        config.clone(),
    ));
    // Two nodes, so two sets of nonces.
    let config = SessionConfig::new(Magic::REGTEST);
    let a = Connection::start(ours, endpoint(), Purpose::Manual, config).await;
    let a = a.unwrap();
    let mut b = called.await.unwrap().unwrap();
    assert!(a.info().session_id.is_some());
    let sent = Message::new(Command::new("tx").unwrap(), vec![5; 10_000]);
    a.send(sent.clone()).unwrap();
    assert_eq!(b.receive().await.unwrap(), sent);
    a.peer().drained().await;
    assert_eq!(a.close().await.to_string(), "disconnected: closed");
    assert_eq!(b.receive().await, Err(LostReason::Closed));
    assert_eq!(b.receive().await, Err(LostReason::Closed));
    assert_eq!(b.send(sent), Err(SendError::NotConnected));
}

#[tokio::test]
async fn what_no_peer_takes_is_not_queued() {
    let (ours, theirs) = duplex(100_000);
    let config = || SessionConfig::new(Magic::REGTEST);
    let called = Connection::start(theirs, endpoint(), Purpose::Inbound, config());
    let calling = Connection::start(ours, endpoint(), Purpose::Manual, config());
    let (a, _b) = tokio::join!(calling, called);
    let a = a.unwrap();
    let long = Message::new(Command::new("ping").unwrap(), vec![0; 1_000]);
    assert!(matches!(a.send(long), Err(SendError::TooLong { .. })));
    assert_eq!(a.peer().queued(), 0);
}

#[tokio::test]
async fn who_waits_for_a_queue_that_is_written_at_once_is_told() {
    let (ours, theirs) = duplex(10_000_000);
    let config = || SessionConfig::new(Magic::REGTEST);
    let called = Connection::start(theirs, endpoint(), Purpose::Inbound, config());
    let calling = Connection::start(ours, endpoint(), Purpose::Manual, config());
    let (a, b) = tokio::join!(calling, called);
    let (a, mut b) = (a.unwrap(), b.unwrap());
    for _ in 0..5 {
        a.send(Message::block(vec![1; 3_000_000])).unwrap();
        assert!(a.peer().queued() > DRAINED_BELOW);
        let drained = tokio::time::timeout(Duration::from_secs(30), a.peer().drained());
        drained.await.unwrap();
        b.receive().await.unwrap();
    }
}

#[tokio::test]
async fn who_no_longer_waits_for_a_handshake_ends_it() {
    let (ours, mut theirs) = duplex(100_000);
    let config = SessionConfig::new(Magic::REGTEST);
    let opening = Connection::start(ours, endpoint(), Purpose::Manual, config);
    let given_up = tokio::time::timeout(Duration::from_millis(50), opening).await;
    assert!(given_up.is_err());
    let mut sent = Vec::new();
    let end = tokio::io::AsyncReadExt::read_to_end(&mut theirs, &mut sent);
    let end = tokio::time::timeout(Duration::from_secs(30), end).await;
    assert!(end.unwrap().unwrap() >= 64);
}
