//! Owns what befalls the nodes: blocks, broken links, crashes, a divided network; and the end of it.
//! Promises chance from the seed alone.

use std::cmp::Reverse;

use bitcoin::consensus::serialize;

use super::simulation::{Happening, NODES, STORM, Simulation};

impl Simulation {
    pub(super) fn chance(&mut self) {
        if self.now >= STORM {
            return;
        }
        self.after(4_000, Happening::Chance);
        match self.random.below(100) {
            0..50 => self.mine(),
            50..70 => {
                let node = self.random.below(NODES);
                self.give(node);
            }
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
                    .filter(|(_, link)| {
                        let [one, other] = [&link.ends[0], &link.ends[1]];
                        let nodes = one.node.max(other.node) < NODES;
                        nodes && sides[one.node] != sides[other.node]
                    })
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
    pub(super) fn heal(&mut self) {
        self.tell(|| "calm".into());
        self.sides = None;
        for node in 0..NODES {
            if self.nodes[node].running.is_none() {
                self.start(node);
            }
        }
        let heaviest = (self.mined.iter().copied())
            .max_by_key(|index| (self.naive.entry(*index).height, Reverse(*index)));
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
}
