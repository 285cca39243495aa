use std::collections::HashSet;

use bitcoin::consensus::{deserialize, serialize};
use proptest::prelude::*;

use super::*;

const ONION: &str = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion:8333";
const I2P: &str = "ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p:0";

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

#[test]
fn texts_are_those_of_bitcoin_core() {
    for text in [
        "1.2.3.4:8333",
        "[::1]:8333",
        "[2001:db8::1]:18444",
        "[fc00:1:2::3]:8333",
        "[2002:0:0:1::1]:1",
        "bip155-9-00ff:77",
        ONION,
        I2P,
    ] {
        assert_eq!(endpoint(text).to_string(), text);
    }
    let kinds = ["1.2.3.4:1", "[2a00::1]:1", ONION, I2P, "[fc00::1]:1"].map(|t| endpoint(t).kind());
    assert_eq!(kinds, NetworkKind::CALLABLE);
    assert_eq!(endpoint(&ONION.to_uppercase()).to_string(), ONION);
}

#[test]
fn what_is_no_endpoint_is_told_why() {
    for (text, reason) in [
        ("", "neither"),
        ("1.2.3.4", "port is missing"),
        ("1.2.3.4:", "no number"),
        ("1.2.3.4:+1", "no number"),
        ("1.2.3.4:65536", "at most"),
        ("::1", "brackets"),
        ("[::1", "not closed"),
        ("[::1]8333", "between"),
        ("[1.2.3.4]:1", "no IPv6"),
        ("[::1]", "port is missing"),
        ("example.com:8333", "looked up"),
        ("abc.onion:1", "base32"),
        ("expyuzz4wqqyqhjn.onion:1", "56"),
        (&format!("a{}", &ONION[1..]), "checksum"),
        ("aaaa.b32.i2p:0", "52"),
        ("bip155-1-01020304:1", "of their own"),
        ("1.2.3.4:1:2", "no number"),
    ] {
        let error = text.parse::<Endpoint>().unwrap_err();
        assert!(error.reason.contains(reason), "{text}: {error}");
    }
}

#[test]
fn a_port_left_out_is_the_networks() {
    let port = default_port(Network::Signet);
    assert_eq!(
        Endpoint::parse("1.2.3.4", port),
        Ok(endpoint("1.2.3.4:38333"))
    );
    assert_eq!(Endpoint::parse("::1", port), Ok(endpoint("[::1]:38333")));
    assert_eq!(Endpoint::parse("[::1]", port), Ok(endpoint("[::1]:38333")));
    assert_eq!(
        Endpoint::parse("1.2.3.4:5", port),
        Ok(endpoint("1.2.3.4:5"))
    );
    assert_eq!(
        Endpoint::parse(I2P.trim_end_matches(":0"), port),
        Ok(endpoint(I2P))
    );
}

#[test]
fn routability_is_judged_as_bitcoin_core_does() {
    for text in [
        "0.0.0.0:1",
        "255.255.255.255:1",
        "10.0.0.1:1",
        "172.31.0.1:1",
        "192.168.0.1:1",
        "100.64.0.1:1",
        "169.254.1.1:1",
        "198.18.0.1:1",
        "192.0.2.1:1",
        "198.51.100.1:1",
        "203.0.113.9:1",
        "127.0.0.1:1",
        "0.1.2.3:1",
        "[::]:1",
        "[::1]:1",
        "[2001:db8::1]:1",
        "[fe80::1]:1",
        "[fd00::1]:1",
        "[2001:10::1]:1",
        "[2001:20::1]:1",
        "[fd87:d87e:eb43::1]:1",
        "[fd6b:88c0:8724::1]:1",
        "bip155-7-01:1",
    ] {
        assert!(!endpoint(text).is_routable(), "{text}");
    }
    for text in [
        "8.8.8.8:1",
        "172.32.0.1:1",
        "100.128.0.1:1",
        "198.20.0.1:1",
        "[2001::1]:1",
        "[2001:470::1]:1",
        "[2002:808:808::1]:1",
        "[64:ff9b::808:808]:1",
        "[fc00::1]:1",
        ONION,
        I2P,
    ] {
        assert!(endpoint(text).is_routable(), "{text}");
    }
    assert!(endpoint("127.8.8.8:1").is_local() && endpoint("[::1]:1").is_local());
    assert!(endpoint("10.0.0.1:1").is_valid() && !endpoint("[2001:db8::1]:1").is_valid());
}

#[test]
fn an_ipv4_address_in_another_coat_is_one() {
    for text in [
        "8.9.10.11:1",
        "[64:ff9b::809:a0b]:1",
        "[::ffff:0:809:a0b]:1",
        "[2002:809:a0b::1]:1",
        "[2001:0:1::f7f6:f5f4]:1",
        "[::ffff:8.9.10.11]:1",
    ] {
        let it = endpoint(text);
        assert_eq!(it.network(), NetworkKind::Ipv4, "{text}");
        assert_eq!(it.group(), endpoint("8.9.1.1:7").group(), "{text}");
    }
    assert_eq!(
        endpoint("10.0.0.1:1").network(),
        NetworkKind::NotPubliclyRoutable
    );
    assert_eq!(endpoint("10.0.0.1:1").kind(), NetworkKind::Ipv4);
}

#[test]
fn groups_are_as_wide_as_bitcoin_cores() {
    let same = |a: &str, b: &str| endpoint(a).group() == endpoint(b).group();
    assert!(same("8.8.1.1:1", "8.8.9.9:2") && !same("8.8.1.1:1", "8.9.1.1:1"));
    assert!(same("[2a00:1:2::]:1", "[2a00:1:ffff::]:1") && !same("[2a00:1::]:1", "[2a00:2::]:1"));
    assert!(same("[2001:470:1f00::]:1", "[2001:470:1fff::]:1"));
    assert!(!same("[2001:470:1000::]:1", "[2001:470:2000::]:1"));
    assert!(same("[fc01::]:1", "[fc0f::]:1") && !same("[fc01::]:1", "[fc11::]:1"));
    assert!(same("10.0.0.1:1", "192.168.0.1:1") && same("127.0.0.1:1", "[::1]:1"));
    assert!(!same("10.0.0.1:1", "127.0.0.1:1"));
    let onions: HashSet<Group> = (0..=255)
        .map(|byte| Endpoint::new(AddrV2::TorV3([byte; 32]), 1).group())
        .collect();
    assert_eq!(onions.len(), 16);
}

#[test]
fn forms_of_the_wire_keep_the_endpoint() {
    for text in [
        "1.2.3.4:8333",
        "[2001:db8::1]:8333",
        ONION,
        I2P,
        "[fc00::1]:5",
        "bip155-200-0102:9",
    ] {
        let it = endpoint(text);
        let message = it.to_message(7, ServiceFlags::NETWORK);
        let message: AddrV2Message = deserialize(&serialize(&message)).unwrap();
        assert_eq!(Endpoint::from(&message), it);
        if let Some(address) = it.to_address(ServiceFlags::NONE) {
            assert_eq!(Endpoint::from(&address), it);
        }
        if let Some(socket) = it.socket_address() {
            assert_eq!(Endpoint::from(socket), it);
        }
    }
    assert_eq!(endpoint(ONION).to_address(ServiceFlags::NONE), None);
    assert_eq!(endpoint(I2P).socket_address(), None);
}

#[test]
fn networks_have_words() {
    for kind in NetworkKind::CALLABLE {
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
    assert_eq!("Tor".parse(), Ok(NetworkKind::Onion));
    assert!("internal".parse::<NetworkKind>().is_err());
}

/// Any endpoint that text has a form for.
pub(crate) fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    let host = prop_oneof![
        any::<[u8; 4]>().prop_map(|ip| AddrV2::Ipv4(ip.into())),
        any::<[u8; 16]>().prop_map(|ip| host(IpAddr::from(ip))),
        any::<[u8; 15]>().prop_map(|ip| {
            let mut bytes = [0xfc; 16];
            bytes[1..].copy_from_slice(&ip);
            AddrV2::Cjdns(bytes.into())
        }),
        any::<[u8; 32]>().prop_map(AddrV2::TorV3),
        any::<[u8; 32]>().prop_map(AddrV2::I2p),
        (7u8.., proptest::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(network, bytes)| AddrV2::Unknown(network, bytes)),
    ];
    (host, any::<u16>()).prop_map(|(host, port)| Endpoint::new(host, port))
}

proptest! {
    #[test]
    fn every_text_reads_back_as_itself(it in any_endpoint()) {
        prop_assert_eq!(it.to_string().parse(), Ok(it.clone()));
        prop_assert_eq!(Endpoint::from(&it.to_message(0, ServiceFlags::NONE)), it.clone());
        // Whatever can be called is valid, and what is local or unknown cannot.
        prop_assert!(!it.is_routable() || (it.is_valid() && !it.is_local()));
        let _ = it.group();
    }

    #[test]
    fn no_text_makes_the_reader_fail(text in "\\PC{0,80}") {
        if let Ok(it) = text.parse::<Endpoint>() {
            prop_assert_eq!(it.to_string().parse(), Ok(it));
        }
    }
}
