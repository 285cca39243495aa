use proptest::prelude::*;

use super::*;

fn any_candidate() -> impl Strategy<Value = Candidate> {
    let time = || (0u64..100).prop_map(Duration::from_secs);
    let sometimes = || proptest::option::of((0u64..100).prop_map(Duration::from_secs));
    let network = prop_oneof![
        4 => Just(NetworkKind::Ipv4),
        1 => Just(NetworkKind::NotPubliclyRoutable),
        1 => Just(NetworkKind::Onion),
        1 => Just(NetworkKind::I2p),
        1 => Just(NetworkKind::Cjdns),
    ];
    let flags = any::<[bool; 4]>();
    (
        time(),
        sometimes(),
        sometimes(),
        sometimes(),
        0u64..20,
        network,
        flags,
    )
        .prop_map(
            |(connected, min_ping, last_block, last_transaction, keyed_group, network, flags)| {
                Candidate {
                    id: PeerId(0),
                    is_inbound: true,
                    no_ban: false,
                    connected,
                    min_ping,
                    last_block,
                    last_transaction,
                    relevant_services: flags[0],
                    relays_transactions: flags[1],
                    bloom_filter: flags[2],
                    keyed_group,
                    prefer_evict: false,
                    is_local: flags[3] && network == NetworkKind::NotPubliclyRoutable,
                    network,
                }
            },
        )
}

fn many(least: usize, most: usize) -> impl Strategy<Value = Vec<Candidate>> {
    proptest::collection::vec(any_candidate(), least..most).prop_map(|mut all| {
        for (id, it) in all.iter_mut().enumerate() {
            it.id = PeerId(id as u64);
        }
        all
    })
}

fn chosen(candidates: &[Candidate]) -> Option<u64> {
    choose(candidates.to_vec()).map(|id| id.0)
}

proptest! {
    #[test]
    fn few_are_all_kept(all in many(0, 21)) {
        prop_assert_eq!(chosen(&all), None);
    }

    #[test]
    fn among_many_one_is_chosen(all in many(30, 120)) {
        // 4 + 8 + 4 + 8 + 4 are kept at most, then half of the rest.
        prop_assert!(chosen(&all).is_some());
    }

    #[test]
    fn our_own_connections_and_those_not_to_be_touched_stay(mut all in many(30, 120)) {
        for it in &mut all {
            match it.id.0 % 3 {
                0 => it.is_inbound = false,
                1 => it.no_ban = true,
                _ => (),
            }
        }
        let id = chosen(&all);
        prop_assert!(id.is_none_or(|id| id % 3 == 2));
        all.retain(|it| it.id.0 % 3 != 2);
        prop_assert_eq!(chosen(&all), None);
    }

    #[test]
    fn the_best_of_each_kind_stay(all in many(30, 120)) {
        // As in Bitcoin Core's tests: number 0 is best, and so on; whoever is chosen is not among the first.
        let set = |change: fn(&mut Candidate, u64)| {
            let mut changed = all.clone();
            for (id, it) in changed.iter_mut().enumerate() {
                change(it, id as u64);
            }
            chosen(&changed)
        };
        let id = set(|it, id| it.keyed_group = 1_000 - id);
        prop_assert!(id.is_some_and(|id| id >= 4), "{:?}", id);
        let id = set(|it, id| it.min_ping = Some(Duration::from_secs(id)));
        prop_assert!(id.is_some_and(|id| id >= 8), "{:?}", id);
        let id = set(|it, id| it.last_transaction = Some(Duration::from_secs(1_000 - id)));
        prop_assert!(id.is_some_and(|id| id >= 4), "{:?}", id);
        let id = set(|it, id| it.last_block = Some(Duration::from_secs(1_000 - id)));
        prop_assert!(id.is_some_and(|id| id >= 4), "{:?}", id);
        let id = set(|it, id| {
            it.last_block = Some(Duration::from_secs(1_000 - id));
            it.relays_transactions = id >= 8;
            it.relevant_services |= id < 8;
        });
        prop_assert!(id.is_some_and(|id| id >= 12), "{:?}", id);
    }

    #[test]
    fn those_connected_longest_stay(mut all in many(30, 120)) {
        // A quarter of what is left goes to the longest at least; what is left is 28 less at most.
        let length = all.len();
        for (id, it) in all.iter_mut().enumerate() {
            it.connected = Duration::from_secs(id as u64);
        }
        let id = chosen(&all).unwrap();
        prop_assert!(id as usize >= (length - 28) / 4, "{} of {}", id, length);
    }

    #[test]
    fn a_discouraged_peer_goes_first_unless_it_is_useful(mut all in many(60, 120)) {
        for it in &mut all {
            it.prefer_evict = true;
        }
        let among_all = chosen(&all).unwrap();
        all[among_all as usize].prefer_evict = false;
        let next = chosen(&all);
        prop_assert!(next.is_some_and(|id| id != among_all));
    }

    #[test]
    fn the_order_of_the_candidates_does_not_matter(all in many(30, 90), seed in any::<u64>()) {
        // With all keys distinct there is one answer.
        let mut all = all;
        for (id, it) in all.iter_mut().enumerate() {
            let id = id as u64;
            it.connected = Duration::from_secs(id.wrapping_mul(37) % 101);
            it.min_ping = Some(Duration::from_secs(id.wrapping_mul(53) % 101));
            it.keyed_group = id / 2 * 7_919 % 1_009;
        }
        all.truncate(100);
        // Groups of two may tie at the fourth place, which is between equals.
        for it in &mut all {
            it.keyed_group = it.keyed_group << 1 | (it.id.0 & 1);
        }
        let first = chosen(&all);
        let mut other = all.clone();
        other.sort_by_key(|it| (it.id.0 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        prop_assert_eq!(chosen(&other), first);
    }
}

fn plain(id: u64) -> Candidate {
    Candidate {
        id: PeerId(id),
        is_inbound: true,
        no_ban: false,
        connected: Duration::from_secs(id),
        min_ping: None,
        last_block: None,
        last_transaction: None,
        relevant_services: true,
        relays_transactions: true,
        bloom_filter: false,
        keyed_group: 0,
        prefer_evict: false,
        is_local: false,
        network: NetworkKind::Ipv4,
    }
}

#[test]
fn the_youngest_of_the_largest_group_goes() {
    // 100 old peers, each of a group of its own, and 30 young ones of one group.
    let mut all: Vec<Candidate> = (0..130).map(plain).collect();
    for it in &mut all {
        it.keyed_group = if it.id.0 < 100 { 10_000 + it.id.0 } else { 5 };
    }
    assert_eq!(chosen(&all), Some(129));
}

#[test]
fn disadvantaged_networks_keep_their_quarter() {
    // 40 candidates are left for this step: 20 are kept, 10 of them for the networks though they are the youngest.
    let mut candidates: Vec<Candidate> = (0..40).map(plain).collect();
    for it in &mut candidates[30..] {
        it.network = NetworkKind::Onion;
    }
    keep_half(&mut candidates);
    let left: Vec<u64> = candidates.iter().map(|it| it.id.0).collect();
    assert_eq!(left, (10..30).rev().collect::<Vec<u64>>());

    // Four networks share; the one with the fewest leaves what it does not need.
    let mut candidates: Vec<Candidate> = (0..40).map(plain).collect();
    candidates[39].network = NetworkKind::Cjdns;
    for it in &mut candidates[20..26] {
        it.network = NetworkKind::I2p;
    }
    for it in &mut candidates[26..38] {
        it.network = NetworkKind::Onion;
    }
    keep_half(&mut candidates);
    let count = |network| candidates.iter().filter(|it| it.network == network).count();
    assert_eq!(count(NetworkKind::Cjdns), 0);
    assert_eq!((count(NetworkKind::I2p), count(NetworkKind::Onion)), (1, 8));
    assert_eq!(candidates.len(), 20);
}
