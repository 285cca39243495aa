use bitcoin::constants::genesis_block;
use bitcoin::p2p::message::NetworkMessage;

use super::{Command, Message};

#[test]
fn names_are_printable_and_at_most_twelve_characters_long() {
    assert_eq!(Command::new("sendcmpct").unwrap().as_str(), "sendcmpct");
    assert_eq!(
        Command::new("sendaddrv2xy").unwrap().as_str(),
        "sendaddrv2xy"
    );
    for name in ["", "thirteen char", "a\0b", "tab\t", "ü"] {
        assert_eq!(Command::new(name), None, "{name:?}");
    }
    assert_eq!(Command::from_wire(*b"inv\0\0\0\0\0\0\0\0x"), None);
}

#[test]
fn headers_come_back_as_they_were_and_a_count_of_transactions_is_left_alone() {
    let header = genesis_block(bitcoin::Network::Regtest).header;
    let said = NetworkMessage::Headers(vec![header, header]);
    let message = Message::from(&said);
    assert_eq!(message.payload.len(), 1 + 2 * 81);
    assert_eq!(message.decode().unwrap(), said);

    let mut counted = message.payload.to_vec();
    counted[81] = 7;
    assert_eq!(
        Message::new(message.command, counted).decode().unwrap(),
        said
    );
}

#[test]
fn bytes_after_the_content_are_left_alone_and_missing_ones_are_an_error() {
    let ping = Command::new("ping").unwrap();
    let long = Message::new(ping, vec![1, 0, 0, 0, 0, 0, 0, 0, 9, 9]);
    assert_eq!(long.decode().unwrap(), NetworkMessage::Ping(1));
    let short = Message::new(ping, vec![1, 0, 0]);
    assert!(
        short
            .decode()
            .unwrap_err()
            .to_string()
            .starts_with("`ping` does not decode: it ends too early")
    );
}

#[test]
fn more_headers_than_allowed_are_refused_before_they_are_read() {
    let headers = Command::new("headers").unwrap();
    let message = Message::new(headers, vec![0xfd, 0xd1, 0x07]);
    assert!(message.decode().is_err());
}
