use super::*;

const BECH32: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";
const BASE58: &str = "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r";

fn wrong(text: &str) -> AddressError {
    read_address(text, Network::Regtest).unwrap_err()
}

#[test]
fn an_address_of_each_kind_is_read_also_with_blanks_around_it_or_in_capitals() {
    let capitals = BECH32.to_uppercase();
    for text in [
        BECH32,
        &capitals,
        &format!(" {BECH32}\n"),
        BASE58,
        "2NAUYAHhujozruyzpsFRP63mbrdaU5wnEpN",
    ] {
        assert!(read_address(text, Network::Regtest).is_ok(), "{text}");
    }
}

#[test]
fn each_kind_of_mistake_is_told_as_what_it_is() {
    let network = Network::Regtest;
    for nothing in ["", " ", "\t\n"] {
        assert_eq!(wrong(nothing), AddressError::Empty);
    }
    for mistyped in [
        &BECH32.replace("508", "509"),
        &BECH32[..BECH32.len() - 1],
        &BECH32[..8],
        "bcrt1",
        &BASE58.replace('D', "E"),
        &BASE58[..BASE58.len() - 1],
        "m",
        &"bcrt1q".repeat(40),
    ] {
        assert_eq!(wrong(mistyped), AddressError::Checksum, "{mistyped}");
    }
    for (text, character) in [
        (BECH32.replace("508", "5b8"), 'b'),
        (BECH32.replace("508", "5ü8"), 'ü'),
        (BASE58.replace('D', "0"), '0'),
    ] {
        assert_eq!(wrong(&text), AddressError::Character(character), "{text}");
    }
    assert_eq!(wrong(&BECH32.replace('q', "Q")), AddressError::MixedCase);
    for of_another in [
        "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
    ] {
        assert_eq!(wrong(of_another), AddressError::OtherNetwork { network });
    }
    for something in ["alice", "ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9", "ü"] {
        assert_eq!(wrong(something), AddressError::Beginning { network });
    }
    // A key of taproot that is no point of the curve can be paid all the same; a program of 5 bytes in version 0 cannot.
    let hrp = bitcoin::bech32::hrp::BCRT;
    let mut meaningless = String::new();
    let zero = bitcoin::bech32::Fe32::Q;
    segwit::encode_lower_to_fmt_unchecked(&mut meaningless, hrp, zero, &[1; 5]).unwrap();
    assert!(matches!(wrong(&meaningless), AddressError::Meaningless(_)));
    let told = wrong("alice").to_string();
    assert_eq!(
        told,
        "it begins like no address; those of regtest begin with bcrt1, m, n, 2"
    );
}
