use bitcoin::hex::FromHex;
use secp256k1::{SecretKey, constants};

use super::*;

fn key() -> SecretKey {
    SecretKey::from_slice(&[7; 32]).unwrap()
}

/// A signature in DER and its public key, over a hash of ones.
fn signed() -> (Vec<u8>, PublicKey) {
    let secp = Secp256k1::new();
    let signature = secp.sign_ecdsa(&Message::from_digest([1; 32]), &key());
    (signature.serialize_der().to_vec(), key().public_key(&secp))
}

/// The same signature with S replaced by the group's order minus S.
fn with_high_s(der: &[u8]) -> Vec<u8> {
    let compact = ecdsa::Signature::from_der(der).unwrap().serialize_compact();
    let mut s = constants::CURVE_ORDER;
    let mut borrow = 0;
    for index in (0..32).rev() {
        let difference = i16::from(s[index]) - i16::from(compact[32 + index]) - borrow;
        borrow = i16::from(difference < 0);
        s[index] = difference.rem_euclid(256) as u8;
    }
    let high = [&compact[..32], &s].concat();
    ecdsa::Signature::from_compact(&high)
        .unwrap()
        .serialize_der()
        .to_vec()
}

#[test]
fn every_form_of_a_key_verifies() {
    let (der, key) = signed();
    let uncompressed = key.serialize_uncompressed();
    let mut hybrid = uncompressed;
    hybrid[0] = 6 + (uncompressed[64] & 1);
    for form in [&key.serialize()[..], &uncompressed, &hybrid] {
        assert!(verify_ecdsa(&der, form, [1; 32]));
        assert!(!verify_ecdsa(&der, form, [2; 32]));
    }
    hybrid[0] ^= 1;
    assert!(!verify_ecdsa(&der, &hybrid, [1; 32]));
    assert!(!verify_ecdsa(&der, &[], [1; 32]));
}

#[test]
fn lax_signatures_verify_but_are_not_strict() {
    let (der, key) = signed();
    let key = key.serialize();
    let strict = [&der[..], &[1]].concat();
    assert_eq!(check_encoding(&strict, Flags::DERSIG), Ok(()));
    let mut padded = der.clone();
    let (length, length_r) = (padded[1] + 1, padded[3] + 1);
    (padded[1], padded[3]) = (length, length_r);
    padded.insert(4, 0);
    let with_garbage = [&der[..], &[9, 9]].concat();
    let mut wrong_length = der.clone();
    wrong_length[1] = 0;
    for lax in [padded, with_garbage, wrong_length] {
        assert!(verify_ecdsa(&lax, &key, [1; 32]), "{lax:02x?}");
        let lax = [&lax[..], &[1]].concat();
        for flag in [Flags::DERSIG, Flags::LOW_S, Flags::STRICTENC] {
            assert_eq!(check_encoding(&lax, flag), Err(ScriptError::SigDer));
        }
        assert_eq!(
            check_encoding(&lax, Flags::CONSENSUS - Flags::DERSIG),
            Ok(())
        );
    }
    assert!(!verify_ecdsa(&[], &key, [1; 32]));
}

#[test]
fn a_high_s_verifies_and_is_refused_only_by_policy() {
    let (der, key) = signed();
    let high = with_high_s(&der);
    assert!(verify_ecdsa(&high, &key.serialize(), [1; 32]));
    let high = [&high[..], &[1]].concat();
    assert_eq!(check_encoding(&high, Flags::CONSENSUS), Ok(()));
    assert_eq!(
        check_encoding(&high, Flags::LOW_S),
        Err(ScriptError::SigHighS)
    );
}

#[test]
fn hash_types_are_defined_or_not() {
    let (der, _) = signed();
    let check =
        |hash_type: u8| check_encoding(&[&der[..], &[hash_type]].concat(), Flags::STRICTENC);
    for defined in [1, 2, 3, 0x81, 0x82, 0x83] {
        assert_eq!(check(defined), Ok(()));
    }
    for undefined in [0, 4, 0x41, 0x80, 0x84, 0xff] {
        assert_eq!(check(undefined), Err(ScriptError::SigHashType));
    }
}

#[test]
fn empty_signatures_pass_every_flag() {
    assert_eq!(check_encoding(&[], Flags::ALL), Ok(()));
}

#[test]
fn strict_der_refuses_each_flaw() {
    let strict = |hex: &str| is_strict_der(&Vec::from_hex(hex).unwrap());
    assert!(strict("300602010102010101"));
    assert!(strict("30070202008002010101"));
    assert!(strict("300602010002010001"));
    for (flaw, hex) in [
        ("too short", "3005020101020101"),
        ("no compound", "310602010102010101"),
        ("wrong total", "300702010102010101"),
        ("R no integer", "300603010102010101"),
        ("S no integer", "300602010103010101"),
        ("R empty", "30060200020201 0101"),
        ("S empty", "30060202010102 0001"),
        ("R negative", "300602018102010101"),
        ("S negative", "300602010102018101"),
        ("R padded", "30070202000102010101"),
        ("S padded", "30070201010202000101"),
        ("R past the end", "300602060102010101"),
        ("bytes left", "3008020101020101000001"),
    ] {
        assert!(!strict(&hex.replace(' ', "")), "{flaw}");
    }
}

#[test]
fn keys_are_as_long_as_their_first_byte_says() {
    for (first, length) in [(2, 33), (3, 33), (4, 65), (6, 65), (7, 65)] {
        let mut key = vec![first; length];
        assert!(has_key_length(&key));
        key.push(0);
        assert!(!has_key_length(&key));
    }
    assert!(!has_key_length(&[5; 33]) && !has_key_length(&[0; 33]) && !has_key_length(&[]));
}
