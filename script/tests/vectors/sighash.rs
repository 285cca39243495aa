//! `sighash.json`: legacy signature hashes over random transactions, with hash types of all 32 bits.

use everett_script::sighash::legacy;

use crate::data::{core_cases, hex_of, transaction};

#[test]
fn every_legacy_hash_is_cores() {
    let Some(cases) = core_cases("sighash.json") else {
        return;
    };
    assert_eq!(cases.len(), 500);
    for case in &cases {
        let (tx, script) = (transaction(&case[0]), hex_of(&case[1]));
        let input = case[2].as_u64().unwrap() as usize;
        let hash_type = case[3].as_i64().unwrap() as i32 as u32;
        let mut hash = legacy::signature_hash(&tx, input, &script, hash_type);
        hash.reverse();
        assert_eq!(hash.as_slice(), hex_of(&case[4]), "{case}");
    }
}
