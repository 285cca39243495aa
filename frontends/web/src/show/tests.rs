use bitcoin::Target;

use super::*;

#[test]
fn amounts_keep_all_their_decimals() {
    let text = |sat| Btc::of(sat).to_string();
    assert_eq!(text(0), "0.00000000");
    assert_eq!(text(2_999_999_000), "29.99999000");
    assert_eq!(text(2_100_000_000_000_000), "21,000,000.00000000");
    assert_eq!(text(u64::MAX), "184,467,440,737.09551615");
    assert_eq!(Btc::of(2_999_999_000).strong, "29.99999");
    assert_eq!(Btc::of(5_000_000_000).strong, "50");
}

#[test]
fn dates_are_those_of_the_calendar() {
    assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
    assert_eq!(moment(951_782_399), "2000-02-28 23:59:59 UTC");
    assert_eq!(moment(951_782_400), "2000-02-29 00:00:00 UTC");
    assert_eq!(moment(1_231_006_505), "2009-01-03 18:15:05 UTC");
    assert_eq!(moment(4_294_967_295), "2106-02-07 06:28:15 UTC");
}

#[test]
fn ages_and_sizes_are_short() {
    assert_eq!(age(100, 200), "now");
    assert_eq!(age(200, 100), "1 min");
    assert_eq!(age(100 + 86_400, 100), "1 day");
    assert_eq!(bytes(1023), "1023 B");
    assert_eq!(bytes(1536), "1.5 KiB");
    assert_eq!(bytes(64 << 30), "64 GiB");
    assert_eq!(thousands(1_000), "1,000");
    assert_eq!(thousands(999), "999");
}

#[test]
fn a_short_hash_has_both_ends_and_foreign_text_is_left_whole() {
    assert_eq!(short(&"0123456789abcdef0123456789abcdef"), "012345…abcdef");
    assert_eq!(short(&"äöüäöüäöüäöüäöüäöü"), "äöüäöüäöüäöüäöüäöü");
}

#[test]
fn work_is_told_in_blocks() {
    let block = Target::MAX_ATTAINABLE_REGTEST.to_work();
    assert_eq!(work(block), "0x2");
    assert_eq!(work_in_blocks(block + block, block), "2");
    assert_eq!(work_in_blocks(block, block + block), "0.5");
    assert_eq!(work_in_blocks(block - block, block), "0");
}
