use std::fs::OpenOptions;
use std::path::Path;

use super::super::Store;
use super::super::fixtures::{MAGIC, config, open};
use super::*;

fn block(number: u8, length: usize) -> Vec<u8> {
    vec![number; length]
}

fn commit(store: &Store) {
    store.write().unwrap().commit().unwrap();
}

fn file(store: &Store, number: u32) -> PathBuf {
    store.blocks.path(number)
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

fn append_to(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(bytes).unwrap();
}

fn is_damage(result: Result<impl Sized, StoreError>, words: &str) {
    match result {
        Err(error @ StoreError::Corrupt { .. }) => {
            let message = error.to_string();
            assert!(message.contains(words), "{message}");
        }
        Err(error) => panic!("another error: {error}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn blocks_are_read_back_from_any_file_before_and_after_the_commit() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let blocks: Vec<Vec<u8>> = (0..100)
        .map(|n| block(n, 80 + 37 * usize::from(n)))
        .collect();
    let positions: Vec<_> = blocks
        .iter()
        .map(|block| store.append_block(block).unwrap())
        .collect();
    let check = |store: &Store| {
        for (position, block) in positions.iter().zip(&blocks) {
            assert_eq!(&store.read_block(*position).unwrap(), block);
        }
    };
    assert!(positions.last().unwrap().file as usize > MAX_OPEN_FILES);
    check(&store);
    commit(&store);
    check(&store);
    drop(store);
    check(&open(directory.path()));
}

#[test]
fn files_are_in_the_common_framing_and_end_where_the_next_frame_would_not_fit() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let half = 4096 / 2 - 8;
    for (number, length) in [(1, half), (2, half), (3, 10), (4, 5000), (5, 10)] {
        store.append_block(&block(number, length)).unwrap();
    }
    commit(&store);
    let frame = |number, length: usize| {
        [
            &MAGIC[..],
            &(length as u32).to_le_bytes(),
            &block(number, length),
        ]
        .concat()
    };
    let read = |number| std::fs::read(file(&store, number)).unwrap();
    assert_eq!(read(0), [frame(1, half), frame(2, half)].concat());
    assert_eq!(read(1), frame(3, 10));
    assert_eq!(read(2), frame(4, 5000));
    assert_eq!(read(3), frame(5, 10));
    assert!(file(&store, 0).ends_with("blocks/blk00000.dat"));
}

#[test]
fn blocks_of_a_dropped_writer_are_cut_off() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    // Before the first commit as well as after one, within a file and over several.
    for kept in 0..3u8 {
        let before = store.append_block(&block(kept, 100)).unwrap();
        commit(&store);
        let end = length(&file(&store, before.file));
        let lost = store.append_block(&block(9, 300)).unwrap();
        store.append_block(&block(9, 4000)).unwrap();
        store.append_block(&block(9, 4000)).unwrap();
        drop(store.write().unwrap());
        assert_eq!(length(&file(&store, before.file)), end);
        assert!(!file(&store, before.file + 1).exists());
        assert!(store.read_block(lost).is_err());
        assert_eq!(store.read_block(before).unwrap(), block(kept, 100));
        let again = store.append_block(&block(8, 300)).unwrap();
        assert_eq!(again, lost);
        assert_eq!(store.read_block(again).unwrap(), block(8, 300));
        commit(&store);
    }
}

#[test]
fn nothing_is_left_of_blocks_dropped_before_the_first_commit() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.append_block(&block(1, 100)).unwrap();
    drop(store.write().unwrap());
    assert!(!file(&store, 0).exists());
    let position = store.append_block(&block(2, 100)).unwrap();
    commit(&store);
    assert_eq!(store.read_block(position).unwrap(), block(2, 100));
}

#[test]
fn a_torn_tail_is_cut_off_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let kept = store.append_block(&block(1, 100)).unwrap();
    commit(&store);
    // Not committed, and no writer dropped: as after a crash.
    store.append_block(&block(2, 200)).unwrap();
    store.append_block(&block(3, 4000)).unwrap();
    let path = file(&store, 0);
    let second = file(&store, 1);
    drop(store);
    append_to(&path, b"half a fra");
    assert!(length(&path) > 108 && second.exists());

    let store = open(directory.path());
    assert_eq!(length(&path), 108);
    assert!(!second.exists());
    assert_eq!(store.read_block(kept).unwrap(), block(1, 100));
    let next = store.append_block(&block(4, 50)).unwrap();
    assert_eq!((next.file, next.offset), (0, 116));
}

#[test]
fn files_that_are_not_block_files_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let foreign = ["blk1.dat", "notes.txt", "blk-0001.dat", "blk00009.dat.bak"];
    for name in foreign {
        std::fs::write(directory.path().join("blocks").join(name), "mine").unwrap();
    }
    drop(open(directory.path()));
    for name in foreign {
        assert!(directory.path().join("blocks").join(name).exists());
    }
}

#[test]
fn a_file_that_is_shorter_than_committed_or_missing_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.append_block(&block(1, 3000)).unwrap();
    store.append_block(&block(2, 3000)).unwrap();
    commit(&store);
    let paths = [file(&store, 0), file(&store, 1)];
    drop(store);
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..2000]).unwrap();
        is_damage(
            Store::open(config(directory.path())),
            "2000 bytes where 3008",
        );
        std::fs::remove_file(path).unwrap();
        is_damage(Store::open(config(directory.path())), "missing");
        std::fs::write(path, &bytes).unwrap();
    }
    open(directory.path());
}

#[test]
fn a_position_at_which_no_such_frame_is_gives_damage() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let good = store.append_block(&block(1, 100)).unwrap();
    store.append_block(&block(2, 100)).unwrap();
    commit(&store);
    let wrong = [
        (BlockPosition { offset: 0, ..good }, "before the file"),
        (BlockPosition { offset: 9, ..good }, "magic"),
        (BlockPosition { length: 99, ..good }, "another length"),
        (
            BlockPosition {
                length: u32::MAX,
                ..good
            },
            "longer than a frame",
        ),
        (
            BlockPosition {
                offset: 1_000_000,
                ..good
            },
            "ends inside",
        ),
        (
            BlockPosition {
                offset: u32::MAX,
                ..good
            },
            "ends inside",
        ),
        (BlockPosition { file: 77, ..good }, "missing"),
    ];
    for (position, words) in wrong {
        is_damage(store.read_block(position), words);
    }
    assert_eq!(store.read_block(good).unwrap(), block(1, 100));
}

#[test]
fn a_block_longer_than_a_frame_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let longest = vec![1; MAX_BLOCK_LENGTH as usize];
    let position = store.append_block(&longest).unwrap();
    assert_eq!(store.read_block(position).unwrap(), longest);
    let longer = vec![1; MAX_BLOCK_LENGTH as usize + 1];
    let refused = store.append_block(&longer);
    assert!(matches!(refused, Err(StoreError::BlockTooLong { .. })));
    commit(&store);
}
