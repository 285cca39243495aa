use std::io::Write;

use everett_proto::v1::log_record::Body;

use super::*;
use crate::config::LogConfig;
use crate::frame::encode;
use crate::writer::Files;

fn frame(seq: u64) -> Vec<u8> {
    let record = v1::LogRecord {
        seq,
        time: None,
        body: Some(Body::RecordsDropped(v1::RecordsDropped {
            count: seq,
            reason: "x".repeat(seq as usize % 50),
        })),
    };
    let mut frame = Vec::new();
    encode(&record.encode_to_vec(), &mut frame);
    frame
}

fn all(mut next: impl FnMut() -> io::Result<Option<Item>>) -> (Vec<u64>, u64) {
    let (mut seqs, mut skipped) = (Vec::new(), 0);
    while let Some(item) = next().unwrap() {
        match item {
            Item::Record(record) => seqs.push(record.seq),
            Item::Skipped(count) => skipped += count,
        }
    }
    (seqs, skipped)
}

#[test]
fn a_torn_end_is_skipped_and_counted() {
    let mut stream: Vec<u8> = (1..=3).flat_map(frame).collect();
    stream.extend(&frame(4)[..9]);
    stream.extend(frame(5));
    let mut reader = Reader::new(&stream[..]);
    assert_eq!(all(|| reader.next_item()), (vec![1, 2, 3, 5], 9));
}

#[test]
fn a_log_is_followed_over_rotation() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut follower = Follower::new(&log);
    assert_eq!(all(|| follower.next_item()), (vec![], 0));
    let config = LogConfig {
        file_bytes: 200,
        files: 100,
        ..LogConfig::new(&log)
    };
    let mut files = Files::open(config).unwrap();
    let mut wanted = 0;
    for group in 1..30u64 {
        let frames: Vec<Vec<u8>> = (0..group % 7)
            .map(|place| frame(wanted + place + 1))
            .collect();
        files.write(&frames).unwrap();
        let seqs: Vec<u64> = (wanted + 1..=wanted + group % 7).collect();
        wanted += group % 7;
        assert_eq!(all(|| follower.next_item()), (seqs, 0), "group {group}");
    }
    assert!(list(&log).unwrap().len() > 5);
}

#[test]
fn a_follower_gets_over_a_torn_record_when_the_node_goes_on_after_it() {
    let directory = tempfile::tempdir().unwrap();
    let log = directory.path().join("log");
    let mut files = Files::open(LogConfig::new(&log)).unwrap();
    files.write(&[frame(1)]).unwrap();
    // As a node that was killed leaves it: half of a record that would be long.
    let path = list(&log).unwrap()[0].path.clone();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    let mut long = Vec::new();
    encode(&[9; 100_000], &mut long);
    file.write_all(&long[..50]).unwrap();
    let mut follower = Follower::new(&log);
    assert_eq!(all(|| follower.next_item()), (vec![1], 0));
    let mut files = Files::open(LogConfig::new(&log)).unwrap();
    files.write(&[frame(2), frame(3)]).unwrap();
    std::thread::sleep(TORN_AFTER + Duration::from_millis(100));
    let mut seen = Vec::new();
    let started = Instant::now();
    while seen.len() < 2 && started.elapsed() < Duration::from_secs(20) {
        seen.extend(all(|| follower.next_item()).0);
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(seen, [2, 3]);
}
