use std::fs;

use proptest::prelude::*;

use super::*;

fn subnet(text: &str) -> Subnet {
    text.parse().unwrap()
}

fn at(text: &str) -> Endpoint {
    Endpoint::parse(text, 8333).unwrap()
}

const ONION: &str = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion";

#[test]
fn subnets_read_and_write_as_in_bitcoin_core() {
    for (text, normal) in [
        ("1.2.3.4", "1.2.3.4/32"),
        ("1.2.3.4/16", "1.2.0.0/16"),
        ("1.2.3.4/0", "0.0.0.0/0"),
        ("1.2.3.4/255.255.0.0", "1.2.0.0/16"),
        ("1.2.3.4/255.255.255.255", "1.2.3.4/32"),
        ("1.2.3.4/0.0.0.0", "0.0.0.0/0"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("2001:db8:1::/32", "2001:db8::/32"),
        ("2001:db8:1::/ffff::", "2001::/16"),
        ("::ffff:1.2.3.4", "1.2.3.4/32"),
        (ONION, ONION),
        ("fc00::1", "fc00::1"),
    ] {
        assert_eq!(subnet(text).to_string(), normal, "{text}");
        assert_eq!(subnet(normal), subnet(text));
    }
    for text in [
        "",
        "1.2.3",
        "1.2.3.4/33",
        "1.2.3.4/-1",
        "1.2.3.4/",
        "::/129",
        "1.2.3.4/255.0.255.0",
        "1.2.3.4/ffff::",
        "a/8",
        "1.2.3.4:8333",
        "fc00::/8",
        &format!("{ONION}/8"),
    ] {
        assert!(text.parse::<Subnet>().is_err(), "{text}");
    }
}

#[test]
fn a_ban_covers_its_subnet_until_its_time() {
    let mut bans = Bans::new();
    bans.ban(subnet("1.2.0.0/16"), 100, "spam", 10).unwrap();
    bans.ban(subnet(ONION), 50, "", 10).unwrap();
    assert!(bans.is_banned(&at("1.2.200.1"), 99) && !bans.is_banned(&at("1.3.0.0"), 99));
    assert!(!bans.is_banned(&at("1.2.200.1"), 100));
    assert!(bans.is_banned(&at(ONION), 49) && !bans.is_banned(&at(ONION), 50));
    assert_eq!(bans.find(&at("1.2.9.9").host, 11).unwrap().reason, "spam");
    assert_eq!(bans.list(60).len(), 1);
    assert!(bans.remove(&subnet("1.2.0.0/16")) && !bans.remove(&subnet("1.2.0.0/16")));
    assert_eq!(bans.clear(), 0);
}

#[test]
fn a_ban_can_be_made_longer_but_not_shorter() {
    let mut bans = Bans::new();
    bans.ban(subnet("1.2.3.4"), 100, "a", 0).unwrap();
    let error = bans.ban(subnet("1.2.3.4"), 90, "b", 0).unwrap_err();
    assert!(matches!(error, BanError::Already { until: 100, .. }));
    bans.ban(subnet("1.2.3.4"), 110, "c", 0).unwrap();
    assert_eq!(bans.list(0).len(), 1);
    assert_eq!(bans.list(0)[0].reason, "c");
}

#[test]
fn bans_are_bounded() {
    let mut bans = Bans::new();
    for number in 0..MAX_BANS as u32 {
        bans.ban(
            Subnet::new(std::net::Ipv4Addr::from_bits(number).into(), 32).unwrap(),
            9,
            "",
            0,
        )
        .unwrap();
    }
    assert_eq!(bans.ban(subnet("9.9.9.9"), 9, "", 0), Err(BanError::Full));
    // Those that ran out make room.
    assert_eq!(bans.ban(subnet("9.9.9.9"), 99, "", 9), Ok(()));
}

#[test]
fn bans_are_on_disk_and_a_damaged_file_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bans.json");
    let mut bans = Bans::load(&path, 0).unwrap();
    bans.ban(subnet("1.2.0.0/16"), 100, "spam", 10).unwrap();
    bans.ban(subnet(ONION), 50, "", 10).unwrap();
    assert!(bans.is_changed());
    bans.save(&path).unwrap();
    assert!(!bans.is_changed());
    let mut again = Bans::load(&path, 10).unwrap();
    assert_eq!(again.list(10), bans.list(10));
    assert_eq!(Bans::load(&path, 60).unwrap().list(60).len(), 1);
    for damage in [
        "",
        "{",
        "{\"version\":2,\"bans\":[]}",
        "[]",
        "{\"version\":1,\"bans\":[{\"subnet\":\"x\"}]}",
    ] {
        fs::write(&path, damage).unwrap();
        assert!(Bans::load(&path, 0).unwrap().list(0).is_empty());
        assert!(!path.exists());
        assert_eq!(
            fs::read_to_string(directory.path().join("bans.json.damaged")).unwrap(),
            damage
        );
    }
}

#[test]
fn the_discouraged_are_forgotten_in_the_order_they_came() {
    let mut bans = Bans::new();
    let host = |number: usize| Endpoint::new(AddrV2::Ipv4((number as u32).into()), 7);
    for number in 0..3 * GENERATION {
        bans.discourage(&host(number));
        assert!(
            bans.discouraged.young.len() <= GENERATION && bans.discouraged.old.len() <= GENERATION
        );
    }
    for number in 2 * GENERATION..3 * GENERATION {
        assert!(bans.is_discouraged(&Endpoint::new(host(number).host, 9)));
    }
    assert!(!bans.is_discouraged(&host(0)));
}

proptest! {
    #[test]
    fn a_subnet_has_the_hosts_whose_first_bits_are_its_own(a: u32, b: u32, bits in 0u8..=32) {
        let net = Subnet::new(std::net::Ipv4Addr::from_bits(a).into(), bits).unwrap();
        let same = bits == 0 || a >> (32 - bits) == b >> (32 - bits);
        prop_assert_eq!(net.contains(&AddrV2::Ipv4(b.into())), same);
        prop_assert_eq!(net.to_string().parse(), Ok(net));
    }

    #[test]
    fn subnets_of_ipv6_too(a: u128, b: u128, bits in 0u8..=128) {
        let ip: std::net::Ipv6Addr = a.into();
        prop_assume!(ip.octets()[0] != 0xfc && ip.to_ipv4_mapped().is_none());
        let net = Subnet::new(ip.into(), bits).unwrap();
        let same = bits == 0 || a >> (128 - bits) == b >> (128 - bits);
        prop_assert_eq!(net.contains(&AddrV2::Ipv6(b.into())), same);
        prop_assert_eq!(net.to_string().parse(), Ok(net));
    }
}
