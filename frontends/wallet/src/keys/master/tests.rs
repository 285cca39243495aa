use bitcoin::bip32::{DerivationPath, Xpub};
use bitcoin::hex::FromHex;
use bitcoin::{Address, Network};

use super::*;
use crate::keys::expression::{Expression, SECP};
use crate::keys::with_checksum;

const WORDS: &str =
    "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

fn seed(hex: &str) -> Vec<u8> {
    Vec::from_hex(hex).unwrap()
}

fn address(network: Network, kind: OutputType, chain: Chain, index: u32) -> String {
    let master = Master::from_mnemonic(WORDS, "", network).unwrap();
    let text = with_checksum(&master.descriptor(kind, chain));
    let expression = Expression::parse(&text, network, true).unwrap();
    let derived = expression.derive(0, index).unwrap().remove(0);
    Address::from_script(&derived.script, network)
        .unwrap()
        .to_string()
}

#[test]
fn the_vectors_of_bip32_hold() {
    for (hex, path, private, public) in [
        (
            "000102030405060708090a0b0c0d0e0f",
            "m",
            "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi",
            "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8",
        ),
        (
            "000102030405060708090a0b0c0d0e0f",
            "m/0h/1/2h/2/1000000000",
            "xprvA41z7zogVVwxVSgdKUHDy1SKmdb533PjDz7J6N6mV6uS3ze1ai8FHa8kmHScGpWmj4WggLyQjgPie1rFSruoUihUZREPSL39UNdE3BBDu76",
            "xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW6cFJodrTHy",
        ),
        (
            "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542",
            "m/0/2147483647h/1/2147483646h/2",
            "xprvA2nrNbFZABcdryreWet9Ea4LvTJcGsqrMzxHx98MMrotbir7yrKCEXw7nadnHM8Dq38EGfSh6dqA9QWTyefMLEcBYJUuekgW4BYPJcr9E7j",
            "xpub6FnCn6nSzZAw5Tw7cgR9bi15UV96gLZhjDstkXXxvCLsUXBGXPdSnLFbdpq8p9HmGsApME5hQTZ3emM2rnY5agb9rXpVGyy3bdW6EEgAtqt",
        ),
    ] {
        let master = Master::from_seed(&seed(hex), Network::Bitcoin).unwrap();
        let path: DerivationPath = path.parse().unwrap();
        let derived = master.key().derive_priv(&*SECP, &path).unwrap();
        assert_eq!(derived.to_string(), private);
        assert_eq!(Xpub::from_priv(&SECP, &derived).to_string(), public);
    }
}

#[test]
fn the_vectors_of_bip39_hold() {
    for (words, private) in [
        (
            WORDS,
            "xprv9s21ZrQH143K3h3fDYiay8mocZ3afhfULfb5GX8kCBdno77K4HiA15Tg23wpbeF1pLfs1c5SPmYHrEpTuuRhxMwvKDwqdKiGJS9XFKzUsAF",
        ),
        (
            "legal winner thank year wave sausage worth useful legal winner thank yellow",
            "xprv9s21ZrQH143K2gA81bYFHqU68xz1cX2APaSq5tt6MFSLeXnCKV1RVUJt9FWNTbrrryem4ZckN8k4Ls1H6nwdvDTvnV7zEXs2HgPezuVccsq",
        ),
    ] {
        let master = Master::from_mnemonic(words, "TREZOR", Network::Bitcoin).unwrap();
        assert_eq!(master.key().to_string(), private);
    }
    let wrong = [
        "abandon abandon abandon",
        "legal winner thank year wave sausage worth useful legal winner thank thank",
        "legal winner thank year wave sausage worth useful legal winner thank xyzzy",
    ];
    for words in wrong {
        let master = Master::from_mnemonic(words, "", Network::Bitcoin);
        assert!(matches!(master, Err(KeyError::Mnemonic(_))), "{words}");
    }
}

#[test]
fn the_vectors_of_bip44_49_84_and_86_hold() {
    use Chain::{External, Internal};
    use OutputType::{Bech32, Bech32m, Legacy, P2shSegwit};
    let main = Network::Bitcoin;
    for (network, kind, chain, index, expected) in [
        (
            main,
            Legacy,
            External,
            0,
            "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA",
        ),
        (
            Network::Testnet,
            P2shSegwit,
            External,
            0,
            "2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2",
        ),
        (
            main,
            Bech32,
            External,
            0,
            "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu",
        ),
        (
            main,
            Bech32,
            External,
            1,
            "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g",
        ),
        (
            main,
            Bech32,
            Internal,
            0,
            "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el",
        ),
        (
            main,
            Bech32m,
            External,
            0,
            "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
        ),
        (
            main,
            Bech32m,
            External,
            1,
            "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh",
        ),
        (
            main,
            Bech32m,
            Internal,
            0,
            "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7",
        ),
    ] {
        assert_eq!(address(network, kind, chain, index), expected);
    }
}

#[test]
fn a_new_mnemonic_has_24_words_and_makes_a_wallet() {
    let words = new_mnemonic().unwrap();
    assert_eq!(words.split(' ').count(), 24);
    Master::from_mnemonic(&words, "", Network::Regtest).unwrap();
    assert_ne!(*words, *new_mnemonic().unwrap());
}
