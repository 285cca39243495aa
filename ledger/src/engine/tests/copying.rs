//! A copy of a ledger that goes on.

use std::fs::File;
use std::path::Path;

use tempfile::tempdir;

use crate::config::LedgerConfig;
use crate::events::{Policy, Start};
use crate::fixtures::{Branch, in_memory, settings};
use crate::ledger::Ledger;
use crate::params::{Network, Params};
use crate::store::{How, StoreError};

/// A ledger whose block files have three of the fixtures' blocks.
fn open(directory: &Path) -> Ledger {
    let mut config = settings(LedgerConfig::new(Params::new(Network::Regtest), directory));
    config.block_file_size = 600;
    Ledger::open(config).unwrap()
}

#[test]
fn a_copy_is_the_ledger_as_of_one_commit_while_blocks_go_on_coming() {
    let (place, target) = (tempdir().unwrap(), tempdir().unwrap());
    let ledger = open(place.path());
    let trunk = Branch::genesis().grown(9, 50);
    let rival = trunk.cut(6).grown(2, 40);
    trunk.deliver(&ledger, 0);
    rival.deliver(&ledger, 6);
    let told = ledger
        .subscribe("reader", Policy::Lossless, Start::Stored)
        .map(drop);
    told.unwrap();
    let (copy, seen) = ledger
        .begin_copy(target.path(), || Ok::<_, StoreError>(ledger.best().hash()))
        .unwrap();
    let longer = trunk.grown(6, 50);
    longer.deliver(&ledger, 9);
    let files = copy.finish(&mut |_| true).unwrap();
    assert!(files.iter().all(|file| {
        File::open(target.path().join(&file.name))
            .unwrap()
            .metadata()
            .unwrap()
            .len()
            == file.bytes
    }));
    // The file that is written to must never be shared.
    let last = files.iter().rfind(|file| file.name.starts_with("blocks"));
    assert_ne!(last.unwrap().how, How::Linked);
    let copied = open(target.path());
    assert_eq!(copied.best().hash(), seen);
    assert_eq!(seen, trunk.tip());
    assert!(copied.world(&rival.tip()).is_ok());
    assert_eq!(copied.subscribers().unwrap().len(), 1);
    for hash in [trunk.hash_at(1), trunk.tip(), rival.tip()] {
        assert_eq!(
            copied.block_bytes(&hash).unwrap(),
            ledger.block_bytes(&hash).unwrap()
        );
    }
    // Both go their own ways.
    let other = trunk.grown(4, 30);
    other.deliver(&copied, 9);
    assert_eq!(copied.best().hash(), other.tip());
    drop((ledger, copied));
    let (ledger, copied) = (open(place.path()), open(target.path()));
    assert_eq!(ledger.best().hash(), longer.tip());
    assert_eq!(copied.best().hash(), other.tip());
    for height in 1..=15 {
        ledger.block_bytes(&longer.hash_at(height)).unwrap();
    }
    for height in 1..=13 {
        copied.block_bytes(&other.hash_at(height)).unwrap();
    }
}

#[test]
fn a_copy_that_is_called_off_or_dropped_lets_go_of_the_ledger() {
    let (place, target) = (tempdir().unwrap(), tempdir().unwrap());
    let ledger = open(place.path());
    Branch::genesis().grown(3, 50).deliver(&ledger, 0);
    let begin = |name: &str| {
        let target = target.path().join(name);
        std::fs::create_dir(&target).unwrap();
        let begun = ledger.begin_copy(&target, || Ok::<_, StoreError>(()));
        begun.unwrap().0
    };
    let cancelled = begin("cancelled").finish(&mut |_| false);
    assert!(matches!(cancelled, Err(StoreError::Cancelled { .. })));
    drop(begin("dropped"));
    drop(ledger);
    open(place.path());
}

#[test]
fn a_ledger_in_memory_has_nothing_to_copy() {
    let target = tempdir().unwrap();
    let refused = in_memory().begin_copy(target.path(), || Ok::<_, StoreError>(()));
    assert!(matches!(refused, Err(StoreError::Misuse { .. })));
}
