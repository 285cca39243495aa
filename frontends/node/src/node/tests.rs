//! The life of a node, with frontends that only keep a diary.

use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use everett_ledger::{LedgerConfig, Network, Params};
use tempfile::TempDir;

use super::*;
use crate::frontend::{FrontendError, Starting};
use crate::health::FrontendHealth;
use crate::phase::Phase;

/// How long anything that is waited for may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Waits that a test can sit through.
const QUICK: BackOff = BackOff {
    first: Duration::from_millis(5),
    longest: Duration::from_millis(20),
    ran_well: Duration::from_secs(60),
};

type Diary = Arc<Mutex<Vec<String>>>;

/// What a test frontend does.
#[derive(Clone, Copy, PartialEq)]
enum Nature {
    Well,
    FailsToStart,
    FailsLater,
    FailsOnce,
    PanicsOnce,
    Panics,
    NeverStops,
}

struct Keeper {
    name: &'static str,
    nature: Nature,
    diary: Diary,
}

impl Frontend for Keeper {
    fn name(&self) -> &str {
        self.name
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        let (name, nature, diary) = (self.name, self.nature, self.diary.clone());
        Box::pin(async move {
            if nature == Nature::FailsToStart {
                return Err(FrontendError::from("out of ink"));
            }
            let line = format!("{name} starts");
            let first = !diary.lock().unwrap().contains(&line);
            diary.lock().unwrap().push(line);
            Ok(tokio::spawn(async move {
                match nature {
                    Nature::FailsOnce if first => return Err(FrontendError::from("out of paper")),
                    Nature::PanicsOnce if first => panic!("on purpose"),
                    Nature::FailsLater => return Err(FrontendError::from("out of paper")),
                    Nature::Panics => panic!("on purpose"),
                    Nature::NeverStops => std::future::pending().await,
                    _ => handle.stop_signal().wait().await,
                }
                diary.lock().unwrap().push(format!("{name} stops"));
                Ok(())
            }))
        })
    }
}

fn config(directory: &TempDir) -> NodeConfig {
    let ledger = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
    NodeConfig {
        back_off: QUICK,
        ..NodeConfig::new(ledger)
    }
}

fn keeper(name: &'static str, nature: Nature, diary: &Diary) -> Keeper {
    Keeper {
        name,
        nature,
        diary: diary.clone(),
    }
}

#[tokio::test]
async fn frontends_start_in_order_and_stop_in_reverse() {
    let (directory, diary) = (TempDir::new().unwrap(), Diary::default());
    let node = Node::builder(config(&directory))
        .frontend(keeper("first", Nature::Well, &diary))
        .frontend(keeper("second", Nature::Well, &diary))
        .start()
        .await
        .unwrap();
    node.stop().await;
    assert_eq!(
        *diary.lock().unwrap(),
        [
            "first starts",
            "second starts",
            "second stops",
            "first stops"
        ]
    );
}

#[tokio::test]
async fn a_frontend_that_does_not_start_stops_those_before_it() {
    let (directory, diary) = (TempDir::new().unwrap(), Diary::default());
    let started = Node::builder(config(&directory))
        .frontend(keeper("first", Nature::Well, &diary))
        .frontend(keeper("second", Nature::FailsToStart, &diary))
        .start()
        .await;
    let error = started.err().unwrap().to_string();
    assert_eq!(error, "the frontend `second` did not start: out of ink");
    assert_eq!(*diary.lock().unwrap(), ["first starts", "first stops"]);
    // The ledger is let go: another node can open it.
    Node::builder(config(&directory)).start().await.unwrap();
}

#[tokio::test]
async fn a_frontend_that_fails_or_panics_takes_nobody_with_it() {
    let (directory, diary) = (TempDir::new().unwrap(), Diary::default());
    let node = Node::builder(config(&directory))
        .frontend(keeper("fails", Nature::FailsLater, &diary))
        .frontend(keeper("panics", Nature::Panics, &diary))
        .frontend(keeper("well", Nature::Well, &diary))
        .start()
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let height = node.handle().read(|ledger| ledger.best().height()).await;
    assert_eq!(height, Ok(0));
    node.stop().await;
    // The others may have been started again meanwhile, and then are stopped after it.
    let diary = diary.lock().unwrap();
    let well = diary.iter().filter(|line| line.starts_with("well"));
    assert!(well.eq(["well starts", "well stops"]), "{diary:?}");
}

/// Waits until a frontend's health is as wanted.
async fn until(
    node: &Node,
    name: &str,
    wanted: impl Fn(&FrontendHealth) -> bool,
) -> FrontendHealth {
    for _ in 0..1_000 {
        let all = node.handle().frontends().unwrap();
        let found = all.into_iter().find(|health| health.name == name).unwrap();
        if wanted(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{name} never got there");
}

#[tokio::test]
async fn a_frontend_that_fails_or_panics_is_started_again_and_serves() {
    let (directory, diary) = (TempDir::new().unwrap(), Diary::default());
    let node = Node::builder(config(&directory))
        .frontend(keeper("fails", Nature::FailsOnce, &diary))
        .frontend(keeper("panics", Nature::PanicsOnce, &diary))
        .start()
        .await
        .unwrap();
    let again = |health: &FrontendHealth| health.restarts == 1;
    let fails = until(&node, "fails", again).await;
    assert_eq!(fails.state, FrontendState::Running);
    assert_eq!(fails.last_error.as_deref(), Some("out of paper"));
    let panics = until(&node, "panics", again).await;
    assert_eq!(
        panics.last_error.as_deref(),
        Some("it panicked: on purpose")
    );
    let handle = node.handle().clone();
    node.stop().await;
    let states = handle.frontends().unwrap();
    assert!(
        states
            .iter()
            .all(|health| health.state == FrontendState::Stopped)
    );
    let diary = diary.lock().unwrap();
    let count = |line: &str| diary.iter().filter(|found| *found == line).count();
    assert_eq!((count("fails starts"), count("fails stops")), (2, 1));
    assert_eq!((count("panics starts"), count("panics stops")), (2, 1));
}

#[tokio::test]
async fn a_frontend_that_keeps_failing_is_started_ever_more_slowly_and_can_be_stopped_meanwhile() {
    let (directory, diary) = (TempDir::new().unwrap(), Diary::default());
    let mut config = config(&directory);
    config.back_off.longest = Duration::from_secs(3_600);
    config.stop_grace = Duration::from_secs(3_600);
    let node = Node::builder(config)
        .frontend(keeper("fails", Nature::FailsLater, &diary))
        .start()
        .await
        .unwrap();
    // 5, 10, 20, 40 ms: by now some hundred milliseconds.
    let health = until(&node, "fails", |health| health.restarts >= 5).await;
    assert_eq!(health.last_error.as_deref(), Some("out of paper"));
    tokio::time::timeout(PATIENCE, node.stop()).await.unwrap();
}

#[test]
fn waits_double_up_to_the_longest_and_begin_anew_after_it_ran_well() {
    let back_off = BackOff {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(5),
        ran_well: Duration::from_secs(60),
    };
    let (short, well) = (Duration::from_secs(2), Duration::from_secs(60));
    let mut last = None;
    for wanted in [1, 2, 4, 5, 5] {
        let wait = back_off.next(last, short);
        assert_eq!(wait, Duration::from_secs(wanted));
        last = Some(wait);
    }
    assert_eq!(back_off.next(last, well), Duration::from_secs(1));
}

#[tokio::test]
async fn a_frontend_that_never_stops_is_cut_off() {
    let (directory, diary) = (TempDir::new().unwrap(), Diary::default());
    let mut config = config(&directory);
    let usual = std::mem::replace(&mut config.stop_grace, Duration::from_millis(50));
    let node = Node::builder(config)
        .frontend(keeper("well", Nature::Well, &diary))
        .frontend(keeper("stubborn", Nature::NeverStops, &diary))
        .start()
        .await
        .unwrap();
    tokio::time::timeout(usual, node.stop()).await.unwrap();
    assert_eq!(diary.lock().unwrap().last().unwrap(), "well stops");
}

#[tokio::test]
async fn a_node_waits_until_a_frontend_asks_it_to_stop() {
    let (directory, diary) = (TempDir::new().unwrap(), Diary::default());
    let node = Node::builder(config(&directory))
        .frontend(keeper("well", Nature::Well, &diary))
        .start()
        .await
        .unwrap();
    let handle = node.handle().clone();
    let waiting = tokio::spawn(node.wait());
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!waiting.is_finished());
    handle.shut_down();
    waiting.await.unwrap();
    assert_eq!(
        handle.read(|_| ()).await,
        Err(CallError::ShuttingDown),
        "no more work is taken"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_reads_run_at_once_than_there_are_readers() {
    let directory = TempDir::new().unwrap();
    let mut config = config(&directory);
    config.readers = 2;
    let node = Node::builder(config).start().await.unwrap();
    let running = Arc::new(Mutex::new((0, 0)));
    // Two at a time: nobody goes on before there are two.
    let both = Arc::new(Barrier::new(2));
    let reads: Vec<_> = (0..8)
        .map(|_| {
            let (handle, running) = (node.handle().clone(), running.clone());
            let both = both.clone();
            tokio::spawn(async move {
                let work = move |_: &Ledger| {
                    {
                        let mut running = running.lock().unwrap();
                        running.0 += 1;
                        running.1 = running.1.max(running.0);
                    }
                    both.wait();
                    running.lock().unwrap().0 -= 1;
                };
                handle.read(work).await
            })
        })
        .collect();
    for read in reads {
        assert_eq!(read.await.unwrap(), Ok(()));
    }
    assert_eq!(*running.lock().unwrap(), (0, 2));
    let panicked = node.handle().read(|_| panic!("on purpose")).await;
    assert_eq!(panicked, Err::<(), _>(CallError::Panicked));
    assert_eq!(
        node.handle().read(|_| 1).await,
        Ok(1),
        "its place is free again"
    );
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    let directory = TempDir::new().unwrap();
    let mut wrong = config(&directory);
    wrong.readers = 0;
    assert!(matches!(wrong.check(), Err(NodeError::NoReaders)));
    let mut lab = config(&directory);
    lab.lab = true;
    lab.check().unwrap();
    lab.ledger.params = Params::new(Network::Mainnet);
    assert!(matches!(lab.check(), Err(NodeError::LabOnMainnet)));
}

#[tokio::test]
async fn everyone_learns_the_phase() {
    let directory = TempDir::new().unwrap();
    let node = Node::builder(config(&directory)).start().await.unwrap();
    let mut told = node.handle().watch_phase();
    assert_eq!(node.handle().phase(), Phase::Ready);
    node.handle().set_phase(Phase::CatchingUp);
    told.changed().await.unwrap();
    assert_eq!(*told.borrow(), Phase::CatchingUp);
}
