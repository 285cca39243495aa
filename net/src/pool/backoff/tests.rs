use std::net::SocketAddr;

use super::*;

fn endpoint(port: u16) -> Endpoint {
    SocketAddr::from(([127, 0, 0, 1], port)).into()
}

#[test]
fn waits_double_up_to_the_limit_and_begin_again_after_an_answer() {
    let mut backoffs = Backoffs::new(BackoffConfig::default());
    let now = Duration::from_secs(5);
    let mut waits = Vec::new();
    for _ in 0..12 {
        backoffs.failed(&endpoint(1), now, 0.0, Duration::MAX, String::new());
        waits.push((backoffs.until(&endpoint(1), now).unwrap() - now).as_secs());
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    assert_eq!(backoffs.until(&endpoint(2), now), None);
    let failures = backoffs.failures(&endpoint(1)).unwrap();
    assert_eq!((failures.count, &*failures.reason), (12, ""));
    backoffs.answered(&endpoint(1));
    assert_eq!(backoffs.until(&endpoint(1), now), None);
    backoffs.failed(&endpoint(1), now, 1.0, Duration::MAX, String::new());
    assert_eq!(
        backoffs.until(&endpoint(1), now).unwrap() - now,
        Duration::from_millis(750)
    );
}

#[test]
fn no_more_than_a_bounded_number_is_remembered() {
    let mut backoffs = Backoffs::new(BackoffConfig::default());
    for port in 0..u16::MAX {
        backoffs.failed(
            &endpoint(port),
            Duration::ZERO,
            0.5,
            Duration::MAX,
            String::new(),
        );
    }
    assert!(backoffs.failed.len() <= MAX_REMEMBERED);
}

#[test]
fn who_is_wanted_is_called_again_sooner_and_the_last_reason_is_kept() {
    let mut backoffs = Backoffs::new(BackoffConfig::default());
    let (now, most) = (Duration::from_secs(5), Duration::from_secs(60));
    for attempt in 0..12 {
        backoffs.failed(&endpoint(1), now, 0.0, most, format!("attempt {attempt}"));
    }
    assert_eq!(backoffs.until(&endpoint(1), now), Some(now + most));
    let failures = backoffs.failures(&endpoint(1)).unwrap();
    assert_eq!(failures.reason, "attempt 11");
}
