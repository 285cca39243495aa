//! Whom a pool calls and whom it leaves: its address book, seeds, feelers and bans.

use super::*;

#[tokio::test]
async fn the_banned_are_neither_let_in_nor_called() {
    let (pool, mut events) = start(listener());
    let now = pool.inner.unix_time();
    let subnet = "127.0.0.0/8".parse().unwrap();
    pool.bans().ban(subnet, now + 100, "test", now).unwrap();
    let mut socket = rogue(&pool).await;
    assert!(matches!(failed(&mut events).await, FailedReason::Banned));
    let read = socket.read(&mut [0; 1]).await;
    assert!(matches!(read, Ok(0)) || read.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    pool.shut_down().await;
}

#[tokio::test]
async fn addresses_of_the_book_are_called_and_what_was_learnt_outlives_the_pool() {
    let (b, mut at_b) = start(listener());
    let directory = tempfile::tempdir().unwrap();
    let keeping = || PoolConfig {
        outgoing: 1,
        block_relay_only: 1,
        one_per_group: false,
        directory: Some(directory.path().to_owned()),
        ..config()
    };
    let (a, mut at_a) = start(keeping());
    // Loopback addresses are not for the book; a call that was asked for is made once.
    a.connect(at(&b), Purpose::BlockRelayOnly);
    let info = established(&mut at_a).await;
    assert_eq!(info.purpose, Purpose::BlockRelayOnly);
    let seen = established(&mut at_b).await;
    assert!(!seen.relay);
    a.shut_down().await;
    assert_eq!(lost(&mut at_a).await, LostReason::ShutDown);

    // It is an anchor now, and called first.
    let (a, mut at_a) = start(keeping());
    let info = established(&mut at_a).await;
    assert_eq!(
        (info.purpose, info.endpoint),
        (Purpose::BlockRelayOnly, at(&b))
    );
    a.shut_down().await;
    b.shut_down().await;
}

#[tokio::test]
async fn a_feeler_asks_nothing_but_whether_somebody_is_there() {
    let (b, mut at_b) = start(listener());
    let (a, mut at_a) = start(config());
    a.connect(at(&b), Purpose::Feeler);
    established(&mut at_b).await;
    assert_eq!(lost(&mut at_b).await, LostReason::Closed);
    a.shut_down().await;
    assert!(at_a.next().await.is_none());
    b.shut_down().await;
}

#[tokio::test]
async fn one_call_more_is_wanted_for_ten_minutes_or_until_it_is_made() {
    let (b, mut at_b) = start(listener());
    let (a, mut at_a) = start(PoolConfig {
        outgoing: 1,
        ..config()
    });
    let wanted = || a.inner.state().outgoing(a.now());
    a.call_one_more();
    assert_eq!(wanted(), 2);
    let later = a.now() + ONE_MORE_LIMIT;
    assert_eq!(a.inner.state().outgoing(later), 1);
    a.connect(at(&b), Purpose::OutboundFullRelay);
    established(&mut at_a).await;
    established(&mut at_b).await;
    assert_eq!(wanted(), 2);
    let other = SocketAddr::from(([127, 0, 0, 1], 1)).into();
    let purpose = Purpose::OutboundFullRelay;
    let place = Place::take(&a.inner, &mut a.inner.state(), purpose, other);
    a.inner.state().established(place.peer().id());
    assert_eq!(wanted(), 1);
    drop(place);
    assert_eq!(wanted(), 1);
    a.shut_down().await;

    let (c, _events) = start(PoolConfig {
        outgoing: 1,
        connect: vec![at(&b)],
        ..config()
    });
    c.call_one_more();
    assert_eq!(c.inner.state().outgoing(c.now()), 1);
    c.shut_down().await;
    b.shut_down().await;
}

#[tokio::test]
async fn a_ban_ends_handshakes_too_and_holds_for_manual_peers() {
    let (b, mut at_b) = start(listener());
    let _silent = rogue(&b).await;
    let count = async {
        while b.disconnect_all(|endpoint| endpoint.is_local(), "banned") == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, count).await.unwrap();
    assert_eq!(end_of(&mut at_b).await.to_string(), "disconnected: banned");

    let (a, mut at_a) = start(config());
    let now = a.inner.unix_time();
    let subnet: crate::bans::Subnet = "127.0.0.0/8".parse().unwrap();
    let until = now + 1_000;
    a.bans().ban(subnet.clone(), until, "test", now).unwrap();
    a.connect(at(&b), Purpose::Manual);
    a.connect(at(&b), Purpose::Feeler);
    assert!(matches!(failed(&mut at_a).await, FailedReason::Banned));
    assert!(
        timeout(Duration::from_millis(700), at_a.next())
            .await
            .is_err()
    );
    assert!(a.bans().remove(&subnet));
    established(&mut at_a).await;
    a.shut_down().await;
    b.shut_down().await;
}

#[tokio::test]
async fn addresses_of_seeds_are_not_taken_for_fresh_and_what_is_not_written_stays_changed() {
    let directory = tempfile::tempdir().unwrap();
    let kept = directory.path().join("kept");
    let (pool, _events) = start(PoolConfig {
        directory: Some(kept.clone()),
        ..config()
    });
    let found: Vec<Endpoint> = (1..30u8)
        .map(|n| SocketAddr::from(([n, 2, 3, 4], 8333)).into())
        .filter(Endpoint::is_routable)
        .collect();
    let now = pool.inner.unix_time();
    calls::learn(&pool.inner, found, ServiceFlags::NONE, calls::SEED_AGE);
    assert!(pool.address_book().len() > 5);
    for known in pool.address_book().iter() {
        let days = (now - known.time) as f64 / 86_400.0;
        assert!((2.9..7.1).contains(&days), "{days}");
    }
    std::fs::remove_dir(&kept).unwrap();
    keep::write(&pool.inner, false);
    assert!(pool.address_book().is_changed());
    std::fs::create_dir(&kept).unwrap();
    keep::write(&pool.inner, false);
    assert!(!pool.address_book().is_changed());
    assert!(kept.join("peers.dat").exists());
    pool.shut_down().await;
}
