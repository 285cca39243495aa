use bitcoin::consensus::{deserialize, serialize};
use bitcoin::p2p::message::{NetworkMessage, RawNetworkMessage};
use proptest::prelude::*;

use super::*;

fn frame(command: &str, payload: &[u8]) -> Frame {
    Frame {
        command: command.into(),
        payload: payload.to_vec(),
    }
}

#[test]
fn frames_are_those_of_the_bitcoin_crate() {
    for message in [
        NetworkMessage::Verack,
        NetworkMessage::Ping(7),
        NetworkMessage::SendHeaders,
    ] {
        let wire = serialize(&RawNetworkMessage::new(Magic::REGTEST, message));
        let (frame, taken) = Frame::decode(&wire, Magic::REGTEST).unwrap().unwrap();
        assert_eq!(taken, wire.len());
        assert_eq!(frame.encode(Magic::REGTEST).unwrap(), wire);
        assert!(deserialize::<RawNetworkMessage>(&wire).is_ok());
    }
}

#[test]
fn a_length_beyond_the_limit_is_told_before_the_payload_comes() {
    let mut wire = frame("ping", &[0; 8]).encode(Magic::BITCOIN).unwrap();
    wire[16] = 9;
    let told = Frame::decode(&wire[..20], Magic::BITCOIN);
    assert_eq!(
        told,
        Err(FrameError::TooLong {
            command: "ping".into(),
            length: 9,
            limit: 8
        })
    );
    assert!(
        frame("block", &vec![0; MAX_PAYLOAD as usize])
            .encode(Magic::BITCOIN)
            .is_ok()
    );
    let too_long = frame("block", &vec![0; MAX_PAYLOAD as usize + 1]).encode(Magic::BITCOIN);
    assert!(matches!(too_long, Err(FrameError::TooLong { .. })));
}

#[test]
fn other_networks_names_that_are_none_and_wrong_checksums_are_told() {
    let wire = frame("tx", b"payload").encode(Magic::BITCOIN).unwrap();
    assert!(matches!(
        Frame::decode(&wire, Magic::SIGNET),
        Err(FrameError::Magic { .. })
    ));
    let mut named = wire.clone();
    named[4 + 11] = b'x';
    assert!(matches!(
        Frame::decode(&named, Magic::BITCOIN),
        Err(FrameError::Command(_))
    ));
    let mut changed = wire.clone();
    changed[HEADER_LENGTH] ^= 1;
    let told = Frame::decode(&changed, Magic::BITCOIN);
    assert_eq!(
        told,
        Err(FrameError::Checksum {
            command: "tx".into(),
            length: wire.len()
        })
    );
    assert!(frame("", b"").encode(Magic::BITCOIN).is_err());
    assert!(frame("thirteen-char", b"").encode(Magic::BITCOIN).is_err());
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded_and_a_part_of_it_asks_for_more(
        command in "[a-z]{1,12}",
        payload in proptest::collection::vec(any::<u8>(), 0..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let sent = frame(&command, &payload);
        prop_assume!(payload.len() <= payload_limit(&command) as usize);
        let wire = sent.encode(Magic::TESTNET3).unwrap();
        prop_assert_eq!(Frame::decode(&wire[..cut.index(wire.len())], Magic::TESTNET3), Ok(None));
        prop_assert_eq!(Frame::decode(&wire, Magic::TESTNET3), Ok(Some((sent, wire.len()))));
    }

    #[test]
    fn no_bytes_make_it_panic(wire in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut led = Magic::BITCOIN.to_bytes().to_vec();
        led.extend_from_slice(&wire);
        let _ = Frame::decode(&wire, Magic::BITCOIN);
        let _ = Frame::decode(&led, Magic::BITCOIN);
    }
}
