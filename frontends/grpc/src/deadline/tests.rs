//! Deadlines as the protocol writes them.

use std::time::{Duration, Instant};

use tonic::metadata::MetadataMap;

use super::{Deadline, Patience, parse_timeout};

fn asking(timeout: &str) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    metadata.insert("grpc-timeout", timeout.parse().unwrap());
    metadata
}

#[test]
fn every_unit_of_the_protocol_is_read_and_nothing_else() {
    for (text, time) in [
        ("1H", Duration::from_secs(3_600)),
        ("2M", Duration::from_secs(120)),
        ("3S", Duration::from_secs(3)),
        ("4m", Duration::from_millis(4)),
        ("5u", Duration::from_micros(5)),
        ("99999999n", Duration::from_nanos(99_999_999)),
        ("99999999H", Duration::from_secs(99_999_999 * 3_600)),
    ] {
        assert_eq!(parse_timeout(text), Some(time), "{text}");
    }
    for wrong in [
        "",
        "S",
        "1",
        "1s",
        "1x",
        "-1S",
        "+1S",
        "100000000S",
        "1 S",
        "1é",
    ] {
        assert_eq!(parse_timeout(wrong), None, "{wrong}");
    }
}

#[test]
fn the_earlier_of_client_and_server_counts_and_is_answered_a_little_before() {
    let from = Instant::now();
    let limit = Some(Duration::from_secs(10));
    for (deadline, limit) in [
        (Deadline::of(&asking("1S"), limit), Duration::from_secs(1)),
        (Deadline::of(&asking("60S"), limit), Duration::from_secs(10)),
        (
            Deadline::of(&MetadataMap::new(), limit),
            Duration::from_secs(10),
        ),
        (
            Deadline::of(&asking("nonsense"), limit),
            Duration::from_secs(10),
        ),
    ] {
        let at = deadline.0.unwrap();
        let margin = Duration::from_millis(500);
        assert!(at < from + limit + margin && at > from + limit - margin);
    }
    assert!(Deadline::of(&asking("99999999H"), None).0.is_some());
    assert!(Deadline::of(&MetadataMap::new(), None).0.is_none());
}

#[test]
fn work_learns_that_the_client_has_gone_or_the_time_is_up() {
    let (patience, client) = Patience::new(Deadline(None));
    assert!(patience.lasts());
    let stream = patience.without_client();
    drop(client);
    assert!(!patience.lasts() && patience.check().is_err());
    assert!(stream.lasts());
    let (patience, _client) = Patience::new(Deadline::of(&asking("0m"), None));
    assert!(!patience.lasts());
}
