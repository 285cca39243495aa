//! The process that lives through a history with subscribers beside it, until it is killed.

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everett_ledger::store::failpoint;
use everett_ledger::{EventsError, Ledger, LedgerConfig, Policy, Start, Subscription};
use everett_tests::durability::history::{History, Shape};
use everett_tests::random::Random;

use super::sink::Sink;

const ROLE: &str = "EVERETT_EVENTS_TEST_ROLE";

/// Short histories, since there are many.
const SHAPE: Shape = Shape {
    operations: 30,
    padding: 0,
};

/// Events that a ledger with little room keeps.
const LITTLE_ROOM: u64 = 24;

/// A subscriber: its name, its policy, and whose cursor it goes on from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Role {
    pub(crate) name: &'static str,
    pub(crate) policy: Policy,
    /// Whether it goes on from the cursor that it acknowledged, and not from its own.
    stored: bool,
}

/// Everyone who follows a history.
pub(crate) const ROLES: [Role; 3] = [
    Role {
        name: "own-cursor",
        policy: Policy::Lossless,
        stored: false,
    },
    Role {
        name: "acknowledged-cursor",
        policy: Policy::Lossless,
        stored: true,
    },
    Role {
        name: "conflating",
        policy: Policy::Conflating,
        stored: false,
    },
];

/// What a process is to do.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) directory: PathBuf,
    pub(crate) seed: u64,
    /// The horizon it opens the ledger with.
    pub(crate) horizon: u32,
    /// The operation to begin with.
    pub(crate) from: usize,
    /// Whether the quota of events is small.
    pub(crate) little_room: bool,
    /// Makes one run of a history differ from the next.
    pub(crate) run: u64,
}

impl Job {
    pub(crate) fn history(&self) -> History {
        History::new(self.seed, SHAPE)
    }

    pub(crate) fn config(&self, history: &History) -> LedgerConfig {
        let mut config = history.config(&self.directory.join("ledger"));
        if self.little_room {
            config.event_quota = LITTLE_ROOM;
            config.retained_events = LITTLE_ROOM / 4;
        }
        config
    }

    pub(crate) fn sink(&self, role: &Role, history: &History) -> Sink {
        let path = self.directory.join(role.name);
        Sink::open(&path, history.forest.params().genesis_hash())
    }

    fn progress(&self) -> PathBuf {
        self.directory.join("progress")
    }

    /// Operations that have returned, of all processes.
    pub(crate) fn done(&self) -> usize {
        let text = std::fs::read_to_string(self.progress()).unwrap_or_default();
        text.lines().count()
    }

    fn write(&self) -> String {
        format!(
            "{}\n{}\n{}\n{}\n{}\n{}",
            self.directory.display(),
            self.seed,
            self.horizon,
            self.from,
            self.little_room,
            self.run
        )
    }

    fn read(text: &str) -> Job {
        let fields: Vec<&str> = text.split('\n').collect();
        Job {
            directory: fields[0].into(),
            seed: fields[1].parse().unwrap(),
            horizon: fields[2].parse().unwrap(),
            from: fields[3].parse().unwrap(),
            little_room: fields[4].parse().unwrap(),
            run: fields[5].parse().unwrap(),
        }
    }

    /// Starts the process; the failpoint may be empty.
    pub(crate) fn start(&self, failpoint: &str) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "histories::a_process_of_its_own_lives_through_the_history_it_is_given",
                "--nocapture",
            ])
            .env(ROLE, self.write())
            .env(failpoint::VARIABLE, failpoint)
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// kill -9 after a while; its end otherwise.
    pub(crate) fn kill_after(&self, wait: Duration) -> Output {
        let mut child = self.start("");
        std::thread::sleep(wait);
        let _ = child.kill();
        child.wait_with_output().unwrap()
    }
}

#[test]
fn a_process_of_its_own_lives_through_the_history_it_is_given() {
    let Ok(job) = std::env::var(ROLE) else { return };
    let job = Job::read(&job);
    let history = job.history();
    let ledger = Ledger::open(LedgerConfig {
        horizon: Some(job.horizon),
        ..job.config(&history)
    })
    .unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for (number, role) in ROLES.iter().enumerate() {
            let (job, history, ledger, over) = (&job, &history, &ledger, &over);
            let seed = job.seed ^ job.run << 20 ^ (number as u64) << 40;
            scope.spawn(move || {
                let chance = Random::new(seed);
                let follower = Follower {
                    job,
                    history,
                    ledger,
                    role,
                    chance,
                };
                // A subscriber that finds something wrong must not be waited for.
                let followed = std::panic::AssertUnwindSafe(|| follower.follow(over));
                if std::panic::catch_unwind(followed).is_err() {
                    std::process::exit(101);
                }
            });
        }
        let mut progress = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(job.progress())
            .unwrap();
        let mut chance = Random::new(job.seed ^ job.run << 50);
        for operation in &history.operations[job.from..] {
            // Time for the subscribers to get ahead, or not.
            std::thread::sleep(Duration::from_micros(chance.number_below(1_500)));
            history.perform(&ledger, operation).unwrap();
            std::io::Write::write_all(&mut progress, b"done\n").unwrap();
        }
        over.store(true, Ordering::Release);
    });
}

/// One subscriber at work.
struct Follower<'j> {
    job: &'j Job,
    history: &'j History,
    ledger: &'j Ledger,
    role: &'j Role,
    chance: Random,
}

impl Follower<'_> {
    /// Lives and crashes until the history is over and everything was told.
    fn follow(mut self, over: &AtomicBool) {
        while !self.live(over) {}
    }

    /// One life: true if it came to the end, false if it crashed.
    fn live(&mut self, over: &AtomicBool) -> bool {
        let mut sink = self.job.sink(self.role, self.history);
        let mut subscription = self.subscribe(&sink);
        loop {
            let ending = over.load(Ordering::Acquire);
            let limit = self.chance.between(1, 40) as usize;
            let batch = match subscription.next_batch(limit) {
                Ok(batch) => batch,
                Err(EventsError::CursorExpired { cursor, oldest }) => {
                    assert!(self.job.little_room, "nothing is gone where there is room");
                    assert!(cursor.seq < oldest && self.role.policy == Policy::Lossless);
                    subscription = self.start(Start::After(vec![sink.state.cursor.block]));
                    sink.missed_some(subscription.position());
                    continue;
                }
                Err(error) => panic!("{}: {error}", self.role.name),
            };
            if batch.is_empty() {
                if ending {
                    return true;
                }
                std::thread::sleep(Duration::from_micros(self.chance.number_below(400)));
            }
            for delivery in &batch {
                if self.chance.percent(2) {
                    return false;
                }
                let known = sink.state.cursor;
                let again = match delivery.seq {
                    Some(seq) => seq < known.seq,
                    None => delivery.cursor.seq < known.seq || delivery.cursor == known,
                };
                if again && self.role.stored {
                    continue;
                }
                sink.take(delivery);
                if self.chance.percent(30) {
                    subscription.acknowledge(sink.state.cursor).unwrap();
                }
            }
            if self.chance.percent(10) {
                self.ledger.save_cursors().unwrap();
            }
        }
    }

    fn start(&self, start: Start) -> Subscription {
        self.ledger
            .subscribe(self.role.name, self.role.policy, start)
            .unwrap()
    }

    fn subscribe(&self, sink: &Sink) -> Subscription {
        let registered = self.ledger.subscribers().unwrap();
        let known = registered
            .iter()
            .find(|subscriber| subscriber.name == self.role.name);
        match known {
            // What was acknowledged lay in the sink before.
            Some(known) if self.role.stored && known.cursor.seq <= sink.state.cursor.seq => {
                self.start(Start::Stored)
            }
            Some(_) if self.role.stored => {
                // It went on from its block, and crashed before the sink knew.
                assert!(self.job.little_room);
                self.start(Start::At(sink.state.cursor))
            }
            _ => self.start(Start::At(sink.state.cursor)),
        }
    }
}
