//! Owns the way through a history, with the ledger on one side and the naive one on the other.
//! Promises to compare all that can be seen after each step.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use bitcoin::{OutPoint, ScriptBuf};
use everett_ledger::events::EventKind;
use everett_ledger::{
    BlockError, ChainStatus, Clock, Ledger, LedgerConfig, Network, Outcome, Params, ReadError,
    Submitted, World, WorldError,
};

use crate::answers::{Depth, compare_pair, compare_world};
use crate::conflicts::compare_conflicts;
use crate::flaw::Mutation;
use crate::history::{Growth, History, Order, Pick, Settings, Step};
use crate::mint::{CLOCK, Mint, scripts};
use crate::naive::{Access, Answer, GENESIS, Life, NaiveLedger, mutated};
use crate::random::Random;

/// Blocks that every history starts with: some that spend must lie in the base, a hundred blocks behind the horizon.
pub const TRUNK: u32 = 230;
/// Most worlds compared after each step.
const SAMPLE: usize = 4;

/// The naive ledger with the trunk in it, and the mint that made it.
pub fn trunk() -> &'static (NaiveLedger, Mint) {
    static TRUNK_BLOCKS: OnceLock<(NaiveLedger, Mint)> = OnceLock::new();
    TRUNK_BLOCKS.get_or_init(|| {
        let mut naive = NaiveLedger::new(&Params::new(Network::Regtest), TRUNK, 0);
        let mut mint = Mint::new(1);
        for _ in 0..TRUNK {
            let tip = naive.best();
            let (block, flaw) = mint.block(&naive.parent(tip), 2, None);
            let index = naive.add(block, flaw);
            naive.submit(index, None);
            naive.commit(&HashSet::new());
        }
        (naive, mint)
    })
}

/// A snapshot that somebody holds.
struct Held {
    world: World,
    life: Life,
}

/// A history on its way.
pub struct Walk {
    /// Where the ledger's files are; none of one in memory, which cannot be opened again.
    directory: Option<tempfile::TempDir>,
    settings: Settings,
    ledger: Option<Ledger>,
    naive: NaiveLedger,
    mint: Mint,
    random: Random,
    scripts: Vec<ScriptBuf>,
    held: Vec<Held>,
    held_back: Vec<usize>,
    /// Whether the engine has tidied up since the last restart.
    tidied: bool,
    /// How far the outbox was read, and where its last best tip was.
    events: (u64, Option<bitcoin::BlockHash>),
}

/// A directory for a ledger that need not outlive the machine: in memory if there is room for it.
pub fn scratch() -> tempfile::TempDir {
    let mut builder = tempfile::Builder::new();
    builder.prefix("everett-");
    builder
        .tempdir_in("/dev/shm")
        .or_else(|_| builder.tempdir())
        .expect("a directory can be made")
}

/// Lives through a history with a ledger in a directory, or with one in memory, which is never opened again.
///
/// # Panics
///
/// Where the ledger differs from the naive one.
pub fn live_through(history: &History, in_memory: bool) {
    let directory = (!in_memory).then(scratch);
    let mut walk = Walk::begin(history.settings, directory);
    for step in &history.steps {
        walk.take(step);
        walk.compare(Depth::Sample);
    }
    walk.compare(Depth::Whole);
}

impl Walk {
    /// Opens a ledger in a new directory, or in memory, and gives it the trunk.
    pub fn begin(settings: Settings, directory: Option<tempfile::TempDir>) -> Walk {
        let (naive, mint) = trunk().clone();
        let mut walk = Walk {
            directory,
            settings,
            ledger: None,
            naive,
            mint,
            random: Random::new(7),
            scripts: scripts(),
            held: Vec::new(),
            held_back: Vec::new(),
            tidied: true,
            events: (0, None),
        };
        walk.open();
        let blocks: Vec<Vec<u8>> = (1..walk.naive.len())
            .map(|index| walk.naive.entry(index).bytes())
            .collect();
        walk.ledger()
            .submit_blocks(&blocks)
            .expect("the disk works");
        walk.naive.reopen(settings.horizon, settings.quota);
        walk.naive.tidy(&HashSet::new());
        walk
    }

    fn open(&mut self) {
        let params = Params::new(Network::Regtest);
        let mut config = match &self.directory {
            Some(directory) => LedgerConfig::new(params, directory.path()),
            None => LedgerConfig::in_memory(params),
        };
        config.horizon = Some(self.settings.horizon);
        config.checkpoint_interval = self.settings.interval;
        config.held_worlds = self.settings.quota;
        config.clock = Clock::fixed(CLOCK);
        self.ledger = Some(Ledger::open(config).expect("the ledger opens"));
    }

    fn ledger(&self) -> &Ledger {
        self.ledger.as_ref().expect("it is open between steps")
    }

    /// Takes one step on both sides.
    pub fn take(&mut self, step: &Step) {
        match step {
            Step::Grow(growth) => {
                let on = self.resolve(growth.on);
                self.grow(on, usize::from(growth.blocks), growth);
            }
            Step::Overtake { growth, lead } => self.overtake(growth, *lead),
            Step::Resubmit { pick, mutation } => {
                let index = usize::from(*pick) % self.naive.len();
                if index != GENESIS {
                    self.submit(&[index], *mutation);
                }
            }
            Step::Deliver => {
                while let Some(index) = self.held_back.pop() {
                    self.submit(&[index], None);
                }
            }
            Step::Invalidate(pick) => self.invalidate(self.resolve(*pick)),
            Step::Reconsider(pick) => self.reconsider(self.resolve(*pick)),
            Step::Checkpoint => {
                self.ledger().checkpoint().expect("the disk works");
                self.naive.tidy(&self.handles());
                self.tidied = true;
            }
            Step::Restart(settings) if self.directory.is_some() => self.restart(*settings),
            Step::Restart(_) => {}
            Step::Hold(pick) => self.hold(self.resolve(*pick)),
            Step::Release(pick) => {
                if !self.held.is_empty() {
                    self.held.swap_remove(usize::from(*pick) % self.held.len());
                }
            }
        }
    }

    fn resolve(&self, pick: Pick) -> usize {
        let placed = self.naive.placed();
        let some = |number: u16, wanted: &dyn Fn(Access) -> bool| {
            let found: Vec<usize> = placed
                .iter()
                .copied()
                .filter(|index| wanted(self.naive.access(*index)))
                .collect();
            let found = if found.is_empty() { &placed } else { &found };
            found[usize::from(number) % found.len()]
        };
        match pick {
            Pick::Best(below) => self
                .naive
                .ancestors(self.naive.best())
                .nth(usize::from(below))
                .unwrap_or(GENESIS),
            Pick::Any(number) => some(number, &|_| true),
            Pick::Live(number) => some(number, &|access| access == Access::World),
            Pick::Invalid(number) => some(number, &|access| access == Access::Invalid),
            Pick::Waiting(number) => some(number, &|access| {
                access == Access::NotValidated(ChainStatus::HeadersOnly)
            }),
            Pick::Hidden(number) => some(number, &|access| {
                matches!(access, Access::Retired | Access::NotValidated(_))
            }),
        }
    }

    fn overtake(&mut self, growth: &Growth, lead: u8) {
        let best = self.naive.entry(self.naive.best()).height;
        let lowest = best.saturating_sub(u32::from(growth.blocks));
        // On any branch, at about that height.
        let mut near: Vec<usize> = self.naive.placed();
        near.retain(|index| self.naive.entry(*index).height == lowest);
        let picked = self.resolve(growth.on);
        let on = match self.naive.entry(picked).height < lowest {
            true => picked,
            false => near[picked % near.len()],
        };
        let blocks = best + u32::from(lead) - self.naive.entry(on).height;
        self.grow(on, blocks as usize, growth);
    }

    fn grow(&mut self, on: usize, blocks: usize, growth: &Growth) {
        self.mint.reseed(growth.seed);
        let prong = growth.prong.map(|at| usize::from(at) % blocks.max(1));
        let count = blocks + prong.map_or(0, |at| blocks - at);
        let mut made = Vec::with_capacity(count);
        let mut parent = on;
        for number in 0..count {
            let flaw = growth
                .flaw
                .filter(|(at, _)| usize::from(*at) % count == number)
                .map(|(_, flaw)| flaw);
            if let Some(at) = prong.filter(|_| number == blocks) {
                parent = made[at];
            }
            let spends = usize::from(growth.spends);
            let (block, flaw) = self.mint.block(&self.naive.parent(parent), spends, flaw);
            parent = self.naive.add(block, flaw);
            made.push(parent);
        }
        if growth.headers_first {
            self.submit_headers(&made);
        }
        if let Some(at) = growth.held_back.filter(|_| !made.is_empty()) {
            let index = made.remove(usize::from(at) % made.len());
            self.held_back.push(index);
        }
        match growth.order {
            Order::Straight => {}
            Order::Reversed => made.reverse(),
            Order::Shuffled => Random::new(growth.seed).shuffle(&mut made),
        }
        if growth.grouped {
            self.submit(&made, None);
        } else {
            for index in made {
                self.submit(&[index], None);
            }
        }
    }

    fn submit(&mut self, blocks: &[usize], mutation: Option<Mutation>) {
        let bytes: Vec<Vec<u8>> = blocks
            .iter()
            .map(|index| mutated(&self.naive.entry(*index).block, mutation))
            .collect();
        let answers = self.ledger().submit_blocks(&bytes).expect("the disk works");
        assert_eq!(answers.len(), blocks.len());
        for (index, submitted) in blocks.iter().zip(answers) {
            let expected = self.naive.submit(*index, mutation);
            let Submitted {
                outcome, joined, ..
            } = submitted;
            let joined: Vec<_> = joined
                .iter()
                .map(|(hash, outcome)| (*hash, answer(outcome)))
                .collect();
            assert_eq!(
                (answer(&outcome), joined),
                expected,
                "the answer to {} (height {}): {outcome:?}",
                self.naive.entry(*index).hash,
                self.naive.entry(*index).height
            );
        }
        self.commit();
    }

    fn submit_headers(&mut self, blocks: &[usize]) {
        let headers: Vec<_> = blocks
            .iter()
            .map(|index| self.naive.entry(*index).block.header)
            .collect();
        let verdict = self
            .ledger()
            .submit_headers(&headers)
            .expect("the disk works");
        let mut expected = Ok(());
        for (number, index) in blocks.iter().enumerate() {
            if let Err(reason) = self.naive.submit_header(*index) {
                expected = Err((number, reason.to_owned()));
                break;
            }
        }
        let verdict = verdict.map_err(|(number, reject)| (number, reject.reason.into_owned()));
        assert_eq!(verdict, expected, "the answer to headers");
        self.commit();
    }

    fn invalidate(&mut self, index: usize) {
        let hash = self.naive.entry(index).hash;
        let answer = self.ledger().invalidate_block(&hash);
        if index == GENESIS {
            assert!(matches!(answer, Err(BlockError::Genesis)));
            return;
        }
        answer.expect("the block is known");
        self.naive.invalidate(index);
        self.commit();
    }

    fn reconsider(&mut self, index: usize) {
        let hash = self.naive.entry(index).hash;
        self.ledger()
            .reconsider_block(&hash)
            .expect("the block is known");
        self.naive.reconsider(index);
        self.commit();
    }

    fn commit(&mut self) {
        let handles = self.handles();
        self.naive.commit(&handles);
        self.tidied = true;
    }

    fn handles(&self) -> HashSet<Life> {
        self.held.iter().map(|held| held.life).collect()
    }

    fn restart(&mut self, settings: Settings) {
        self.held.clear();
        self.ledger = None;
        self.settings = settings;
        self.open();
        self.naive.reopen(settings.horizon, settings.quota);
        self.naive.tidy(&HashSet::new());
        self.tidied = true;
    }

    fn hold(&mut self, index: usize) {
        if let Ok(world) = self.ledger().world(&self.naive.entry(index).hash) {
            let life = self.naive.life(index);
            self.held.push(Held { world, life });
        }
    }

    /// Compares everything that can be seen.
    pub fn compare(&mut self, depth: Depth) {
        self.compare_tree();
        self.compare_live(depth);
        self.compare_held(depth);
        self.compare_figures();
        self.read_events();
        compare_conflicts(self.ledger()).unwrap_or_else(|difference| panic!("{difference}"));
    }

    fn compare_tree(&self) {
        let (naive, ledger) = (&self.naive, self.ledger());
        let best = naive.entry(naive.best());
        assert_eq!(ledger.best().hash(), best.hash, "the best tip");
        assert_eq!(ledger.best_hash_at(best.height), Some(best.hash));
        assert_eq!(ledger.best_hash_at(best.height + 1), None);
        let mut orphans: Vec<_> = ledger
            .orphans()
            .iter()
            .map(|orphan| (orphan.hash, orphan.previous))
            .collect();
        let mut expected = naive.orphans();
        orphans.sort();
        expected.sort();
        assert_eq!(orphans, expected, "blocks that wait");

        let tips: Vec<_> = ledger
            .tips()
            .into_iter()
            .map(|tip| {
                (
                    tip.hash,
                    tip.height,
                    tip.status,
                    tip.best,
                    tip.live,
                    tip.fork_hash,
                    tip.fork_height,
                )
            })
            .collect();
        let expected: Vec<_> = naive
            .tips()
            .into_iter()
            .map(|index| {
                let (entry, fork) = (naive.entry(index), naive.entry(naive.fork(index)));
                let live = naive.access(index) == Access::World;
                (
                    entry.hash,
                    entry.height,
                    naive.status(index),
                    index == naive.best(),
                    live,
                    fork.hash,
                    fork.height,
                )
            })
            .collect();
        assert_eq!(tips, expected, "tips");

        for index in 0..naive.len() {
            let entry = naive.entry(index);
            let access = naive.access(index);
            let world = ledger.world(&entry.hash);
            let found = match &world {
                Ok(_) => Access::World,
                Err(WorldError::Unknown { .. }) => Access::Unknown,
                Err(WorldError::Invalidated { .. }) => Access::Invalid,
                Err(WorldError::Retired { .. }) => Access::Retired,
                Err(WorldError::NotValidated { status, .. }) => Access::NotValidated(*status),
                Err(error @ WorldError::HeightUnknown { .. }) => panic!("{error}"),
            };
            assert_eq!(
                found, access,
                "the world at {} (height {})",
                entry.hash, entry.height
            );
            let info = ledger.block_info(&entry.hash);
            assert_eq!(info.is_some(), access != Access::Unknown);
            if let Some(info) = info {
                assert_eq!(info.status, naive.status(index), "status of {}", entry.hash);
                assert_eq!(info.live, access == Access::World);
                assert_eq!(info.height, entry.height);
                assert_eq!(info.median_time_past, entry.median_time_past);
                let invalid = access == Access::Invalid;
                assert_eq!(info.reject_reason.is_some(), invalid, "{}", entry.hash);
            }
        }
    }

    fn compare_live(&mut self, depth: Depth) {
        let mut readable = self.naive.readable();
        if depth == Depth::Sample {
            // The best one always, and the blocks next to the horizon more often than others.
            self.random.shuffle(&mut readable);
            readable.truncate(SAMPLE);
            readable.push(self.naive.best());
        }
        let worlds: Vec<(World, usize)> = readable
            .into_iter()
            .map(|index| {
                let world = self.ledger().world(&self.naive.entry(index).hash);
                (world.expect("compared before"), index)
            })
            .collect();
        let deep = self.random.below(worlds.len());
        for (number, (world, index)) in worlds.iter().enumerate() {
            let depth = match number == deep || depth == Depth::Whole && self.random.one_in(4) {
                true => Depth::Whole,
                false => Depth::Sample,
            };
            compare_world(
                world,
                &self.naive,
                *index,
                &self.scripts,
                depth,
                &mut self.random,
            )
            .unwrap_or_else(|error| panic!("a live world does not answer: {error}"));
        }
        for _ in 0..2 {
            let (Some(a), Some(b)) = (self.random.pick(&worlds), self.random.pick(&worlds)) else {
                continue;
            };
            compare_pair(self.ledger(), &self.naive, [(&a.0, a.1), (&b.0, b.1)]);
        }
    }

    fn compare_held(&mut self, depth: Depth) {
        for held in &self.held {
            let answer = compare_world(
                &held.world,
                &self.naive,
                held.life.0,
                &self.scripts,
                depth,
                &mut self.random,
            );
            let expired = match answer {
                Ok(()) => false,
                Err(ReadError::Expired { .. }) => true,
                Err(error) => panic!("{:?}: {error}", held.world),
            };
            let expected = self.naive.is_expired(held.life);
            assert_eq!(expired, expected, "{:?} is gone", held.world);
        }
    }

    /// Nothing is kept that no world needs, and the base is where it belongs.
    fn compare_figures(&self) {
        let naive = &self.naive;
        let stats = self.ledger().stats().expect("the disk works");
        assert_eq!(
            stats.best_height,
            naive.entry(naive.best()).height,
            "stats: best height"
        );
        assert_eq!(stats.headers, naive.placed().len());
        let limit = naive.base_limit();
        assert!(
            stats.base_height <= limit,
            "the base is at {}, above {limit}",
            stats.base_height
        );
        if self.tidied {
            assert_eq!(stats.held_worlds, naive.held(), "worlds held");
            assert!(
                stats.base_height + self.settings.interval > limit,
                "the base lags at {}, far below {limit}",
                stats.base_height
            );
        }
        let mut coins: HashMap<OutPoint, &ScriptBuf> = HashMap::new();
        for index in naive.placed() {
            let entry = naive.entry(index);
            if naive.is_kept(index) && entry.height > stats.base_height {
                let changes = entry.changes.iter();
                coins.extend(changes.map(|(outpoint, script)| (*outpoint, script)));
            }
        }
        let scripts: HashSet<&ScriptBuf> = coins.values().copied().collect();
        assert_eq!(stats.overlay_coins, coins.len(), "coins in the overlay");
        assert_eq!(
            stats.overlay_scripts,
            scripts.len(),
            "scripts in the overlay"
        );
    }

    /// The outbox tells the same story: each best tip follows the one before, up to the present one.
    fn read_events(&mut self) {
        let events = self
            .ledger()
            .events(self.events.0, usize::MAX)
            .expect("the disk works");
        for (sequence, event) in events {
            assert_eq!(sequence, self.events.0, "sequences are dense");
            self.events.0 += 1;
            if event.kind != EventKind::BestChanged {
                continue;
            }
            if let Some(last) = self.events.1 {
                assert_eq!(event.from, last, "each change starts where the last ended");
            }
            assert_eq!(event.applied.last().unwrap_or(&event.fork), &event.to);
            assert_eq!(event.undone.first().unwrap_or(&event.fork), &event.from);
            self.events.1 = Some(event.to);
        }
        let best = self.naive.entry(self.naive.best()).hash;
        assert_eq!(self.events.1, Some(best), "the last event of the best tip");
    }
}

/// What an outcome comes down to.
fn answer(outcome: &Outcome) -> Answer {
    match outcome.bip22() {
        Some(reason) => {
            let script = "block-script-verify-flag-failed";
            Answer::Refused(match reason.starts_with(script) {
                true => script.to_owned(),
                false => reason,
            })
        }
        None => match outcome {
            Outcome::Accepted { status, best, .. } => Answer::Accepted(*status, *best),
            _ => Answer::Accepted(ChainStatus::HeadersOnly, false),
        },
    }
}
