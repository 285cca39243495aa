//! Books that are kept while the process is killed again and again: each step of the chain is in them exactly once.
//!
//! `EVERETT_KILLS` says how often a process is killed (default 12).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bitcoin::ScriptBuf;
use everett_deposit_watcher::{Books, DepositWatcher, Watched};
use everett_lab::assemble;
use everett_ledger::{Access, Clock, Cursor, Ledger, LedgerConfig, Network, Params};
use everett_node::{BackOff, Node, NodeConfig};
use tempfile::TempDir;

const ROLE: &str = "EVERETT_DEPOSITS_TEST_ROLE";
const CONFIRMATIONS: u32 = 3;
const SIGKILL: i32 = 9;
/// What a process says when it begins to mine.
const MINES: &str = "it mines";
/// Processes beyond those that are asked for, until something was taken back: hardly ever is one needed.
const SPARE_LIVES: usize = 100;

/// Three scripts anyone can spend; the first two are watched.
fn script(number: u8) -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x01, 0x80 + number, 0x75, 0x51])
}

fn watched() -> Watched {
    Watched {
        scripts: HashSet::from([script(0), script(1)]),
        confirmations: CONFIRMATIONS,
    }
}

fn config(directory: &Path) -> LedgerConfig {
    let params = Params::new(Network::Regtest);
    let now = u64::from(params.genesis.header.time) + 86_400;
    LedgerConfig {
        clock: Clock::fixed(now),
        ..LedgerConfig::new(params, directory.join("ledger"))
    }
}

fn books(directory: &Path) -> PathBuf {
    directory.join("books.sqlite")
}

/// A number below `end`, another each time.
fn any_below(end: usize) -> usize {
    RandomState::new().hash_one(0) as usize % end
}

/// A process that mines on random blocks near the tip, and keeps its books, until it is killed.
#[test]
fn a_process_of_its_own_mines_and_keeps_books() {
    let Some(directory) = std::env::var_os(ROLE).map(PathBuf::from) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let node = Node::builder(NodeConfig {
            back_off: BackOff {
                first: Duration::from_millis(1),
                ..BackOff::default()
            },
            ..NodeConfig::new(config(&directory))
        })
        .frontend(DepositWatcher::new(books(&directory), watched()))
        .start()
        .await
        .unwrap();
        // Past the test harness, which keeps what is printed to itself.
        writeln!(std::io::stdout(), "{MINES}").unwrap();
        loop {
            let mine = |ledger: &Ledger| {
                let best = ledger.best();
                let height = best.height() - (any_below(6) as u32).min(best.height());
                let mut parent = ledger.world_at_height(height).unwrap();
                for _ in 0..1 + any_below(7) {
                    let payout = script(any_below(3) as u8);
                    let block = assemble::mine(ledger, &parent, vec![], &payout, None).unwrap();
                    ledger.submit_block(&block).unwrap();
                    let header = bitcoin::consensus::deserialize(&block[..80]).unwrap();
                    let header: bitcoin::block::Header = header;
                    parent = ledger.world(&header.block_hash()).unwrap();
                }
            };
            node.handle().write(mine).await.unwrap();
        }
    });
}

/// The books that a replay from the first event comes to.
fn replay(ledger: &Ledger, cursor: Cursor) -> Books {
    let mut books = Books::in_memory(watched()).unwrap();
    let genesis = ledger.params().genesis_hash();
    let mut block = genesis;
    for (seq, event) in ledger.events(0, cursor.seq as usize).unwrap() {
        if event.kind == everett_ledger::EventKind::BestChanged {
            block = event.to;
        }
        let at = Cursor {
            seq: seq + 1,
            block,
        };
        books.book(ledger, &event, at).unwrap();
    }
    assert_eq!(books.cursor().unwrap(), Some(cursor));
    books
}

#[test]
fn books_are_a_replay_at_their_cursor_however_often_the_process_is_killed() {
    let kills = std::env::var("EVERETT_KILLS").ok();
    let kills = kills.map_or(12, |kills| kills.parse::<usize>().expect("a number"));
    let memory = Path::new("/dev/shm");
    let place = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => TempDir::new(),
    }
    .unwrap();
    let (mut booked, mut reversed) = (0, 0);
    let mut kill = 0;
    while kill < kills || reversed == 0 {
        assert!(
            kill < kills + SPARE_LIVES,
            "{booked} entries, none taken back"
        );
        kill += 1;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_process_of_its_own_mines_and_keeps_books"])
            .env(ROLE, place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Each third is killed at any time, also while it begins.
        if kill % 3 != 0 {
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            assert!(lines.any(|line| line.unwrap().contains(MINES)), "it ends");
        }
        std::thread::sleep(Duration::from_millis(30 + any_below(250) as u64));
        child.kill().unwrap();
        let output = child.wait_with_output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.signal(), Some(SIGKILL), "{complaints}");
        if !books(place.path()).exists() {
            continue;
        }
        let kept = Books::open(&books(place.path()), watched()).unwrap();
        let Some(cursor) = kept.cursor().unwrap() else {
            continue;
        };
        let ledger = Ledger::open(LedgerConfig {
            access: Access::Reader,
            ..config(place.path())
        })
        .unwrap();
        let replayed = replay(&ledger, cursor);
        let entries = kept.entries().unwrap();
        assert_eq!(entries, replayed.entries().unwrap(), "after kill {kill}");
        assert_eq!(kept.deposits().unwrap(), replayed.deposits().unwrap());
        let height = ledger.block_info(&cursor.block).unwrap().height;
        for deposit in kept.deposits().unwrap() {
            let confirmed = deposit.height + CONFIRMATIONS <= height + 1;
            assert_eq!(
                deposit.credited, confirmed,
                "{deposit:?} at height {height}"
            );
        }
        booked = entries.len();
        reversed = entries.iter().filter(|entry| entry.sat < 0).count();
    }
    println!("{kill} kills, {booked} entries, {reversed} of them taken back");
}
