use bitcoin::consensus::{deserialize, serialize};
use bitcoin::p2p::message::{NetworkMessage, RawNetworkMessage};
use proptest::prelude::*;

use super::*;
use crate::limits::MAX_PAYLOAD;

fn message(name: &str, payload: &[u8]) -> Message {
    Message::new(Command::new(name).unwrap(), payload.to_vec())
}

fn wire(message: &Message, magic: Magic) -> Vec<u8> {
    let mut wire = header(message, magic).to_vec();
    wire.extend_from_slice(&message.payload);
    wire
}

fn read(wire: &[u8], magic: Magic) -> Result<Option<Received>, V1Error> {
    V1::new(magic).receive(&mut &wire[..], MAX_PAYLOAD)
}

#[test]
fn the_wire_is_that_of_the_bitcoin_crate() {
    for said in [
        NetworkMessage::Verack,
        NetworkMessage::Ping(7),
        NetworkMessage::SendHeaders,
    ] {
        let message = Message::from(&said);
        let wire = wire(&message, Magic::REGTEST);
        let theirs = serialize(&RawNetworkMessage::new(Magic::REGTEST, said));
        assert_eq!(wire, theirs);
        assert!(deserialize::<RawNetworkMessage>(&wire).is_ok());
        let received = read(&wire, Magic::REGTEST).unwrap().unwrap();
        assert_eq!(received, Received::Message(message, wire.len()));
    }
}

#[test]
fn a_length_beyond_the_limit_is_told_before_the_payload_comes() {
    let mut long = wire(&message("ping", &[0; 8]), Magic::BITCOIN);
    long[17] = 1;
    let told = read(&long[..24], Magic::BITCOIN);
    assert!(matches!(told, Err(V1Error::TooLong { length: 264, .. })));
    let mut named_wrong = wire(&message("ping", &[0; 8]), Magic::BITCOIN);
    named_wrong[4] = 7;
    named_wrong[19] = 1;
    assert!(read(&named_wrong[..24], Magic::BITCOIN).is_err());
}

#[test]
fn memory_grows_with_what_comes_and_not_with_what_is_claimed() {
    let mut v1 = V1::new(Magic::BITCOIN);
    let whole = wire(&message("block", &vec![7; 3_999_999]), Magic::BITCOIN);
    let mut rest = &whole[..30];
    assert_eq!(v1.receive(&mut rest, MAX_PAYLOAD), Ok(None));
    let set_aside = v1.body.as_ref().unwrap().payload.capacity();
    assert!(set_aside <= 300_000, "{set_aside}");
    let mut rest = &whole[30..];
    let received = v1.receive(&mut rest, MAX_PAYLOAD).unwrap();
    assert!(matches!(received, Some(Received::Message(_, length)) if length == whole.len()));
}

#[test]
fn another_networks_magic_is_told_at_its_first_byte() {
    let wire = wire(&message("tx", b"payload"), Magic::BITCOIN);
    for seen in 1..wire.len() {
        let told = read(&wire[..seen], Magic::SIGNET);
        assert!(matches!(told, Err(V1Error::Magic { .. })), "{seen}");
    }
}

#[test]
fn a_wrong_checksum_or_name_costs_the_message_and_not_the_connection() {
    let mut changed = wire(&message("tx", b"payload"), Magic::BITCOIN);
    changed[HEADER_LENGTH] ^= 1;
    let mut named = wire(&message("tx", b"payload"), Magic::BITCOIN);
    named[4 + 11] = b'x';
    let good = wire(&message("tx", b"payload"), Magic::BITCOIN);
    let stream = [changed, named, good.clone()].concat();
    let mut v1 = V1::new(Magic::BITCOIN);
    let mut rest = stream.as_slice();
    let mut next = || v1.receive(&mut rest, MAX_PAYLOAD).unwrap().unwrap();
    let tx = Command::new("tx").unwrap();
    let length = good.len();
    assert_eq!(next(), Received::Dropped(Dropped::Checksum(tx), length));
    assert_eq!(next(), Received::Dropped(Dropped::Name, length));
    assert_eq!(next(), Received::Message(message("tx", b"payload"), length));
}

#[test]
fn a_long_payload_is_not_copied_on_its_way_out() {
    let block = message("block", &vec![1; 100_000]);
    let mut output = Output::default();
    V1::new(Magic::BITCOIN).send(&block, &mut output);
    let pieces: Vec<Bytes> = std::iter::from_fn(|| output.next_piece()).collect();
    assert_eq!(pieces[1].as_ptr(), block.payload.as_ptr());
    assert_eq!(pieces.concat(), wire(&block, Magic::BITCOIN));
}

proptest! {
    #[test]
    fn however_the_bytes_are_cut_the_messages_come_out(
        sent in proptest::collection::vec(("[a-z]{1,12}", proptest::collection::vec(any::<u8>(), 0..70)), 0..8),
        cuts in proptest::collection::vec(1..40_usize, 1..20),
    ) {
        let sent: Vec<Message> = sent.iter().map(|(name, payload)| message(name, payload)).collect();
        let stream: Vec<u8> = sent.iter().flat_map(|message| wire(message, Magic::TESTNET3)).collect();
        let mut v1 = V1::new(Magic::TESTNET3);
        let mut came = Vec::new();
        let mut rest = stream.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (mut piece, left) = rest.split_at((*cut).min(rest.len()));
            rest = left;
            while let Some(received) = v1.receive(&mut piece, MAX_PAYLOAD).unwrap() {
                came.push(received);
            }
            prop_assert!(piece.is_empty());
        }
        let expected: Vec<Received> = sent
            .into_iter()
            .map(|message| {
                let length = HEADER_LENGTH + message.payload.len();
                Received::Message(message, length)
            })
            .collect();
        prop_assert_eq!(came, expected);
    }

    #[test]
    fn no_bytes_make_it_panic(wire in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut led = Magic::BITCOIN.to_bytes().to_vec();
        led.extend_from_slice(&wire);
        let _ = read(&wire, Magic::BITCOIN);
        let _ = read(&led, Magic::BITCOIN);
    }
}
