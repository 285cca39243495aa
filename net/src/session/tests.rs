use std::net::SocketAddr;

use bitcoin::p2p::{Magic, ServiceFlags};
use proptest::prelude::*;

use super::*;
use crate::peer::TransportVersion;
use crate::transport::v1;

const NOW: Duration = Duration::from_secs(10);

fn endpoint(port: u16) -> Endpoint {
    SocketAddr::from(([10, 0, 0, 1], port)).into()
}

fn config() -> SessionConfig {
    SessionConfig {
        epoch: 1_700_000_000,
        services: ServiceFlags::NETWORK | ServiceFlags::WITNESS,
        ..SessionConfig::new(Magic::REGTEST)
    }
}

fn v1_config() -> SessionConfig {
    SessionConfig {
        v2: false,
        ..config()
    }
}

fn session(config: SessionConfig, purpose: Purpose) -> Session {
    let seed = [purpose as u8 + 1; 32];
    Session::new(
        config,
        PeerId(purpose as u64),
        purpose,
        endpoint(8333),
        NOW,
        seed,
    )
}

/// Carries bytes both ways until none are left; what happened on each side.
fn talk(a: &mut Session, b: &mut Session, now: Duration) -> (Vec<SessionEvent>, Vec<SessionEvent>) {
    loop {
        let mut moved = false;
        while let Some(bytes) = a.output() {
            b.receive(&bytes, now);
            moved = true;
        }
        while let Some(bytes) = b.output() {
            a.receive(&bytes, now);
            moved = true;
        }
        if !moved {
            return (events(a), events(b));
        }
    }
}

fn events(session: &mut Session) -> Vec<SessionEvent> {
    std::iter::from_fn(|| session.next().unwrap()).collect()
}

fn named(name: &str, payload: impl Into<Bytes>) -> Message {
    Message::new(Command::new(name).unwrap(), payload)
}

fn wire(message: &Message) -> Vec<u8> {
    let mut wire = v1::header(message, Magic::REGTEST).to_vec();
    wire.extend_from_slice(&message.payload);
    wire
}

fn hello() -> Hello {
    Hello {
        version: 70_016,
        services: ServiceFlags::NONE,
        time: 1_700_000_110,
        receiver: None,
        nonce: 99,
        user_agent: "/test/".into(),
        start_height: 3,
        relay: false,
    }
}

/// A session that has heard these messages in the clear.
fn heard(
    purpose: Purpose,
    messages: &[Message],
) -> (Session, Result<Vec<SessionEvent>, SessionError>) {
    let mut session = session(v1_config(), purpose);
    let bytes: Vec<u8> = messages.iter().flat_map(wire).collect();
    session.receive(&bytes, NOW);
    let mut events = Vec::new();
    loop {
        match session.next() {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (session, Ok(events)),
            Err(error) => return (session, Err(error)),
        }
    }
}

fn established() -> Session {
    let (session, events) = heard(Purpose::Inbound, &[hello().encode(), named("verack", "")]);
    assert!(matches!(
        events.unwrap()[..],
        [SessionEvent::Established(_)]
    ));
    session
}

#[test]
fn two_sessions_meet_over_either_transport() {
    for (ours, theirs, transport) in [
        (true, true, TransportVersion::V2),
        (false, true, TransportVersion::V1),
        (false, false, TransportVersion::V1),
    ] {
        let mut a = session(
            SessionConfig {
                v2: ours,
                ..config()
            },
            Purpose::OutboundFullRelay,
        );
        let features = vec![Command::new("sendtips").unwrap()];
        let their_config = SessionConfig {
            v2: theirs,
            features,
            start_height: 7,
            ..config()
        };
        let mut b = session(their_config, Purpose::Inbound);
        let (at_a, at_b) = talk(&mut a, &mut b, NOW);
        let [SessionEvent::Established(seen_by_a)] = &at_a[..] else {
            panic!("{at_a:?}");
        };
        let [SessionEvent::Established(seen_by_b)] = &at_b[..] else {
            panic!("{at_b:?}");
        };
        assert_eq!(seen_by_a.transport, transport);
        assert_eq!(seen_by_a.session_id, seen_by_b.session_id);
        assert_eq!(
            seen_by_a.session_id.is_some(),
            transport == TransportVersion::V2
        );
        assert!(seen_by_a.wtxid_relay && seen_by_a.addrv2 && seen_by_a.relay);
        assert_eq!(seen_by_a.features, ["sendtips"]);
        assert_eq!(seen_by_a.start_height, 7);
        assert!(seen_by_b.features.is_empty());
        // Each has pinged the other, which has answered.
        assert_eq!(a.counters().ping, Some(Duration::ZERO));
        let inv = named("inv", vec![0]);
        a.send(&inv, NOW).unwrap();
        assert_eq!(talk(&mut a, &mut b, NOW).1, [SessionEvent::Message(inv)]);
    }
}

#[test]
fn features_are_said_to_those_they_are_meant_for() {
    for (meant_for, said) in [("", true), ("/everett-net:", true), ("/Everett:", false)] {
        let mut a = session(config(), Purpose::OutboundFullRelay);
        let their_config = SessionConfig {
            features: vec![Command::new("sendtips").unwrap()],
            features_to: meant_for.into(),
            ..config()
        };
        let mut b = session(their_config, Purpose::Inbound);
        let (at_a, _) = talk(&mut a, &mut b, NOW);
        let [SessionEvent::Established(info)] = &at_a[..] else {
            panic!("{at_a:?}");
        };
        assert_eq!(!info.features.is_empty(), said, "{meant_for}");
    }
}

#[test]
fn a_caller_of_v2_falls_back_only_if_it_heard_nothing() {
    let mut a = session(config(), Purpose::Manual);
    assert!(a.should_fall_back());
    a.receive(&[7], NOW);
    assert!(!a.should_fall_back());
    assert!(!session(v1_config(), Purpose::Manual).should_fall_back());
    assert!(!session(config(), Purpose::Inbound).should_fall_back());
}

#[test]
fn what_comes_before_version_or_again_is_left_alone() {
    let messages = [
        named("ping", vec![1; 8]),
        named("verack", ""),
        hello().encode(),
        hello().encode(),
        named("inv", vec![0]),
        named("wtxidrelay", ""),
        named("wtxidrelay", ""),
        named("verack", ""),
        named("verack", ""),
        hello().encode(),
    ];
    let (session, events) = heard(Purpose::Inbound, &messages);
    let events = events.unwrap();
    let [SessionEvent::Established(info)] = &events[..] else {
        panic!("{events:?}");
    };
    assert!(info.wtxid_relay && !info.addrv2 && !info.relay);
    assert_eq!(info.features, ["inv"]);
    assert_eq!(info.time_offset, 100);
    assert_eq!(session.counters().out_of_order, 5);
}

#[test]
fn what_belongs_before_verack_ends_it_after() {
    for name in ["wtxidrelay", "sendaddrv2", "feature"] {
        let mut session = established();
        session.receive(&wire(&named(name, "")), NOW);
        assert!(matches!(
            session.next(),
            Err(SessionError::AfterVerack { command }) if command.as_str() == name
        ));
    }
}

#[test]
fn obsolete_and_malformed_versions_and_missing_services_are_refused() {
    for (version, refused) in [(31_799, true), (-1, true), (31_800, false)] {
        let said = Hello { version, ..hello() };
        let (_, told) = heard(Purpose::Inbound, &[said.encode()]);
        let expected = Err(SessionError::ObsoleteVersion { version });
        assert_eq!(told == expected, refused, "{version}");
    }
    let (_, told) = heard(Purpose::Inbound, &[named("version", vec![0; 30])]);
    assert!(matches!(told, Err(SessionError::MalformedVersion { .. })));

    let full = ServiceFlags::NETWORK | ServiceFlags::WITNESS;
    let pruned = ServiceFlags::NETWORK_LIMITED | ServiceFlags::WITNESS;
    let picked = Purpose::OutboundFullRelay;
    for (purpose, sufficient, services, refused) in [
        (picked, vec![full], ServiceFlags::NETWORK, true),
        (picked, vec![full], pruned, true),
        (picked, vec![full], full, false),
        (picked, vec![full, pruned], pruned, false),
        (picked, vec![full, pruned], full, false),
        (picked, vec![full, pruned], ServiceFlags::WITNESS, true),
        (picked, vec![], ServiceFlags::NONE, false),
        (Purpose::Manual, vec![full], ServiceFlags::NONE, false),
    ] {
        let config = SessionConfig {
            sufficient_services: sufficient,
            ..v1_config()
        };
        let mut session = session(config, purpose);
        let said = Hello {
            services,
            ..hello()
        };
        session.receive(&wire(&said.encode()), NOW);
        let told = matches!(session.next(), Err(SessionError::MissingServices { .. }));
        assert_eq!(told, refused, "{services}");
    }
}

#[test]
fn an_old_peer_hears_nothing_that_it_does_not_know() {
    let said = Hello {
        version: 60_000,
        ..hello()
    };
    let messages = [said.encode(), named("wtxidrelay", ""), named("verack", "")];
    let (mut session, events) = heard(Purpose::Inbound, &messages);
    let events = events.unwrap();
    assert!(matches!(&events[..], [SessionEvent::Established(info)] if !info.wtxid_relay));
    let sent: Vec<_> = session.counters().sent().map(|(name, _)| name).collect();
    assert_eq!(sent, ["ping", "verack", "version"]);
    while session.output().is_some() {}
    session.receive(&wire(&named("ping", vec![1; 8])), NOW);
    assert_eq!(session.output(), None);
}

#[test]
fn a_node_that_calls_itself_is_told_where() {
    let config = config();
    let mut caller = session(config.clone(), Purpose::Manual);
    let mut called = session(config.clone(), Purpose::Inbound);
    let error = loop {
        while let Some(bytes) = caller.output() {
            called.receive(&bytes, NOW);
        }
        if let Err(error) = called.next() {
            break error;
        }
        while let Some(bytes) = called.output() {
            caller.receive(&bytes, NOW);
        }
    };
    assert_eq!(
        error,
        SessionError::SelfConnection {
            called: endpoint(8333)
        }
    );
    let nonce = caller.nonce;
    drop(caller);
    assert_eq!(config.nonces.endpoint(nonce), None);
}

#[test]
fn who_never_answers_or_byte_by_byte_misses_the_deadline() {
    let (mut slow, _) = heard(Purpose::Inbound, &[]);
    let bytes = wire(&hello().encode());
    for (second, byte) in bytes.iter().enumerate().take(59) {
        let now = NOW + Duration::from_secs(second as u64 + 1);
        slow.receive(&[*byte], now);
        slow.tick(now).unwrap();
    }
    assert_eq!(slow.deadline(), NOW + Duration::from_secs(60));
    let told = slow.tick(slow.deadline()).unwrap_err();
    let stage = HandshakeStage::Version;
    assert!(matches!(told, SessionError::HandshakeTimeout { stage: at, .. } if at == stage));

    let silent = session(config(), Purpose::Inbound).tick(NOW + Duration::from_secs(60));
    assert!(matches!(
        silent,
        Err(SessionError::HandshakeTimeout {
            stage: HandshakeStage::Nothing,
            ..
        })
    ));

    let mut session = established();
    let long = wire(&named("tx", vec![0; 100_000]));
    for (minute, byte) in long.iter().enumerate().take(19) {
        session.receive(&[*byte], NOW + Duration::from_secs(60 * minute as u64));
    }
    assert!(session.tick(NOW + Duration::from_secs(20 * 60)).is_err());
}

#[test]
fn pings_are_sent_every_two_minutes_and_answers_measured() {
    let mut a = session(config(), Purpose::Manual);
    let mut b = session(config(), Purpose::Inbound);
    talk(&mut a, &mut b, NOW);
    let later = NOW + Duration::from_secs(120);
    assert_eq!(a.deadline(), later);
    a.tick(later).unwrap();
    let ping = a.output().unwrap();
    b.receive(&ping, later);
    let pong = b.output().unwrap();
    a.receive(&pong, later + Duration::from_millis(250));
    assert_eq!(a.counters().ping, Some(Duration::from_millis(250)));
    assert_eq!(a.counters().min_ping, Some(Duration::ZERO));

    // Unasked pongs count for nothing, and who does not answer is let go.
    let mut alone = established();
    let told = (0..100).find_map(|minute| {
        let now = NOW + Duration::from_secs(60 * minute);
        alone.receive(&wire(&named("pong", vec![7; 8])), now);
        alone.tick(now).err()
    });
    assert!(matches!(told, Some(SessionError::PingTimeout { .. })));
    assert_eq!(alone.counters().ping, None);
}

#[test]
fn who_is_not_read_from_is_not_late() {
    let mut session = established();
    session.forgive(Duration::from_secs(3_600));
    session.tick(NOW + Duration::from_secs(3_600)).unwrap();
}

#[test]
fn floods_have_consequences() {
    let flood = vec![named("getaddr", ""); 120];
    let messages = [vec![hello().encode(), named("verack", "")], flood].concat();
    let (session, events) = heard(Purpose::Inbound, &messages);
    assert_eq!(events.unwrap().len(), 1 + 10);
    assert_eq!(session.counters().too_often, 110);

    let (_, told) = heard(Purpose::Inbound, &vec![named("tx", vec![1]); 101]);
    assert_eq!(told, Err(SessionError::HandshakeFlood));

    let mut session = established();
    let pings = wire(&named("ping", vec![1; 8])).repeat(6_000);
    session.receive(&pings, NOW);
    assert!(matches!(session.next(), Err(SessionError::Flood { .. })));
    // No more was answered than is let through.
    assert_eq!(
        session
            .counters()
            .sent_of(&Command::new("pong").unwrap())
            .messages,
        100
    );
}

#[test]
fn before_the_handshake_is_over_nothing_long_is_taken() {
    let (_, told) = heard(Purpose::Inbound, &[named("block", vec![0; 20_000])]);
    assert!(matches!(told, Err(SessionError::Transport(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn however_bytes_are_cut_two_sessions_meet(
        cuts in proptest::collection::vec(1..500_usize, 1..10),
        seeds in any::<([u8; 32], [u8; 32])>(),
        v2 in any::<bool>(),
    ) {
        let ours = SessionConfig { v2, ..config() };
        let mut a = Session::new(ours, PeerId(1), Purpose::Manual, endpoint(1), NOW, seeds.0);
        let mut b = Session::new(config(), PeerId(2), Purpose::Inbound, endpoint(2), NOW, seeds.1);
        let mut cuts = cuts.iter().cycle();
        let mut established = (false, false);
        for _ in 0..10_000 {
            let mut moved = false;
            for (from, to) in [(true, false), (false, true)] {
                let (from, to) = if from { (&mut a, &mut b) } else { let _ = to; (&mut b, &mut a) };
                let mut slices = [IoSlice::new(&[])];
                if from.output_length() > 0 {
                    from.output_slices(&mut slices);
                    let count = slices[0].len().min(*cuts.next().unwrap());
                    let bytes = slices[0][..count].to_vec();
                    from.output_written(count);
                    to.receive(&bytes, NOW);
                    moved = true;
                }
            }
            established.0 |= !events(&mut a).is_empty();
            established.1 |= !events(&mut b).is_empty();
            if !moved {
                break;
            }
        }
        prop_assert_eq!(established, (true, true));
        prop_assert_eq!(a.counters().bytes_sent, b.counters().bytes_received);
    }

    #[test]
    fn no_messages_make_it_panic(
        messages in proptest::collection::vec(
            (
                prop::sample::select(vec!["version", "verack", "wtxidrelay", "sendaddrv2", "ping", "pong", "inv", "zz"]),
                proptest::collection::vec(any::<u8>(), 0..60),
                any::<bool>(),
            ),
            0..40,
        ),
        purpose in prop::sample::select(vec![Purpose::Inbound, Purpose::OutboundFullRelay, Purpose::Feeler]),
    ) {
        let messages: Vec<Message> = messages
            .into_iter()
            .map(|(name, payload, proper)| match (name, proper) {
                ("version", true) => hello().encode(),
                _ => named(name, payload),
            })
            .collect();
        let (mut session, _) = heard(purpose, &messages);
        let _ = session.tick(NOW + Duration::from_secs(100));
        let _ = session.send(&named("inv", vec![0]), NOW);
        while session.output().is_some() {}
        prop_assert_eq!(session.output_length(), 0);
    }
}
