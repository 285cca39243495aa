//! Owns the laws of the wire: how bytes are cut changes nothing, nothing is answered beyond its rate, no bytes make two
//! honest sides fail.

use std::net::SocketAddr;
use std::time::Duration;

use bitcoin::p2p::Magic;
use everett_net::handshake::Hello;
use everett_net::transport::{Output, Received, Transport, TransportError, v1, v2};
use everett_net::{
    Command, Endpoint, Message, PeerId, Purpose, Session, SessionConfig, SessionEvent,
};

use crate::memory::bounded;

/// Longest payload that is let in.
const LIMIT: u32 = 4_000_000;

/// Names that a session knows, to be chosen by a byte.
const NAMES: [&str; 12] = [
    "version", "verack", "wtxidrelay", "sendaddrv2", "ping", "pong", "inv", "getaddr", "headers", "feature",
    "sendtips", "block",
];

/// Reads a stream in pieces; what came of it, and why it ended.
fn read(
    mut transport: Transport,
    bytes: &[u8],
    mut piece: impl FnMut() -> usize,
) -> (Vec<Received>, Option<TransportError>) {
    let mut output = Output::default();
    let mut came = Vec::new();
    let mut rest = bytes;
    loop {
        let (mut part, left) = rest.split_at(piece().min(rest.len()));
        rest = left;
        loop {
            match transport.receive(&mut part, LIMIT, &mut output) {
                Ok(Some(received)) => came.push(received),
                Ok(None) => break,
                Err(error) => return (came, Some(error)),
            }
        }
        if rest.is_empty() {
            return (came, None);
        }
    }
}

/// Sizes of pieces, from two bytes.
fn cuts(bytes: &[u8]) -> (impl FnMut() -> usize, &[u8]) {
    let (sizes, rest) = bytes.split_at(bytes.len().min(2));
    let mut sizes: Vec<usize> = sizes.iter().map(|size| usize::from(*size) + 1).collect();
    sizes.push(7);
    let mut next = 0;
    let piece = move || {
        next += 1;
        sizes[next % sizes.len()]
    };
    (piece, rest)
}

/// Bytes as a v1 stream: read whole and in pieces it is the same, and what is read is written back as it was.
pub fn v1_stream(bytes: &[u8]) {
    bounded(bytes.len(), || {
        let (piece, stream) = cuts(bytes);
        // A stream that begins wrongly is no test of the rest.
        let mut led = Magic::REGTEST.to_bytes().to_vec();
        led.extend(stream);
        let (whole, end) = read(Transport::v1(Magic::REGTEST), &led, || usize::MAX);
        let (parts, end_of_parts) = read(Transport::v1(Magic::REGTEST), &led, piece);
        assert_eq!(whole, parts);
        assert_eq!(end.is_some(), end_of_parts.is_some());
        let mut at = 0;
        for received in &whole {
            match received {
                Received::Message(message, length) => {
                    let mut wire = v1::header(message, Magic::REGTEST).to_vec();
                    wire.extend_from_slice(&message.payload);
                    assert_eq!(wire, led[at..at + length]);
                    at += length;
                }
                Received::Dropped(_, length) => at += length,
                Received::Ready => {}
            }
        }
        assert!(at <= led.len());
    });
    // The other crate's decoders allocate in their own way.
    let (_, stream) = cuts(bytes);
    if let Some((choice, payload)) = stream.split_first() {
        let name = NAMES[usize::from(*choice) % NAMES.len()];
        let message = Message::new(Command::new(name).expect("a name"), payload.to_vec());
        let _ = message.decode();
        let _ = Hello::decode(payload);
    }
}

fn secrets(key: u8, garbage: usize) -> v2::Secrets {
    v2::Secrets {
        key: [key; 32],
        garbage: vec![key; garbage],
        decoys: Vec::new(),
    }
}

/// Bytes as what a caller says to a side that takes both transports: no panic, whole and in pieces the same. And as what
/// an honest caller says, changed: then no message comes out that was not said.
pub fn v2_stream(bytes: &[u8]) {
    bounded(bytes.len(), || {
        let (piece, stream) = cuts(bytes);
        let responder = || Transport::responder(Magic::REGTEST, secrets(2, 9));
        let (whole, end) = read(responder(), stream, || usize::MAX);
        let (parts, end_of_parts) = read(responder(), stream, piece);
        assert_eq!(whole, parts);
        assert_eq!(end.is_some(), end_of_parts.is_some());
    });
    bounded(bytes.len(), || {
        let (mut piece, stream) = cuts(bytes);
        let (mut ours, mut theirs) = (Output::default(), Output::default());
        let garbage = stream.first().map_or(0, |byte| usize::from(*byte) * 16);
        let mut a = Transport::v2_initiator(Magic::REGTEST, secrets(1, garbage), &mut ours)
            .expect("the key is one");
        let mut b = Transport::responder(Magic::REGTEST, secrets(2, 9));
        // Honest until both are ready.
        while !(a.is_ready() && b.is_ready()) {
            carry(&mut ours, &mut b, &mut theirs, &mut piece);
            carry(&mut theirs, &mut a, &mut ours, &mut piece);
        }
        let said = Message::new(Command::new("tx").expect("a name"), stream.to_vec());
        a.send(&said, &mut ours).expect("it is short");
        let mut wire = Vec::new();
        while let Some(piece) = ours.next_piece() {
            wire.extend_from_slice(&piece);
        }
        // A byte changed: no message may come out.
        let at = stream.len() % wire.len();
        let flip = stream.first().copied().unwrap_or(0);
        wire[at] ^= flip;
        let (came, _) = read(b, &wire, piece);
        let messages = came
            .iter()
            .filter(|received| matches!(received, Received::Message(..)))
            .count();
        assert_eq!(messages, usize::from(flip == 0));
    });
}

fn carry(
    from: &mut Output,
    to: &mut Transport,
    answer: &mut Output,
    piece: &mut impl FnMut() -> usize,
) {
    while let Some(bytes) = from.next_piece() {
        for mut part in bytes.chunks(piece()) {
            while to
                .receive(&mut part, LIMIT, answer)
                .expect("honest sides understand each other")
                .is_some()
            {}
        }
    }
}

fn endpoint() -> Endpoint {
    SocketAddr::from(([10, 0, 0, 1], 8333)).into()
}

fn session(v2: bool, purpose: Purpose) -> Session {
    let config = SessionConfig {
        v2,
        ..SessionConfig::new(Magic::REGTEST)
    };
    Session::new(config, PeerId(1), purpose, endpoint(), Duration::ZERO, [3; 32])
}

/// Bytes as choices: messages in any order, right and wrong ones, raw bytes, time that passes. A session is established
/// once at most, says nothing after it has failed, and hands messages on only when it is established.
pub fn session_choices(bytes: &[u8]) {
    bounded(bytes.len(), || {
        let Some((first, mut choices)) = bytes.split_first() else {
            return;
        };
        let purpose = match first % 4 {
            0 => Purpose::Inbound,
            1 => Purpose::OutboundFullRelay,
            2 => Purpose::Feeler,
            _ => Purpose::Manual,
        };
        let mut session = session(first & 0x80 != 0 && purpose.is_inbound(), purpose);
        let mut now = Duration::ZERO;
        let mut established = false;
        while let Some((choice, rest)) = choices.split_first() {
            let length = rest.first().map_or(0, |byte| usize::from(*byte)).min(rest.len());
            let (payload, rest) = rest.split_at(length);
            choices = rest;
            let name = NAMES[usize::from(choice & 0x0f) % NAMES.len()];
            let message = match (name, choice & 0x10 != 0) {
                ("version", true) => hello(payload).encode(),
                _ => Message::new(Command::new(name).expect("a name"), payload.to_vec()),
            };
            match choice >> 5 {
                0 => {
                    now += Duration::from_secs(u64::from(*choice) * 10);
                    if session.tick(now).is_err() {
                        return;
                    }
                }
                1 => session.receive(payload, now),
                2 => {
                    let sent = session.send(&message, now);
                    assert!(established || sent.is_err());
                }
                _ => {
                    let mut wire = v1::header(&message, Magic::REGTEST).to_vec();
                    wire.extend_from_slice(&message.payload);
                    session.receive(&wire, now);
                }
            }
            loop {
                match session.next() {
                    Ok(None) => break,
                    Ok(Some(SessionEvent::Established(_))) => {
                        assert!(!established, "established twice");
                        established = true;
                    }
                    Ok(Some(SessionEvent::Message(_))) => assert!(established, "too early"),
                    Err(_) => {
                        session.receive(&[0; 100], now);
                        assert!(session.next().is_err(), "it came back");
                        return;
                    }
                }
            }
            assert_eq!(session.is_established(), established);
            assert!(session.deadline() + Duration::from_secs(20 * 60) >= now);
            while session.output().is_some() {}
        }
    });
}

fn hello(bytes: &[u8]) -> Hello {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    Hello {
        version: match byte(0) % 4 {
            0 => 31_799,
            1 => 60_000,
            2 => 70_015,
            _ => 70_016,
        },
        services: bitcoin::p2p::ServiceFlags::from(u64::from(byte(1))),
        time: i64::from(byte(2)),
        receiver: None,
        nonce: u64::from(byte(3)),
        user_agent: String::from_utf8_lossy(bytes).into_owned(),
        start_height: i32::from(byte(4)),
        relay: byte(5) & 1 == 1,
    }
}
