use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::drafts::{RESTORE, REWRITE};
use super::*;

const NETWORK: Network = Network::Regtest;
/// Where the child of the crash test writes.
const CHILD: &str = "EVERETT_WALLET_CRASH_DIRECTORY";

fn create(directory: &TempDir) -> WalletFile {
    WalletFile::create(
        &directory.path().join("w"),
        NETWORK,
        WalletFlags::default(),
        as_it_is,
    )
    .unwrap()
}

fn put(file: &WalletFile, key: &[u8], value: &[u8]) {
    file.write(|step| step.put(Table::Transactions, key, value))
        .unwrap();
}

fn rows(file: &WalletFile, table: Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    let read = file.read().unwrap();
    read.each(table, |key, value| {
        all.push((key.to_vec(), value.to_vec()));
        Ok::<_, FileError>(())
    })
    .unwrap();
    all
}

#[test]
fn a_step_that_fails_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let file = create(&directory);
    put(&file, b"a", b"1");
    let failed: Result<(), FileError> = file.write(|step| {
        step.put(Table::Transactions, b"a", b"2")?;
        step.put(Table::Blocks, b"b", b"3")?;
        assert_eq!(step.get(Table::Transactions, b"a")?, Some(&b"2"[..]));
        Err(FileError::ReadOnly {
            path: PathBuf::new(),
        })
    });
    failed.unwrap_err();
    assert_eq!(
        rows(&file, Table::Transactions),
        [(b"a".to_vec(), b"1".to_vec())]
    );
    assert!(rows(&file, Table::Blocks).is_empty());
}

#[test]
fn a_second_opening_is_refused_until_the_first_is_shut() {
    let directory = TempDir::new().unwrap();
    let file = create(&directory);
    let place = file.directory().to_path_buf();
    let again = WalletFile::open(&place, NETWORK);
    assert!(matches!(again, Err(FileError::InUse { .. })));
    let created = WalletFile::create(&place, NETWORK, WalletFlags::default(), as_it_is);
    assert!(matches!(created, Err(FileError::InUse { .. })));
    drop(file);
    WalletFile::open(&place, NETWORK).unwrap();
    let created = WalletFile::create(&place, NETWORK, WalletFlags::default(), as_it_is);
    assert!(matches!(created, Err(FileError::Exists { .. })));
}

#[test]
fn what_is_no_wallet_or_another_networks_is_refused() {
    let directory = TempDir::new().unwrap();
    let none = WalletFile::open(&directory.path().join("none"), NETWORK);
    assert!(matches!(none, Err(FileError::NoWallet { .. })));
    assert!(!directory.path().join("none").exists());
    let place = create(&directory).directory().to_path_buf();
    for other in [Network::Bitcoin, Network::Signet, Network::Testnet4] {
        match WalletFile::open(&place, other) {
            Err(FileError::OtherNetwork { found, wanted, .. }) => {
                assert_eq!((found.as_str(), wanted), ("regtest", other.to_string()));
            }
            other => panic!("{:?}", other.err()),
        }
    }
}

#[test]
fn a_wallet_is_there_when_all_of_it_is_and_what_a_killed_one_left_is_in_nobodys_way() {
    let directory = TempDir::new().unwrap();
    let place = directory.path().join("w");
    let data = environment::data_path(&place);
    let entries = || std::fs::read_dir(directory.path()).unwrap().count();
    // Killed while it is made: all there is at that moment is copied.
    let killed = directory.path().join("killed");
    let made = WalletFile::create(&place, NETWORK, WalletFlags::default(), |file| {
        assert!(!data.exists());
        file.write(|step| step.put(Table::Transactions, b"a", b"1"))?;
        std::fs::create_dir_all(killed.join(CREATE)).unwrap();
        let left = environment::data_path(&place.join(CREATE));
        std::fs::copy(left, environment::data_path(&killed.join(CREATE))).unwrap();
        Ok::<_, FileError>(())
    });
    let made = made.unwrap();
    put(&made, b"b", b"2");
    drop(made);
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 2);
    let again = WalletFile::open(&place, NETWORK).unwrap();
    assert_eq!(rows(&again, Table::Transactions).len(), 2);
    let none = WalletFile::open(&killed, NETWORK);
    assert!(matches!(none, Err(FileError::NoWallet { .. })));
    let made = WalletFile::create(&killed, NETWORK, WalletFlags::default(), as_it_is).unwrap();
    assert!(rows(&made, Table::Transactions).is_empty());
    drop(made);
    // One that fails leaves nothing.
    let before = entries();
    let failed = directory.path().join("failed");
    let refused = WalletFile::create(&failed, NETWORK, WalletFlags::default(), |_| {
        Err(FileError::ReadOnly {
            path: PathBuf::new(),
        })
    });
    assert!(matches!(refused, Err(FileError::ReadOnly { .. })));
    assert_eq!(entries(), before);
}

#[test]
fn a_rewriting_that_fails_leaves_the_file_as_it_was() {
    let directory = TempDir::new().unwrap();
    let mut file = create(&directory);
    let place = file.directory().to_path_buf();
    put(&file, b"a", b"1");
    let refused = file.rewrite(&[Table::Transactions], |step| {
        step.put(Table::Transactions, b"b", b"2")?;
        Err::<(), _>(FileError::ReadOnly {
            path: PathBuf::new(),
        })
    });
    assert!(matches!(refused, Err(FileError::ReadOnly { .. })));
    assert!(!place.join(REWRITE).exists());
    put(&file, b"c", b"3");
    drop(file);
    let file = WalletFile::open(&place, NETWORK).unwrap();
    assert_eq!(rows(&file, Table::Transactions).len(), 2);
}

#[test]
fn flags_are_kept() {
    let directory = TempDir::new().unwrap();
    let flags = WalletFlags {
        disable_private_keys: true,
        blank: false,
        avoid_reuse: true,
    };
    let file = WalletFile::create(&directory.path().join("w"), NETWORK, flags, as_it_is).unwrap();
    assert_eq!(file.flags().unwrap(), flags);
    let changed = WalletFlags::default();
    file.write(|step| step.put_flags(changed)).unwrap();
    assert_eq!(file.flags().unwrap(), changed);
}

#[test]
fn a_row_that_was_changed_is_named() {
    let directory = TempDir::new().unwrap();
    let file = create(&directory);
    let value = b"a value that is found in the file";
    put(&file, &[0xab, 0xcd], value);
    let place = file.directory().to_path_buf();
    drop(file);
    let data = environment::data_path(&place);
    let mut bytes = std::fs::read(&data).unwrap();
    let mut changed = 0;
    for at in 0..bytes.len() - value.len() {
        if bytes[at..].starts_with(value) {
            bytes[at + 3] ^= 1;
            changed += 1;
        }
    }
    assert!(changed > 0);
    std::fs::write(&data, bytes).unwrap();
    let file = WalletFile::open(&place, NETWORK).unwrap();
    let reading = file.read().unwrap();
    match reading.get(Table::Transactions, &[0xab, 0xcd]) {
        Err(FileError::DamagedRow { table, row, .. }) => {
            assert_eq!((table, row.as_str()), ("transactions", "abcd"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_is_cut_short_or_no_database_is_refused() {
    let directory = TempDir::new().unwrap();
    let place = create(&directory).directory().to_path_buf();
    let data = environment::data_path(&place);
    let whole = std::fs::read(&data).unwrap();
    for length in [1, 100, 2 * 4096, 3 * 4096 + 1] {
        std::fs::write(&data, &whole[..length]).unwrap();
        let opened = WalletFile::open(&place, NETWORK);
        assert!(
            matches!(opened, Err(FileError::DamagedFile { .. })),
            "{length}: {:?}",
            opened.err()
        );
    }
    std::fs::write(&data, "no database").unwrap();
    assert!(WalletFile::open(&place, NETWORK).is_err());
    std::fs::write(&data, &whole).unwrap();
    WalletFile::open(&place, NETWORK).unwrap();
}

#[test]
fn a_backup_is_a_wallet_again() {
    let directory = TempDir::new().unwrap();
    let file = create(&directory);
    put(&file, b"a", b"1");
    let backup = directory.path().join("backup.dat");
    file.backup(&backup).unwrap();
    put(&file, b"b", b"2");
    assert!(matches!(
        file.backup(&backup),
        Err(FileError::Exists { .. })
    ));
    let restored = directory.path().join("restored");
    let again = WalletFile::restore(&backup, &restored, NETWORK).unwrap();
    assert_eq!(again.id(), file.id());
    assert_eq!(
        rows(&again, Table::Transactions),
        [(b"a".to_vec(), b"1".to_vec())]
    );
    assert!(WalletFile::restore(&backup, &restored, NETWORK).is_err());
    let other = directory.path().join("other");
    assert!(WalletFile::restore(&backup, &other, Network::Bitcoin).is_err());
    assert!(!other.exists());
}

#[test]
fn a_restoring_that_fails_takes_away_only_what_it_made() {
    let directory = TempDir::new().unwrap();
    let file = create(&directory);
    put(&file, b"a", b"1");
    let backup = directory.path().join("backup.dat");
    file.backup(&backup).unwrap();
    let mode = std::fs::metadata(&backup).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // What was in the directory stays there.
    let place = directory.path().join("place");
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("letter"), "dear").unwrap();
    assert!(WalletFile::restore(&backup, &place, Network::Bitcoin).is_err());
    assert!(place.join("letter").is_file());
    assert!(!place.join("data.mdb").exists());
    // An open wallet is not touched, nor one that is being restored at the same time.
    let restored = WalletFile::restore(&backup, &place, NETWORK).unwrap();
    let second = WalletFile::restore(&backup, &place, NETWORK);
    assert!(matches!(second, Err(FileError::Exists { .. })));
    put(&restored, b"b", b"2");
    assert_eq!(rows(&restored, Table::Transactions).len(), 2);
    assert!(!place.join(RESTORE).exists());
    // Neither does undoing what somebody has open.
    let made = restored.made();
    made.undo(&place);
    assert!(place.join("data.mdb").is_file());
    drop(restored);
    made.undo(&place);
    assert!(!place.join("data.mdb").exists());
    assert!(place.join("letter").is_file());
}

#[test]
fn what_is_somebody_elses_in_a_directory_stays_and_is_named_where_it_is_in_the_way() {
    let directory = TempDir::new().unwrap();
    let file = create(&directory);
    let backup = directory.path().join("backup.dat");
    file.backup(&backup).unwrap();
    let place = directory.path().join("src");
    for name in [CREATE, REWRITE, RESTORE] {
        let draft = place.join(name);
        let refused = || {
            let made = WalletFile::create(&place, NETWORK, WalletFlags::default(), as_it_is);
            let restored = WalletFile::restore(&backup, &place, NETWORK);
            for result in [made, restored] {
                match result {
                    Err(FileError::InTheWay { path }) => assert_eq!(path, draft),
                    other => panic!("{name}: {:?}", other.err()),
                }
            }
        };
        // A directory, also with files in it that have LMDB's names; then a file.
        std::fs::create_dir_all(&draft).unwrap();
        let (data, letter) = (environment::data_path(&draft), draft.join("letter"));
        std::fs::write(&data, "a database").unwrap();
        std::fs::write(&letter, "dear").unwrap();
        refused();
        assert_eq!(std::fs::read(&data).unwrap(), b"a database");
        assert_eq!(std::fs::read(&letter).unwrap(), b"dear");
        std::fs::remove_dir_all(&draft).unwrap();
        std::fs::write(&draft, "a script").unwrap();
        refused();
        assert_eq!(std::fs::read(&draft).unwrap(), b"a script");
        std::fs::remove_file(&draft).unwrap();
    }
    // A wallet that is there already opens beside such things, but is not written anew.
    let place = file.directory().to_path_buf();
    drop(file);
    std::fs::write(place.join(RESTORE), "a script").unwrap();
    let mut file = WalletFile::open(&place, NETWORK).unwrap();
    let refused = file.rewrite(&[], |_| Ok::<_, FileError>(()));
    assert!(matches!(refused, Err(FileError::InTheWay { .. })));
    put(&file, b"a", b"1");
    assert_eq!(std::fs::read(place.join(RESTORE)).unwrap(), b"a script");
}

#[test]
fn a_file_that_comes_while_a_wallet_is_made_is_not_overwritten() {
    let directory = TempDir::new().unwrap();
    let place = directory.path().join("w");
    let data = environment::data_path(&place);
    let made = WalletFile::create(&place, NETWORK, WalletFlags::default(), |_| {
        std::fs::write(&data, "a backup").unwrap();
        Ok::<_, FileError>(())
    });
    assert!(matches!(made, Err(FileError::Exists { .. })));
    assert_eq!(std::fs::read(&data).unwrap(), b"a backup");
    assert!(!place.join(CREATE).exists());
}

#[test]
fn of_many_restorings_at_once_one_is_a_wallet() {
    let directory = TempDir::new().unwrap();
    let file = create(&directory);
    put(&file, b"a", b"1");
    let backup = directory.path().join("backup.dat");
    file.backup(&backup).unwrap();
    let place = directory.path().join("place");
    let restored: Vec<WalletFile> = std::thread::scope(|scope| {
        let restore = || WalletFile::restore(&backup, &place, NETWORK).ok();
        let all: Vec<_> = (0..4).map(|_| scope.spawn(restore)).collect();
        let done = all.into_iter().map(|one| one.join().unwrap());
        done.flatten().collect()
    });
    assert_eq!(restored.len(), 1);
    assert_eq!(rows(&restored[0], Table::Transactions).len(), 1);
}

#[test]
fn a_file_that_was_written_anew_has_all_but_what_was_left_out() {
    let directory = TempDir::new().unwrap();
    let mut file = create(&directory);
    let place = file.directory().to_path_buf();
    put(&file, b"a", b"1");
    let secret = b"a secret that was written in the clear";
    file.write(|step| step.put(Table::Secrets, b"s", secret))
        .unwrap();
    std::fs::create_dir(place.join(REWRITE)).unwrap();
    file.rewrite(&[Table::Secrets], |step| {
        step.put(Table::Secrets, b"s", b"sealed")
    })
    .unwrap();
    put(&file, b"b", b"2");
    drop(file);
    let bytes = std::fs::read(environment::data_path(&place)).unwrap();
    assert!(!bytes.windows(secret.len()).any(|window| window == secret));
    assert!(!place.join(REWRITE).exists());
    let file = WalletFile::open(&place, NETWORK).unwrap();
    assert_eq!(rows(&file, Table::Transactions).len(), 2);
    assert_eq!(
        rows(&file, Table::Secrets),
        [(b"s".to_vec(), b"sealed".to_vec())]
    );
}

/// Not a test of its own: what the next one starts and kills.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(place) = std::env::var_os(CHILD) else {
        return;
    };
    let file = WalletFile::open(Path::new(&place), NETWORK).unwrap();
    for number in 0_u64.. {
        file.write(|step| {
            step.put(Table::Transactions, b"n", &number.to_le_bytes())?;
            step.put(Table::Cursor, b"n", &number.to_le_bytes())
        })
        .unwrap();
        println!("written {number}");
    }
}

#[test]
fn a_killed_process_leaves_whole_steps_and_no_lock() {
    let directory = TempDir::new().unwrap();
    let place = create(&directory).directory().to_path_buf();
    for _ in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("store::tests::child_that_writes_until_it_is_killed")
            .env(CHILD, &place)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Kept to the end: a child whose output nobody takes ends by itself.
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told: Vec<u64> = lines
            .by_ref()
            .filter_map(|line| line.unwrap().split("written ").nth(1)?.parse().ok())
            .take(20)
            .collect();
        let in_use = WalletFile::open(&place, NETWORK);
        assert!(matches!(in_use, Err(FileError::InUse { .. })));
        child.kill().unwrap();
        child.wait().unwrap();
        let file = WalletFile::open(&place, NETWORK).unwrap();
        let (one, other) = (rows(&file, Table::Transactions), rows(&file, Table::Cursor));
        assert_eq!(one, other);
        let number = u64::from_le_bytes(one[0].1.as_slice().try_into().unwrap());
        assert!(number >= *told.last().unwrap());
    }
}
