use super::*;

fn named(name: &str) -> Command {
    Command::new(name).unwrap()
}

#[test]
fn a_flood_is_dropped_and_who_goes_on_is_disconnected() {
    let mut buckets = Buckets::default();
    let ping = named("ping");
    let now = Duration::from_secs(1);
    let mut verdicts = (0..100 + FLOOD_PATIENCE).map(|_| buckets.take(&ping, 0, now));
    assert!(verdicts.by_ref().take(100).all(|v| v == Verdict::Pass));
    assert!(verdicts.all(|v| v == Verdict::Drop));
    assert_eq!(buckets.take(&ping, 0, now), Verdict::Disconnect);
    // Others are not drawn in.
    assert_eq!(buckets.take(&named("inv"), 0, now), Verdict::Pass);
}

#[test]
fn tokens_come_back_and_a_quiet_peer_is_forgiven() {
    let mut buckets = Buckets::default();
    let ping = named("ping");
    for _ in 0..200 {
        buckets.take(&ping, 0, Duration::ZERO);
    }
    assert_eq!(buckets.take(&ping, 0, Duration::ZERO), Verdict::Drop);
    assert_eq!(
        buckets.take(&ping, 0, Duration::from_secs(1)),
        Verdict::Pass
    );
    for _ in 0..FLOOD_PATIENCE - 100 {
        buckets.take(&ping, 0, Duration::from_secs(1));
    }
    for round in 0..10 {
        let now = Duration::from_secs(100 * (round + 1));
        for _ in 0..FLOOD_PATIENCE {
            assert_ne!(buckets.take(&ping, 0, now), Verdict::Disconnect);
        }
    }
}

#[test]
fn what_is_asked_for_has_no_rate_and_everything_has_a_length() {
    for name in ["block", "tx", "headers", "getdata", "cmpctblock"] {
        assert_eq!(rate_limit(&named(name)), None);
    }
    for name in crate::counters::NAMES {
        assert!(payload_limit(&named(name)) <= MAX_PAYLOAD);
    }
    assert!(payload_limit(&named("ping")) < 100);
    assert_eq!(payload_limit(&named("block")), MAX_PAYLOAD);
}

#[test]
fn long_messages_may_come_less_often_than_short_ones() {
    let unknown = named("nonsense");
    let mut buckets = Buckets::default();
    let longest = MAX_PAYLOAD as usize;
    let sent = (0..)
        .take_while(|_| buckets.take(&unknown, longest, Duration::ZERO) != Verdict::Disconnect);
    assert_eq!(sent.count(), 41, "21 that pass, and 20 that are dropped");
}
