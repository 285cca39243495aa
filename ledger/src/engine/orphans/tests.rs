use bitcoin::hashes::Hash;

use super::*;

fn orphan(number: u32, length: u32) -> Orphan {
    Orphan {
        hash: BlockHash::hash(&number.to_le_bytes()),
        previous: BlockHash::hash(&(number / 3).to_be_bytes()),
        position: BlockPosition {
            file: number / 1000,
            offset: number % 1000,
            length,
        },
    }
}

/// Inserts orphans as the street does, and returns those that had to go.
fn insert(orphans: &mut Orphans, numbers: std::ops::Range<u32>, length: u32) -> Vec<BlockHash> {
    let mut gone = Vec::new();
    for number in numbers {
        orphans.insert(orphan(number, length));
        gone.extend(std::iter::from_fn(|| orphans.surplus()).map(|surplus| surplus.hash));
    }
    gone
}

fn hashes(numbers: std::ops::Range<u32>) -> Vec<BlockHash> {
    numbers.map(|number| orphan(number, 0).hash).collect()
}

#[test]
fn beyond_the_bound_on_their_number_the_oldest_go() {
    let mut orphans = Orphans::default();
    let most = MAX_ORPHANS as u32;
    assert_eq!(insert(&mut orphans, 0..most, 300), []);
    assert_eq!(insert(&mut orphans, most..most + 5, 300), hashes(0..5));
    assert_eq!(orphans.len(), MAX_ORPHANS);
    assert!(!orphans.contains(&orphan(4, 300).hash));
    assert!(orphans.contains(&orphan(5, 300).hash));
}

#[test]
fn beyond_the_bound_on_their_bytes_the_oldest_go() {
    let mut orphans = Orphans::default();
    let length = 4_000_000;
    let most = (MAX_ORPHAN_BYTES / u64::from(length)) as u32;
    assert_eq!(insert(&mut orphans, 0..most, length), []);
    assert_eq!(insert(&mut orphans, most..most + 2, length), hashes(0..2));
    // Room that was given back is there again.
    for hash in hashes(10..12) {
        assert!(orphans.remove(&hash).is_some());
        assert!(orphans.remove(&hash).is_none());
    }
    assert_eq!(insert(&mut orphans, most + 2..most + 4, length), []);
}

#[test]
fn each_is_given_back_for_its_parent_in_order_of_arrival_and_leaves_nothing_behind() {
    let mut orphans = Orphans::default();
    // Inserted in any order, as after a restart or a commit that failed.
    for number in [5, 0, 3, 4, 2, 1] {
        orphans.insert(orphan(number, 1));
    }
    let waiting = |orphans: &Orphans, number| -> Vec<BlockHash> {
        let previous = orphan(number, 1).previous;
        let waiting = orphans.waiting_for(&previous);
        waiting.iter().map(|orphan| orphan.hash).collect()
    };
    assert_eq!(waiting(&orphans, 0), hashes(0..3));
    assert_eq!(waiting(&orphans, 3), hashes(3..6));
    assert_eq!(orphans.iter().count(), 6);
    for hash in hashes(0..6) {
        orphans.remove(&hash);
    }
    assert_eq!(waiting(&orphans, 0), []);
    assert!(orphans.by_previous.is_empty() && orphans.arrived.is_empty());
    assert_eq!(orphans.bytes, 0);
}
