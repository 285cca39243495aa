use bitcoin::{Network, NetworkKind};

use super::*;

#[test]
fn a_signature_is_verified_with_its_address_and_message_only() {
    for compressed in [true, false] {
        let mut key = PrivateKey::from_slice(&[5; 32], NetworkKind::Test).unwrap();
        key.compressed = compressed;
        let address = Address::p2pkh(key.public_key(&SECP), Network::Regtest);
        let signature = sign_message(&key, "hello");
        assert!(verify_message(&address, &signature, "hello").unwrap());
        assert!(!verify_message(&address, &signature, "Hello").unwrap());
        let other = PrivateKey::from_slice(&[6; 32], NetworkKind::Test).unwrap();
        let other = Address::p2pkh(other.public_key(&SECP), Network::Regtest);
        assert!(!verify_message(&other, &signature, "hello").unwrap());
        let wrong = verify_message(&address, "!", "hello");
        assert!(matches!(wrong, Err(MessageError::NotBase64)));
    }
}

/// From Bitcoin Core's test of `signmessagewithprivkey`.
#[test]
fn cores_signature_is_made() {
    let key = PrivateKey::from_wif("cUeKHd5orzT3mz8P9pxyREHfsWtVfgsfDjiZZBcjUBAaGk1BTj7N").unwrap();
    assert_eq!(
        sign_message(&key, "This is just a test message"),
        "INbVnW4e6PeRmsv2Qgu8NuopvrVjkcxob+sX8OcZG0SALhWybUjzMLPdAsXI46YZGb0KQTRii+wWIQzRpG/U+S0="
    );
}
