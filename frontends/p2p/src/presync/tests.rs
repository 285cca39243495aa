use std::time::Instant;

use bitcoin::TxMerkleNode;
use bitcoin::block::Version;
use bitcoin::hashes::sha256d;
use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_700_000_000;
const SEED: [u8; 32] = [7; 32];
const SIZES: PresyncParams = PresyncParams {
    commitment_period: 10,
    window: 200,
};

fn regtest() -> Params {
    Params::new(Network::Regtest)
}

fn genesis(params: &Params) -> ChainStart {
    let header = params.genesis.header;
    ChainStart {
        hash: header.block_hash(),
        height: 0,
        bits: header.bits,
        chainwork: header.work(),
        median_time_past: header.time,
        locator: vec![header.block_hash()],
    }
}

/// A header on top of another, with proof of work; `salt` tells chains apart.
fn mine(parent: BlockHash, bits: CompactTarget, time: u32, salt: u32) -> Header {
    let mut header = Header {
        version: Version::TWO,
        prev_blockhash: parent,
        merkle_root: TxMerkleNode::from_raw_hash(sha256d::Hash::hash(&salt.to_le_bytes())),
        time,
        bits,
        nonce: 0,
    };
    while header.validate_pow(header.target()).is_err() {
        header.nonce += 1;
    }
    header
}

fn chain(params: &Params, length: u32, salt: u32) -> Vec<Header> {
    extend(params.genesis.header, length, salt)
}

fn extend(start: Header, length: u32, salt: u32) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    let mut parent = start.block_hash();
    for height in 0..length {
        let header = mine(parent, start.bits, start.time + 600 * height, salt);
        parent = header.block_hash();
        headers.push(header);
    }
    headers
}

/// The work of genesis and so many blocks like it.
fn work_of(params: &Params, blocks: u32) -> Work {
    let one = params.genesis.header.work();
    (0..blocks).fold(one, |sum, _| sum + one)
}

fn presync(params: &Params, needed: u32) -> Presync {
    Presync::with_sizes(SIZES, genesis(params), work_of(params, needed), NOW, SEED)
}

/// A peer that answers each `getheaders` from one chain, `most` headers at a time; after each answer it may have another.
fn talk(
    sync: &mut Presync,
    params: &Params,
    most: usize,
    mut chain: impl FnMut(PresyncPhase) -> Vec<Header>,
) -> (Vec<Header>, Step) {
    let mut kept = Vec::new();
    loop {
        let locator = sync.locator();
        let headers = chain(sync.phase());
        let known = headers
            .iter()
            .position(|header| locator.contains(&header.block_hash()));
        let start = known.map_or(0, |place| place + 1);
        let answer = &headers[start..headers.len().min(start + most)];
        match sync.receive(answer, answer.len() == most, params) {
            Step::More { locator } => assert_eq!(locator, sync.locator()),
            Step::Ready { headers, next } => {
                kept.extend(headers);
                if let Err(end) = next {
                    return (kept, Step::Done(end));
                }
            }
            ended => return (kept, ended),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn an_honest_chain_of_enough_work_comes_through_in_any_portions(
        length in 300u32..900,
        spare in 0u32..100,
        most in 1usize..400,
        seed in any::<[u8; 32]>(),
    ) {
        let params = regtest();
        let headers = chain(&params, length, 0);
        let needed = length - spare;
        let mut sync = Presync::with_sizes(SIZES, genesis(&params), work_of(&params, needed), NOW, seed);
        let (kept, end) = talk(&mut sync, &params, most, |_| headers.clone());
        prop_assert_eq!(end, Step::Done(End::Complete));
        // What came with the message that reached the work is kept too.
        prop_assert!(kept.len() >= needed as usize && kept.len() < needed as usize + most);
        prop_assert_eq!(&kept[..], &headers[..kept.len()]);
        prop_assert_eq!(sync.phase(), PresyncPhase::Ended);
        prop_assert_eq!(sync.height(), kept.len() as u32);
    }

    #[test]
    fn a_chain_that_changes_for_the_second_download_is_caught_before_much_of_it_is_kept(
        seed in any::<[u8; 32]>(),
        salt in 1u32..1_000,
        from in 0usize..300,
    ) {
        let params = regtest();
        let honest = chain(&params, 900, 0);
        let mut other = honest[..from].to_vec();
        let parent = honest.get(from.wrapping_sub(1)).copied().unwrap_or(params.genesis.header);
        other.extend(extend(parent, 900 - from as u32, salt));
        let mut sync = Presync::with_sizes(SIZES, genesis(&params), work_of(&params, 880), NOW, seed);
        let (kept, end) = talk(&mut sync, &params, 100, |phase| match phase {
            PresyncPhase::Measuring => honest.clone(),
            _ => other.clone(),
        });
        prop_assert!(matches!(end, Step::Failed(PresyncFailure::OtherChain { .. })), "{:?}", end);
        // Each bit that has to be guessed is right half of the time: for a header to be kept, 20 of them stand above it.
        let wrong = kept.iter().filter(|header| !honest.contains(header)).count();
        prop_assert_eq!(wrong, 0);
        prop_assert_eq!(sync.bytes(), size_of::<Presync>());
    }
}

#[test]
fn a_chain_of_too_little_work_is_not_kept() {
    let params = regtest();
    let headers = chain(&params, 500, 0);
    let mut sync = presync(&params, 501);
    let (kept, end) = talk(&mut sync, &params, 100, |_| headers.clone());
    assert_eq!((kept.len(), end), (0, Step::Done(End::TooLittleWork)));
    assert!(sync.locator().is_empty());
}

#[test]
fn headers_that_came_before_the_end_was_reached_wait_for_commitments_above_them() {
    let params = regtest();
    let headers = chain(&params, 900, 0);
    let mut sync = presync(&params, 900);
    for portion in headers.chunks(100) {
        sync.receive(portion, true, &params);
    }
    assert_eq!(sync.phase(), PresyncPhase::Fetching);
    for (index, portion) in headers.chunks(100).enumerate() {
        let step = sync.receive(portion, true, &params);
        match (index, step) {
            (0 | 1, Step::More { .. }) => {}
            (8, Step::Ready { headers, next }) => {
                assert_eq!((headers.len(), next), (300, Err(End::Complete)));
            }
            (
                _,
                Step::Ready {
                    headers,
                    next: Ok(_),
                },
            ) => assert_eq!(headers.len(), 100),
            (index, step) => panic!("message {index}: {step:?}"),
        }
    }
}

#[test]
fn a_peer_that_falls_silent_in_the_second_download_ends_it() {
    let params = regtest();
    let headers = chain(&params, 900, 0);
    let mut sync = presync(&params, 900);
    let (kept, end) = talk(&mut sync, &params, 100, |phase| match phase {
        PresyncPhase::Measuring => headers.clone(),
        _ => headers[..450].to_vec(),
    });
    assert_eq!((kept.len(), end), (250, Step::Done(End::Withdrawn)));
    let mut sync = presync(&params, 900);
    sync.receive(&headers[..100], true, &params);
    assert_eq!(
        sync.receive(&[], false, &params),
        Step::Done(End::TooLittleWork)
    );
    assert_eq!(
        sync.receive(&headers, true, &params),
        Step::Done(End::Withdrawn)
    );
}

#[test]
fn an_endless_chain_of_little_work_is_held_in_little_memory_and_ends() {
    let params = regtest();
    let start = genesis(&params);
    // A day and two hours allow 561,600 blocks; one header in 275 leaves a bit.
    let now = u64::from(start.median_time_past) + 24 * 60 * 60;
    let mut sync = Presync::new(&params, start, Work::from_be_bytes([1; 32]), now, SEED);
    let mut parent = params.genesis.header;
    let (mut sent, mut most) = (0u32, 0);
    let begun = Instant::now();
    let failure = loop {
        let headers = extend(parent, 2_000, 0);
        parent = headers[1_999];
        let step = sync.receive(&headers, true, &params);
        most = most.max(sync.bytes());
        sent += 2_000;
        match step {
            Step::More { .. } => {}
            Step::Failed(failure) => break failure,
            step => panic!("{step:?}"),
        }
    };
    eprintln!("{sent} headers in {:?}, {most} bytes", begun.elapsed());
    assert!(
        matches!(failure, PresyncFailure::TooLong { .. }),
        "{failure}"
    );
    assert!((561_600..=566_000).contains(&sent), "{sent}");
    assert!(most < 4_096, "{most} bytes");
    assert_eq!(sync.bytes(), size_of::<Presync>());
}

#[test]
fn the_window_bounds_the_memory_of_the_second_download() {
    let params = regtest();
    let headers = chain(&params, 3_000, 0);
    let mut sync = presync(&params, 3_000);
    let mut most = 0;
    let (kept, _) = talk(&mut sync, &params, 100, |_| headers.clone());
    assert_eq!(kept.len(), 3_000);
    let mut sync = presync(&params, 3_000);
    for portion in headers.chunks(100).chain(headers.chunks(100)) {
        sync.receive(portion, true, &params);
        most = most.max(sync.bytes());
    }
    // 300 headers of 48 bytes, and a locator.
    assert!(most < size_of::<Presync>() + 64 + 300 * 48 + 64, "{most}");
}

#[test]
fn headers_that_no_honest_peer_sends_end_the_sync_by_name() {
    let params = regtest();
    let headers = chain(&params, 20, 0);
    let fails = |headers: &[Header]| match presync(&params, 900).receive(headers, true, &params) {
        Step::Failed(failure) => failure,
        step => panic!("{step:?}"),
    };

    assert_eq!(
        fails(&headers[1..]),
        PresyncFailure::NotConnected { height: 1 }
    );
    let gap = [&headers[..3], &headers[4..]].concat();
    assert_eq!(fails(&gap), PresyncFailure::NotContinuous { height: 4 });
    let mut unproven = headers.clone();
    while unproven[5].validate_pow(unproven[5].target()).is_ok() {
        unproven[5].nonce += 1;
    }
    assert_eq!(fails(&unproven), PresyncFailure::ProofOfWork { height: 6 });
    let mut easy = headers[0];
    easy.bits = CompactTarget::from_consensus(0x2100_ffff);
    assert_eq!(fails(&[easy]), PresyncFailure::ProofOfWork { height: 1 });
    assert!(PresyncFailure::ProofOfWork { height: 1 }.is_misbehaviour());
    assert!(!PresyncFailure::NotConnected { height: 1 }.is_misbehaviour());
}

#[test]
fn on_networks_without_easy_blocks_the_target_only_takes_the_steps_it_may() {
    // Mainnet's rules, with periods and targets that a test can mine.
    let mut params = Params {
        allow_min_difficulty_blocks: false,
        no_retargeting: false,
        target_timespan: 40,
        target_spacing: 4,
        ..regtest()
    };
    params.genesis.header.bits = CompactTarget::from_consensus(0x1f7f_ffff);
    let interval = params.difficulty_interval();
    // The next header is the last of its period.
    let headers = chain(&params, interval - 2, 0);
    let tip = *headers.last().unwrap();
    let last = mine(tip.block_hash(), tip.bits, tip.time, 0);
    let period = [&headers[..], &[last]].concat();
    let step = |bits: u32, after: &[Header]| {
        let parent = after.last().unwrap();
        let bits = CompactTarget::from_consensus(bits);
        let next = mine(parent.block_hash(), bits, parent.time, 0);
        presync(&params, 10_000).receive(&[after, &[next]].concat(), true, &params)
    };
    let taken = |bits, after| matches!(step(bits, after), Step::More { .. });
    let fails_at = |height| Step::Failed(PresyncFailure::Difficulty { height });
    assert!(taken(0x1f7f_ffff, &headers));
    assert_eq!(step(0x1f7f_fffe, &headers), fails_at(interval - 1));
    // Between a quarter of the target and four times as much.
    assert!(
        [0x1f1f_ffff, 0x1f7f_ffff, 0x2001_ffff]
            .iter()
            .all(|bits| taken(*bits, &period))
    );
    assert_eq!(step(0x1f1f_fffe, &period), fails_at(interval));
    assert_eq!(step(0x2002_0000, &period), fails_at(interval));
}

#[test]
fn sizes_are_those_of_each_network() {
    for network in Network::ALL {
        let sizes = PresyncParams::new(network);
        // Two dozen commitments stand above a header that is kept.
        let above = sizes.window as f64 / f64::from(sizes.commitment_period);
        assert!((21.0..27.0).contains(&above), "{network}: {above}");
    }
    assert_eq!(size_of::<Waiting>(), 48);
}

proptest! {
    #[test]
    fn bits_come_out_in_the_order_in_which_they_went_in(
        steps in prop::collection::vec((any::<bool>(), any::<bool>()), 0..2_000),
    ) {
        let mut bits = Bits::default();
        let mut model = VecDeque::new();
        for (push, bit) in steps {
            if push {
                bits.push(bit);
                model.push_back(bit);
            } else {
                prop_assert_eq!(bits.pop(), model.pop_front());
            }
            prop_assert_eq!(bits.len(), model.len() as u64);
            prop_assert!(bits.words.len() as u64 <= bits.len() / 64 + 2);
        }
    }
}
