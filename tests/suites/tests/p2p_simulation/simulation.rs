//! Owns the world of a simulation: the nodes, the links, the clock, what happens next; and the naive ledger that has
//! every block that was ever mined.
//!
//! What goes over the links is in `traffic`, what is written in `writing`, what befalls the nodes in `storm`, what false
//! peers do in `lies`, what has to hold in `agreement`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use bitcoin::block::Header;
use bitcoin::{OutPoint, Wtxid};
use everett_ledger::Clock;
use everett_tests::mint::{CLOCK, Mint};
use everett_tests::naive::NaiveLedger;
use everett_tests::random::Random;
use everett_tests::walk::{scratch, trunk};

use super::agreement::CALM;
use super::deep::{self, deep};
use super::liars::{Liar, Lie};
use super::links::Link;
use super::node::{Node, Running};

pub(super) const NODES: usize = 5;
/// How long things happen.
pub(super) const STORM: Duration = Duration::from_secs(240);
const TICK: Duration = Duration::from_millis(250);
/// How often the memory of a node is looked at.
const LOOKED_AT: u128 = 8 * TICK.as_millis();

pub(super) enum Happening {
    /// Bytes arrive at one end of a link.
    Arrive {
        link: u64,
        end: usize,
        bytes: Vec<u8>,
    },
    /// The writing thread of a node is done with what it took.
    Written {
        node: usize,
        life: u64,
    },
    /// A node's timers, and its links'.
    Tick {
        node: usize,
        life: u64,
    },
    /// A false peer's turn to speak.
    Lie {
        liar: usize,
    },
    /// Two that should be linked try.
    Call {
        pair: [usize; 2],
    },
    /// Something bad or a block.
    Chance,
    Restart {
        node: usize,
    },
    Join,
}

pub(crate) struct Simulation {
    pub(super) seed: u64,
    pub(super) random: Random,
    pub(super) now: Duration,
    /// What happens when; the number tells apart what happens at one time.
    pub(super) queue: BTreeMap<(Duration, u64), Happening>,
    pub(super) next: u64,
    pub(super) nodes: Vec<Node>,
    /// By their numbers behind those of the nodes.
    pub(super) liars: Vec<Liar>,
    /// Where nodes do not take connections from or to any more.
    pub(super) discouraged: BTreeSet<(usize, Ipv4Addr)>,
    /// What those who tell of chains of little work have.
    pub(super) low_work: &'static [Header],
    pub(super) links: BTreeMap<u64, Link>,
    /// Which half of a divided network each node is in.
    pub(super) sides: Option<[bool; NODES]>,
    pub(super) naive: NaiveLedger,
    pub(super) mint: Mint,
    /// All nodes' time of day: never behind a block that was mined.
    pub(super) clock: Clock,
    /// Indices of the blocks that were mined here.
    pub(super) mined: Vec<usize>,
    /// What transactions that were given to nodes spend.
    pub(super) spent: HashSet<OutPoint>,
    /// Transactions that were given to nodes lately: everybody can have heard of them.
    pub(super) given: Vec<Wtxid>,
    pub(super) counts: BTreeMap<&'static str, u64>,
    pub(super) trace: bool,
    _directory: tempfile::TempDir,
}

impl Simulation {
    /// Five nodes, and so many false peers: the first with the lie whose turn it is, the others with any.
    pub(crate) fn new(seed: u64, liars: usize) -> Simulation {
        let directory = scratch();
        let mut random = Random::new(seed);
        let lies: Vec<Lie> = (0..liars)
            .map(|number| match number {
                0 => Lie::ALL[seed as usize % Lie::ALL.len()],
                _ => Lie::ALL[random.below(Lie::ALL.len())],
            })
            .collect();
        let is_deep = lies.contains(&Lie::LowWork);
        let (naive, mut mint) = match is_deep {
            true => (deep().naive.clone(), deep().mint.clone()),
            false => trunk().clone(),
        };
        mint.reseed(random.number());
        let liars: Vec<Liar> = (lies.into_iter().enumerate())
            .map(|(number, lie)| Liar::new(lie, number, mint.clone(), &mut random))
            .collect();
        // In half of the rounds of lies the chain is recent, in the rest as old as can be. Who holds back a block keeps
        // nodes with an old chain in their first download, where they announce nothing: as Bitcoin Core's would be anyway.
        let withheld = liars.iter().any(|liar| liar.lie == Lie::Garbage);
        let is_old = match liars.is_empty() {
            true => seed.is_multiple_of(2),
            false => (seed / Lie::ALL.len() as u64).is_multiple_of(2) && !withheld,
        };
        let tip_time = naive.entry(naive.best()).block.header.time;
        let clock = match is_old {
            true => Clock::fixed(CLOCK),
            false => Clock::fixed(u64::from(tip_time) + 600),
        };
        let node = |number: usize| {
            let place = directory.path().join(number.to_string());
            if is_deep {
                deep().copy_to(&place);
            }
            Node::new(place, clock.clone(), is_deep.then_some(deep::HORIZON))
        };
        let nodes = (0..NODES).map(node).collect();
        Simulation {
            seed,
            random,
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            next: 0,
            nodes,
            liars,
            discouraged: BTreeSet::new(),
            low_work: if is_deep { &deep().low_work } else { &[] },
            links: BTreeMap::new(),
            sides: None,
            naive,
            mint,
            clock,
            mined: Vec::new(),
            spent: HashSet::new(),
            given: Vec::new(),
            counts: BTreeMap::new(),
            trace: std::env::var_os("EVERETT_SIM_TRACE").is_some(),
            _directory: directory,
        }
    }

    /// Lives through it; what happened, in a line. Panics if the nodes do not agree in the end, or a world is wrong.
    pub(crate) fn run(mut self) -> String {
        for node in 0..NODES {
            self.start(node);
        }
        // One node begins with the trunk; the others have it to fetch.
        let first = self.random.below(NODES);
        let bytes: Vec<Vec<u8>> = (1..self.naive.len())
            .map(|index| self.naive.entry(index).bytes())
            .collect();
        if let Some(running) = &mut self.nodes[first].running {
            running
                .ledger
                .submit_blocks(&bytes)
                .expect("the disk holds");
            running.protocol.best_changed(self.now);
        }
        self.mined.push(self.naive.best());
        for liar in 0..self.liars.len() {
            self.count(self.liars[liar].lie.name());
            self.after(250, Happening::Lie { liar });
        }
        for a in 0..NODES {
            for b in a + 1..NODES + self.liars.len() {
                let pair = match self.random.percent(50) {
                    true => [a, b],
                    false => [b, a],
                };
                self.after(2_000, Happening::Call { pair });
            }
        }
        self.after(5_000, Happening::Chance);
        while self.now < STORM {
            self.step();
        }
        self.heal();
        let agreed = self.settle(self.now + CALM);
        self.compare_worlds();
        let relayed = self.relay();
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(what, count)| format!("{count} {what}"))
            .collect();
        let best = self.nodes[0]
            .running
            .as_ref()
            .map(|running| running.ledger.best().hash());
        format!(
            "{} blocks, agreed after {agreed:?} on {best:?}, relayed within {relayed:?}; {}",
            self.mined.len(),
            counts.join(", ")
        )
    }

    pub(super) fn schedule(&mut self, at: Duration, happening: Happening) {
        self.next += 1;
        self.queue.insert((at, self.next), happening);
    }

    /// At some time within so many milliseconds.
    pub(super) fn after(&mut self, milliseconds: u64, happening: Happening) {
        let delay = Duration::from_millis(self.random.between(1, milliseconds));
        self.schedule(self.now + delay, happening);
    }

    pub(super) fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>9.3} {}", self.now.as_secs_f64(), what());
        }
    }

    pub(super) fn step(&mut self) {
        let Some(((at, _), happening)) = self.queue.pop_first() else {
            self.now += TICK;
            return;
        };
        self.now = at;
        match happening {
            Happening::Arrive { link, end, bytes } => {
                if let Some(there) = self.links.get_mut(&link) {
                    there.ends[end].session.receive(&bytes, at);
                    self.read(link, end);
                }
            }
            Happening::Written { node, life } => self.written(node, life),
            Happening::Tick { node, life } => self.tick(node, life),
            Happening::Lie { liar } => self.lie(liar),
            Happening::Call { pair } => self.call(pair),
            Happening::Chance => self.chance(),
            Happening::Restart { node } => {
                if self.nodes[node].running.is_none() {
                    self.start(node);
                }
            }
            Happening::Join => {
                self.tell(|| "the halves are joined".into());
                self.sides = None;
            }
        }
    }

    pub(super) fn start(&mut self, node: usize) {
        self.tell(|| format!("node {node} starts"));
        let seed = self.random.number();
        self.nodes[node].start(seed, self.now);
        let life = self.nodes[node].life;
        self.schedule(self.now + TICK, Happening::Tick { node, life });
    }

    fn tick(&mut self, node: usize, life: u64) {
        let now = self.now;
        let state = &mut self.nodes[node];
        let Some(running) = state.running.as_mut().filter(|_| state.life == life) else {
            return;
        };
        running.protocol.tick(now);
        if now.as_millis() % LOOKED_AT < TICK.as_millis() {
            self.check_memory(node);
        }
        self.schedule(now + TICK, Happening::Tick { node, life });
        self.act(node);
        self.tick_links(node);
    }

    /// The timers of the connections of a node or a false peer.
    pub(super) fn tick_links(&mut self, node: usize) {
        let now = self.now;
        let links: Vec<(u64, usize)> = self.links_of(node);
        for (link, end) in links {
            let Some(there) = self.links.get_mut(&link) else {
                continue;
            };
            if let Err(error) = there.ends[end].session.tick(now) {
                self.tell(|| format!("link {link} of node {node}: {error}"));
                self.cut(link);
                continue;
            }
            self.flush(link);
        }
    }

    /// What runs at a node; nothing while it is down, or for a false peer.
    pub(super) fn running(&mut self, node: usize) -> Option<&mut Running> {
        self.nodes.get_mut(node)?.running.as_mut()
    }

    /// Which false peer a number is.
    pub(super) fn as_liar(&self, node: usize) -> Option<usize> {
        node.checked_sub(NODES)
            .filter(|liar| *liar < self.liars.len())
    }
}
