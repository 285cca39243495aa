//! BIP340's Schnorr signatures.

use everett_script::signature::verify_schnorr;

use crate::data::{core_file, hex};

#[test]
fn every_schnorr_signature_gets_its_verdict() {
    let Some(text) = core_file("bip340_test_vectors.csv") else {
        return;
    };
    let mut cases = 0;
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let (key, message, signature) = (hex(fields[2]), hex(fields[4]), hex(fields[5]));
        // Transactions only ever sign hashes.
        let Ok(message) = message.try_into() else {
            continue;
        };
        assert_eq!(
            verify_schnorr(&signature, &key, message),
            fields[6] == "TRUE",
            "{line}"
        );
        cases += 1;
    }
    assert_eq!(cases, 15);
}
