use std::net::Ipv4Addr;

use bitcoin::consensus::deserialize;
use proptest::prelude::*;

use super::*;

fn hello() -> Hello {
    Hello {
        version: 70_016,
        services: ServiceFlags::NETWORK | ServiceFlags::WITNESS,
        time: 1_700_000_000,
        receiver: Some(Endpoint {
            host: AddrV2::Ipv4(Ipv4Addr::new(1, 2, 3, 4)),
            port: 8333,
        }),
        nonce: 7,
        user_agent: "/everett:0.1.0/".into(),
        start_height: 840_000,
        relay: true,
    }
}

#[test]
fn it_is_the_version_message_of_the_bitcoin_crate() {
    let said = hello();
    let message = said.encode();
    let theirs: VersionMessage = deserialize(&message.payload).unwrap();
    assert_eq!(theirs.nonce, 7);
    assert_eq!(theirs.receiver.port, 8333);
    assert_eq!(Hello::decode(&message.payload).unwrap(), said);
}

#[test]
fn old_versions_that_end_early_are_read() {
    let payload = hello().encode().payload;
    let short = Hello::decode(&payload[..46]).unwrap();
    assert_eq!((short.nonce, short.start_height), (1, -1));
    assert!(short.relay);
    let nonce = Hello::decode(&payload[..46 + 34]).unwrap();
    assert_eq!(nonce.nonce, 7);
    assert_eq!(nonce.user_agent, "");
    assert!(Hello::decode(&payload[..50]).is_err());
}

#[test]
fn a_user_agent_is_short_and_of_harmless_characters() {
    let mut said = hello();
    said.user_agent = "<b>\n/x:1/\u{1b}[31m".into();
    assert_eq!(
        Hello::decode(&said.encode().payload).unwrap().user_agent,
        "b/x:1/31m"
    );
    said.user_agent = "x".repeat(256);
    assert!(Hello::decode(&said.encode().payload).is_ok());
    said.user_agent.push('x');
    assert!(Hello::decode(&said.encode().payload).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Hello::decode(&bytes);
    }
}
