//! Owns which payments that wait are as good as confirmed.

use std::collections::{HashMap, HashSet};

use bitcoin::{OutPoint, Txid};

use crate::book::Book;
use crate::coins::State;
use crate::view::View;

/// Which pending transactions are as good as confirmed: our own, of coins that are confirmed or as good, where the settings have
/// such spent.
pub(crate) struct Trust<'a> {
    book: &'a Book,
    spends_pending: bool,
    state: &'a State,
    pending: &'a HashSet<Txid>,
    known: HashMap<Txid, bool>,
    taken: HashSet<OutPoint>,
}

impl<'a> Trust<'a> {
    pub(crate) fn new(
        view: &'a View<'_>,
        state: &'a State,
        pending: &'a HashSet<Txid>,
    ) -> Trust<'a> {
        Trust {
            book: &view.book,
            spends_pending: view.spends_pending,
            state,
            pending,
            known: Default::default(),
            taken: HashSet::new(),
        }
    }

    /// Notes that a coin is spoken for; whether it was free.
    pub(crate) fn take(&mut self, outpoint: OutPoint) -> bool {
        self.taken.insert(outpoint)
    }

    /// A chain of pending transactions is as long as the mempool lets it be, so that going down is not deep.
    pub(crate) fn is_trusted(&mut self, txid: &Txid) -> bool {
        if self.state.place(txid).is_some() {
            return true;
        }
        if !self.spends_pending {
            return false;
        }
        if let Some(known) = self.known.get(txid) {
            return *known;
        }
        // Against a loop, which no chain of transactions has.
        self.known.insert(*txid, false);
        let record = self
            .book
            .records
            .get(txid)
            .filter(|_| self.pending.contains(txid));
        let inputs: Vec<OutPoint> = match record {
            Some(record) => record
                .tx
                .input
                .iter()
                .map(|input| input.previous_output)
                .collect(),
            None => return false,
        };
        let trusted = inputs.iter().all(|outpoint| {
            self.book.outputs.contains_key(outpoint) && self.is_trusted(&outpoint.txid)
        });
        self.known.insert(*txid, trusted);
        trusted
    }
}

impl View<'_> {
    /// Which of the pending transactions count as ours already: they spend our own coins alone, that are confirmed or as good. None
    /// does where the settings do not have such spent.
    pub fn trusted(&self, state: &State, pending: &HashSet<Txid>) -> HashSet<Txid> {
        let mut trust = Trust::new(self, state, pending);
        let pending = pending.iter().copied();
        pending.filter(|txid| trust.is_trusted(txid)).collect()
    }
}
