use super::*;

#[test]
fn names_are_in_order_so_that_they_are_found() {
    assert!(NAMES.is_sorted());
    for name in &NAMES[..KINDS - 1] {
        let command = Command::new(name).unwrap();
        assert_eq!(NAMES[kind(&command)], *name);
    }
    assert_eq!(kind(&Command::new("no such").unwrap()), KINDS - 1);
}

#[test]
fn tallies_are_by_name_and_the_shortest_ping_is_kept() {
    let mut counters = Counters::new(Duration::ZERO);
    let inv = Command::new("inv").unwrap();
    counters.count_received(&inv, 61);
    counters.count_received(&inv, 97);
    assert_eq!(counters.received_of(&inv).bytes, 158);
    assert_eq!(counters.received().count(), 1);
    for (since, until) in [(1, 3), (10, 11), (20, 25)] {
        counters.ping_since = Some(Duration::from_secs(since));
        counters.pong(Duration::from_secs(until));
    }
    assert_eq!(counters.min_ping, Some(Duration::from_secs(1)));
    assert_eq!(counters.ping, Some(Duration::from_secs(5)));
    counters.pong(Duration::from_secs(26));
    assert_eq!(counters.ping, Some(Duration::from_secs(5)));
}
