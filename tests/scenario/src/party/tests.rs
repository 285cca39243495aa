use bitcoin::Txid;

use super::*;

fn coin(party: &Party, byte: u8, sat: u64) -> (OutPoint, TxOut) {
    let outpoint = OutPoint {
        txid: Txid::from_byte_array([byte; 32]),
        vout: u32::from(byte),
    };
    let output = TxOut {
        value: Amount::from_sat(sat),
        script_pubkey: party.script_pubkey().clone(),
    };
    (outpoint, output)
}

fn pay(party: &Party) -> (Vec<(OutPoint, TxOut)>, Transaction) {
    let coins = vec![coin(party, 1, 7_000), coin(party, 2, 5_000)];
    let output = TxOut {
        value: Amount::from_sat(11_000),
        script_pubkey: party.script_pubkey().clone(),
    };
    let transaction = party.spend(&coins, vec![output]).unwrap();
    (coins, transaction)
}

#[test]
fn keys_follow_from_seed_and_name_alone() {
    let one = Party::new("a history", "alice", AddressKind::P2wpkh);
    assert_eq!(
        one.script_pubkey(),
        Party::new("a history", "alice", AddressKind::P2wpkh).script_pubkey()
    );
    for other in [
        Party::new("a history", "bob", AddressKind::P2wpkh),
        Party::new("another history", "alice", AddressKind::P2wpkh),
        Party::new("a historya", "lice", AddressKind::P2wpkh),
        Party::new("a history", "alice", AddressKind::P2tr),
    ] {
        assert_ne!(one.script_pubkey(), other.script_pubkey());
    }
}

#[test]
fn an_address_pays_its_script() {
    for kind in AddressKind::ALL {
        let party = Party::new("s", "n", kind);
        let address = party.address(KnownHrp::Regtest);
        assert_eq!(&address.script_pubkey(), party.script_pubkey());
        let segwit = matches!(kind, AddressKind::P2wpkh | AddressKind::P2tr);
        assert_eq!(address.to_string().starts_with("bcrt1"), segwit);
        assert_eq!(kind.as_str().parse(), Ok(kind));
    }
}

#[test]
fn ecdsa_witnesses_verify_and_are_the_same_each_time() {
    let party = Party::new("s", "n", AddressKind::P2wpkh);
    let (coins, transaction) = pay(&party);
    assert_eq!(transaction, pay(&party).1);
    let mut cache = SighashCache::new(&transaction);
    for (index, (_, output)) in coins.iter().enumerate() {
        let witness = &transaction.input[index].witness;
        let signature = ecdsa::Signature::from_slice(&witness[0]).unwrap();
        let key = PublicKey::from_slice(&witness[1]).unwrap();
        let digest = cache
            .p2wpkh_signature_hash(
                index,
                &output.script_pubkey,
                output.value,
                EcdsaSighashType::All,
            )
            .unwrap();
        let message = Message::from_digest(digest.to_byte_array());
        SECP.verify_ecdsa(&message, &signature.signature, &key)
            .unwrap();
    }
}

#[test]
fn schnorr_witnesses_verify_against_the_output_key() {
    let party = Party::new("s", "n", AddressKind::P2tr);
    let (coins, transaction) = pay(&party);
    let spent: Vec<&TxOut> = coins.iter().map(|(_, output)| output).collect();
    let mut cache = SighashCache::new(&transaction);
    for index in 0..coins.len() {
        let witness = &transaction.input[index].witness;
        let signature = taproot::Signature::from_slice(&witness[0]).unwrap();
        let digest = cache
            .taproot_key_spend_signature_hash(
                index,
                &Prevouts::All(&spent),
                TapSighashType::Default,
            )
            .unwrap();
        let message = Message::from_digest(digest.to_byte_array());
        let key = bitcoin::XOnlyPublicKey::from_slice(&party.script_pubkey().as_bytes()[2..]);
        SECP.verify_schnorr(&signature.signature, &message, &key.unwrap())
            .unwrap();
    }
}

#[test]
fn another_partys_coin_is_refused() {
    let alice = Party::new("s", "alice", AddressKind::P2wpkh);
    let bob = Party::new("s", "bob", AddressKind::P2wpkh);
    let error = alice.spend(&[coin(&bob, 1, 1)], vec![]).unwrap_err();
    assert!(error.to_string().contains("does not belong to alice"));
}
