use std::net::{Ipv4Addr, Ipv6Addr};

use bitcoin::consensus::serialize;
use bitcoin::p2p::address::{AddrV2, Address};
use bitcoin::p2p::message::NetworkMessage;
use everett_net::TransportVersion;
use proptest::prelude::*;

use super::known::GENERATION;
use super::*;

const TIME: u64 = 1_700_000_000;
const GOOD: Standing = Standing {
    routable: true,
    reachable: true,
    banned: false,
};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn peer(id: u64, purpose: Purpose, addrv2: bool) -> PeerInfo {
    PeerInfo {
        id: PeerId(id),
        endpoint: Endpoint {
            host: AddrV2::Ipv4(Ipv4Addr::new(9, 9, 9, id as u8)),
            port: 8333,
        },
        purpose,
        transport: TransportVersion::V1,
        session_id: None,
        version: 70_016,
        services: ServiceFlags::NETWORK,
        user_agent: String::new(),
        start_height: 0,
        relay: true,
        wtxid_relay: true,
        addrv2,
        features: Vec::new(),
        time_offset: 0,
        our_address: None,
    }
}

fn address(number: u32) -> AddrV2Message {
    AddrV2Message {
        time: TIME as u32,
        services: ServiceFlags::NETWORK,
        addr: AddrV2::Ipv4(Ipv4Addr::from(0x0800_0000 + number)),
        port: 8333,
    }
}

/// Seen that many seconds after the tests begin.
fn seen(number: u32, now: u32) -> AddrV2Message {
    AddrV2Message {
        time: TIME as u32 + now,
        ..address(number)
    }
}

fn onion(number: u8) -> AddrV2Message {
    AddrV2Message {
        addr: AddrV2::TorV3([number; 32]),
        ..address(0)
    }
}

/// Peers 1 to `count`, which called us and have shown that they take part.
fn relay_with(count: u64) -> AddrRelay {
    let mut relay = AddrRelay::new([3; 32]);
    for id in 1..=count {
        assert!(!relay.connected(&peer(id, Purpose::Inbound, true), seconds(0)));
        hear(&mut relay, id, vec![], 0);
    }
    relay
}

fn hear(relay: &mut AddrRelay, from: u64, addresses: Vec<AddrV2Message>, now: u64) -> Heard {
    let heard = relay.received(PeerId(from), addresses, |_| GOOD, seconds(now), TIME + now);
    heard.unwrap()
}

fn addresses(message: &Message) -> Vec<AddrV2Message> {
    match message.decode().unwrap() {
        NetworkMessage::AddrV2(addresses) => addresses,
        NetworkMessage::Addr(addresses) => from_addr(addresses),
        other => panic!("{other:?}"),
    }
}

/// What each peer was sent, up to a time by which all that waited has gone.
fn sent(relay: &mut AddrRelay, now: u64) -> Vec<(PeerId, AddrV2Message)> {
    let mut sent = Vec::new();
    for second in now..now + 1_000 {
        for (peer, message) in relay.due(seconds(second), TIME + second) {
            sent.extend(
                addresses(&message)
                    .into_iter()
                    .map(|address| (peer, address)),
            );
        }
    }
    sent
}

#[test]
fn a_fresh_address_goes_to_two_peers_the_same_ones_for_a_day() {
    let mut relay = relay_with(20);
    hear(&mut relay, 1, vec![address(1)], 10);
    let first = sent(&mut relay, 10);
    assert_eq!(first.len(), 2);
    assert!(
        first
            .iter()
            .all(|(to, what)| *to != PeerId(1) && *what == address(1))
    );
    // Told again by others, it goes to nobody new: but for the chosen ones themselves being among those who tell it.
    for from in 2..=20 {
        if first.iter().all(|(to, _)| *to != PeerId(from)) {
            hear(&mut relay, from, vec![address(1)], 20);
        }
    }
    assert_eq!(sent(&mut relay, 20), []);
    // Other addresses go to others.
    let mut chosen: Vec<PeerId> = Vec::new();
    for number in 2..40 {
        let mut relay = relay_with(20);
        hear(&mut relay, 1, vec![address(number)], 10);
        chosen.extend(sent(&mut relay, 10).into_iter().map(|(to, _)| to));
    }
    chosen.sort_unstable();
    chosen.dedup();
    assert!(chosen.len() > 12, "{chosen:?}");
}

#[test]
fn an_address_that_we_cannot_call_goes_to_one_or_two_and_is_not_kept() {
    let (mut ones, mut twos) = (0, 0);
    for number in 0..60 {
        let mut relay = relay_with(10);
        let standing = |_: &Endpoint| Standing {
            reachable: false,
            ..GOOD
        };
        let heard = relay
            .received(PeerId(1), vec![onion(number)], standing, seconds(0), TIME)
            .unwrap();
        assert_eq!((heard.keep.len(), heard.processed), (0, 1));
        match sent(&mut relay, 0).len() {
            1 => ones += 1,
            2 => twos += 1,
            other => panic!("{other}"),
        }
    }
    assert!(ones > 15 && twos > 15, "{ones} {twos}");
}

#[test]
fn only_small_messages_of_fresh_good_addresses_are_passed_on() {
    let with = |change: fn(&mut AddrV2Message)| {
        let mut address = address(1);
        change(&mut address);
        address
    };
    let passed_on = |message: Vec<AddrV2Message>, standing: Standing| {
        let mut relay = relay_with(5);
        relay.peers.get_mut(&PeerId(1)).unwrap().tokens = 100.0;
        let heard = relay.received(PeerId(1), message, |_| standing, seconds(0), TIME);
        (heard.unwrap().keep.len(), sent(&mut relay, 0).len())
    };
    assert_eq!(passed_on(vec![address(1)], GOOD), (1, 2));
    assert_eq!(passed_on((0..10).map(address).collect(), GOOD), (10, 20));
    assert_eq!(passed_on((0..11).map(address).collect(), GOOD), (11, 0));
    let old = with(|address| address.time -= 600);
    assert_eq!(passed_on(vec![old], GOOD), (1, 0));
    let useless = with(|address| address.services = ServiceFlags::WITNESS);
    assert_eq!(passed_on(vec![useless], GOOD), (0, 0));
    let local = Standing {
        routable: false,
        ..GOOD
    };
    assert_eq!(passed_on(vec![address(1)], local), (1, 0));
    let banned = Standing {
        banned: true,
        ..GOOD
    };
    assert_eq!(passed_on(vec![address(1)], banned), (0, 0));
}

#[test]
fn times_that_cannot_be_are_set_back_five_days() {
    let mut relay = relay_with(3);
    relay.peers.get_mut(&PeerId(1)).unwrap().tokens = 100.0;
    let times = [
        0,
        100_000_000,
        TIME as u32 + 601,
        u32::MAX,
        TIME as u32 + 600,
        1_600_000_000,
    ];
    let message = times.iter().zip(0..).map(|(time, number)| AddrV2Message {
        time: *time,
        ..address(number)
    });
    let mut kept = hear(&mut relay, 1, message.collect(), 0).keep;
    kept.sort_by_key(|address| match address.addr {
        AddrV2::Ipv4(ip) => ip,
        _ => panic!(),
    });
    let back = (TIME - 5 * 24 * 60 * 60) as u32;
    let expected = [back, back, back, back, TIME as u32 + 600, 1_600_000_000];
    assert!(kept.iter().map(|address| address.time).eq(expected));
}

#[test]
fn a_peer_is_listened_to_as_fast_as_its_tokens_come_back() {
    let mut relay = relay_with(2);
    let flood = || (0..1_000).map(address).collect::<Vec<_>>();
    let heard = hear(&mut relay, 1, flood(), 0);
    assert_eq!((heard.processed, heard.limited), (1, 999));
    let heard = hear(&mut relay, 1, flood(), 100);
    assert_eq!((heard.processed, heard.limited), (10, 990));
    // What is saved up is bounded.
    let heard = hear(&mut relay, 1, flood(), 1_000_000);
    assert_eq!((heard.processed, heard.limited), (1_000, 0));
    let too_many = (0..1_001).map(address).collect();
    let error = relay.received(PeerId(1), too_many, |_| GOOD, seconds(0), TIME);
    assert_eq!(error, Err(TooManyAddresses { count: 1_001 }));
}

#[test]
fn whom_we_asked_may_answer_with_a_thousand_which_are_kept_and_not_passed_on() {
    let mut relay = relay_with(3);
    assert!(relay.connected(&peer(9, Purpose::OutboundFullRelay, true), seconds(0)));
    let heard = hear(&mut relay, 9, (0..1_000).map(address).collect(), 0);
    assert_eq!(
        (heard.keep.len(), heard.limited, heard.answered),
        (1_000, 0, true)
    );
    // The answer may have a second message, so a small one is still not gossip.
    hear(&mut relay, 9, vec![address(2_000)], 10);
    assert_eq!(sent(&mut relay, 10), []);
    assert!(!hear(&mut relay, 9, vec![seen(2_001, 2_000)], 2_000).answered);
    assert_eq!(sent(&mut relay, 2_000).len(), 2);
}

#[test]
fn connections_for_blocks_only_take_no_part() {
    let mut relay = relay_with(3);
    for purpose in [Purpose::BlockRelayOnly, Purpose::Feeler] {
        assert!(!relay.connected(&peer(9, purpose, true), seconds(0)));
        assert_eq!(hear(&mut relay, 9, vec![address(1)], 0), Heard::default());
        assert_eq!(relay.getaddr(PeerId(9), 0, seconds(0)), Asked::Ignored);
    }
    assert_eq!(sent(&mut relay, 0), []);
    assert!(relay.connected(&peer(10, Purpose::AddrFetch, true), seconds(0)));
    // Who calls us and says nothing of addresses is told of none.
    relay.connected(&peer(11, Purpose::Inbound, true), seconds(0));
    hear(&mut relay, 1, (0..1).map(address).collect(), 0);
    assert!(sent(&mut relay, 0).iter().all(|(to, _)| *to != PeerId(11)));
}

#[test]
fn getaddr_is_answered_once_and_the_same_to_all_of_a_network_for_a_day() {
    let mut relay = relay_with(4);
    relay.connected(&peer(20, Purpose::OutboundFullRelay, true), seconds(0));
    assert_eq!(relay.getaddr(PeerId(20), 0, seconds(0)), Asked::Ignored);
    assert_eq!(relay.getaddr(PeerId(99), 0, seconds(0)), Asked::Ignored);
    let wanted = Asked::Wanted {
        limit: 1_000,
        percent: 23,
    };
    assert_eq!(relay.getaddr(PeerId(1), 0, seconds(0)), wanted);
    assert_eq!(relay.getaddr(PeerId(1), 0, seconds(0)), Asked::Ignored);
    // While the sample is on its way, others wait for it too.
    assert_eq!(relay.getaddr(PeerId(2), 0, seconds(0)), Asked::Answered);
    relay.found((0..1_200).map(address).collect(), seconds(1));
    let first = sent(&mut relay, 1);
    let to = |sent: &[(PeerId, AddrV2Message)], id| {
        let all = sent.iter().filter(|(to, _)| *to == PeerId(id));
        all.map(|(_, address)| address.clone()).collect::<Vec<_>>()
    };
    assert_eq!(to(&first, 1), (0..1_000).map(address).collect::<Vec<_>>());
    assert_eq!(to(&first, 1), to(&first, 2));

    assert_eq!(
        relay.getaddr(PeerId(3), 0, seconds(20 * 60 * 60)),
        Asked::Answered
    );
    assert_eq!(to(&sent(&mut relay, 20 * 60 * 60), 3), to(&first, 1));
    assert_eq!(relay.getaddr(PeerId(4), 0, seconds(28 * 60 * 60)), wanted);
    // Where it called another address of ours, it gets another answer.
    relay.connected(&peer(5, Purpose::Inbound, true), seconds(2));
    assert_eq!(relay.getaddr(PeerId(5), 1, seconds(2)), wanted);
    relay.disconnected(PeerId(4));
    relay.found(vec![address(5_000)], seconds(28 * 60 * 60));
    relay.found(vec![address(5_001)], seconds(28 * 60 * 60));
    assert_eq!(relay.waiting(PeerId(5)), 1);
    relay.found(vec![address(5_002)], seconds(28 * 60 * 60));
    assert_eq!(relay.waiting(PeerId(5)), 1);
}

#[test]
fn answers_are_kept_for_a_bounded_number_of_networks() {
    let mut relay = AddrRelay::new([3; 32]);
    for id in 0..200 {
        relay.connected(&peer(id, Purpose::Inbound, true), seconds(0));
        relay.getaddr(PeerId(id), id as u32, seconds(0));
        relay.found(vec![address(1)], seconds(0));
    }
    assert_eq!(relay.answers.len(), MAX_ANSWERS);
    relay.connected(&peer(300, Purpose::Inbound, true), seconds(0));
    relay.getaddr(PeerId(300), 300, seconds(100_000));
    relay.found(vec![address(1)], seconds(100_000));
    assert_eq!(relay.answers.len(), 1);
}

#[test]
fn a_peer_is_not_told_what_it_knows() {
    let mut relay = relay_with(2);
    hear(&mut relay, 2, vec![address(1)], 0);
    hear(&mut relay, 1, vec![address(1)], 0);
    // It waited for peer 1, which meanwhile told us of it.
    assert_eq!(relay.waiting(PeerId(1)), 1);
    assert_eq!(sent(&mut relay, 0), []);
    hear(&mut relay, 1, vec![seen(2, 2_000)], 2_000);
    assert_eq!(sent(&mut relay, 2_000), [(PeerId(2), seen(2, 2_000))]);
    hear(&mut relay, 1, vec![seen(2, 4_000)], 4_000);
    assert_eq!(sent(&mut relay, 4_000), []);
}

#[test]
fn our_own_address_is_told_only_if_wanted_alone_at_first_and_then_once_a_day() {
    let own = Endpoint {
        host: AddrV2::Ipv4(Ipv4Addr::new(5, 5, 5, 5)),
        port: 8333,
    };
    let mut relay = relay_with(1);
    assert_eq!(relay.due(seconds(0), TIME), []);
    relay.announce(Some((own.clone(), ServiceFlags::NETWORK)));
    let messages = relay.due(seconds(1), TIME + 1);
    assert_eq!(messages.len(), 1);
    let told = addresses(&messages[0].1);
    assert_eq!(
        (told.len(), told[0].port, &told[0].addr),
        (1, 8333, &own.host)
    );
    let mut again = 0;
    for hour in 1..=24 * 30 {
        let now = seconds(hour * 3_600);
        again += relay.due(now, TIME + now.as_secs()).len();
    }
    assert!((15..50).contains(&again), "{again} times in 30 days");
}

#[test]
fn old_peers_are_told_of_ip_addresses_only_and_new_ones_of_all_known_networks() {
    let of = |addr: AddrV2| AddrV2Message { addr, ..address(0) };
    let ipv6 = of(AddrV2::Ipv6("2001:db8::1".parse().unwrap()));
    let cjdns = of(AddrV2::Cjdns("fc00::1".parse().unwrap()));
    let i2p = AddrV2Message {
        port: 0,
        ..of(AddrV2::I2p([7; 32]))
    };
    let known = [address(1), ipv6.clone(), onion(1), i2p, cjdns];
    let nowhere = [
        of(AddrV2::TorV2([1; 10])),
        of(AddrV2::Unknown(99, vec![1, 2, 3])),
        of(AddrV2::Ipv6(Ipv4Addr::new(8, 8, 8, 8).to_ipv6_mapped())),
        of(AddrV2::Ipv6("fd87:d87e:eb43::1".parse().unwrap())),
        of(AddrV2::Ipv6("fd6b:88c0:8724::1".parse().unwrap())),
    ];
    for (addrv2, expected) in [(true, &known[..]), (false, &known[..2])] {
        let mut relay = AddrRelay::new([3; 32]);
        for id in [1, 2] {
            relay.connected(&peer(id, Purpose::Inbound, addrv2), seconds(0));
            hear(&mut relay, id, vec![], 0);
        }
        relay.peers.get_mut(&PeerId(1)).unwrap().tokens = 100.0;
        let heard = hear(&mut relay, 1, [&known[..], &nowhere].concat(), 0);
        assert_eq!(heard.keep.len(), known.len());
        let mut told: Vec<AddrV2Message> = sent(&mut relay, 0)
            .into_iter()
            .map(|(_, address)| address)
            .collect();
        told.sort_by_key(|address| known.iter().position(|known| known == address));
        assert_eq!(told, expected);
    }
}

#[test]
fn addresses_of_old_messages_are_read_as_what_they_are() {
    let old = |ip: Ipv6Addr| Address {
        services: ServiceFlags::NETWORK,
        address: ip.segments(),
        port: 8333,
    };
    let message = vec![
        (1, old(Ipv4Addr::new(1, 2, 3, 4).to_ipv6_mapped())),
        (2, old("2001:db8::1".parse().unwrap())),
        (3, old("fd87:d87e:eb43::1".parse().unwrap())),
    ];
    let read = from_addr(message.clone());
    assert_eq!(read[0].addr, AddrV2::Ipv4(Ipv4Addr::new(1, 2, 3, 4)));
    assert_eq!(read[1].addr, AddrV2::Ipv6("2001:db8::1".parse().unwrap()));
    assert_eq!(read[2].addr, AddrV2::Unknown(0, Vec::new()));
    let written = encode(read, false);
    assert_eq!(written.command.as_str(), "addr");
    assert_eq!(written.payload, serialize(&message[..2].to_vec()));
}

#[test]
fn what_waits_for_a_peer_is_bounded() {
    let mut relay = relay_with(2);
    let peer = relay.peers.get_mut(&PeerId(1)).unwrap();
    for number in 0..3_000 {
        push(
            peer,
            (0, 0),
            address(number),
            &mut StdRng::from_seed([number as u8; 32]),
        );
    }
    assert_eq!(relay.waiting(PeerId(1)), MAX_ADDRESSES);
}

proptest! {
    #[test]
    fn the_last_addresses_are_known_and_the_memory_is_bounded(
        keys in prop::collection::vec(any::<u64>(), 1..200),
        before in 0usize..8_000,
    ) {
        let mut known = KnownAddresses::default();
        for number in 0..before as u64 {
            known.insert(number << 40);
            prop_assert!(known.len() <= 2 * GENERATION);
        }
        for key in &keys {
            known.insert(*key);
        }
        prop_assert!(keys.iter().all(|key| known.contains(*key)));
        known.clear();
        prop_assert_eq!(known.len(), 0);
    }
}
