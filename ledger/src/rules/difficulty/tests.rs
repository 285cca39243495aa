use proptest::prelude::*;

use super::super::fixtures::ListChain;
use super::*;
use crate::params::Network;

const PERIOD: u32 = 2016;

/// A mainnet chain up to the end of a period, of which only its first and last block matter.
fn period(params: &Params, first_time: u32, last_time: u32, bits: u32) -> ListChain {
    let mut chain = ListChain::regular(params, PERIOD - 1, bits);
    chain.0[0].time = first_time;
    chain.tip().time = last_time;
    chain
}

#[test]
fn real_retargets_come_out_as_they_did() {
    let params = Params::new(Network::Mainnet);
    let cases = [
        // Block 32256, the first real one.
        (1_261_130_161, 1_262_152_739, 0x1d00_ffff, 0x1d00_d86a),
        // Block 2016: held at the limit.
        (1_231_006_505, 1_233_061_996, 0x1d00_ffff, 0x1d00_ffff),
        // Block 68544: faster than a quarter of the time.
        (1_279_008_237, 1_279_297_671, 0x1c05_a3f4, 0x1c01_68fd),
        // Slower than four times the time.
        (1_263_163_443, 1_269_211_443, 0x1c38_7f6f, 0x1d00_e1fd),
    ];
    for (first, last, old, new) in cases {
        let chain = period(&params, first, last, old);
        assert_eq!(required_bits(&chain, last + 600, &params), new);
    }
}

#[test]
fn within_a_period_mainnets_bits_stay() {
    let params = Params::new(Network::Mainnet);
    for height in [0, 1, PERIOD - 2, PERIOD, 2 * PERIOD - 2] {
        let chain = ListChain::regular(&params, height, 0x1c12_3456);
        assert_eq!(required_bits(&chain, u32::MAX, &params), 0x1c12_3456);
    }
}

#[test]
fn on_testnets_a_late_block_may_be_easy() {
    let params = Params::new(Network::Testnet3);
    let chain = ListChain::regular(&params, 10, 0x1c12_3456);
    let parent_time = chain.header(10).time;
    assert_eq!(
        required_bits(&chain, parent_time + 1200, &params),
        0x1c12_3456
    );
    assert_eq!(
        required_bits(&chain, parent_time + 1201, &params),
        params.pow_limit_bits
    );
}

#[test]
fn on_testnets_easy_blocks_are_not_followed() {
    let params = Params::new(Network::Testnet3);
    let mut chain = ListChain::regular(&params, PERIOD + 5, 0x1c12_3456);
    for height in PERIOD + 2..=PERIOD + 5 {
        chain.0[height as usize].bits = params.pow_limit_bits;
    }
    let time = chain.tip().time + 600;
    assert_eq!(required_bits(&chain, time, &params), 0x1c12_3456);
    // The search ends at the period's first block, even if that is easy too.
    for height in PERIOD..PERIOD + 2 {
        chain.0[height as usize].bits = params.pow_limit_bits;
    }
    assert_eq!(required_bits(&chain, time, &params), params.pow_limit_bits);
}

#[test]
fn testnet3_retargets_from_the_last_block_and_testnet4_from_the_first() {
    for (network, new) in [
        (Network::Testnet3, 0x1d00_ffff),
        (Network::Testnet4, 0x1c12_3456),
    ] {
        let params = Params::new(network);
        let mut chain = period(
            &params,
            1_700_000_000,
            1_700_000_000 + 14 * 86_400,
            0x1c12_3456,
        );
        chain.tip().bits = params.pow_limit_bits;
        assert_eq!(required_bits(&chain, u32::MAX, &params), new, "{network}");
    }
}

#[test]
fn regtest_never_retargets() {
    let params = Params::new(Network::Regtest);
    let interval = params.difficulty_interval();
    assert_eq!(interval, 144);
    let mut chain = ListChain::regular(&params, interval - 1, 0x207f_ffff);
    chain.tip().time = chain.0[0].time + 1;
    assert_eq!(required_bits(&chain, u32::MAX, &params), 0x207f_ffff);
}

#[test]
fn signets_retarget_at_its_limit_fits_into_256_bits() {
    let params = Params::new(Network::Signet);
    let chain = period(&params, 1_600_000_000, 1_700_000_000, params.pow_limit_bits);
    assert_eq!(
        required_bits(&chain, 1_700_000_600, &params),
        params.pow_limit_bits
    );
}

#[test]
fn compact_forms_are_read_as_core_reads_them() {
    let number = |bits| Number::from_compact(bits);
    let hex = |number: Number| {
        let bytes = number.to_le_bytes();
        let digits: String = bytes
            .iter()
            .rev()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        digits.trim_start_matches('0').to_owned()
    };
    // Bits, the number, whether it is negative or too large, and the bits that are written for the number.
    let cases = [
        (0x0000_0000, "", false, 0),
        (0x0012_3456, "", false, 0),
        (0x0100_3456, "", false, 0),
        (0x0200_0056, "", false, 0),
        (0x0400_0000, "", false, 0),
        (0x0092_3456, "", false, 0),
        (0x0180_3456, "", false, 0),
        (0x0480_0000, "", false, 0),
        (0x0112_3456, "12", false, 0x0112_0000),
        (0x01fe_dcba, "7e", true, 0x017e_0000),
        (0x0212_3456, "1234", false, 0x0212_3400),
        (0x0312_3456, "123456", false, 0x0312_3456),
        (0x0412_3456, "12345600", false, 0x0412_3456),
        (0x0492_3456, "12345600", true, 0x0412_3456),
        (0x0500_9234, "92340000", false, 0x0500_9234),
        (
            0x2012_3456,
            "1234560000000000000000000000000000000000000000000000000000000000",
            false,
            0x2012_3456,
        ),
        (0xff12_3456, "", true, 0),
        (
            0x2200_00ff,
            "ff00000000000000000000000000000000000000000000000000000000000000",
            false,
            0x2100_ff00,
        ),
        (0x2200_0100, "", true, 0),
        (
            0x2100_ffff,
            "ffff000000000000000000000000000000000000000000000000000000000000",
            false,
            0x2100_ffff,
        ),
        (0x2101_0000, "", true, 0),
    ];
    for (bits, digits, fault, written) in cases {
        assert_eq!(
            (hex(number(bits).0), number(bits).1),
            (digits.to_owned(), fault),
            "{bits:08x}"
        );
        assert_eq!(number(bits).0.to_compact(), written, "{bits:08x}");
    }
    // A mantissa that would hit the sign bit moves on by a byte.
    assert_eq!(
        Number::from_compact(0x0300_0080).0.to_compact(),
        0x0200_8000
    );
}

#[test]
fn targets_are_positive_and_within_the_limit() {
    let params = Params::new(Network::Mainnet);
    assert_eq!(
        target(0x1d00_ffff, &params),
        Some(Target::MAX_ATTAINABLE_MAINNET)
    );
    assert_eq!(target(0x1d01_0000, &params), None);
    assert_eq!(target(0x1d80_ffff, &params), None);
    assert_eq!(target(0, &params), None);
    assert_eq!(target(0xff12_3456, &params), None);
    assert!(target(0x0101_0000, &params).is_some());
}

#[test]
fn a_hash_meets_a_target_up_to_equality() {
    let params = Params::new(Network::Mainnet);
    let mut bytes = target(0x1d00_ffff, &params).unwrap().to_le_bytes();
    assert!(is_met(
        &BlockHash::from_byte_array(bytes),
        0x1d00_ffff,
        &params
    ));
    bytes[0] = 1;
    assert!(!is_met(
        &BlockHash::from_byte_array(bytes),
        0x1d00_ffff,
        &params
    ));
    assert!(!is_met(&BlockHash::all_zeros(), 0, &params));
}

#[test]
fn work_is_what_chains_are_compared_by() {
    let shown = |bits| format!("{:x}", work(bits));
    assert!(shown(0x1d00_ffff).ends_with("0000000100010001"));
    assert!(shown(0x207f_ffff).trim_start_matches('0') == "2");
    assert_eq!(work(0), Work::from_be_bytes([0; 32]));
    assert_eq!(work(0x1d80_ffff), Work::from_be_bytes([0; 32]));
}

proptest! {
    #[test]
    fn mainnets_retarget_is_the_bitcoin_crates(timespan in 0u32..10_000_000, mantissa in 0x8000u32..0x7f_ffff, size in 0x17u32..0x1c) {
        let params = Params::new(Network::Mainnet);
        let bits = size << 24 | mantissa;
        let chain = period(&params, 1_300_000_000, 1_300_000_000 + timespan, bits);
        let theirs = bitcoin::CompactTarget::from_next_work_required(
            bitcoin::CompactTarget::from_consensus(bits),
            u64::from(timespan),
            bitcoin::params::Params::MAINNET,
        );
        prop_assert_eq!(required_bits(&chain, 1_400_000_000, &params), theirs.to_consensus());
    }

    #[test]
    fn arithmetic_undoes_itself(limbs in any::<[u8; 32]>(), factor in 1u64..) {
        let number = Number::from_le_bytes(limbs);
        let small = number.div(factor);
        let back = small.wrapping_mul(factor);
        prop_assert!(back <= number);
        let next = small.wrapping_mul(factor).to_le_bytes();
        prop_assert_eq!(Number::from_le_bytes(next).div(factor), small);
    }
}

#[test]
fn within_a_period_a_transition_must_be_none() {
    let params = Params::new(Network::Mainnet);
    let permitted = |height, old, new| permitted_difficulty_transition(&params, height, old, new);
    for height in [1, 2015, 2017] {
        assert!(permitted(height, 0x1c05_a3f4, 0x1c05_a3f4));
        assert!(!permitted(height, 0x1c05_a3f4, 0x1c05_a3f3));
    }
}

#[test]
fn between_periods_a_transition_is_at_most_fourfold_either_way() {
    let params = Params::new(Network::Mainnet);
    // Bitcoin Core's own tests: a retarget at the limit of what is permitted, and one beyond it.
    for (height, old, new, beyond) in [
        (68_544, 0x1c05_a3f4, 0x1c01_68fd, 0x1c01_68fc),
        (46_368, 0x1c38_7f6f, 0x1d00_e1fd, 0x1d00_e1fe),
        (32_256, 0x1d00_ffff, 0x1d00_d86a, 0x1d01_0000),
    ] {
        assert!(permitted_difficulty_transition(&params, height, old, new));
        let permitted = permitted_difficulty_transition(&params, height, old, beyond);
        assert!(!permitted, "{old:08x} to {beyond:08x}");
    }
}

#[test]
fn where_easy_blocks_are_allowed_any_transition_is() {
    for network in [Network::Testnet3, Network::Testnet4, Network::Regtest] {
        let params = Params::new(network);
        for height in [2015, 2016] {
            assert!(permitted_difficulty_transition(
                &params,
                height,
                0x1d00_ffff,
                0x2000_0001
            ));
        }
    }
    let signet = Params::new(Network::Signet);
    assert!(!permitted_difficulty_transition(
        &signet,
        1,
        0x1d00_ffff,
        0x1d00_fffe
    ));
}

proptest! {
    #[test]
    fn every_required_transition_is_permitted(
        mantissa in 0x8000u32..0x0080_0000,
        size in 4u32..0x1d,
        first in 1_000_000_000u32..2_000_000_000,
        took in 0u32..10_000_000,
    ) {
        let params = Params::new(Network::Mainnet);
        let old = size << 24 | mantissa;
        let chain = period(&params, first, first + took, old);
        let new = required_bits(&chain, u32::MAX, &params);
        prop_assert!(permitted_difficulty_transition(&params, PERIOD, old, new));
    }
}

#[test]
fn several_times_a_work_is_that_sum() {
    let one = work(0x1c05_a3f4);
    let sum = (1..7).fold(one, |sum, _| sum + one);
    assert_eq!(times(one, 7), sum);
}
