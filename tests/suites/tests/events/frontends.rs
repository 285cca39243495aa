//! Frontends that are slow, or fall over: the node goes on, and each goes on from where it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use everett_ledger::{EventsError, Ledger, Policy, Start};
use everett_node::{
    BackOff, Frontend, FrontendState, Handle, Node, NodeConfig, Starting, StreamError,
};

use super::sink::{Sink, chain_to};
use super::support::{config, mine_chain, place};

const QUICK: BackOff = BackOff {
    first: Duration::from_millis(1),
    longest: Duration::from_millis(5),
    ran_well: Duration::from_secs(60),
};

/// A frontend that panics at every tenth event, before or after it stored it.
struct Clumsy {
    path: std::path::PathBuf,
    panics: Arc<AtomicU64>,
}

impl Frontend for Clumsy {
    fn name(&self) -> &str {
        "clumsy"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        let (path, panics) = (self.path.clone(), self.panics.clone());
        Box::pin(async move {
            let genesis = handle.ledger().params().genesis_hash();
            let mut sink = Sink::open(&path, genesis);
            let start = Start::At(sink.state.cursor);
            let mut events = handle
                .subscribe("clumsy", Policy::Lossless, start)
                .await?
                .with_limit(7);
            Ok(tokio::spawn(async move {
                while let Some(batch) = events.next().await? {
                    for (place, delivery) in batch.iter().enumerate() {
                        let due = delivery.seq.is_some_and(|seq| seq % 10 == 9) && place > 0;
                        let before = panics.load(Ordering::Relaxed) % 2 == 0;
                        if due && before {
                            panics.fetch_add(1, Ordering::Relaxed);
                            panic!("before it was stored");
                        }
                        sink.take(delivery);
                        if due {
                            panics.fetch_add(1, Ordering::Relaxed);
                            panic!("after it was stored");
                        }
                    }
                    events.acknowledge(sink.state.cursor)?;
                }
                Ok(())
            }))
        })
    }
}

async fn until(mut done: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never came");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frontend_that_keeps_panicking_is_told_everything_exactly_once() {
    let place = place();
    let path = place.path().join("sink");
    let panics = Arc::new(AtomicU64::new(0));
    let ledger = place.path().join("ledger");
    let node = Node::builder(NodeConfig {
        back_off: QUICK,
        ..NodeConfig::new(config(&ledger))
    })
    .frontend(Clumsy {
        path: path.clone(),
        panics: panics.clone(),
    })
    .start()
    .await
    .unwrap();
    let handle = node.handle().clone();
    let genesis = handle.ledger().params().genesis_hash();
    let mine = |ledger: &Ledger| {
        let trunk = mine_chain(ledger, &ledger.best(), 1, 40);
        mine_chain(ledger, &trunk[30], 2, 15);
        ledger.event_log().unwrap().next
    };
    let next = handle.write(mine).await.unwrap();
    until(|| Sink::open(&path, genesis).state.cursor.seq == next).await;
    let state = Sink::open(&path, genesis).state;
    let ledger = handle.ledger();
    assert_eq!(state.chain, chain_to(ledger, ledger.best().hash()));
    assert!(panics.load(Ordering::Relaxed) >= 3);
    let health = handle.frontends().unwrap().pop().unwrap();
    assert_eq!(health.state, FrontendState::Running);
    assert!(health.restarts >= 3);
    assert!(health.last_error.unwrap().contains("stored"));
    assert_eq!(health.lag.unwrap().events, 0);
    drop(handle);
    node.stop().await;
}

/// A frontend that takes one event and then sleeps until it is told to wake.
struct Sleepy {
    wake: Arc<tokio::sync::Notify>,
    said: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Frontend for Sleepy {
    fn name(&self) -> &str {
        "sleepy"
    }

    fn start(&self, handle: Handle) -> Starting<'_> {
        let (wake, said) = (self.wake.clone(), self.said.clone());
        Box::pin(async move {
            let mut events = handle
                .subscribe("sleepy", Policy::Lossless, Start::Stored)
                .await?;
            Ok(tokio::spawn(async move {
                wake.notified().await;
                let say = |text: String| said.lock().unwrap().push(text);
                match events.next().await {
                    Err(StreamError::Events(EventsError::CursorExpired { cursor, oldest })) => {
                        say(format!("missed {}", oldest - cursor.seq));
                        // From its block on, one step to the present.
                        let after = Start::After(vec![cursor.block]);
                        events = handle.subscribe("sleepy", Policy::Lossless, after).await?;
                    }
                    other => say(format!("unexpected: {other:?}")),
                }
                while let Some(batch) = events.next().await? {
                    for delivery in &batch {
                        say(format!(
                            "{} {}",
                            delivery.event.kind.as_str(),
                            delivery.event.to
                        ));
                        events.acknowledge(delivery.cursor)?;
                    }
                }
                Ok(())
            }))
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frontend_that_sleeps_through_the_quota_holds_nobody_up_and_learns_what_it_missed() {
    let place = place();
    let mut ledger = config(place.path());
    (ledger.event_quota, ledger.retained_events) = (20, 5);
    let wake = Arc::new(tokio::sync::Notify::new());
    let said = Arc::new(std::sync::Mutex::new(Vec::new()));
    let node = Node::builder(NodeConfig::new(ledger))
        .frontend(Sleepy {
            wake: wake.clone(),
            said: said.clone(),
        })
        .start()
        .await
        .unwrap();
    let handle = node.handle().clone();
    let mine = |ledger: &Ledger| mine_chain(ledger, &ledger.best(), 1, 50).pop().unwrap();
    let best = handle.write(mine).await.unwrap().hash();
    let log = handle.ledger().event_log().unwrap();
    assert_eq!(log.next, 100, "the node went on");
    assert_eq!(handle.frontends().unwrap()[0].lag.unwrap().events, 100);
    wake.notify_one();
    until(|| said.lock().unwrap().len() >= 2).await;
    assert_eq!(
        *said.lock().unwrap(),
        [
            format!("missed {}", log.oldest),
            format!("BestChanged {best}")
        ]
    );
    until(|| handle.frontends().unwrap()[0].lag.unwrap().events == 0).await;
    drop(handle);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_woken_by_a_block_and_finds_its_world() {
    let place = place();
    let node = Node::builder(NodeConfig::new(config(place.path())))
        .start()
        .await
        .unwrap();
    let handle = node.handle().clone();
    let mut events = handle.follow(Policy::Lossless, Start::Now).await.unwrap();
    for _ in 0..50 {
        let waiting = tokio::spawn(async move {
            let batch = events.next().await.unwrap().unwrap();
            (events, batch)
        });
        let mine = |ledger: &Ledger| mine_chain(ledger, &ledger.best(), 1, 1).pop().unwrap();
        let best = handle.write(mine).await.unwrap().hash();
        let (again, batch) = tokio::time::timeout(Duration::from_secs(10), waiting)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(batch.last().unwrap().to.as_ref().unwrap().hash(), best);
        events = again;
    }
    drop((handle, events));
    node.stop().await;
}
