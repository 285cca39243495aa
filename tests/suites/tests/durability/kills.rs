//! Processes that die by kill -9, at moments drawn by lot and at each named write boundary.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use everett_ledger::rules::{BlockScripts, ScriptCheck, ScriptFailure};
use everett_ledger::store::failpoint;
use everett_ledger::{DEFAULT_STAGED_CHANGES, Ledger, LedgerConfig};
use everett_tests::durability::comparison::{compare_tree, compare_worlds};
use everett_tests::durability::history::{History, Shape};
use everett_tests::durability::model::Model;
use everett_tests::random::Random;

use super::processes::{End, Job, kills_wanted, opened, place};

/// Opening must take no longer, whatever was killed and however busy the machine is. What would make it long is forbidden by
/// itself: to validate again.
const OPENS_WITHIN: Duration = Duration::from_secs(30);

const SHAPE: Shape = Shape {
    operations: 80,
    padding: 0,
};

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;

/// Runs no script and counts how often it should have.
#[derive(Default)]
struct Counted(AtomicUsize);

impl ScriptCheck for Counted {
    fn check(&self, _: BlockScripts<'_>) -> Result<(), ScriptFailure> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

/// When a process dies.
#[derive(Clone, Debug)]
enum Death {
    /// The `count`-th time it reaches a boundary.
    AtPoint(&'static str, u64),
    /// Some time after so many operations.
    AtMoment(usize, Duration),
}

impl Death {
    /// The processes's end by it, if it came to that.
    fn of(&self, job: &Job) -> End {
        match self {
            Death::AtPoint(point, count) => job.start(&format!("{point}:{count}")).end(),
            Death::AtMoment(operations, delay) => {
                let mut worker = job.start("");
                worker.wait_until_open();
                worker.wait_for(job.from + operations);
                std::thread::sleep(*delay);
                worker.kill()
            }
        }
    }

    fn cause(&self) -> &'static str {
        match self {
            Death::AtPoint(point, _) => point,
            Death::AtMoment(..) => "at a moment",
        }
    }

    /// Whether the process died of it; false if it had finished before.
    fn happened(&self, end: &End) -> bool {
        let expected = match self {
            Death::AtPoint(..) => SIGABRT,
            Death::AtMoment(..) => SIGKILL,
        };
        let killed = end.status.signal() == Some(expected);
        assert!(
            killed || end.status.success(),
            "{self:?}: {} {}",
            end.status,
            end.complaints
        );
        killed
    }
}

/// A ledger that is killed again and again on its way through a history.
struct Patient<'h> {
    history: &'h History,
    model: Model,
    /// Operations that the model has done.
    done: usize,
    job: Job,
}

/// Figures of a run.
#[derive(Default)]
struct Tally {
    kills: usize,
    by_cause: BTreeMap<&'static str, usize>,
    in_flight_kept: usize,
    worlds: usize,
    slowest_open: Duration,
}

impl Patient<'_> {
    fn finished(&self) -> bool {
        self.done == self.history.operations.len()
    }

    /// Lets it run into its death, perhaps again while it recovers, and compares what is left.
    fn die(&mut self, death: &Death, chance: &mut Random, tally: &mut Tally) -> bool {
        // The horizon changes with the process now and then.
        if chance.percent(20) {
            self.job.horizon = chance.between(5, 30) as u32;
        }
        self.job.from = self.done;
        let end = death.of(&self.job);
        let died = death.happened(&end);
        if died {
            tally.count(death.cause());
        }
        if died && chance.percent(25) {
            self.die_opening(chance, tally);
        }
        self.examine(&end, death, tally);
        died
    }

    fn die_opening(&self, chance: &mut Random, tally: &mut Tally) {
        let job = Job {
            role: "open",
            ..self.job.clone()
        };
        let points: Vec<&str> = points().collect();
        let death = match chance.percent(50) {
            true => Death::AtPoint(
                chance.pick(&points).copied().unwrap_or("after-commit"),
                chance.between(1, 2),
            ),
            false => Death::AtMoment(0, Duration::ZERO),
        };
        let end = match &death {
            Death::AtPoint(..) => death.of(&job),
            // Not after it has opened, but on the way.
            Death::AtMoment(..) => {
                let worker = job.start("");
                std::thread::sleep(Duration::from_micros(chance.number_below(40_000)));
                worker.kill()
            }
        };
        if death.happened(&end) {
            tally.count("while it opened");
        }
    }

    /// Opens what is left, compares it with the model, and takes the model to where the ledger stands.
    fn examine(&mut self, end: &End, death: &Death, tally: &mut Tally) {
        let when = format!(
            "{death:?} in history {} from operation {} with horizon {}",
            self.job.seed, self.done, self.job.horizon
        );
        let scripts = Arc::new(Counted::default());
        let start = Instant::now();
        let config = LedgerConfig {
            scripts: scripts.clone(),
            ..self.history.config(&self.job.directory)
        };
        let ledger = opened(|| Ledger::open(config.clone()))
            .unwrap_or_else(|error| panic!("{when}: {error}"));
        let opened_in = start.elapsed();
        assert_eq!(
            scripts.0.load(Ordering::Relaxed),
            0,
            "{when}: validated again"
        );
        assert!(opened_in < OPENS_WITHIN, "{when}: opened in {opened_in:?}");
        let old = self.model.horizon();
        let horizon = ledger.horizon();
        assert!(horizon == self.job.horizon || !end.opened && (horizon == old || self.done == 0));
        self.model.reopen(&self.history.forest, horizon);

        let operations = &self.history.operations;
        for operation in &operations[self.done..end.done] {
            self.model.apply(&self.history.forest, operation);
        }
        self.done = end.done;
        let as_answered = compare_tree(&ledger, &self.history.forest, &self.model);
        if let (Err(as_answered), Some(in_flight)) = (as_answered, operations.get(self.done)) {
            self.model.apply(&self.history.forest, in_flight);
            self.done += 1;
            if let Err(with_it) = compare_tree(&ledger, &self.history.forest, &self.model) {
                panic!(
                    "{when}: neither what was answered for nor that and operation {} {in_flight:?}\n\n{as_answered:?}\n\n{with_it:?}",
                    end.done
                );
            }
            tally.in_flight_kept += 1;
        }
        let same = compare_worlds(&ledger, &self.history.forest, &self.model);
        assert_eq!(same, Ok(()), "{when}, {} operations done", self.done);
        let worlds = self.model.worlds().count();
        tally.worlds += worlds;
        tally.slowest_open = tally.slowest_open.max(opened_in);
        println!(
            "{:4} kills: {when}: {} answered for, {} found, {worlds} worlds right, opened in {opened_in:.1?}",
            tally.kills, end.done, self.done
        );
    }
}

impl Tally {
    fn count(&mut self, cause: &'static str) {
        self.kills += 1;
        *self.by_cause.entry(cause).or_default() += 1;
    }

    fn report(&self) {
        println!(
            "{} kills, {} operations in flight were found done, {} worlds compared, slowest open {:.1?}\n{:#?}",
            self.kills, self.in_flight_kept, self.worlds, self.slowest_open, self.by_cause
        );
    }
}

/// All boundaries but the one that only very long reorganisations have.
fn points() -> impl Iterator<Item = &'static str> + Clone {
    let all = failpoint::POINTS.iter().chain(failpoint::ENGINE_POINTS);
    all.copied().filter(|point| *point != "part-committed")
}

fn patient<'h>(history: &'h History, seed: u64, directory: &Path) -> Patient<'h> {
    Patient {
        history,
        model: history.model(),
        done: 0,
        job: Job {
            role: "work",
            directory: directory.to_path_buf(),
            seed,
            shape: SHAPE,
            horizon: history.horizon,
            from: 0,
            staged_changes: DEFAULT_STAGED_CHANGES,
        },
    }
}

/// Kills ledgers on their way through histories until there were enough kills.
fn campaign(first_seed: u64, kills: usize, mut next: impl FnMut(&mut Random) -> Death) {
    let mut tally = Tally::default();
    let mut seed = first_seed;
    while tally.kills < kills {
        let mut chance = Random::new(!seed);
        let history = History::new(seed, SHAPE);
        let place = place();
        let mut patient = patient(&history, seed, place.path());
        let mut death = next(&mut chance);
        while tally.kills < kills && !patient.finished() {
            if patient.die(&death, &mut chance, &mut tally) {
                death = next(&mut chance);
            }
        }
        seed += 1;
    }
    tally.report();
}

#[test]
fn a_process_killed_at_any_moment_leaves_what_it_answered_for() {
    campaign(1_000, kills_wanted().div_ceil(2), |chance| {
        let operations = chance.number_below(14) as usize;
        Death::AtMoment(
            operations,
            Duration::from_micros(chance.number_below(6_000)),
        )
    });
}

#[test]
fn a_process_that_dies_at_any_write_boundary_leaves_what_it_answered_for() {
    let mut points = points().cycle();
    campaign(2_000, kills_wanted().div_ceil(2), |chance| {
        let point = points.next().unwrap_or("after-commit");
        let count = match failpoint::ENGINE_POINTS.contains(&point) {
            true => chance.between(1, 3),
            false => chance.between(1, 25),
        };
        Death::AtPoint(point, count)
    });
}
