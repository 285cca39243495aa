//! Eight threads read random worlds while the writer imports blocks with forks, checkpoints, retirement and
//! reorganisations from behind the horizon and below the base: no answer may be wrong, and none late.
//!
//! `EVERETT_READER_BLOCKS` sets how many blocks are imported (default 300).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bitcoin::{OutPoint, ScriptBuf};
use everett_ledger::{
    Balance, Clock, Coin, Ledger, LedgerConfig, Network, Params, ReadError, ScriptHash, World,
    WorldError,
};
use everett_tests::answers::owned;
use everett_tests::latency::{Stopwatch, Taken, percentile, summary};
use everett_tests::mint::{CLOCK, scripts};
use everett_tests::naive::{Access, NaiveLedger};
use everett_tests::random::Random;
use everett_tests::walk::trunk;

const READERS: usize = 8;
const HORIZON: u32 = 30;
/// Reads at one world before the next is asked for.
const READS: usize = 40;
/// More than a loaded machine makes of it; what is measured is printed.
const LATEST: Duration = Duration::from_millis(500);

/// What is imported, and what can be read after each group of it.
struct Plan {
    naive: NaiveLedger,
    groups: Vec<Vec<usize>>,
    /// For the state before the first group and after each: what can be read at each block, and the best tip.
    states: Vec<(Vec<Access>, usize)>,
}

impl Plan {
    fn new(blocks: usize) -> Plan {
        let (mut naive, mut mint) = trunk().clone();
        naive.reopen(HORIZON, usize::MAX);
        let mut random = Random::new(11);
        let mut groups = Vec::new();
        let state = |naive: &NaiveLedger| {
            let access = (0..naive.len()).map(|index| naive.access(index)).collect();
            (access, naive.best())
        };
        let mut states = vec![state(&naive)];
        while naive.len() < trunk().0.len() + blocks {
            let (mut parent, count) = Plan::next(&naive, &mut random);
            let mut branch = Vec::with_capacity(count);
            for _ in 0..count {
                let (block, flaw) = mint.block(&naive.parent(parent), 5, None);
                parent = naive.add(block, flaw);
                branch.push(parent);
            }
            for group in branch.chunks(1 + random.below(4)) {
                for index in group {
                    naive.submit(*index, None);
                }
                naive.commit(&HashSet::new());
                states.push(state(&naive));
                groups.push(group.to_vec());
            }
        }
        Plan {
            naive,
            groups,
            states,
        }
    }

    /// Where the next blocks go, and how many they are.
    fn next(naive: &NaiveLedger, random: &mut Random) -> (usize, usize) {
        let best = naive.best();
        let below = |below: usize| naive.ancestors(best).nth(below).unwrap_or(best);
        match random.below(100) {
            0..60 => (best, 1 + random.below(4)),
            60..75 => {
                let tip = random.pick(&naive.readable()).copied();
                (tip.unwrap_or(best), 1 + random.below(3))
            }
            75..97 => {
                let depth = 1 + random.below(6);
                (below(depth), depth + random.below(3))
            }
            // From behind the horizon, now and then below the base.
            _ => {
                let depth = match random.one_in(3) {
                    true => 135,
                    false => 32 + random.below(10),
                };
                (below(depth), depth + 1)
            }
        }
    }

    /// Whether between two states, both included, there is one for which `so` holds.
    fn once(&self, [from, to]: [usize; 2], so: impl Fn(&(Vec<Access>, usize)) -> bool) -> bool {
        self.states[from..=to.min(self.states.len() - 1)]
            .iter()
            .any(so)
    }
}

fn access((accesses, _): &(Vec<Access>, usize), index: usize) -> Access {
    accesses.get(index).copied().unwrap_or(Access::Unknown)
}

/// What a reader's calls took, by what was asked.
#[derive(Default)]
struct Times {
    world: Vec<Taken>,
    coin: Vec<Taken>,
    balance: Vec<Taken>,
    coins: Vec<Taken>,
    set_info: Vec<Taken>,
    expired: usize,
}

impl Times {
    fn add(&mut self, other: Times) {
        self.world.extend(other.world);
        self.coin.extend(other.coin);
        self.balance.extend(other.balance);
        self.coins.extend(other.coins);
        self.set_info.extend(other.set_info);
        self.expired += other.expired;
    }
}

struct Reader<'a> {
    plan: &'a Plan,
    ledger: Ledger,
    /// How many groups are committed.
    progress: &'a AtomicUsize,
    scripts: Vec<ScriptBuf>,
    random: Random,
    stopwatch: Stopwatch,
    times: Times,
}

impl Reader<'_> {
    fn run(mut self, done: &AtomicBool) -> Times {
        while !done.load(Ordering::Relaxed) {
            let best = self.ledger.best();
            let before = self.progress.load(Ordering::SeqCst);
            let index = self.some_block(before);
            let hash = self.plan.naive.entry(index).hash;
            let (world, taken) = self.stopwatch.time(|| self.ledger.world(&hash));
            self.times.world.push(taken);
            // The group after may be committed and not be counted yet.
            let states = [before, self.progress.load(Ordering::SeqCst) + 1];
            self.check_access(index, &world, states);
            drop(best);
            if let Ok(world) = world
                && let Err(error) = self.read(&world, index)
            {
                assert!(matches!(error, ReadError::Expired { .. }), "{error}");
                self.times.expired += 1;
            }
            let before = self.progress.load(Ordering::SeqCst);
            let best = self.ledger.best();
            let states = [before, self.progress.load(Ordering::SeqCst) + 1];
            let naive = &self.plan.naive;
            let was_best = |state: &(Vec<Access>, usize)| naive.entry(state.1).hash == best.hash();
            assert!(
                self.plan.once(states, was_best),
                "{best:?} never was the best"
            );
        }
        self.times
    }

    /// A block that came lately, or any.
    fn some_block(&mut self, progress: usize) -> usize {
        let last = match progress {
            0 => trunk().0.len() - 1,
            groups => self.plan.groups[groups - 1][0],
        };
        match self.random.one_in(5) {
            true => self.random.below(self.plan.naive.len()),
            false => last - self.random.below(60),
        }
    }

    fn check_access(&self, index: usize, world: &Result<World, WorldError>, states: [usize; 2]) {
        let right = self.plan.once(states, |state| {
            let access = access(state, index);
            match world {
                Ok(_) => access == Access::World,
                Err(WorldError::Unknown { .. }) => access == Access::Unknown,
                Err(WorldError::Retired { .. }) => access == Access::Retired,
                // Also while a branch from behind the horizon is on its way to the top.
                Err(WorldError::NotValidated { .. }) => access != Access::World,
                Err(WorldError::Invalidated { .. } | WorldError::HeightUnknown { .. }) => false,
            }
        });
        let hash = self.plan.naive.entry(index).hash;
        assert!(right, "{world:?} at {hash} between groups {states:?}");
    }

    fn read(&mut self, world: &World, index: usize) -> Result<(), ReadError> {
        let naive = &self.plan.naive;
        let entry = naive.entry(index);
        let near: Vec<OutPoint> = naive
            .ancestors(index)
            .take(3)
            .chain([self.random.below(naive.len())])
            .flat_map(|at| naive.entry(at).changes.iter().map(|change| change.0))
            .collect();
        let mut owners: HashMap<usize, (Balance, Vec<(OutPoint, Coin)>)> = HashMap::new();
        let height = world.height();
        for _ in 0..READS {
            if let Some(outpoint) = self.random.pick(&near) {
                let (coin, taken) = self.stopwatch.time(|| world.coin(outpoint));
                self.times.coin.push(taken);
                assert_eq!(coin?.as_ref(), entry.coins.get(outpoint), "{outpoint}");
            }
            let number = self.random.below(self.scripts.len());
            let script = &self.scripts[number];
            let hash = ScriptHash::of(script);
            let (balance, coins) = owners
                .entry(number)
                .or_insert_with(|| owned(&entry.coins, script, height));
            let (found, taken) = self.stopwatch.time(|| world.balance(&hash));
            self.times.balance.push(taken);
            assert_eq!(found?, *balance, "{script:x} at {world:?}");
            if self.random.one_in(4) {
                let from = self.random.below(coins.len());
                let after = coins.get(from).map(|(outpoint, _)| *outpoint);
                let (page, taken) = self.stopwatch.time(|| world.coins_of(&hash, after, 20));
                self.times.coins.push(taken);
                let rest = coins.get(from + 1..).unwrap_or_default();
                assert_eq!(page?, rest[..rest.len().min(20)], "{script:x} at {world:?}");
            }
        }
        if self.random.one_in(20) {
            let (info, taken) = self.stopwatch.time(|| world.set_info());
            self.times.set_info.push(taken);
            assert_eq!(&info?, entry.set_info(), "set info at {world:?}");
        }
        Ok(())
    }
}

#[test]
fn eight_readers_get_right_answers_in_time_while_the_writer_imports_forks() {
    let blocks = std::env::var("EVERETT_READER_BLOCKS").ok();
    let blocks = blocks.map_or(300, |blocks| blocks.parse().expect("a number"));
    let plan = Plan::new(blocks);
    let directory = tempfile::tempdir().expect("a directory can be made");
    let mut config = LedgerConfig::new(Params::new(Network::Regtest), directory.path());
    config.horizon = Some(HORIZON);
    config.checkpoint_interval = 4;
    config.held_worlds = 10 * READERS;
    config.clock = Clock::fixed(CLOCK);
    let ledger = Ledger::open(config).expect("the ledger opens");
    let bytes = |index: usize| plan.naive.entry(index).bytes();
    let first: Vec<Vec<u8>> = (1..trunk().0.len()).map(bytes).collect();
    ledger.submit_blocks(&first).expect("the disk works");

    let (progress, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let mut times = Times::default();
    let mut lowered = 0;
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS as u64)
            .map(|number| {
                let (plan, progress, done) = (&plan, &progress, &done);
                let ledger = ledger.clone();
                scope.spawn(move || {
                    let reader = Reader {
                        plan,
                        ledger,
                        progress,
                        scripts: scripts(),
                        random: Random::new(number),
                        stopwatch: Stopwatch::new(),
                        times: Times::default(),
                    };
                    reader.run(done)
                })
            })
            .collect();
        let mut base = 0;
        let written = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for group in &plan.groups {
                let blocks: Vec<Vec<u8>> = group.iter().map(|index| bytes(*index)).collect();
                ledger.submit_blocks(&blocks).expect("the disk works");
                progress.fetch_add(1, Ordering::SeqCst);
                let now = ledger.stats().expect("the disk works").base_height;
                lowered += usize::from(now < base);
                base = now;
                if readers.iter().any(|reader| reader.is_finished()) {
                    break;
                }
            }
        }));
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            times.add(reader.join().expect("no answer is wrong"));
        }
        written.expect("the writer works");
    });
    let best = plan.naive.entry(plan.naive.best()).hash;
    assert_eq!(ledger.best().hash(), best);
    assert!(lowered > 0, "no reorganisation went below the base");

    println!(
        "{} blocks in {} groups; the base was lowered {lowered} times; {} worlds expired while they were read",
        plan.groups.iter().map(Vec::len).sum::<usize>(),
        plan.groups.len(),
        times.expired
    );
    let mut all = Vec::new();
    for (name, taken) in [
        ("world", &times.world),
        ("coin", &times.coin),
        ("balance", &times.balance),
        ("coins of a script", &times.coins),
    ] {
        println!("{}", summary(name, taken));
        all.extend(taken.iter().map(|taken| taken.own));
    }
    println!("{}", summary("set info", &times.set_info));
    let late = percentile(&mut all, 999);
    println!("99.9 % of all reads but set info took at most {late:.1?}");
    assert!(late < LATEST, "99.9 % of reads took up to {late:?}");
}
