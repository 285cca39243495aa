//! Forks recorded from a lab, a directory and a running node, and replayed.

use std::time::{Duration, Instant};

use bitcoin::Amount;
use bitcoin::consensus::serialize;
use everett_lab::recording::{
    Ending, Entry, Happening, Pace, RecordingReader, Replay, ReplayError, ReplayProgress,
    follow_server,
};
use everett_lab::{Lab, LabServer};
use everett_ledger::{Access, Ledger, LedgerConfig, Network, Params, Tip};
use tokio::sync::oneshot;
use tonic::transport::Channel;

/// A fork with a double spend, blocks that came before their parents, a tie, and a block taken back by hand.
fn history(lab: &Lab) {
    let (alice, bob) = (lab.party("alice"), lab.party("bob"));
    let ready = lab.fund(&alice).unwrap();
    let payment = lab.pay(&alice, &bob, Amount::ONE_BTC).unwrap();
    let paid = lab.mine(&ready, [payment.clone()]).unwrap();
    let theft = lab.double_spend(&payment, &alice).unwrap();
    lab.mine(&ready, [theft]).unwrap();
    lab.grow(&paid, 3).unwrap();
    let late = lab.grow(&ready, 2).unwrap();
    lab.invalidate(&late).unwrap();
}

/// What all tips come down to; times are the ledger's own.
fn tips(ledger: &Ledger) -> Vec<Tip> {
    let mut tips = ledger.tips();
    for tip in &mut tips {
        tip.first_seen = 0;
    }
    tips
}

fn channel(server: &LabServer) -> Channel {
    Channel::from_shared(server.url()).unwrap().connect_lazy()
}

#[test]
fn a_lab_recorded_and_replayed_in_another_has_the_same_worlds() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fork");
    let lab = Lab::new(1);
    history(&lab);
    let entries = lab.record(&path).unwrap();
    assert_eq!(entries, 100 + 1 + 1 + 3 + 2 + 1);
    let other = Lab::new(2);
    let replayed = other.replay(&path).unwrap();
    assert_eq!(tips(other.ledger()), tips(lab.ledger()));
    assert_eq!((replayed.accepted, replayed.refused), (entries - 1, 0));
    assert_eq!(replayed.ending, Ending::Whole);
    assert_eq!(replayed.best_hash, lab.best().hash());
    // Once more changes nothing.
    let again = other.replay(&path).unwrap();
    assert_eq!((again.known, again.accepted), (entries - 1, 0));
    assert_eq!(tips(other.ledger()), tips(lab.ledger()));
}

#[test]
fn a_directory_is_recorded_in_the_order_of_arrival() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::in_directory(1, directory.path().join("data")).unwrap();
    history(&lab);
    // A child before its parent.
    let parent = lab.block(lab.best(), []).unwrap();
    let maker = Lab::new(9);
    let path = directory.path().join("first");
    lab.record(&path).unwrap();
    maker.replay(&path).unwrap();
    maker.submit(&serialize(&parent)).unwrap();
    let child = maker.block(parent.block_hash(), []).unwrap();
    let clock = lab.ledger().clock();
    clock.set(maker.ledger().clock().now());
    lab.submit(&serialize(&child)).unwrap();
    lab.submit(&serialize(&parent)).unwrap();
    lab.expect(child.block_hash()).best();
    let wanted = tips(lab.ledger());
    // Another process could read beside it; this one has the directory open once.
    drop(lab);

    let mut config =
        LedgerConfig::new(Params::new(Network::Regtest), directory.path().join("data"));
    config.access = Access::Reader;
    let reader = Ledger::open(config).unwrap();
    let path = directory.path().join("second");
    let head = everett_lab::recording::Head::new(reader.params(), "a directory");
    let mut writer = everett_lab::recording::RecordingWriter::create(&path, &head).unwrap();
    let mut told = Vec::new();
    let mut watch = |done, all| told.push((done, all));
    everett_lab::recording::record_ledger(&reader, 1, &mut writer, &mut watch).unwrap();
    let all = writer.entries();
    writer.finish().unwrap();
    assert_eq!(told.last(), Some(&(all, all)));

    let blocks: Vec<Vec<u8>> = RecordingReader::open(&path)
        .unwrap()
        .filter_map(|entry| match entry.unwrap().what {
            Happening::Block(block) => Some(block),
            _ => None,
        })
        .collect();
    let place = |block: &bitcoin::Block| blocks.iter().position(|bytes| *bytes == serialize(block));
    assert!(place(&child).unwrap() < place(&parent).unwrap());
    let other = Lab::new(3);
    let replayed = other.replay(&path).unwrap();
    assert_eq!((replayed.waiting, replayed.refused), (0, 0));
    assert_eq!(tips(other.ledger()), wanted);
}

#[test]
fn a_part_of_a_history_is_replayed_where_the_rest_is() {
    let directory = tempfile::tempdir().unwrap();
    let lab = Lab::new(1);
    lab.grow(0, 20).unwrap();
    let (whole, part) = (
        directory.path().join("whole"),
        directory.path().join("part"),
    );
    lab.record(&whole).unwrap();
    lab.reorg(4).unwrap();
    let head = everett_lab::recording::Head::new(lab.ledger().params(), "above height 16");
    let mut writer = everett_lab::recording::RecordingWriter::create(&part, &head).unwrap();
    everett_lab::recording::record_ledger(lab.ledger(), 17, &mut writer, &mut |_, _| ()).unwrap();
    assert_eq!(writer.entries(), 4 + 5);
    writer.finish().unwrap();
    let other = Lab::new(2);
    other.replay(&whole).unwrap();
    let replayed = other.replay(&part).unwrap();
    assert_eq!((replayed.known, replayed.accepted), (4, 5));
    assert_eq!(tips(other.ledger()), tips(lab.ledger()));
    // Where it is not, all wait.
    let alone = Lab::new(4).replay(&part).unwrap();
    assert_eq!(alone.waiting, 9);
}

#[test]
fn a_replay_keeps_the_recorded_time_if_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("timed");
    let lab = Lab::builder().spacing(2).open().unwrap();
    for _ in 0..5 {
        lab.grow(lab.best(), 1).unwrap();
    }
    lab.record(&path).unwrap();
    let took = |pace| {
        let other = Lab::new(1);
        let start = Instant::now();
        let mut seen = Vec::new();
        let mut watch = |progress: &ReplayProgress| seen.push(progress.height);
        let recording = RecordingReader::open(&path).unwrap();
        let replay = other.replaying().pace(pace).watched_by(&mut watch);
        let replayed = replay.run(recording).unwrap();
        assert_eq!(seen.last(), Some(&5));
        (replayed, start.elapsed(), seen.len())
    };
    let (full, fast, commits) = took(Pace::Full);
    assert!(fast < Duration::from_secs(2) && commits == 1);
    let (timed, slow, commits) = took(Pace::Times(20.0));
    assert_eq!(full.span, timed.span);
    let wanted = full.span / 20;
    assert!(slow >= wanted, "{slow:?} instead of {wanted:?}");
    assert!(commits > 3, "blocks of different moments come one by one");
}

#[test]
fn a_replay_of_a_recording_that_was_cut_off_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cut");
    let lab = Lab::new(1);
    lab.grow(0, 30).unwrap();
    lab.record(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 100]).unwrap();
    let replayed = Lab::new(2).replay(&path).unwrap();
    assert_eq!(replayed.accepted, 29);
    assert!(matches!(replayed.ending, Ending::Torn { bytes: 1.., .. }));
    let mut damaged = bytes.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let other = Lab::new(3);
    let error = other.replay(&path).unwrap_err();
    assert!(matches!(error, ReplayError::Recording(_)), "{error}");
    assert!(
        other.best().height() > 5,
        "what came before the damage is kept"
    );
}

#[test]
fn another_networks_recording_is_refused_before_anything_is_handed_in() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fork");
    let lab = Lab::new(1);
    lab.grow(0, 2).unwrap();
    lab.record(&path).unwrap();
    let mainnet = Ledger::open(LedgerConfig::in_memory(Params::new(Network::Mainnet))).unwrap();
    let recording = RecordingReader::open(&path).unwrap();
    let error = Replay::new(&mainnet).run(recording).unwrap_err();
    assert!(matches!(error, ReplayError::OtherNetwork { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_node_is_recorded_with_what_it_has_and_what_comes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live");
    let lab = Lab::new(1);
    history(&lab);
    let server = lab.serve().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (snapshot, taken) = oneshot::channel::<()>();
    let before = lab.ledger().tips().len() as u64;
    let recording = {
        let (channel, path) = (channel(&server), path.clone());
        tokio::spawn(async move {
            let mut snapshot = Some(snapshot);
            let mut watch = |_: &Entry, count: u64| {
                if count == 100 + 1 + 1 + 3 + 2 + 1 {
                    drop(snapshot.take());
                }
            };
            let stop = async { drop(stopped.await) };
            follow_server(channel, None, &path, 1, true, stop, &mut watch).await
        })
    };
    let _ = taken.await;
    let (lab, count) = tokio::task::spawn_blocking(move || {
        let reorg = lab.reorg(3).unwrap();
        lab.invalidate(&reorg.to).unwrap();
        lab.reconsider(reorg.to.hash()).unwrap();
        lab.grow(lab.best(), 2).unwrap();
        (lab, 4 + 2 + 2)
    })
    .await
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    let wanted = 108 + count;
    while entries(&path) < wanted {
        assert!(Instant::now() < deadline, "{} of {wanted}", entries(&path));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _ = stop.send(());
    assert_eq!(recording.await.unwrap().unwrap(), wanted);
    assert!(lab.ledger().tips().len() as u64 >= before);
    let other = Lab::new(2);
    other.replay(&path).unwrap();
    assert_eq!(tips(other.ledger()), tips(lab.ledger()));
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rivals_block_that_is_reconsidered_is_recorded_though_no_event_tells_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("live");
    let lab = Lab::new(1);
    lab.grow(0, 5).unwrap();
    let rival = lab.grow(2u32, 2).unwrap().hash();
    let server = lab.serve().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let recording = {
        let (channel, path) = (channel(&server), path.clone());
        tokio::spawn(async move {
            let stop = async { drop(stopped.await) };
            follow_server(channel, None, &path, 1, true, stop, &mut |_, _| ()).await
        })
    };
    let lab = until(&path, 7, lab, |_| ()).await;
    let lab = until(&path, 8, lab, move |lab| lab.invalidate(rival).unwrap()).await;
    // The best chain is longer: it stays the best one, and only the rival's status changes.
    lab.reconsider(rival).unwrap();
    let _ = stop.send(());
    assert_eq!(recording.await.unwrap().unwrap(), 9);
    let other = Lab::new(2);
    other.replay(&path).unwrap();
    assert_eq!(tips(other.ledger()), tips(lab.ledger()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_that_is_stopped_early_is_whole_up_to_there() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("early");
    let lab = Lab::new(1);
    lab.grow(0, 2_000).unwrap();
    let server = lab.serve().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut stop = Some(stop);
    let mut watch = |_: &Entry, count: u64| {
        if count == 10 {
            drop(stop.take());
        }
    };
    let stopped = async { drop(stopped.await) };
    let count = follow_server(channel(&server), None, &path, 1, false, stopped, &mut watch)
        .await
        .unwrap();
    assert!((10..2_000).contains(&count), "{count}");
    let replayed = Lab::new(2).replay(&path).unwrap();
    assert_eq!((replayed.accepted, replayed.ending), (count, Ending::Whole));
}

/// Does something in the lab, and waits until so many entries are recorded.
async fn until(
    path: &std::path::Path,
    wanted: u64,
    lab: Lab,
    work: impl FnOnce(&Lab) + Send + 'static,
) -> Lab {
    let lab = tokio::task::spawn_blocking(move || {
        work(&lab);
        lab
    })
    .await
    .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while entries(path) < wanted {
        assert!(Instant::now() < deadline, "{} of {wanted}", entries(path));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    lab
}

/// How many entries can be read of a recording that is being written.
fn entries(path: &std::path::Path) -> u64 {
    let reader = RecordingReader::open(path);
    reader.map_or(0, |reader| reader.filter(Result::is_ok).count() as u64)
}
