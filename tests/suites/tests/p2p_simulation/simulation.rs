//! Owns the world of a simulation: the nodes, the links, the clock, what happens next; and the naive ledger that has
//! every block that was ever mined.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bitcoin::BlockHash;
use bitcoin::consensus::serialize;
use bitcoin::p2p::{Magic, ServiceFlags};
use everett_ledger::{Clock, Network, Params};
use everett_net::{Command, PeerId, SessionConfig, SessionEvent};
use everett_p2p::protocol::Action;
use everett_tests::mint::{CLOCK, Mint};
use everett_tests::naive::NaiveLedger;
use everett_tests::random::Random;
use everett_tests::walk::{scratch, trunk};

use super::links::Link;
use super::node::{Node, Work};

const NODES: usize = 5;
/// How long things happen.
const STORM: Duration = Duration::from_secs(240);
/// How long the nodes have afterwards to agree.
const CALM: Duration = Duration::from_secs(900);
const TICK: Duration = Duration::from_millis(250);
/// Most blocks that one commit takes.
const GROUP: usize = 16;
/// Bytes that may wait in a session before no more answers are made.
const ROOM: usize = 1 << 20;

enum Happening {
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
    /// Two nodes that should be linked try.
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
    seed: u64,
    random: Random,
    now: Duration,
    /// What happens when; the number tells apart what happens at one time.
    queue: BTreeMap<(Duration, u64), Happening>,
    next: u64,
    nodes: Vec<Node>,
    links: BTreeMap<u64, Link>,
    /// Which half of a divided network each node is in.
    sides: Option<[bool; NODES]>,
    naive: NaiveLedger,
    mint: Mint,
    /// All nodes' time of day: never behind a block that was mined.
    clock: Clock,
    /// Indices of the blocks that were mined here.
    mined: Vec<usize>,
    counts: BTreeMap<&'static str, u64>,
    trace: bool,
    _directory: tempfile::TempDir,
}

impl Simulation {
    pub(crate) fn new(seed: u64) -> Simulation {
        let directory = scratch();
        let mut random = Random::new(seed);
        let (naive, mint) = trunk().clone();
        let mut mint = mint;
        mint.reseed(random.number());
        // For every other seed the chain is recent, for the rest as old as can be.
        let tip_time = naive.entry(naive.best()).block.header.time;
        let clock = match seed % 2 {
            0 => Clock::fixed(CLOCK),
            _ => Clock::fixed(u64::from(tip_time) + 600),
        };
        let nodes = (0..NODES)
            .map(|node| Node::new(directory.path().join(node.to_string()), clock.clone()))
            .collect();
        Simulation {
            seed,
            random,
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            next: 0,
            nodes,
            links: BTreeMap::new(),
            sides: None,
            naive,
            mint,
            clock,
            mined: Vec::new(),
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
        for a in 0..NODES {
            for b in a + 1..NODES {
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
        let end = self.now + CALM;
        let mut agreed = None;
        while self.now < end {
            let until = self.now + Duration::from_secs(5);
            while self.now < until {
                self.step();
            }
            if self.disagreement().is_none() {
                agreed = Some(self.now);
                break;
            }
        }
        if let Some(trouble) = self.disagreement() {
            for node in &self.nodes {
                if let Some(running) = &node.running {
                    eprintln!("{:#?}", running.protocol.progress(self.now));
                    eprintln!("{:#?}", running.protocol.peers());
                }
            }
            panic!("seed {}: after {:?} of calm: {trouble}", self.seed, CALM);
        }
        self.compare_worlds();
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
            "{} blocks, agreed after {:?} on {best:?}; {}",
            self.mined.len(),
            agreed,
            counts.join(", ")
        )
    }

    fn schedule(&mut self, at: Duration, happening: Happening) {
        self.next += 1;
        self.queue.insert((at, self.next), happening);
    }

    /// At some time within so many milliseconds.
    fn after(&mut self, milliseconds: u64, happening: Happening) {
        let delay = Duration::from_millis(self.random.between(1, milliseconds));
        self.schedule(self.now + delay, happening);
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>9.3} {}", self.now.as_secs_f64(), what());
        }
    }

    fn step(&mut self) {
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

    fn start(&mut self, node: usize) {
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
        self.schedule(now + TICK, Happening::Tick { node, life });
        self.act(node);
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

    fn links_of(&self, node: usize) -> Vec<(u64, usize)> {
        let ends = self.links.iter().flat_map(|(id, link)| {
            (0..2)
                .filter(move |end| link.ends[*end].node == node)
                .map(move |end| (*id, end))
        });
        ends.collect()
    }

    fn is_divided(&self, [a, b]: [usize; 2]) -> bool {
        self.sides.is_some_and(|sides| sides[a] != sides[b])
    }

    fn call(&mut self, pair: [usize; 2]) {
        let up = pair.iter().all(|node| self.nodes[*node].running.is_some());
        let linked = self.links.values().any(|link| {
            let nodes = [link.ends[0].node, link.ends[1].node];
            nodes == pair || nodes == [pair[1], pair[0]]
        });
        if linked {
            return;
        }
        if !up || self.is_divided(pair) {
            return self.after(5_000, Happening::Call { pair });
        }
        let v2 = self.random.percent(30);
        let configs = pair.map(|node| self.session_config(node, v2));
        self.next += 1;
        let id = self.next;
        let peers = [PeerId(2 * id), PeerId(2 * id + 1)];
        let link = Link::new(pair, peers, configs, self.now, &mut self.random);
        self.links.insert(id, link);
        self.count("calls");
        self.flush(id);
    }

    fn session_config(&self, node: usize, v2: bool) -> Arc<SessionConfig> {
        let params = Params::new(Network::Regtest);
        let mut config = SessionConfig::new(Magic::from_bytes(params.magic));
        config.services = ServiceFlags::NETWORK | ServiceFlags::WITNESS;
        config.features = Command::new("sendtips").into_iter().collect();
        config.v2 = v2;
        config.relay = false;
        config.epoch = CLOCK as i64;
        let best = self.nodes[node]
            .running
            .as_ref()
            .map(|running| running.ledger.best().height());
        config.start_height = best.unwrap_or(0) as i32;
        Arc::new(config)
    }

    /// What a session has to say after bytes came.
    fn read(&mut self, link: u64, end: usize) {
        let now = self.now;
        loop {
            let Some(there) = self.links.get_mut(&link) else {
                return;
            };
            let (node, peer) = (there.ends[end].node, there.ends[end].peer);
            let event = match there.ends[end].session.next() {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    self.tell(|| format!("link {link} of node {node}: {error}"));
                    self.count("session errors");
                    return self.cut(link);
                }
            };
            let Some(running) = &mut self.nodes[node].running else {
                return;
            };
            match event {
                SessionEvent::Established(info) => running.protocol.connected(info, now),
                SessionEvent::Message(message) => running.protocol.received(peer, message, now),
            }
            self.act(node);
        }
        self.flush(link);
    }

    /// Bytes that were written go on their way; and there is room for more answers.
    fn flush(&mut self, link: u64) {
        let now = self.now;
        for end in 0..2 {
            loop {
                let Some(there) = self.links.get_mut(&link) else {
                    return;
                };
                let (node, peer) = (there.ends[end].node, there.ends[end].peer);
                for (at, bytes) in there.take_output(end, now, &mut self.random) {
                    let arrive = Happening::Arrive {
                        link,
                        end: 1 - end,
                        bytes,
                    };
                    self.schedule(at, arrive);
                }
                let Some(running) = &mut self.nodes[node].running else {
                    break;
                };
                let mut more = running.protocol.has_requests(peer);
                while more && self.output_length(link, end) < ROOM {
                    let Some(running) = &mut self.nodes[node].running else {
                        break;
                    };
                    more = running.protocol.serve(peer, now);
                    self.act(node);
                }
                if self.output_length(link, end) == 0 {
                    break;
                }
            }
        }
    }

    fn output_length(&self, link: u64, end: usize) -> usize {
        self.links
            .get(&link)
            .map_or(0, |link| link.ends[end].session.output_length())
    }

    /// Does what a node's protocol wants.
    fn act(&mut self, node: usize) {
        let now = self.now;
        loop {
            let Some(running) = &mut self.nodes[node].running else {
                return;
            };
            let actions = running.protocol.take_actions();
            if actions.is_empty() {
                break;
            }
            for action in actions {
                match action {
                    Action::Send(peer, message) => {
                        let Some((link, end)) = self.link_of(node, peer) else {
                            continue;
                        };
                        if let Some(there) = self.links.get_mut(&link)
                            && let Err(error) = there.ends[end].session.send(&message, now)
                        {
                            panic!("seed {}: {message:?} cannot be sent: {error}", self.seed);
                        }
                    }
                    Action::Disconnect(peer, reason) => {
                        self.tell(|| format!("node {node} lets go of {peer}: {reason}"));
                        self.count("let go");
                        if let Some((link, _)) = self.link_of(node, peer) {
                            self.cut(link);
                        }
                    }
                    Action::Discourage(peer, reason) => {
                        panic!(
                            "seed {}: node {node} discourages {peer}: {reason}",
                            self.seed
                        )
                    }
                    Action::Note(peer, reason) => {
                        self.tell(|| format!("node {node} notes of {peer}: {reason}"));
                        self.count("notes");
                    }
                    Action::SubmitHeaders { headers, .. } => {
                        self.queue_work(node, Work::Headers(headers))
                    }
                    Action::SubmitBlock { hash, bytes, .. } => {
                        self.queue_work(node, Work::Block(hash, bytes));
                    }
                    Action::FindAddresses { .. } => {
                        if let Some(running) = &mut self.nodes[node].running {
                            running.protocol.addresses_found(Vec::new(), now);
                        }
                    }
                    Action::AddAddresses { .. }
                    | Action::HeardTransaction { .. }
                    | Action::Useful(..)
                    | Action::CallOneMore => {}
                }
            }
        }
        for (link, end) in self.links_of(node) {
            if self.output_length(link, end) > 0 {
                self.send_off(link, end);
            }
        }
    }

    fn send_off(&mut self, link: u64, end: usize) {
        let now = self.now;
        let Some(there) = self.links.get_mut(&link) else {
            return;
        };
        for (at, bytes) in there.take_output(end, now, &mut self.random) {
            let arrive = Happening::Arrive {
                link,
                end: 1 - end,
                bytes,
            };
            self.schedule(at, arrive);
        }
    }

    fn link_of(&self, node: usize, peer: PeerId) -> Option<(u64, usize)> {
        // Both ends' numbers are made of the link's.
        let (link, end) = (peer.0 / 2, (peer.0 % 2) as usize);
        let there = self.links.get(&link)?;
        (there.ends[end].node == node).then_some((link, end))
    }

    fn queue_work(&mut self, node: usize, work: Work) {
        if let Some(running) = &mut self.nodes[node].running {
            running.work.push_back(work);
        }
        self.begin_work(node);
    }

    fn begin_work(&mut self, node: usize) {
        let state = &mut self.nodes[node];
        let life = state.life;
        let Some(running) = &mut state.running else {
            return;
        };
        if running.busy || running.work.is_empty() {
            return;
        }
        running.busy = true;
        self.after(60, Happening::Written { node, life });
    }

    /// The writing thread takes what waits: headers at once, blocks in groups.
    fn written(&mut self, node: usize, life: u64) {
        let now = self.now;
        let state = &mut self.nodes[node];
        let Some(running) = state.running.as_mut().filter(|_| state.life == life) else {
            return;
        };
        running.busy = false;
        match running.work.pop_front() {
            Some(Work::Headers(headers)) => {
                let answer = running
                    .ledger
                    .submit_headers(&headers)
                    .expect("the disk holds");
                running.protocol.headers_taken(answer, now);
            }
            Some(Work::Block(hash, bytes)) => {
                let mut group = vec![(hash, bytes)];
                while group.len() < GROUP
                    && matches!(running.work.front(), Some(Work::Block(..)))
                    && let Some(Work::Block(hash, bytes)) = running.work.pop_front()
                {
                    group.push((hash, bytes));
                }
                let blocks: Vec<&[u8]> = group.iter().map(|(_, bytes)| &bytes[..]).collect();
                let answers = running
                    .ledger
                    .submit_blocks(&blocks)
                    .expect("the disk holds");
                let hashes = group.iter().map(|(hash, _)| *hash);
                running
                    .protocol
                    .blocks_taken(hashes.zip(answers).collect(), now);
                running.protocol.best_changed(now);
            }
            None => {}
        }
        self.act(node);
        self.begin_work(node);
    }

    /// A connection breaks; bytes on their way are lost.
    fn cut(&mut self, link: u64) {
        let Some(there) = self.links.remove(&link) else {
            return;
        };
        for end in &there.ends {
            if let Some(running) = &mut self.nodes[end.node].running {
                running.protocol.disconnected(end.peer, self.now);
            }
        }
        let pair = [there.ends[0].node, there.ends[1].node];
        for node in pair {
            self.act(node);
        }
        self.after(4_000, Happening::Call { pair });
    }

    fn chance(&mut self) {
        if self.now >= STORM {
            return;
        }
        self.after(4_000, Happening::Chance);
        match self.random.below(100) {
            0..70 => self.mine(),
            70..84 => {
                let links: Vec<u64> = self.links.keys().copied().collect();
                if let Some(link) = self.random.pick(&links).copied() {
                    self.tell(|| format!("link {link} breaks"));
                    self.count("broken links");
                    self.cut(link);
                }
            }
            84..93 => {
                let node = self.random.below(NODES);
                if self.nodes[node].running.is_some() {
                    self.tell(|| format!("node {node} crashes"));
                    self.count("crashes");
                    self.nodes[node].crash();
                    for (link, _) in self.links_of(node) {
                        self.cut(link);
                    }
                    self.after(20_000, Happening::Restart { node });
                }
            }
            _ if self.sides.is_none() => {
                let mut sides = [false; NODES];
                for side in &mut sides {
                    *side = self.random.percent(50);
                }
                self.sides = Some(sides);
                self.tell(|| format!("the network falls into halves: {sides:?}"));
                self.count("partitions");
                let cut: Vec<u64> = (self.links.iter())
                    .filter(|(_, link)| sides[link.ends[0].node] != sides[link.ends[1].node])
                    .map(|(id, _)| *id)
                    .collect();
                for link in cut {
                    self.cut(link);
                }
                self.after(40_000, Happening::Join);
            }
            _ => {}
        }
    }

    /// A node mines on one of the blocks that it has a world at: mostly its best, now and then another tip or an older one.
    fn mine(&mut self) {
        let node = self.random.below(NODES);
        let Some(running) = &self.nodes[node].running else {
            return;
        };
        let best = running.ledger.best().hash();
        let there: Vec<usize> = (self.mined.iter().copied())
            .filter(|index| running.ledger.world(&self.naive.entry(*index).hash).is_ok())
            .collect();
        let at_best = there
            .iter()
            .position(|index| self.naive.entry(*index).hash == best);
        let parent = match self.random.below(10) {
            0..7 => at_best.map(|place| there[place]),
            _ => self.random.pick(&there).copied(),
        };
        let Some(parent) = parent else {
            return;
        };
        let blocks = match self.random.one_in(8) {
            true => self.random.between(2, 12),
            false => 1,
        };
        let mut on = parent;
        for _ in 0..blocks {
            let (block, flaw) = self.mint.block(&self.naive.parent(on), 2, None);
            on = self.naive.add(block, flaw);
            self.mined.push(on);
            self.hand_in(node, on);
        }
        self.count("mined");
        self.tell(|| {
            let entry = self.naive.entry(on);
            format!(
                "node {node} mines {blocks} up to {} at {}",
                entry.hash, entry.height
            )
        });
    }

    fn hand_in(&mut self, node: usize, index: usize) {
        let now = self.now;
        let block = &self.naive.entry(index).block;
        self.clock
            .set(self.clock.now().max(u64::from(block.header.time)));
        let bytes = serialize(block);
        if let Some(running) = &mut self.nodes[node].running {
            let answer = running.ledger.submit_block(&bytes).expect("the disk holds");
            assert_eq!(answer.outcome.bip22(), None, "seed {}", self.seed);
            running.protocol.best_changed(now);
        }
        self.act(node);
    }

    /// All nodes run, nothing divides them, and one more block decides.
    fn heal(&mut self) {
        self.tell(|| "calm".into());
        self.sides = None;
        for node in 0..NODES {
            if self.nodes[node].running.is_none() {
                self.start(node);
            }
        }
        let heaviest = (self.mined.iter().copied())
            .max_by_key(|index| (self.naive.entry(*index).height, std::cmp::Reverse(*index)));
        let Some(heaviest) = heaviest else {
            return;
        };
        let hash = self.naive.entry(heaviest).hash;
        let owner = (0..NODES).find(|node| {
            (self.nodes[*node].running.as_ref())
                .is_some_and(|running| running.ledger.world(&hash).is_ok())
        });
        let Some(owner) = owner else {
            panic!("seed {}: nobody has block {hash} any more", self.seed);
        };
        let (block, flaw) = self.mint.block(&self.naive.parent(heaviest), 1, None);
        let index = self.naive.add(block, flaw);
        self.mined.push(index);
        self.hand_in(owner, index);
    }

    /// What is not yet as it should be in the end.
    fn disagreement(&self) -> Option<String> {
        let best = self.naive.entry(*self.mined.last()?).hash;
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(running) = &node.running else {
                return Some(format!("node {number} is down"));
            };
            let found = running.ledger.best().hash();
            if found != best {
                return Some(format!("node {number} is at {found}, not at {best}"));
            }
            let missing: Vec<BlockHash> = (self.mined.iter())
                .map(|index| self.naive.entry(*index).hash)
                .filter(|hash| running.ledger.world(hash).is_err())
                .collect();
            if let Some(hash) = missing.first() {
                let header = running
                    .ledger
                    .header(hash)
                    .map(|info| (info.height, info.status));
                return Some(format!(
                    "node {number} has no world at {hash} ({header:?}) and {} others",
                    missing.len() - 1
                ));
            }
        }
        None
    }

    /// Every world has the coins of the naive ledger.
    fn compare_worlds(&self) {
        for (number, node) in self.nodes.iter().enumerate() {
            let Some(running) = &node.running else {
                continue;
            };
            for index in &self.mined {
                let entry = self.naive.entry(*index);
                let world = running
                    .ledger
                    .world(&entry.hash)
                    .expect("it was there just now");
                let found = world.set_info().expect("the disk holds");
                assert_eq!(
                    &found,
                    entry.set_info(),
                    "seed {}: node {number}, block {}",
                    self.seed,
                    entry.hash
                );
            }
        }
    }
}
