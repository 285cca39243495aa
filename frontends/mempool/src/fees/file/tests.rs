use bitcoin::Txid;
use bitcoin::hashes::Hash;

use super::super::Confirmed;
use super::*;
use crate::fee_rate::FeeRate;

/// Two hundred blocks, each of which confirms what came with the one before; one more waits at the end.
fn lived() -> Fees {
    let mut fees = Fees::new();
    let rate = FeeRate::per_kvb(5_000);
    let mut last: Option<Confirmed> = None;
    for height in 1..=200u32 {
        fees.block(height, last.as_slice());
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&height.to_le_bytes());
        let txid = Txid::from_byte_array(bytes);
        fees.entered(txid, height, rate);
        last = Some(Confirmed { txid, height, rate });
    }
    fees
}

#[test]
fn what_is_written_tells_the_same_when_it_is_read() {
    let mut fees = lived();
    fees.give_up();
    let bytes = fees.encode();
    let read = Fees::decode(&mut &bytes[..]).unwrap();
    assert_eq!(read.history, (2, 200));
    assert_eq!(read.encode(), bytes);
    for blocks in [2, 6, 24] {
        assert_eq!(read.smart(blocks, true), fees.smart(blocks, true));
        assert!(read.smart(blocks, false).rate.is_some());
    }
}

#[test]
fn what_is_too_long_ago_says_nothing() {
    let bytes = lived().encode();
    let mut read = Fees::decode(&mut &bytes[..]).unwrap();
    read.best_height += super::super::OLDEST_HISTORY;
    assert!(read.smart(6, false).rate.is_some());
    read.best_height += 1;
    assert_eq!(read.smart(6, false).rate, None);
}

#[test]
fn a_file_that_is_none_is_refused_and_says_where() {
    let good = lived().encode();
    let refused = |bytes: &[u8]| {
        let mut source = bytes;
        let what = Fees::decode(&mut source).err();
        (what.unwrap_or_default(), bytes.len() - source.len())
    };
    assert_eq!(refused(&good), (String::new(), good.len()));
    assert_eq!(refused(&[]), ("it ends".to_owned(), 0));
    assert_eq!(refused(&good[..10]), ("it ends".to_owned(), 8));
    let with = |at: usize, bytes: &[u8]| {
        let mut bad = good.clone();
        bad[at..at + bytes.len()].copy_from_slice(bytes);
        refused(&bad)
    };
    assert_eq!(with(0, &[0; 4]).0, "version 0, not 309900");
    assert_eq!(
        with(8, &[201]),
        ("heights 201 to 200 of 200".to_owned(), 16)
    );
    assert_eq!(with(16, &[5]).0, "5 of something, not 237");
    assert_eq!(with(17, &[0; 8]).0, "other buckets of fee rates");
    // The first rate of the medium horizon lies behind the buckets, decay, scale and a size.
    let first_rate = 17 + 237 * 8 + 8 + 4 + 1;
    assert_eq!(
        with(first_rate, &f64::NAN.to_le_bytes()),
        ("NaN where something is counted".to_owned(), first_rate + 8)
    );
    let mut long = good.clone();
    long.push(0);
    assert_eq!(refused(&long).0, "1 bytes too many");
}
