use std::path::{Path, PathBuf};

use bitcoin::hashes::Hash;
use everett_ledger::Network;

use super::*;

fn head() -> Head {
    Head::new(&Params::new(Network::Regtest), "a test, with ünïcode")
}

fn entries() -> Vec<Entry> {
    let at = |number: u64| Moment::of_second(1_700_000_000 + number);
    vec![
        Entry {
            at: at(0),
            what: Happening::Block(vec![1; 300]),
        },
        Entry {
            at: at(0),
            what: Happening::Block(Vec::new()),
        },
        Entry {
            at: at(5),
            what: Happening::Invalidated(BlockHash::from_byte_array([7; 32])),
        },
        Entry {
            at: at(5),
            what: Happening::Block(vec![2; 70_000]),
        },
        Entry {
            at: at(9),
            what: Happening::Reconsidered(BlockHash::from_byte_array([7; 32])),
        },
    ]
}

fn written(directory: &Path) -> (PathBuf, Head) {
    let path = directory.join("fork.everett");
    let head = head();
    let mut writer = RecordingWriter::create(&path, &head).unwrap();
    for entry in entries() {
        writer.append(&entry).unwrap();
    }
    assert_eq!(writer.entries(), 5);
    writer.finish().unwrap();
    (path, head)
}

/// What can be read, how it ends, and the error that ended it.
fn read(path: &Path) -> (Vec<Entry>, Option<Ending>, Option<RecordingError>) {
    let mut reader = match RecordingReader::open(path) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), None, Some(error)),
    };
    let (mut entries, mut error) = (Vec::new(), None);
    for entry in &mut reader {
        match entry {
            Ok(entry) => entries.push(entry),
            Err(failed) => error = Some(failed),
        }
    }
    (entries, reader.ending(), error)
}

#[test]
fn what_was_written_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let (path, head) = written(directory.path());
    let reader = RecordingReader::open(&path).unwrap();
    assert_eq!(reader.head(), &head);
    let (read, ending, error) = read(&path);
    assert_eq!(read, entries());
    assert_eq!(ending, Some(Ending::Whole));
    assert!(error.is_none());
}

#[test]
fn the_bytes_are_those_of_the_documented_format() {
    let directory = tempfile::tempdir().unwrap();
    let (path, head) = written(directory.path());
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..12], b"EVRTREC\n\x01\0\0\0");
    let length = 1 + 4 + 32 + 8 + head.source.len();
    assert_eq!(bytes[12..16], (length as u32).to_le_bytes());
    let body = &bytes[20..20 + length];
    assert_eq!(body[0], 1);
    assert_eq!(body[1..5], head.magic);
    assert_eq!(body[5..37], head.genesis.to_byte_array());
    assert_eq!(body[37..45], head.begun.0.to_le_bytes());
    assert_eq!(&body[45..], head.source.as_bytes());
    let sum = crc32fast::hash(&[&bytes[12..16], body].concat());
    assert_eq!(bytes[16..20], sum.to_le_bytes());
    assert!(bytes.ends_with(&[5, 5, 0, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn a_recording_cut_off_anywhere_is_read_up_to_its_last_whole_frame() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _) = written(directory.path());
    let bytes = std::fs::read(&path).unwrap();
    let cut = directory.path().join("cut");
    let mut lengths: Vec<usize> = (0..600).collect();
    lengths.extend(bytes.len() - 120..bytes.len());
    let mut most = 0;
    for length in lengths {
        std::fs::write(&cut, &bytes[..length]).unwrap();
        let (read, ending, error) = read(&cut);
        match ending {
            Some(Ending::Torn { offset, bytes }) => {
                assert_eq!(offset + bytes, length as u64);
                assert!(read.len() >= most, "{length}");
                most = read.len();
                assert_eq!(read, entries()[..most]);
                assert!(error.is_none(), "{length}: {error:?}");
            }
            Some(Ending::Whole) => panic!("a recording cut to {length} bytes ends as it should"),
            None => assert!(matches!(
                error,
                Some(RecordingError::NotARecording { .. } | RecordingError::Damaged { .. })
            )),
        }
    }
    assert_eq!(most, 5);
}

#[test]
fn damage_is_an_error_with_its_offset_and_what_came_before_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _) = written(directory.path());
    let good = std::fs::read(&path).unwrap();
    let bad = directory.path().join("bad");
    for at in (12..good.len()).step_by(37) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&bad, &bytes).unwrap();
        let (read, ending, error) = read(&bad);
        assert!(read.iter().zip(entries()).all(|(a, b)| *a == b), "at {at}");
        match error {
            Some(RecordingError::Damaged { offset, .. }) => assert!(offset <= at as u64),
            // Only what is wrong with the end itself may look like a tail that was cut off.
            None => {
                assert!(matches!(ending, Some(Ending::Torn { .. })), "at {at}");
                assert!(at + 17 >= good.len(), "at {at}");
            }
            Some(error) => panic!("at {at}: {error}"),
        }
    }
}

#[test]
fn other_files_and_later_versions_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    for bytes in [
        &b""[..],
        b"EVRT",
        b"\xf9\xbe\xb4\xd9 blocks of a bootstrap.dat",
    ] {
        std::fs::write(&path, bytes).unwrap();
        let refused = RecordingReader::open(&path).unwrap_err();
        assert!(matches!(refused, RecordingError::NotARecording { .. }));
    }
    std::fs::write(&path, b"EVRTREC\n\x02\0\0\0").unwrap();
    let refused = RecordingReader::open(&path).unwrap_err();
    assert!(matches!(
        refused,
        RecordingError::NewerVersion { found: 2, .. }
    ));
    let missing = RecordingReader::open(directory.path().join("none")).unwrap_err();
    assert!(
        missing.to_string().contains("opening it failed"),
        "{missing}"
    );
}

#[test]
fn a_recording_never_takes_the_place_of_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let (path, head) = written(directory.path());
    let refused = RecordingWriter::create(&path, &head).unwrap_err();
    assert!(
        matches!(refused, RecordingError::Exists { .. }),
        "{refused}"
    );
    assert_eq!(read(&path).0, entries());
}

#[test]
fn a_length_that_was_damaged_is_no_tail_that_was_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let (path, _) = written(directory.path());
    let good = std::fs::read(&path).unwrap();
    let bad = directory.path().join("bad");
    let head = u32::from_le_bytes(good[12..16].try_into().unwrap()) as usize;
    // The first entry's: within what a frame may have, and beyond the file.
    let at = 12 + 8 + head;
    let mut bytes = good.clone();
    bytes[at + 2] = 0xff;
    std::fs::write(&bad, &bytes).unwrap();
    let (some, ending, error) = read(&bad);
    assert!(some.is_empty());
    assert!(
        matches!(&error, Some(RecordingError::Damaged { offset, .. }) if *offset == at as u64),
        "{ending:?} {error:?}"
    );
    // A file that is really cut off there has no end.
    std::fs::write(&bad, &bytes[..bytes.len() - 1]).unwrap();
    let (_, ending, error) = read(&bad);
    assert!(error.is_none(), "{error:?}");
    assert!(matches!(ending, Some(Ending::Torn { offset, .. }) if offset == at as u64));
}

#[test]
fn moments_never_fall_and_long_blocks_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut writer = RecordingWriter::create(&path, &head()).unwrap();
    for second in [5, 3, 8] {
        let what = Happening::Block(vec![1]);
        let at = Moment::of_second(second);
        writer.append(&Entry { at, what }).unwrap();
    }
    let refused = writer.append(&Entry {
        at: Moment::now(),
        what: Happening::Block(vec![0; MAX_FRAME as usize]),
    });
    assert!(matches!(refused, Err(RecordingError::TooLong { .. })));
    writer.finish().unwrap();
    let (read, ending, _) = read(&path);
    let seconds: Vec<u64> = read.iter().map(|entry| entry.at.unix_seconds()).collect();
    assert_eq!(seconds, [5, 5, 8]);
    assert_eq!(ending, Some(Ending::Whole));
}
