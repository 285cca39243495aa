//! Owns what stands in the mempool before the coins that a payment may take.
//! Promises that what has to be paid for ancestors is counted once, however many of the coins are built on them.

use std::collections::{BTreeSet, HashMap};

use bitcoin::{Amount, Txid};
use everett_mempool::{FeeRate, Mempool};

use super::candidates::Candidate;
use super::error::SpendError;
use super::packages::Packages;

/// How a coin stands in the mempool; all zero where a block has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Before {
    /// Satoshis that are missing for it to count at the rate.
    pub(super) bump: u64,
    /// Its transaction and all that wait before it.
    pub(super) ancestors: u64,
    /// The transactions that hang together with it.
    pub(super) cluster: u64,
}

/// What stands before coins, at one rate.
pub(super) struct Ancestry<'a> {
    mempool: &'a Mempool,
    rate: FeeRate,
    /// What is about to be replaced: neither it nor what is built on it pays for anything.
    replaced: Option<Txid>,
    known: HashMap<Txid, Option<Packages>>,
    /// What was reckoned: a transaction may have made many of the coins.
    before: HashMap<Txid, Before>,
}

impl<'a> Ancestry<'a> {
    pub(super) fn new(mempool: &'a Mempool, rate: FeeRate, replaced: Option<Txid>) -> Ancestry<'a> {
        Ancestry {
            mempool,
            rate,
            replaced,
            known: HashMap::new(),
            before: HashMap::new(),
        }
    }

    fn packages(&mut self, txid: &Txid) -> Result<Option<&Packages>, SpendError> {
        if !self.known.contains_key(txid) {
            let mut around = Packages::around(&self.mempool.view()?, txid);
            if let (Some(packages), Some(replaced)) = (&mut around, self.replaced) {
                packages.leave_out(replaced);
            }
            self.known.insert(*txid, around);
        }
        Ok(self.known.get(txid).and_then(Option::as_ref))
    }

    /// What stands before the coins of a transaction that waits.
    pub(super) fn before(&mut self, txid: &Txid) -> Result<Before, SpendError> {
        if let Some(known) = self.before.get(txid) {
            return Ok(*known);
        }
        let rate = self.rate;
        let before = match self.packages(txid)? {
            None => Before::default(),
            Some(packages) => Before {
                bump: packages.clone().gap(txid, rate).fee.max(0).unsigned_abs(),
                ancestors: packages.ancestor_count(txid),
                cluster: packages.len(),
            },
        };
        self.before.insert(*txid, before);
        Ok(before)
    }

    /// What has to be paid so that all ancestors of these coins count at the rate.
    pub(super) fn together(&mut self, coins: &[&Candidate]) -> Result<Amount, SpendError> {
        let rate = self.rate;
        let waiting = coins.iter().filter(|coin| coin.confirmations == 0);
        let mut waiting: BTreeSet<Txid> = waiting.map(|coin| coin.outpoint.txid).collect();
        let mut fee = 0;
        while let Some(txid) = waiting.pop_first() {
            let Some(packages) = self.packages(&txid)? else {
                continue;
            };
            let here = waiting.iter().filter(|other| packages.has(other));
            let here: Vec<Txid> = here.copied().chain([txid]).collect();
            fee += packages.clone().together(&here, rate).max(0);
            waiting.retain(|other| !here.contains(other));
        }
        Ok(Amount::from_sat(fee.unsigned_abs()))
    }
}
