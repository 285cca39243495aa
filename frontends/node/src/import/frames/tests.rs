use std::io::Write;

use bitcoin::consensus::encode::serialize;
use bitcoin::constants::genesis_block;
use tempfile::NamedTempFile;

use super::*;

const REGTEST: [u8; 4] = [0xfa, 0xbf, 0xb5, 0xda];
const TESTNET3: [u8; 4] = [0x0b, 0x11, 0x09, 0x07];

fn magics() -> Magics {
    Magics {
        own: REGTEST,
        others: vec![(TESTNET3, Network::Testnet3)],
    }
}

/// A frame around a block that differs in its nonce only.
fn framed(magic: [u8; 4], nonce: u32) -> Vec<u8> {
    let mut block = genesis_block(bitcoin::Network::Regtest);
    block.header.nonce = nonce;
    let block = serialize(&block);
    let mut frame = magic.to_vec();
    frame.extend((block.len() as u32).to_le_bytes());
    frame.extend(block);
    frame
}

fn own(nonce: u32) -> Vec<u8> {
    framed(REGTEST, nonce)
}

fn file(pieces: &[&[u8]]) -> (NamedTempFile, Source) {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&pieces.concat()).unwrap();
    let source = Source::open(file.path()).unwrap();
    (file, source)
}

/// The offsets of the frames, and the flaws.
fn scan(pieces: &[&[u8]]) -> (Vec<u64>, Vec<Flaw>) {
    let (_file, source) = file(pieces);
    let magics = magics();
    let mut scan = Scan::new(&magics, &source, 0);
    let mut offsets = Vec::new();
    while let Some(frame) = scan.next_frame().unwrap() {
        offsets.push(frame.offset);
    }
    (offsets, scan.into_flaws().listed)
}

const FRAME: u64 = 293;

#[test]
fn frames_that_follow_each_other_are_found_without_flaw() {
    let (a, b) = (own(1), own(2));
    assert_eq!(a.len() as u64, FRAME);
    assert_eq!(scan(&[&a, &b]), (vec![0, FRAME], vec![]));
}

#[test]
fn a_frame_knows_its_block_and_its_parent() {
    let (_file, source) = file(&[&own(7)]);
    let magics = magics();
    let frame = Scan::new(&magics, &source, 3)
        .next_frame()
        .unwrap()
        .unwrap();
    let mut block = genesis_block(bitcoin::Network::Regtest);
    block.header.nonce = 7;
    assert_eq!(frame.hash, block.block_hash());
    assert_eq!(frame.previous, block.header.prev_blockhash);
    assert_eq!((frame.file, frame.length, frame.end()), (3, 285, FRAME));
}

#[test]
fn an_empty_file_and_zeros_at_the_end_are_fine() {
    assert_eq!(scan(&[]), (vec![], vec![]));
    assert_eq!(scan(&[&own(1), &[0; 100_000]]), (vec![0], vec![]));
}

#[test]
fn a_torn_tail_is_reported_wherever_it_is_torn() {
    let whole = own(2);
    for kept in 1..whole.len() {
        let (frames, flaws) = scan(&[&own(1), &whole[..kept]]);
        assert_eq!(frames, [0], "{kept} bytes kept");
        let missing = if kept < 8 {
            8 - kept
        } else {
            whole.len() - kept
        } as u64;
        assert_eq!(
            flaws,
            [Flaw::TornTail {
                offset: FRAME,
                missing
            }],
            "{kept} bytes kept"
        );
    }
}

#[test]
fn garbage_is_skipped_to_the_next_magic() {
    let big = vec![0xaa; 200_001];
    for garbage in [&b"x"[..], &[0; 5], &REGTEST[..3], &big] {
        let (frames, flaws) = scan(&[garbage, &own(1), garbage, &own(2)]);
        let length = garbage.len() as u64;
        assert_eq!(frames, [length, 2 * length + FRAME]);
        assert_eq!(
            flaws,
            [
                Flaw::Garbage { offset: 0, length },
                Flaw::Garbage {
                    offset: length + FRAME,
                    length
                }
            ]
        );
    }
}

#[test]
fn a_magic_across_the_edge_of_a_window_is_found() {
    for length in (64 << 10) - 4..=(64 << 10) + 4 {
        let (frames, _) = scan(&[&vec![1u8; length], &own(1)]);
        assert_eq!(frames, [length as u64]);
    }
}

#[test]
fn another_networks_frames_are_named_and_counted_once() {
    let foreign = framed(TESTNET3, 1);
    let (frames, flaws) = scan(&[&own(1), &foreign, &foreign, &own(2)]);
    assert_eq!(frames, [0, 3 * FRAME]);
    assert_eq!(
        flaws,
        [Flaw::OtherNetwork {
            offset: FRAME,
            network: Network::Testnet3,
            count: 2
        }]
    );
}

#[test]
fn a_frame_over_the_limit_does_not_hide_what_follows() {
    let mut long = own(1);
    let length = MAX_FRAME_BYTES + 1;
    long[4..8].copy_from_slice(&length.to_le_bytes());
    let (frames, flaws) = scan(&[&long, &own(2)]);
    assert_eq!(frames, [FRAME]);
    assert_eq!(flaws, [Flaw::Oversized { offset: 0, length }]);
}

#[test]
fn a_frame_under_the_limit_does_not_hide_what_follows() {
    let mut short = own(1);
    short[4..8].copy_from_slice(&80u32.to_le_bytes());
    let (frames, flaws) = scan(&[&short, &own(2)]);
    assert_eq!(frames, [FRAME]);
    let length = 80;
    assert_eq!(flaws, [Flaw::Undersized { offset: 0, length }]);
}

#[test]
fn a_length_past_the_end_is_no_torn_tail_when_frames_follow() {
    let mut overrun = own(1);
    let length = 100_000u32;
    overrun[4..8].copy_from_slice(&length.to_le_bytes());
    let (frames, flaws) = scan(&[&overrun, &own(2), &own(3)]);
    assert_eq!(frames, [FRAME, 2 * FRAME]);
    assert_eq!(flaws, [Flaw::Overrun { offset: 0, length }]);
}

#[test]
fn the_inside_of_a_frame_shows_what_it_swallowed() {
    // The first frame's length takes the second in whole and the third in part.
    let mut greedy = own(1);
    let length = 285 + FRAME as u32 + 100;
    greedy[4..8].copy_from_slice(&length.to_le_bytes());
    let (_file, source) = file(&[&greedy, &own(2), &own(3), &own(4)]);
    let magics = magics();
    let mut outer = Scan::new(&magics, &source, 0);
    let first = outer.next_frame().unwrap().unwrap();
    let fourth = outer.next_frame().unwrap().unwrap();
    assert_eq!((first.offset, fourth.offset), (0, 3 * FRAME));
    let mut inner = Scan::inside(&magics, &source, &first);
    let mut offsets = Vec::new();
    while let Some(frame) = inner.next_frame().unwrap() {
        offsets.push(frame.offset);
    }
    assert_eq!(offsets, [FRAME, 2 * FRAME]);
}

#[test]
fn flaws_past_the_limit_are_counted_only() {
    let mut short = REGTEST.to_vec();
    short.extend(3u32.to_le_bytes());
    let (_file, source) = file(&[&short.repeat(MAX_PROBLEMS + 5)]);
    let magics = magics();
    let mut scan = Scan::new(&magics, &source, 0);
    assert_eq!(scan.next_frame().unwrap(), None);
    let flaws = scan.into_flaws();
    assert_eq!((flaws.listed.len(), flaws.dropped), (MAX_PROBLEMS, 5));
}

#[test]
fn bitcoin_cores_masked_files_read_like_plain_ones() {
    let directory = tempfile::tempdir().unwrap();
    let key = [1u8, 2, 3, 4, 5, 6, 7, 8];
    let plain = [own(1), own(2)].concat();
    let masked: Vec<u8> = plain
        .iter()
        .zip(key.iter().cycle())
        .map(|(b, k)| b ^ k)
        .collect();
    let path = directory.path().join("blk00000.dat");
    std::fs::write(directory.path().join("xor.dat"), key).unwrap();
    std::fs::write(&path, masked).unwrap();
    let source = Source::open(&path).unwrap();
    let magics = magics();
    let mut scan = Scan::new(&magics, &source, 0);
    assert_eq!(scan.next_frame().unwrap().unwrap().offset, 0);
    let second = scan.next_frame().unwrap().unwrap();
    let mut block = vec![0; second.length as usize];
    source
        .read_exact(second.block_offset(), &mut block)
        .unwrap();
    assert_eq!(block, own(2)[8..]);
}
