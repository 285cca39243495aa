use bitcoin::constants::genesis_block;
use bitcoin::{CompactTarget, Network};

use super::*;

fn header(bits: u32) -> Header {
    let mut header = genesis_block(Network::Regtest).header;
    header.bits = CompactTarget::from_consensus(bits);
    header.nonce = 0;
    header
}

#[test]
fn the_first_nonce_that_fits_is_taken_and_each_one_before_it_is_a_try() {
    let mut found = header(0x2000_ffff);
    let mut tries = 1_000_000;
    assert_eq!(search(&mut found, &mut tries, &|| true), Search::Found);
    assert_eq!(tries, 1_000_000 - u64::from(found.nonce));
    assert!(found.target().is_met_by(found.block_hash()));
    for nonce in 0..found.nonce {
        let earlier = Header { nonce, ..found };
        assert!(!earlier.target().is_met_by(earlier.block_hash()));
    }
    // Bitcoin Core gives up where the last try it has would have been the right one.
    let mut again = header(0x2000_ffff);
    let mut few = u64::from(found.nonce);
    assert_eq!(search(&mut again, &mut few, &|| true), Search::GivenUp);
    let mut enough = u64::from(found.nonce) + 1;
    let mut again = header(0x2000_ffff);
    assert_eq!(search(&mut again, &mut enough, &|| true), Search::Found);
    assert_eq!(
        search(&mut header(0x207f_ffff), &mut 0, &|| true),
        Search::GivenUp
    );
}

#[test]
fn a_search_ends_with_the_nonces_or_soon_after_it_is_told_to() {
    let mut last = header(0x1d00_ffff);
    last.nonce = u32::MAX - 3;
    assert_eq!(search(&mut last, &mut 100, &|| true), Search::NoNonce);
    let mut stopped = header(0x1d00_ffff);
    assert_eq!(
        search(&mut stopped, &mut u64::MAX.clone(), &|| false),
        Search::GivenUp
    );
    assert_eq!(stopped.nonce, ASK_EVERY);
}
