use std::fs;
use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::*;

fn packet(number: u64) -> Packet {
    let message = Message::new(
        Command::new("inv").unwrap(),
        vec![number as u8; (number % 300) as usize],
    );
    let directions = [Direction::Received, Direction::Sent];
    let endpoint = "[2001:db8::1]:8333".parse().unwrap();
    Packet {
        time: UNIX_EPOCH + Duration::new(1_700_000_000 + number, 123_456_789),
        ..Packet::new(
            PeerId(number),
            directions[(number % 2) as usize],
            &endpoint,
            &message,
        )
    }
}

fn written(count: u64) -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("packets.log");
    let file = CaptureFile::open(CaptureConfig::new(&path)).unwrap();
    let capture = file.capture();
    (0..count).for_each(|number| capture.record(packet(number)));
    assert_eq!(
        file.close().unwrap(),
        CaptureTotals {
            written: count,
            dropped: 0
        }
    );
    capture.record(packet(0));
    (directory, path)
}

fn read(path: &std::path::Path) -> Vec<Result<Packet, ReadError>> {
    Reader::open(path).unwrap().collect()
}

#[test]
fn what_was_written_reads_back() {
    let (_directory, path) = written(1_000);
    let all: Result<Vec<Packet>, ReadError> = Reader::open(&path).unwrap().collect();
    assert_eq!(all.unwrap(), (0..1_000).map(packet).collect::<Vec<_>>());
    assert_eq!(packet(5).message().unwrap().payload.len(), 5);
}

#[test]
fn a_second_run_appends_and_a_torn_tail_is_cut() {
    let (_directory, path) = written(10);
    let length = fs::metadata(&path).unwrap().len();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(length - 3).unwrap();
    let all = read(&path);
    assert_eq!(all.len(), 10);
    assert!(
        matches!(all[9], Err(ReadError::Torn { offset, count }) if offset + count == length - 3)
    );
    // Who goes on writing leaves the torn record where it is; readers find what follows.
    let file = CaptureFile::open(CaptureConfig::new(&path)).unwrap();
    file.capture().record(packet(77));
    file.close().unwrap();
    let all = read(&path);
    assert!(
        matches!(all[9], Err(ReadError::Damage { .. })),
        "{:?}",
        all[9]
    );
    assert_eq!(all[10].as_ref().unwrap(), &packet(77));
    assert_eq!(all.len(), 11);
}

#[test]
fn a_payload_is_cut_where_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("packets.log");
    let mut config = CaptureConfig::new(&path);
    config.payload_bytes = 8;
    let file = CaptureFile::open(config).unwrap();
    file.capture().record(packet(200));
    file.close().unwrap();
    let [Ok(read)] = &read(&path)[..] else {
        panic!("one packet");
    };
    assert_eq!((read.payload.len(), read.payload_bytes), (8, 200));
    assert_eq!(read.message(), None);
}

#[test]
fn a_file_that_grows_too_long_is_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("packets.log");
    let mut config = CaptureConfig::new(&path);
    config.file_bytes = 100_000;
    let file = CaptureFile::open(config).unwrap();
    let capture = file.capture();
    for number in 0..3_000 {
        capture.record(packet(number));
        if number % 100 == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    let totals = file.close().unwrap();
    assert_eq!(totals.written, 3_000);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    let last = read(&path).pop().unwrap().unwrap();
    assert_eq!(last, packet(2_999));
    assert!(fs::metadata(&path).unwrap().len() < 600_000);
}

#[test]
fn who_hands_in_packets_never_waits_and_the_capture_tells_what_is_missing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("packets.log");
    let file = CaptureFile::open(CaptureConfig::new(&path)).unwrap();
    let capture = file.capture();
    // More at once than a disk takes: 2 GB of shared bytes.
    let big = Message::block(vec![7; 1_000_000]);
    let endpoint = "1.2.3.4:1".parse().unwrap();
    let started = std::time::Instant::now();
    for _ in 0..2_000 {
        capture.record(Packet::new(PeerId(1), Direction::Received, &endpoint, &big));
    }
    let took = started.elapsed();
    let totals = file.close().unwrap();
    assert_eq!(totals.written + totals.dropped, 2_000);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let (mut packets, mut missing) = (0, 0);
    for item in Reader::open(&path).unwrap() {
        match item {
            Ok(_) => packets += 1,
            Err(ReadError::Dropped { count, .. }) => missing += count,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!((packets, missing), (totals.written, totals.dropped));
}

#[test]
fn records_of_others_are_passed_over_and_bad_ones_told() {
    use prost::Message as _;
    let mut bytes = Vec::new();
    // A message of the node's log (field 7), then packets with a bad field each, then a good one.
    frame::encode(&[0x08, 0x01, 0x3a, 0x00], &mut bytes);
    let good = record::of_packet(&packet(3));
    let mut bad = |change: fn(&mut record::PacketRecord)| {
        let mut record = good.clone();
        record.packet.as_mut().into_iter().for_each(change);
        frame::encode(&record.encode_to_vec(), &mut bytes);
    };
    bad(|packet| packet.direction = 3);
    bad(|packet| packet.peer = "nobody".to_owned());
    bad(|packet| packet.command = String::new());
    bad(|_| ());
    frame::encode(b"\xff\xff", &mut bytes);
    let all: Vec<_> = Reader::new(&bytes[..]).collect();
    let field = |item: &Result<Packet, ReadError>| match item {
        Err(ReadError::Packet { field, .. }) => *field,
        _ => "",
    };
    let fields: Vec<&str> = all.iter().map(field).collect();
    assert_eq!(fields, ["direction", "peer", "command", "", "encoding"]);
    assert_eq!(all[3].as_ref().unwrap(), &packet(3));
}

#[test]
fn the_fields_are_those_of_the_logs_schema() {
    let schema = include_str!("../../../proto/everett/v1/log.proto");
    for line in [
        "uint64 seq = 1;",
        "google.protobuf.Timestamp time = 2;",
        "RecordsDropped records_dropped = 8;",
        "Packet packet = 9;",
        "uint64 count = 1;",
        "string reason = 2;",
        "uint64 connection_id = 1;",
        "PACKET_DIRECTION_RECEIVED = 1;",
        "PACKET_DIRECTION_SENT = 2;",
        "PacketDirection direction = 2;",
        "string peer = 3;",
        "string command = 4;",
        "bytes payload = 5;",
        "uint32 payload_bytes = 6;",
    ] {
        assert!(schema.contains(line), "{line}");
    }
}

/// A source that gives a few bytes at a time.
struct Slow<'a>(&'a [u8], usize);

impl std::io::Read for Slow<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.len().min(self.1).min(into.len());
        into[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_lies_between_every_whole_packet_is_found(
        junk in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 5),
        step in 1usize..5_000,
    ) {
        use prost::Message as _;
        let mut bytes = Vec::new();
        for (number, junk) in junk.iter().enumerate() {
            bytes.write_all(junk).unwrap();
            frame::encode(&record::of_packet(&packet(number as u64)).encode_to_vec(), &mut bytes);
        }
        let read: Vec<_> = Reader::new(Slow(&bytes, step)).collect();
        let skipped: u64 = read.iter().map(|item| match item {
            Err(ReadError::Damage { count, .. }) => *count,
            _ => 0,
        }).sum();
        let found: Vec<Packet> = read.into_iter().filter_map(Result::ok).collect();
        prop_assert_eq!(found, (0..5).map(packet).collect::<Vec<_>>());
        prop_assert_eq!(skipped, junk.iter().map(|junk| junk.len() as u64).sum::<u64>());
    }

    #[test]
    fn a_flipped_bit_costs_one_packet(place in 0usize..1_000, bit in 0u8..8) {
        use prost::Message as _;
        let mut bytes = Vec::new();
        for number in 0..20 {
            frame::encode(&record::of_packet(&packet(number)).encode_to_vec(), &mut bytes);
        }
        let place = place % bytes.len();
        bytes[place] ^= 1 << bit;
        let found = Reader::new(&bytes[..]).filter_map(Result::ok).count();
        prop_assert_eq!(found, 19);
    }
}
