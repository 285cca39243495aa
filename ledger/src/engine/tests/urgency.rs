//! Which blocks overtake others that wait.

use bitcoin::hashes::Hash;

use super::{bytes, child, genesis, open, submit, with};
use crate::urgency::Urgency;

#[test]
fn only_what_can_become_the_best_chain_overtakes() {
    let directory = tempfile::tempdir().unwrap();
    let ledger = open(directory.path());
    let of = |blocks: &[Vec<u8>]| Urgency::of(&ledger.shared, blocks);
    let first = child(&genesis(), 1);
    let chain = with(&genesis(), &first);
    let second = child(&chain, 1);
    submit(&ledger, &first);
    submit(&ledger, &second);
    let best = with(&chain, &second);

    let next = child(&best, 1);
    assert_eq!(of(&[bytes(&next)]), Urgency::Best);
    let rival = child(&chain, 2);
    assert_eq!(of(&[bytes(&rival)]), Urgency::Side);
    let above = child(&with(&chain, &rival), 2);
    assert_eq!(of(&[bytes(&above)]), Urgency::Side, "its parent is unknown");
    assert_eq!(of(&[bytes(&rival), bytes(&above)]), Urgency::Best);

    let mut without_work = next.clone();
    // On regtest, every hash whose last byte is below 0x80 is work enough.
    while without_work.header.block_hash().to_byte_array()[31] < 0x80 {
        without_work.header.nonce += 1;
    }
    assert_eq!(of(&[bytes(&without_work)]), Urgency::Side);
    assert_eq!(of(&[vec![0; 79], Vec::new()]), Urgency::Side);
    ledger.invalidate_block(&second.hash).unwrap();
    assert_eq!(of(&[bytes(&next)]), Urgency::Side, "its parent is invalid");
}
