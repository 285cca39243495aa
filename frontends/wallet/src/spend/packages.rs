//! Owns what has to be paid for those that wait before what is built on them counts at a fee rate.
//! Promises Bitcoin Core's reckoning (`MiniMiner`): ancestors that a miner takes anyway at that rate need nothing, the others
//! have to be brought up to it together.
//! Refuses to look beyond one cluster, which holds all that one transaction depends on.

use std::collections::{BTreeMap, BTreeSet};

use bitcoin::Txid;
use everett_mempool::{FeeRate, FeeSize, View};

/// A transaction that waits, as a miner sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Waits {
    /// What it pays, in satoshis, with what was added by hand.
    pub(super) fee: i64,
    /// Virtual bytes.
    pub(super) vsize: i64,
    /// What it spends that waits, too.
    pub(super) parents: Vec<Txid>,
}

/// What stands between a transaction that waits and a fee rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gap {
    /// What has to be paid beside the child's own part, in satoshis; zero where a miner takes it at that rate as it is.
    pub(super) fee: i64,
    /// What it and those before it pay and weigh that a miner does not take at that rate.
    pub(super) package: FeeSize,
}

/// A cluster of the mempool.
#[derive(Clone)]
pub(super) struct Packages(BTreeMap<Txid, Waits>);

impl Packages {
    /// The cluster of a transaction; `None` if it does not wait.
    pub(super) fn around(mempool: &View<'_>, txid: &Txid) -> Option<Packages> {
        let chunks = mempool.cluster(txid)?.chunks;
        let txids = chunks.into_iter().flat_map(|(_, txids)| txids);
        let waits = txids.filter_map(|txid| {
            let entry = mempool.entry(&txid)?;
            let waits = Waits {
                fee: entry.modified_fee,
                vsize: i64::try_from(entry.vsize).ok()?,
                parents: entry.depends,
            };
            Some((txid, waits))
        });
        Some(Packages(waits.collect()))
    }

    /// A transaction of the cluster with all it depends on.
    fn ancestors(&self, txid: Txid) -> BTreeSet<Txid> {
        let mut found = BTreeSet::from([txid]);
        let mut waiting = vec![txid];
        while let Some(waits) = waiting.pop().and_then(|txid| self.0.get(&txid)) {
            let parents = waits.parents.iter().copied();
            let here = parents.filter(|parent| self.0.contains_key(parent));
            waiting.extend(here.filter(|parent| found.insert(*parent)));
        }
        found
    }

    fn sum(&self, txids: &BTreeSet<Txid>) -> FeeSize {
        let waits = txids.iter().filter_map(|txid| self.0.get(txid));
        waits.fold(FeeSize::new(0, 0), |sum, waits| {
            sum + FeeSize::new(waits.fee, waits.vsize)
        })
    }

    /// What pays most for its size together with all it depends on, or by itself where that is less.
    fn best(&self) -> Option<(BTreeSet<Txid>, FeeSize)> {
        let mut best: Option<(FeeSize, BTreeSet<Txid>, FeeSize)> = None;
        for (txid, waits) in &self.0 {
            let package = self.ancestors(*txid);
            let paid = self.sum(&package);
            let own = FeeSize::new(waits.fee, waits.vsize);
            let counts = if paid.beats(own) { own } else { paid };
            if best.as_ref().is_none_or(|(other, ..)| counts.beats(*other)) {
                best = Some((counts, package, paid));
            }
        }
        best.map(|(_, package, paid)| (package, paid))
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.0.len() as u64
    }

    /// Whether a transaction is one of them.
    pub(super) fn has(&self, txid: &Txid) -> bool {
        self.0.contains_key(txid)
    }

    /// A transaction and those that it is built on.
    pub(super) fn ancestor_count(&self, txid: &Txid) -> u64 {
        self.ancestors(*txid).len() as u64
    }

    /// Takes a transaction out, and what is built on it.
    pub(super) fn leave_out(&mut self, txid: Txid) {
        let built_on_it = |other: &Txid| self.ancestors(*other).contains(&txid);
        let gone: BTreeSet<Txid> = self.0.keys().copied().filter(built_on_it).collect();
        self.0.retain(|txid, _| !gone.contains(txid));
    }

    /// Takes out what a miner takes at a rate, package by package.
    fn mine(&mut self, rate: FeeRate) {
        let pays = |(_, paid): &(_, FeeSize)| paid.fee >= rate.fee(paid.size);
        while let Some((package, _)) = self.best().filter(pays) {
            self.0.retain(|txid, _| !package.contains(txid));
        }
    }

    /// What is missing for these to count at a rate, in satoshis; what several of them are built on is paid for once.
    pub(super) fn together(mut self, txids: &[Txid], rate: FeeRate) -> i64 {
        self.mine(rate);
        let left = txids.iter().filter(|txid| self.has(txid));
        let all: BTreeSet<Txid> = left.flat_map(|txid| self.ancestors(*txid)).collect();
        let paid = self.sum(&all);
        rate.fee(paid.size) - paid.fee
    }

    /// What is missing for a transaction to count at a rate.
    pub(super) fn gap(mut self, txid: &Txid, rate: FeeRate) -> Gap {
        self.mine(rate);
        let Some(own) = self.0.get(txid) else {
            return Gap {
                fee: 0,
                package: FeeSize::new(0, 0),
            };
        };
        let package = self.sum(&self.ancestors(*txid));
        let alone = rate.fee(own.vsize) - own.fee;
        Gap {
            fee: (rate.fee(package.size) - package.fee).max(alone).max(0),
            package,
        }
    }

    /// What a transaction pays with all it depends on.
    pub(super) fn rate_of(&self, txid: &Txid) -> FeeRate {
        let paid = self.sum(&self.ancestors(*txid));
        FeeRate::paid(paid.fee, paid.size)
    }
}

#[cfg(test)]
mod tests;
