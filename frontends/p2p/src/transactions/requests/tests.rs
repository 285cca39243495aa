use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn id(number: u64) -> TransactionId {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    TransactionId::Wtxid(Wtxid::from_byte_array(bytes))
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What is due, and is asked for with a minute's patience.
fn ask(requests: &mut Requests, now: Duration) -> Vec<(PeerId, TransactionId)> {
    let due = requests.due(now);
    for (peer, id) in &due {
        requests.ask(*peer, id, now + MINUTE);
    }
    due
}

#[test]
fn one_peer_at_a_time_is_asked_and_the_next_after_a_minute_a_no_or_its_leaving() {
    let mut requests = Requests::new((1, 2));
    for peer in 1..=4 {
        requests.announce(PeerId(peer), id(1), peer == 3, at(0));
    }
    let first = ask(&mut requests, at(0));
    assert_eq!(first, [(PeerId(3), id(1))], "one that we called");
    assert!(ask(&mut requests, at(59)).is_empty());
    let second = ask(&mut requests, at(60));
    assert_eq!(second.len(), 1);
    assert_eq!(requests.in_flight(second[0].0), 1);
    assert_eq!(requests.in_flight(PeerId(3)), 0);
    requests.answered(second[0].0, &id(1).hash());
    let third = ask(&mut requests, at(61));
    requests.disconnected(third[0].0);
    let fourth = ask(&mut requests, at(62));
    let mut all: Vec<PeerId> = [first, second, third, fourth]
        .concat()
        .iter()
        .map(|one| one.0)
        .collect();
    all.sort_unstable();
    assert_eq!(all, [1, 2, 3, 4].map(PeerId));
    // The last one says no, too: nobody is left.
    let last = requests.candidates(&id(1).hash());
    assert_eq!(last.len(), 1);
    requests.answered(last[0], &id(1).hash());
    assert!(requests.is_empty() && requests.announcements() == 0);
}

#[test]
fn those_who_may_be_asked_later_wait_and_what_nobody_wants_any_more_is_forgotten() {
    let mut requests = Requests::new((1, 2));
    requests.announce(PeerId(1), id(1), false, at(2));
    requests.announce(PeerId(1), id(2), false, at(2));
    requests.announce(PeerId(2), id(1), true, at(4));
    // Telling twice changes nothing.
    requests.announce(PeerId(1), id(1), true, at(0));
    assert!(requests.due(at(1)).is_empty());
    assert_eq!(
        requests.due(at(2)),
        [(PeerId(1), id(1)), (PeerId(1), id(2))],
        "in the order in which it told"
    );
    // Not asked yet: the better one takes its place.
    assert_eq!(
        requests.due(at(4)),
        [(PeerId(1), id(2)), (PeerId(2), id(1))]
    );
    requests.forget(&id(1).hash());
    requests.forget(&id(2).hash());
    assert!(requests.due(at(5)).is_empty());
    assert_eq!(
        (requests.count(PeerId(1)), requests.count(PeerId(2))),
        (0, 0)
    );
}

#[test]
fn fifty_thousand_announcements_cost_nothing_until_they_are_due() {
    let mut requests = Requests::new((1, 2));
    for number in 0..50_000 {
        requests.announce(PeerId(number % 10), id(number), false, at(1_000));
    }
    for tick in 0..10_000 {
        assert!(requests.due(Duration::from_millis(tick * 50)).is_empty());
    }
    // At the first of them, to see that its time has not come.
    assert_eq!(requests.looks, 10_000);
    assert_eq!(ask(&mut requests, at(1_000)).len(), 50_000);
    // At each when its time comes, and when it is given.
    assert_eq!(requests.looks, 10_000 + 2 * 50_000);
    assert_eq!(
        ask(&mut requests, at(1_060)).len(),
        0,
        "nobody else has them"
    );
    assert!(requests.is_empty());
}

/// What a peer does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    /// It gives it some seconds later.
    Honest(u64),
    Silent,
    Refusing,
    /// It leaves, and comes back at once to tell of the same under another number.
    Leaving,
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![
        (0_u64..50).prop_map(Manner::Honest),
        Just(Manner::Silent),
        Just(Manner::Silent),
        Just(Manner::Refusing),
        Just(Manner::Leaving),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However many liars told of it first, and whatever they do when they are asked.
    #[test]
    fn every_transaction_comes_from_an_honest_peer_in_bounded_time(
        manners in prop::collection::vec((manner(), any::<bool>()), 1..12),
        told in prop::collection::vec((0_usize..12, 0_u64..20, 0_u64..30), 1..200),
        keys in any::<(u64, u64)>(),
    ) {
        let mut requests = Requests::new(keys);
        let mut numbers: Vec<u64> = (0..manners.len() as u64).collect();
        let mut next = numbers.len() as u64;
        let mut told: Vec<(u64, usize, u64)> = (told.into_iter())
            .map(|(peer, number, time)| (time, peer % manners.len(), number))
            .collect();
        told.sort_unstable();
        // When an honest peer first told of each, and how many did who hold it back for a minute.
        let mut honest: BTreeMap<u64, u64> = BTreeMap::new();
        let mut liars: BTreeMap<u64, HashSet<usize>> = BTreeMap::new();
        for (time, peer, number) in &told {
            match manners[*peer].0 {
                Manner::Honest(_) => drop(honest.entry(*number).or_insert(*time)),
                _ => drop(liars.entry(*number).or_default().insert(*peer)),
            }
        }
        let mut came: BTreeMap<u64, u64> = BTreeMap::new();
        let mut arriving: BTreeSet<(u64, u64)> = BTreeSet::new();
        let mut left = vec![0; manners.len()];
        for second in 0..1_000_u64 {
            while let Some((time, peer, number)) = told.first().copied() {
                if time > second { break; }
                told.remove(0);
                if came.contains_key(&number) { continue; }
                let delay = if manners[peer].1 { 0 } else { 2 };
                requests.announce(PeerId(numbers[peer]), id(number), manners[peer].1, at(second + delay));
            }
            while let Some((time, number)) = arriving.first().copied() {
                if time > second { break; }
                arriving.pop_first();
                requests.forget(&id(number).hash());
                came.entry(number).or_insert(second);
            }
            let mut flying = HashSet::new();
            for (peer, wanted) in ask(&mut requests, at(second)) {
                prop_assert!(flying.insert(wanted), "one peer at a time");
                let Some(place) = numbers.iter().position(|number| PeerId(*number) == peer) else {
                    continue;
                };
                let number = (0..20).find(|number| id(*number) == wanted).expect("it was told of");
                match manners[place].0 {
                    Manner::Honest(delay) => drop(arriving.insert((second + delay, number))),
                    Manner::Silent => {}
                    Manner::Refusing => requests.answered(peer, &wanted.hash()),
                    Manner::Leaving if left[place] < 5 => {
                        left[place] += 1;
                        requests.disconnected(peer);
                        numbers[place] = next;
                        next += 1;
                        requests.announce(PeerId(numbers[place]), wanted, true, at(second));
                    }
                    Manner::Leaving => {}
                }
            }
            for peer in &numbers {
                prop_assert!(requests.in_flight(PeerId(*peer)) <= requests.count(PeerId(*peer)));
            }
        }
        for (number, time) in honest {
            let held = liars.get(&number).map_or(0, HashSet::len) as u64;
            let bound = time + 2 + 60 * held + 50 + 8;
            let found = came.get(&number);
            prop_assert!(found.is_some_and(|found| *found <= bound), "{number}: {found:?}, not {bound}");
        }
        prop_assert!(requests.is_empty() && requests.announcements() == 0 && requests.timeline.is_empty());
    }
}
