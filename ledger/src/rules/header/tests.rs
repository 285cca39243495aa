use bitcoin::CompactTarget;
use bitcoin::block::Version;

use super::super::fixtures::{ListChain, block, coinbase, reason};
use super::*;
use crate::params::Network;

/// A chain of some blocks and a good header on it.
fn good(params: &Params) -> (ListChain, Header) {
    let chain = ListChain::regular(params, 20, params.pow_limit_bits);
    let header = block_header(&chain);
    (chain, header)
}

fn block_header(chain: &ListChain) -> Header {
    let mut header = block(&regtest_copy(chain), vec![coinbase(1, 0)]).header;
    header.bits = CompactTarget::from_consensus(chain.header(chain.height()).bits);
    header
}

/// The same chain with bits that the fixture can mine.
fn regtest_copy(chain: &ListChain) -> ListChain {
    let mut copy = chain.clone();
    copy.tip().bits = 0x207f_ffff;
    copy
}

fn verdict(header: &Header, chain: &ListChain, params: &Params, now: u32) -> Option<String> {
    reason(check_header(header, chain, params, u64::from(now)))
}

#[test]
fn proof_of_work_is_judged_by_the_claimed_bits() {
    let params = Params::new(Network::Mainnet);
    let mut header = params.genesis.header;
    assert_eq!(reason(check_proof_of_work(&header, &params)), None);
    header.nonce += 1;
    assert_eq!(
        reason(check_proof_of_work(&header, &params)).as_deref(),
        Some("high-hash")
    );
    // Regtest's bits are easier than mainnet allows.
    let header = Params::new(Network::Regtest).genesis.header;
    assert_eq!(
        reason(check_proof_of_work(&header, &params)).as_deref(),
        Some("high-hash")
    );
}

#[test]
fn bits_must_be_the_required_ones() {
    let params = Params::new(Network::Regtest);
    let (chain, mut header) = good(&params);
    assert_eq!(verdict(&header, &chain, &params, header.time), None);
    header.bits = CompactTarget::from_consensus(0x207f_fffe);
    assert_eq!(
        verdict(&header, &chain, &params, header.time).as_deref(),
        Some("bad-diffbits")
    );
}

#[test]
fn time_is_after_the_median_of_eleven() {
    let params = Params::new(Network::Regtest);
    let (chain, mut header) = good(&params);
    let median = chain.header(15).time;
    assert_eq!(median_time_past(&chain, 20), median);
    header.time = median;
    assert_eq!(
        verdict(&header, &chain, &params, median).as_deref(),
        Some("time-too-old")
    );
    header.time = median + 1;
    assert_eq!(verdict(&header, &chain, &params, median), None);
}

#[test]
fn the_median_is_of_fewer_blocks_near_genesis_and_of_any_order() {
    let params = Params::new(Network::Regtest);
    let mut chain = ListChain::regular(&params, 3, 0x207f_ffff);
    assert_eq!(median_time_past(&chain, 0), chain.header(0).time);
    assert_eq!(median_time_past(&chain, 1), chain.header(1).time);
    assert_eq!(median_time_past(&chain, 2), chain.header(1).time);
    assert_eq!(median_time_past(&chain, 3), chain.header(2).time);
    chain.0[3].time = 0;
    assert_eq!(median_time_past(&chain, 3), chain.header(1).time);
}

#[test]
fn time_is_at_most_two_hours_ahead_and_may_pass_later() {
    let params = Params::new(Network::Regtest);
    let (chain, header) = good(&params);
    let now = header.time - 7200;
    assert_eq!(verdict(&header, &chain, &params, now), None);
    let reject = check_header(&header, &chain, &params, u64::from(now) - 1).unwrap_err();
    assert_eq!(
        (reject.kind, &*reject.reason),
        (RejectKind::TimeFuture, "time-too-new")
    );
    assert!(!reject.kind.condemns_header());
}

#[test]
fn a_clock_at_the_end_of_time_does_not_overflow() {
    let params = Params::new(Network::Regtest);
    let (chain, header) = good(&params);
    assert_eq!(
        reason(check_header(&header, &chain, &params, u64::MAX)),
        None
    );
}

#[test]
fn testnet4_allows_no_time_warp_at_a_periods_start() {
    let mut params = Params::new(Network::Regtest);
    params.enforce_bip94 = true;
    let mut chain = ListChain::regular(&params, 143, 0x207f_ffff);
    chain.tip().time += 100_000;
    let mut header = block_header(&chain);
    let now = header.time;
    header.time = chain.tip().time - 600;
    assert_eq!(verdict(&header, &chain, &params, now), None);
    header.time -= 1;
    assert_eq!(
        verdict(&header, &chain, &params, now).as_deref(),
        Some("time-timewarp-attack")
    );
    params.enforce_bip94 = false;
    assert_eq!(verdict(&header, &chain, &params, now), None);
    params.enforce_bip94 = true;
    chain.0.pop();
    chain.tip().time += 100_000;
    header.time = chain.tip().time - 10_000;
    assert_eq!(verdict(&header, &chain, &params, now), None);
}

#[test]
fn versions_grow_with_the_soft_forks() {
    let mut params = Params::new(Network::Regtest);
    for (name, height) in [("bip34", 21), ("dersig", 22), ("cltv", 23)] {
        params.set_activation_height(name, height).unwrap();
    }
    // By height: the lowest version allowed.
    for (height, lowest) in [(20, i32::MIN), (21, 2), (22, 3), (23, 4), (24, 4)] {
        let chain = ListChain::regular(&params, height - 1, 0x207f_ffff);
        let mut header = block_header(&chain);
        let mut judge = |version: i32| {
            header.version = Version::from_consensus(version);
            verdict(&header, &chain, &params, header.time)
        };
        assert_eq!(judge(lowest), None, "version {lowest} at {height}");
        assert_eq!(judge(0x2000_0000), None);
        if lowest > 0 {
            let below = lowest - 1;
            assert_eq!(judge(below), Some(format!("bad-version(0x{below:08x})")));
            assert_eq!(judge(-1), Some("bad-version(0xffffffff)".into()));
        }
    }
}

#[test]
fn bits_are_judged_before_time_and_time_before_version() {
    let params = Params::new(Network::Regtest);
    let (chain, mut header) = good(&params);
    header.version = Version::from_consensus(1);
    assert_eq!(
        verdict(&header, &chain, &params, 0).as_deref(),
        Some("time-too-new")
    );
    header.time = 0;
    assert_eq!(
        verdict(&header, &chain, &params, 0).as_deref(),
        Some("time-too-old")
    );
    header.bits = CompactTarget::from_consensus(0x207f_fffe);
    assert_eq!(
        verdict(&header, &chain, &params, 0).as_deref(),
        Some("bad-diffbits")
    );
}
