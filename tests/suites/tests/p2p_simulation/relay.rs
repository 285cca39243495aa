//! Owns the transactions that nodes are given, and the law about them: given when all is calm, they get to every node.
//! Promises chance from the seed alone.

use std::sync::Arc;
use std::time::Duration;

use everett_ledger::decode::DecodedTransaction;

use super::node::Node;
use super::simulation::{NODES, Simulation};

/// Transactions that false peers tell of: those given last.
const MAX_GIVEN: usize = 100;
/// Transactions that are given when all is calm.
const CALM_GIVEN: usize = 20;
/// How long they may take. A false peer can hold each back for a minute at each node, but not twice.
const RELAYED: Duration = Duration::from_secs(1_200);

/// How long a message may be on its way.
const TOLD: Duration = Duration::from_secs(5);

impl Simulation {
    /// Gives a node a transaction that can be in its next block; the transaction, if there was one to be had.
    pub(super) fn give(&mut self, node: usize) -> Option<Arc<DecodedTransaction>> {
        let now = self.now;
        let running = self.nodes[node].running.as_ref()?;
        let best = running.ledger.best().hash();
        let index =
            (self.mined.iter().copied()).find(|index| self.naive.entry(*index).hash == best)?;
        let tx = self
            .mint
            .loose(&self.naive.parent(index), &mut self.spent)?;
        let tx = Arc::new(DecodedTransaction::new(tx));
        let wtxid = tx.wtxid;
        // False peers are the first to tell of it.
        if self.given.len() >= MAX_GIVEN {
            self.given.remove(0);
        }
        self.given.push(wtxid);
        self.count("given");
        let running = self.running(node)?;
        let taken = running.mempool.accept(&tx).expect("the disk holds");
        let taken = match taken {
            Ok(_) => {
                running.mempool.set_unbroadcast(&tx.txid, true);
                running.protocol.announce_transaction(&tx.txid, now);
                Some(tx)
            }
            // A chain of others may have it already.
            Err(_) => None,
        };
        self.tell(|| format!("node {node} is given {wtxid}: {}", taken.is_some()));
        self.act(node);
        taken
    }

    /// Transactions that are given now get to all; how long they took.
    pub(super) fn relay(&mut self) -> Duration {
        self.leave_first_download();
        let began = self.now;
        // What undone blocks gave back stays with those who saw them: a payment of the same coins would be a replacement.
        for node in &self.nodes {
            let Some(running) = &node.running else {
                continue;
            };
            let view = running.mempool.view().expect("the disk holds");
            let inputs = view.transactions().flat_map(|tx| &tx.tx.input);
            self.spent.extend(inputs.map(|input| input.previous_output));
        }
        let given: Vec<Arc<DecodedTransaction>> = (0..CALM_GIVEN)
            .filter_map(|number| self.give(number % NODES))
            .collect();
        assert!(!given.is_empty(), "seed {}: no coins", self.seed);
        while self.now < began + RELAYED {
            self.step();
            if self.missing(&given).is_none() {
                return self.now - began;
            }
        }
        let missing = self.missing(&given);
        panic!("seed {}: after {RELAYED:?} of calm: {missing:?}", self.seed);
    }

    /// In its first download a node does not listen, as Bitcoin Core's, and nobody tells it twice. Its word that it listens
    /// now takes a while.
    fn leave_first_download(&mut self) {
        let end = self.now + RELAYED;
        let busy = |node: &Node| {
            let running = node.running.as_ref();
            running.is_none_or(|running| running.protocol.is_initial_download())
        };
        while self.nodes.iter().any(busy) {
            assert!(
                self.now < end,
                "seed {}: a first download without end",
                self.seed
            );
            self.step();
        }
        let told = self.now + TOLD;
        while self.now < told {
            self.step();
        }
    }

    /// A node, and how many of these it does not have.
    fn missing(&self, given: &[Arc<DecodedTransaction>]) -> Option<(usize, usize)> {
        let running = self.nodes.iter().map(|node| node.running.as_ref());
        let counts = running.enumerate().map(|(number, running)| {
            let view = running.map(|running| running.mempool.view().expect("the disk holds"));
            let has = |tx: &&Arc<DecodedTransaction>| {
                view.as_ref()
                    .is_some_and(|view| view.contains_wtxid(&tx.wtxid))
            };
            (number, given.len() - given.iter().filter(has).count())
        });
        counts.into_iter().find(|(_, count)| *count > 0)
    }
}
