use std::collections::HashSet;
use std::fs;

use bitcoin::Network;
use bitcoin::p2p::address::AddrV2;
use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_700_000_000;

fn book() -> AddressBook {
    AddressBook::new([7; 32])
}

fn at(text: &str) -> Endpoint {
    text.parse().unwrap()
}

fn source() -> Endpoint {
    at("250.1.2.1:8333")
}

fn message(endpoint: &Endpoint) -> AddrV2Message {
    endpoint.to_message(NOW as u32, ServiceFlags::NETWORK)
}

/// The n-th of many addresses that can be called, each of a group of its own up to some 50,000.
fn nth(number: u32) -> Endpoint {
    let number = number.wrapping_mul(0x9e37_79b1);
    let [a, b, c, d] = number.to_be_bytes();
    Endpoint::new(AddrV2::Ipv4([11 + a % 80, b, c, d].into()), 8333)
}

fn fill(book: &mut AddressBook, count: u32) {
    for number in 0..count {
        book.add(
            &[message(&nth(number))],
            &nth(1_000_000 + number / 10),
            0,
            NOW,
        );
    }
}

/// That tables, counts and orders tell the same story, as Bitcoin Core's `CheckAddrman`.
fn check(book: &AddressBook) {
    let mut counts: HashMap<NetworkKind, Count> = HashMap::new();
    assert_eq!(book.order.len(), book.entries.len());
    assert_eq!(book.by_endpoint.len(), book.entries.len());
    for (id, entry) in &book.entries {
        assert_eq!(book.by_endpoint.get(&entry.endpoint), Some(id));
        assert_eq!(book.order[entry.order], *id);
        let count = counts.entry(entry.network()).or_default();
        if entry.is_tried {
            assert!(entry.places.is_empty() && entry.last_success > 0);
            assert_eq!(book.tried.get(book.tried_place(*id)), Some(*id));
            count.tried += 1;
        } else {
            assert!((1..=NEW_BUCKETS_PER_ADDRESS).contains(&entry.places.len()));
            for place in &entry.places {
                assert_eq!(book.new.get(*place), Some(*id));
            }
            count.new += 1;
        }
    }
    for (place, id) in book.new.filled() {
        let entry = &book.entries[&id];
        assert!(entry.places.contains(&place));
        let bucket = u64::from(place.number()) / BUCKET_SIZE;
        assert_eq!(
            place,
            Place::at(bucket, book.position(b'N', bucket, &entry.key()))
        );
    }
    assert_eq!(book.tried.filled().count(), book.count().tried);
    book.new.check();
    book.tried.check();
    for (network, count) in &book.counts {
        assert_eq!(counts.get(network).copied().unwrap_or_default(), *count);
    }
}

#[test]
fn an_address_is_kept_once_with_the_latest_of_what_was_said() {
    let mut book = book();
    let it = at("8.8.8.8:8333");
    assert_eq!(book.select(false, &[], NOW), None);
    assert_eq!(book.add(&[message(&it)], &source(), 0, NOW), 1);
    assert_eq!(book.add(&[message(&it)], &source(), 0, NOW), 0);
    let later = it.to_message(NOW as u32 + 4_000, ServiceFlags::WITNESS);
    book.add(&[later], &source(), 0, NOW + 4_000);
    let known = book.get(&it).unwrap();
    assert_eq!(known.time, NOW + 4_000);
    assert_eq!(
        known.services,
        ServiceFlags::NETWORK | ServiceFlags::WITNESS
    );
    assert_eq!((known.source, book.len()), (source(), 1));
    // Another port is another address.
    assert_eq!(
        book.add(&[message(&at("8.8.8.8:8334"))], &source(), 0, NOW),
        1
    );
    assert_eq!(
        book.select(true, &[], NOW).map(|known| known.endpoint.host),
        Some(it.host)
    );
    check(&book);
}

#[test]
fn what_nobody_can_call_is_not_kept() {
    let mut book = book();
    for text in [
        "10.0.0.1:8333",
        "127.0.0.1:8333",
        "[::1]:1",
        "[fd00::1]:1",
        "bip155-9-01:1",
    ] {
        assert_eq!(
            book.add(&[message(&at(text))], &source(), 0, NOW),
            0,
            "{text}"
        );
    }
    assert!(book.is_empty());
}

#[test]
fn a_time_told_by_another_costs_two_hours() {
    let mut book = book();
    let (it, other) = (at("8.8.8.8:1"), at("9.9.9.9:1"));
    book.add(
        &[message(&it), message(&other)],
        &at("8.8.8.8:5"),
        GOSSIP_PENALTY,
        NOW,
    );
    assert_eq!(book.get(&it).unwrap().time, NOW);
    assert_eq!(book.get(&other).unwrap().time, NOW - GOSSIP_PENALTY);
}

#[test]
fn one_group_of_sources_fills_at_most_sixty_four_buckets() {
    let mut book = book();
    for number in 0..20_000 {
        book.add(&[message(&nth(number))], &source(), 0, NOW);
    }
    let buckets: HashSet<u32> = book
        .new
        .filled()
        .map(|(place, _)| place.number() / 64)
        .collect();
    assert!(buckets.len() <= 64, "{}", buckets.len());
    assert!(book.len() <= 64 * 64);
    check(&book);
}

#[test]
fn one_group_of_addresses_fills_at_most_eight_tried_buckets() {
    let mut book = book();
    for number in 0u32..2_000 {
        let it = Endpoint::new(
            AddrV2::Ipv4([8, 8, (number >> 8) as u8, number as u8].into()),
            8333,
        );
        book.add(&[message(&it)], &nth(number), 0, NOW);
        book.good(&it, NOW);
    }
    let buckets: HashSet<u32> = book
        .tried
        .filled()
        .map(|(place, _)| place.number() / 64)
        .collect();
    assert!(buckets.len() <= 8, "{}", buckets.len());
    assert!(book.count().tried > 200);
    check(&book);
}

#[test]
fn however_many_come_the_book_has_its_size() {
    let mut book = book();
    fill(&mut book, 120_000);
    assert!(book.len() <= (NEW_BUCKETS * BUCKET_SIZE) as usize);
    assert!(book.len() > 30_000, "{}", book.len());
    check(&book);
}

#[test]
fn new_and_tried_are_drawn_with_the_same_chance() {
    let mut book = book();
    fill(&mut book, 1_000);
    for number in 0..20 {
        book.good(&nth(number), NOW - 7_200);
    }
    assert!(book.count().tried >= 15);
    let drawn: Vec<Known> = (0..1_000)
        .map(|_| book.select(false, &[], NOW).unwrap())
        .collect();
    let tried = drawn.iter().filter(|known| known.is_tried).count();
    assert!((400..600).contains(&tried), "{tried}");
    assert!((0..200).all(|_| !book.select(true, &[], NOW).unwrap().is_tried));
}

#[test]
fn of_some_networks_only_those_are_drawn() {
    let mut book = book();
    fill(&mut book, 500);
    let onion = Endpoint::new(AddrV2::TorV3([9; 32]), 8333);
    assert_eq!(book.select(false, &[NetworkKind::Onion], NOW), None);
    book.add(&[message(&onion)], &source(), 0, NOW);
    let networks = [NetworkKind::Onion, NetworkKind::I2p];
    assert!((0..20).all(|_| book.select(false, &networks, NOW).unwrap().endpoint == onion));
    assert_eq!(
        book.count_of(NetworkKind::Onion),
        Count { new: 1, tried: 0 }
    );
    book.good(&onion, NOW);
    assert_eq!(book.select(true, &networks, NOW), None);
    assert!(book.select(false, &networks, NOW).unwrap().is_tried);
}

#[test]
fn drawing_is_quick_whoever_is_there() {
    let mut one = book();
    let it = at("8.8.8.8:1");
    one.add(&[message(&it)], &source(), 0, NOW);
    (0..20).for_each(|step| {
        one.last_good = NOW + step;
        one.attempt(&it, true, NOW + step);
    });
    // The worst there is: alone among 65,536 places, tried just now, and failed often.
    let started = std::time::Instant::now();
    for _ in 0..10_000 {
        assert_eq!(
            one.select(false, &[], NOW + 21).map(|known| known.endpoint),
            Some(it.clone())
        );
    }
    let mut many = book();
    fill(&mut many, 60_000);
    // Some of these find their place taken.
    for byte in 0..20 {
        let onion = Endpoint::new(AddrV2::TorV3([byte; 32]), 8333);
        many.add(&[message(&onion)], &nth(u32::from(byte)), 0, NOW);
    }
    for _ in 0..100 {
        assert!(many.select(false, &[NetworkKind::Onion], NOW).is_some());
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}

#[test]
fn who_failed_is_drawn_less_often() {
    let mut book = book();
    let (good, bad) = (at("8.8.8.8:1"), at("9.9.9.9:1"));
    book.add(&[message(&good), message(&bad)], &source(), 0, NOW);
    book.attempt(&bad, true, NOW);
    let drawn = (0..300)
        .filter(|_| book.select(false, &[], NOW + 60).unwrap().endpoint == bad)
        .count();
    assert!(drawn < 60, "{drawn}");
}

#[test]
fn failures_count_once_for_each_success_elsewhere() {
    let mut book = book();
    let (it, other) = (at("8.8.8.8:1"), at("9.9.9.9:1"));
    book.add(&[message(&it), message(&other)], &source(), 0, NOW);
    for step in 0..5 {
        book.attempt(&it, true, NOW + step);
    }
    assert_eq!(book.get(&it).unwrap().attempts, 1);
    book.good(&other, NOW + 10);
    book.attempt(&it, true, NOW + 11);
    book.attempt(&it, false, NOW + 12);
    assert_eq!(book.get(&it).unwrap().attempts, 2);
    book.good(&it, NOW + 13);
    assert_eq!(book.get(&it).unwrap().attempts, 0);
}

#[test]
fn terrible_addresses_are_not_told() {
    let mut book = book();
    let [fresh, old, future, silent] =
        ["8.8.8.8:1", "9.9.9.9:1", "11.1.1.1:1", "12.1.1.1:1"].map(at);
    let day = 86_400;
    book.add(&[message(&fresh), message(&silent)], &source(), 0, NOW);
    book.add(
        &[old.to_message((NOW - 31 * day) as u32, ServiceFlags::NONE)],
        &source(),
        0,
        NOW,
    );
    book.add(
        &[future.to_message((NOW + day) as u32, ServiceFlags::NONE)],
        &source(),
        0,
        NOW,
    );
    for step in 0..3 {
        book.good(&fresh, NOW - 100 + step);
        book.last_good = NOW - 90 + step;
        book.attempt(&silent, true, NOW - 91 + step);
    }
    let told = book.sample(0, 0, None, NOW);
    let told: Vec<Endpoint> = told.iter().map(Endpoint::from).collect();
    assert_eq!(told, [fresh]);
}

#[test]
fn an_answer_is_a_sample_of_a_fourth_at_most() {
    let mut book = book();
    fill(&mut book, 2_000);
    let all = book.len();
    let answer = book.sample(MAX_ANSWER, MAX_ANSWER_PERCENT, None, NOW);
    assert_eq!(answer.len(), all * 23 / 100);
    let distinct: HashSet<Endpoint> = answer.iter().map(Endpoint::from).collect();
    assert_eq!(distinct.len(), answer.len());
    assert_eq!(book.sample(100, 0, None, NOW).len(), 100);
    assert_eq!(book.sample(0, 0, None, NOW).len(), all);
    assert_eq!(book.sample(0, 0, Some(NetworkKind::Onion), NOW).len(), 0);
    assert_ne!(
        answer,
        book.sample(MAX_ANSWER, MAX_ANSWER_PERCENT, None, NOW)
    );
    check(&book);
}

/// Two addresses with the same place among the tried ones; the first has it.
fn colliding(book: &mut AddressBook) -> (Endpoint, Endpoint) {
    for number in 0.. {
        let it = nth(number);
        if book.add(&[message(&it)], &nth(1_000_000 + number), 0, NOW) == 0 {
            continue;
        }
        if !book.good(&it, NOW) {
            let place = book.tried_place(book.by_endpoint[&it]);
            let old = book.tried.get(place).unwrap();
            return (book.entries[&old].endpoint.clone(), it);
        }
    }
    panic!("no two collide");
}

#[test]
fn who_answers_keeps_the_place() {
    let mut book = book();
    let (old, new) = colliding(&mut book);
    assert_eq!(book.select_collision().unwrap().endpoint, old);
    book.attempt(&old, true, NOW + 5 * 3_600);
    book.good(&old, NOW + 5 * 3_600);
    book.resolve_collisions(NOW + 5 * 3_600 + 61);
    assert!(book.get(&old).unwrap().is_tried && !book.get(&new).unwrap().is_tried);
    assert_eq!(book.select_collision(), None);
    check(&book);
}

#[test]
fn whom_we_are_connected_to_keeps_the_place_without_a_test() {
    let mut book = book();
    let (old, new) = colliding(&mut book);
    assert_eq!(book.contested(), std::slice::from_ref(&old));
    let later = NOW + 5 * 3_600;
    book.good(&old, later);
    book.resolve_collisions(later);
    assert!(book.get(&old).unwrap().is_tried && !book.get(&new).unwrap().is_tried);
    assert_eq!(book.contested(), []);
}

#[test]
fn who_does_not_answer_makes_room() {
    let mut book = book();
    let (old, new) = colliding(&mut book);
    let test = NOW + 5 * 3_600;
    book.good(&new, test);
    book.attempt(&old, true, test);
    book.resolve_collisions(test + 30);
    assert!(book.get(&old).unwrap().is_tried, "a test has a minute");
    book.resolve_collisions(test + 61);
    assert!(book.get(&new).unwrap().is_tried && !book.get(&old).unwrap().is_tried);
    check(&book);
}

#[test]
fn who_is_never_tested_makes_room_after_a_while() {
    let mut book = book();
    let (old, new) = colliding(&mut book);
    let later = NOW + 5 * 3_600;
    book.good(&new, later);
    book.resolve_collisions(later + 60);
    assert!(book.get(&old).unwrap().is_tried);
    book.resolve_collisions(later + 41 * 60);
    assert!(book.get(&new).unwrap().is_tried && !book.get(&old).unwrap().is_tried);
    check(&book);
}

#[test]
fn few_wait_for_a_test() {
    let mut book = book();
    for number in 0..5_000 {
        book.add(&[message(&nth(number))], &nth(1_000_000 + number), 0, NOW);
        book.good(&nth(number), NOW);
    }
    assert_eq!(book.collisions.len(), MAX_COLLISIONS);
    check(&book);
}

#[test]
fn a_connection_is_noted_when_it_ends() {
    let mut book = book();
    let it = at("8.8.8.8:1");
    book.add(&[message(&it)], &source(), 0, NOW);
    book.connected(&it, NOW + 1_000);
    assert_eq!(book.get(&it).unwrap().time, NOW);
    book.connected(&it, NOW + 2_000);
    assert_eq!(book.get(&it).unwrap().time, NOW + 2_000);
    book.set_services(&it, ServiceFlags::COMPACT_FILTERS);
    assert_eq!(
        book.get(&it).unwrap().services,
        ServiceFlags::COMPACT_FILTERS
    );
}

#[test]
fn the_file_keeps_every_address_in_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("peers.dat");
    let mut first = AddressBook::load(&path, Network::Signet, [1; 32]).unwrap();
    fill(&mut first, 3_000);
    for number in 0..300 {
        first.good(&nth(number), NOW);
        first.attempt(&nth(number + 300), true, NOW);
    }
    first.add(
        &[message(&Endpoint::new(AddrV2::TorV3([5; 32]), 8333))],
        &source(),
        0,
        NOW,
    );
    assert!(first.is_changed());
    first.save(&path, Network::Signet).unwrap();
    assert!(!first.is_changed());
    let second = AddressBook::load(&path, Network::Signet, [2; 32]).unwrap();
    check(&second);
    assert!(!second.is_changed());
    assert_eq!((second.len(), second.count()), (first.len(), first.count()));
    for known in first.iter() {
        assert_eq!(second.get(&known.endpoint), Some(known));
    }
    assert_eq!(
        second.to_bytes(Network::Signet),
        first.to_bytes(Network::Signet)
    );
}

#[test]
fn a_damaged_file_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("peers.dat");
    let mut first = book();
    fill(&mut first, 50);
    let good = first.to_bytes(Network::Regtest);
    let mut flipped = good.clone();
    flipped[100] ^= 1;
    let mut other_version = good.clone();
    other_version[8] = 2;
    for bytes in [
        &b""[..],
        b"peers",
        &good[..good.len() - 1],
        &flipped,
        &other_version,
    ] {
        fs::write(&path, bytes).unwrap();
        assert!(
            AddressBook::load(&path, Network::Regtest, [0; 32])
                .unwrap()
                .is_empty()
        );
        assert!(!path.exists());
        assert_eq!(
            fs::read(directory.path().join("peers.dat.damaged")).unwrap(),
            bytes
        );
    }
    let error = AddressBook::from_bytes(&good, Network::Bitcoin, [0; 32])
        .err()
        .unwrap();
    assert!(matches!(error, BookError::Network(_)));
}

#[derive(Clone, Debug)]
enum Step {
    Add(u32, u32),
    Good(u32),
    Attempt(u32),
    Resolve,
    Reload,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u32..300, 0u32..10).prop_map(|(it, source)| Step::Add(it, source)),
        4 => (0u32..300).prop_map(Step::Good),
        2 => (0u32..300).prop_map(Step::Attempt),
        1 => Just(Step::Resolve),
        1 => Just(Step::Reload),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_happens_the_tables_agree(steps in proptest::collection::vec(any_step(), 0..400)) {
        // 300 addresses of one group: they have few buckets, so they meet often.
        let it = |number: u32| Endpoint::new(AddrV2::Ipv4([8, 8, (number >> 8) as u8, number as u8].into()), 1);
        let mut book = book();
        let mut now = NOW;
        for step in steps {
            now += 600;
            match step {
                Step::Add(number, source) => {
                    let heard = it(number).to_message(now as u32, ServiceFlags::NONE);
                    book.add(&[heard], &nth(source), 0, now);
                }
                Step::Good(number) => _ = book.good(&it(number), now),
                Step::Attempt(number) => book.attempt(&it(number), true, now),
                Step::Resolve => book.resolve_collisions(now),
                Step::Reload => {
                    let bytes = book.to_bytes(Network::Bitcoin);
                    let again = AddressBook::from_bytes(&bytes, Network::Bitcoin, [3; 32]).unwrap();
                    prop_assert_eq!(again.count(), book.count());
                    book = again;
                }
            }
        }
        check(&book);
        prop_assert_eq!(book.select(false, &[], now).is_some(), !book.is_empty());
    }

    #[test]
    fn no_bytes_make_the_reader_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut file = b"EVPEERS\n\x01\0\0\0".to_vec();
        file.extend(Network::Bitcoin.magic().to_bytes());
        file.extend(&bytes);
        let checksum = sha2::Digest::finalize(sha2::Digest::chain_update(<sha2::Sha256 as sha2::Digest>::new(), &file));
        file.extend(checksum);
        let _ = AddressBook::from_bytes(&file, Network::Bitcoin, [0; 32]);
    }
}
