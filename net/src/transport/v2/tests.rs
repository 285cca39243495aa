use bitcoin::p2p::Magic;
use proptest::prelude::*;

use super::*;
use crate::transport::{State, Transport, TransportError};

fn secrets(key: u8, garbage: usize, decoys: &[usize]) -> Secrets {
    Secrets {
        key: [key; 32],
        garbage: vec![key; garbage],
        decoys: decoys.iter().map(|length| vec![key; *length]).collect(),
    }
}

fn drain(output: &mut Output) -> Vec<u8> {
    let pieces: Vec<Bytes> = std::iter::from_fn(|| output.next_piece()).collect();
    pieces.concat()
}

/// One side, with what it has to say and what it has heard.
struct Side {
    transport: Transport,
    output: Output,
    heard: Vec<Received>,
}

impl Side {
    fn hear(&mut self, bytes: &[u8], cuts: &[usize]) -> Result<(), TransportError> {
        let mut rest = bytes;
        for cut in cuts.iter().cycle() {
            let (mut piece, left) = rest.split_at((*cut).min(rest.len()));
            rest = left;
            while let Some(received) =
                self.transport
                    .receive(&mut piece, MAX_PAYLOAD, &mut self.output)?
            {
                self.heard.push(received);
            }
            if rest.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn sides(ours: Secrets, theirs: Secrets) -> (Side, Side) {
    let mut output = Output::default();
    let initiator = Transport::v2_initiator(Magic::REGTEST, ours, &mut output).unwrap();
    let side = |transport, output| Side {
        transport,
        output,
        heard: Vec::new(),
    };
    (
        side(initiator, output),
        side(
            Transport::responder(Magic::REGTEST, theirs),
            Output::default(),
        ),
    )
}

fn talk(a: &mut Side, b: &mut Side, cuts: &[usize]) {
    loop {
        let from_a = drain(&mut a.output);
        let from_b = drain(&mut b.output);
        if from_a.is_empty() && from_b.is_empty() {
            return;
        }
        b.hear(&from_a, cuts).unwrap();
        a.hear(&from_b, cuts).unwrap();
    }
}

fn message(name: &str, payload: Vec<u8>) -> Message {
    Message::new(Command::new(name).unwrap(), payload)
}

#[test]
fn both_sides_agree_and_messages_go_both_ways() {
    let (mut a, mut b) = sides(secrets(1, 0, &[]), secrets(2, 4_095, &[0, 100, 60_000]));
    talk(&mut a, &mut b, &[usize::MAX]);
    assert_eq!(a.heard, [Received::Ready]);
    assert_eq!(b.heard, [Received::Ready]);
    assert_eq!(a.transport.session_id(), b.transport.session_id());
    // The keys are changed every 224 packets.
    for round in 0..500_u32 {
        let ping = message("ping", round.to_le_bytes().repeat(2));
        let own = message("wtxidrelay", Vec::new());
        let length = a.transport.send(&ping, &mut a.output).unwrap();
        assert_eq!(length, 3 + 1 + 1 + 8 + 16);
        b.transport.send(&own, &mut b.output).unwrap();
        talk(&mut a, &mut b, &[usize::MAX]);
        assert_eq!(b.heard.pop(), Some(Received::Message(ping, length)));
        assert!(matches!(a.heard.pop(), Some(Received::Message(heard, _)) if heard == own));
    }
    let block = message("block", vec![9; 3_999_999]);
    a.transport.send(&block, &mut a.output).unwrap();
    talk(&mut a, &mut b, &[100_000]);
    assert!(matches!(b.heard.pop(), Some(Received::Message(heard, _)) if heard == block));
}

#[test]
fn a_caller_that_speaks_v1_is_understood() {
    let mut b = sides(secrets(1, 0, &[]), secrets(2, 10, &[])).1;
    let version = message("version", vec![1; 90]);
    let mut output = Output::default();
    Transport::v1(Magic::REGTEST)
        .send(&version, &mut output)
        .unwrap();
    b.hear(&drain(&mut output), &[1]).unwrap();
    let length = 24 + 90;
    assert_eq!(
        b.heard,
        [Received::Ready, Received::Message(version, length)]
    );
    assert!(b.output.is_empty());
}

#[test]
fn another_networks_v1_is_told_by_its_name() {
    let mut b = sides(secrets(1, 0, &[]), secrets(2, 10, &[])).1;
    let mut output = Output::default();
    Transport::v1(Magic::BITCOIN)
        .send(&message("version", vec![1; 90]), &mut output)
        .unwrap();
    let told = b.hear(&drain(&mut output), &[3]).unwrap_err();
    assert!(matches!(told, TransportError::V1(_)), "{told}");
}

#[test]
fn garbage_without_an_end_and_changed_packets_end_it() {
    let (_, mut b) = sides(secrets(1, 0, &[]), secrets(2, 0, &[]));
    let told = b.hear(&[0x55; 64 + 4_095 + 16], &[7]).unwrap_err();
    assert_eq!(told, V2Error::Garbage.into());

    let (mut a, mut b) = sides(secrets(1, 5, &[]), secrets(2, 5, &[]));
    talk(&mut a, &mut b, &[usize::MAX]);
    a.transport
        .send(&message("ping", vec![0; 8]), &mut a.output)
        .unwrap();
    let mut packet = drain(&mut a.output);
    *packet.last_mut().unwrap() ^= 1;
    let told = b.hear(&packet, &[usize::MAX]).unwrap_err();
    assert_eq!(told, V2Error::Decryption.into());
}

#[test]
fn a_length_is_judged_as_soon_as_it_is_there() {
    // A changed length byte makes the length another; of 16 million that it can be, most are too long.
    let mut too_long = 0;
    for bit in 0..8 {
        let (mut a, mut b) = sides(secrets(1, 5, &[]), secrets(2, 5, &[]));
        talk(&mut a, &mut b, &[usize::MAX]);
        a.transport
            .send(&message("ping", vec![0; 8]), &mut a.output)
            .unwrap();
        let mut packet = drain(&mut a.output);
        packet[2] ^= 1 << bit;
        if let Err(told) = b.hear(&packet[..3], &[3]) {
            assert!(matches!(
                told,
                TransportError::V2(V2Error::TooLong { length }) if length > MAX_CONTENTS
            ));
            too_long += 1;
        }
    }
    assert_eq!(too_long, 2);
}

#[test]
fn a_message_longer_than_its_name_allows_ends_it() {
    let (mut a, mut b) = sides(secrets(1, 5, &[]), secrets(2, 5, &[]));
    talk(&mut a, &mut b, &[usize::MAX]);
    let long = message("ping", vec![0; 1_000]);
    assert!(a.transport.send(&long, &mut a.output).is_err());
    let State::V2(v2) = &mut a.transport.state else {
        panic!("v2");
    };
    v2.send(&long, &mut a.output).unwrap();
    let told = b.hear(&drain(&mut a.output), &[usize::MAX]).unwrap_err();
    assert!(matches!(
        told,
        TransportError::V2(V2Error::MessageTooLong { length: 1_000, .. })
    ));
}

#[test]
fn numbers_that_stand_for_nothing_cost_the_message_only() {
    assert_eq!(read_name(&[29, 1, 2]), None);
    assert_eq!(read_name(&[255, 1, 2]), None);
    assert_eq!(read_name(&[0, 1, 2]), None);
    assert_eq!(read_name(b"\0inv\0\0\0\0\0\0\0\0x"), None);
    let inv = Command::new("inv").unwrap();
    assert_eq!(read_name(b"\0inv\0\0\0\0\0\0\0\0\0rest"), Some((inv, 13)));
    assert_eq!(read_name(&[14, 9]), Some((inv, 1)));
}

#[test]
fn an_answer_in_the_clear_asks_for_v1() {
    let (mut a, _) = sides(secrets(1, 5, &[]), secrets(2, 5, &[]));
    assert!(a.transport.should_fall_back());
    let mut output = Output::default();
    Transport::v1(Magic::REGTEST)
        .send(&message("version", vec![1; 90]), &mut output)
        .unwrap();
    let told = a.hear(&drain(&mut output), &[usize::MAX]).unwrap_err();
    assert_eq!(told, V2Error::AnsweredInTheClear.into());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn however_the_bytes_are_cut_the_handshake_ends_and_messages_come_out(
        keys in (1..=100_u8, 101..=200_u8),
        garbage in (0..=MAX_GARBAGE, 0..=MAX_GARBAGE),
        decoys in proptest::collection::vec(0..300_usize, 0..4),
        cuts in proptest::collection::vec(1..3_000_usize, 1..10),
        payload in proptest::collection::vec(any::<u8>(), 0..2_000),
    ) {
        let (mut a, mut b) = sides(
            secrets(keys.0, garbage.0, &decoys),
            secrets(keys.1, garbage.1, &[]),
        );
        talk(&mut a, &mut b, &cuts);
        prop_assert_eq!(&a.heard, &[Received::Ready]);
        prop_assert_eq!(&b.heard, &[Received::Ready]);
        let sent = message("tx", payload);
        b.transport.send(&sent, &mut b.output).unwrap();
        a.transport.send(&sent, &mut a.output).unwrap();
        talk(&mut a, &mut b, &cuts);
        prop_assert!(matches!(&a.heard[1], Received::Message(heard, _) if *heard == sent));
        prop_assert!(matches!(&b.heard[1], Received::Message(heard, _) if *heard == sent));
    }

    #[test]
    fn no_bytes_make_a_responder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..6_000)) {
        let mut b = sides(secrets(1, 0, &[]), secrets(2, 0, &[])).1;
        let _ = b.hear(&bytes, &[500]);
    }
}
