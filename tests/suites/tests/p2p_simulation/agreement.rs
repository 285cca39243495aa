//! Owns what has to hold: all agree in the end, every world is right, memory is bounded all the time.
//! Promises a panic that names the seed.

use std::time::Duration;

use bitcoin::BlockHash;

use super::simulation::Simulation;

/// How long the nodes have to agree when nothing befalls them any more; false peers go on.
pub(super) const CALM: Duration = Duration::from_secs(3_600);
/// How often is looked whether they do.
const LOOKED: Duration = Duration::from_secs(5);

impl Simulation {
    /// Goes on until all agree; when that was.
    pub(super) fn settle(&mut self, end: Duration) -> Duration {
        while self.now < end {
            let until = self.now + LOOKED;
            while self.now < until {
                self.step();
            }
            if self.disagreement().is_none() {
                return self.now;
            }
        }
        for node in &self.nodes {
            if let Some(running) = &node.running {
                eprintln!("{:#?}", running.protocol.progress(self.now));
                eprintln!("{:#?}", running.protocol.peers());
            }
        }
        let trouble = self.disagreement();
        panic!("seed {}: after {CALM:?} of calm: {trouble:?}", self.seed);
    }

    /// Nothing that a node holds for its peers is more than it may be.
    pub(super) fn check_memory(&self, node: usize) {
        let Some(running) = &self.nodes[node].running else {
            return;
        };
        for held in running.protocol.holdings() {
            assert!(
                held.count <= held.limit,
                "seed {}: node {node} at {:?}: {held:?}",
                self.seed,
                self.now
            );
        }
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
    pub(super) fn compare_worlds(&self) {
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
