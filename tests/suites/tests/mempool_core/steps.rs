//! Owns the steps of a random history: payments, chains, replacements, families, rival spends, blocks, reorganisations.
//! Promises the same steps for the same seed.

use bitcoin::{Transaction, Txid};
use everett_tests::spender::{Fee, Lock, Order};

use crate::pair::Pair;

impl Pair {
    /// What waits, as far as a block takes it, in an order that it can have.
    pub(crate) fn some_pending(&mut self, percent: Option<u64>) -> Vec<Transaction> {
        let all: Vec<Transaction> = {
            let view = self.mempool.view().expect("a view");
            view.transactions().map(|tx| tx.tx.clone()).collect()
        };
        let percent = percent.map_or(100, |most| self.spender.random.between(0, most));
        let count = all.len() * percent as usize / 100;
        all.into_iter().take(count).collect()
    }

    /// A step by chance.
    pub(crate) fn step(&mut self) {
        match self.spender.random.below(40) {
            0..=15 => {
                if let Some(tx) = self.spender.plain() {
                    self.give("plain", &tx);
                }
            }
            16..=25 => {
                let best = self.ledger.best();
                let spoilt = self.spender.spoilt(best.height(), best.median_time_past());
                if let Some((what, tx)) = spoilt {
                    self.give(&what, &tx);
                }
            }
            26..=28 => self.chain(),
            29..=30 => self.bump(),
            31..=33 => self.family(),
            34 => self.prioritise(),
            35..=36 => {
                let taken = self.some_pending(Some(100));
                self.done.push(format!("a block of {}", taken.len()));
                self.mine(taken);
                self.same("a block");
            }
            37 => self.rival_spend(),
            38 => self.reorganise(),
            _ => {
                let seconds = self.spender.random.between(1, 4_000);
                self.pass(seconds);
            }
        }
    }

    /// Transactions that spend one another, up to and beyond the limits.
    pub(crate) fn chain(&mut self) {
        let length = match self.spender.random.one_in(4) {
            true => 70,
            false => 2 + self.spender.random.below(6),
        };
        let version = if self.spender.random.one_in(4) { 3 } else { 2 };
        let Some(mut at) = self.spender.pick() else {
            return;
        };
        for _ in 0..length {
            let fee = self.spender.fee();
            let outputs = vec![Lock::WitnessScript; 1 + self.spender.random.below(2)];
            let order = Order {
                inputs: vec![at],
                outputs,
                version,
                fee,
                dust: false,
            };
            let tx = self.spender.make(&order);
            if !self.give("chain", &tx) {
                break;
            }
            at = self.spender.coins.len() - 1;
        }
    }

    /// Another spend of what a pending transaction spends, with about its fee.
    pub(crate) fn bump(&mut self) {
        let some = {
            let view = self.mempool.view().expect("a view");
            let all: Vec<_> = view.txids();
            let txid = self.spender.random.pick(&all).copied();
            txid.and_then(|txid| view.entry(&txid))
        };
        let Some(entry) = some else { return };
        let spent = &entry.tx.tx.input;
        let coins = &self.spender.coins;
        let mut inputs: Vec<usize> = spent
            .iter()
            .filter_map(|input| {
                coins
                    .iter()
                    .position(|coin| coin.outpoint == input.previous_output)
            })
            .collect();
        if inputs.len() > 1 && self.spender.random.one_in(2) {
            inputs.truncate(1);
        }
        if self.spender.random.one_in(3) {
            inputs.extend(self.spender.pick());
        }
        inputs.sort_unstable();
        inputs.dedup();
        if inputs.is_empty() {
            return;
        }
        let more = self.spender.random.between(0, 60);
        let base = match self.spender.random.one_in(2) {
            true => entry.descendants.fee,
            false => entry.fee,
        };
        let order = Order {
            inputs,
            outputs: vec![Lock::WitnessScript; 1 + self.spender.random.below(3)],
            version: entry.tx.tx.version.0,
            fee: Fee::Exact(base.unsigned_abs() + more),
            dust: false,
        };
        let tx = self.spender.make(&order);
        self.give("bump", &tx);
    }

    /// One or more parents and their child, given in together.
    pub(crate) fn family(&mut self) {
        let random = &mut self.spender.random;
        let version = if random.one_in(2) { 3 } else { 2 };
        let parents = if random.one_in(4) { 2 } else { 1 };
        let dust = random.one_in(3);
        let parent_fee = match random.below(4) {
            0 => Fee::Rate(random.between(50, 2_000)),
            _ => Fee::Exact(0),
        };
        let spends_dust = !random.one_in(4);
        let mut package = Vec::new();
        let mut known = self.spender.coins.len();
        let first_known = known;
        for _ in 0..parents {
            let inputs = self.spender.pick_some(2);
            if inputs.is_empty() {
                return;
            }
            let order = Order {
                inputs,
                outputs: vec![Lock::WitnessScript, Lock::Script],
                version,
                fee: parent_fee,
                dust,
            };
            let tx = self.spender.make(&order);
            self.spender.learn(&tx);
            package.push(tx);
        }
        let mut inputs = Vec::new();
        while known < self.spender.coins.len() {
            let coin = &self.spender.coins[known];
            let wanted = match coin.lock {
                Lock::WitnessScript => true,
                Lock::Anchor => spends_dust,
                _ => false,
            };
            if wanted {
                inputs.push(known);
            }
            known += 1;
        }
        if self.spender.random.one_in(5) {
            inputs.extend(self.spender.pick());
            inputs.sort_unstable();
            inputs.dedup();
        }
        let fee = self.spender.fee();
        let version = if self.spender.random.one_in(12) {
            5 - version
        } else {
            version
        };
        let order = Order {
            inputs,
            outputs: vec![Lock::WitnessScript],
            version,
            fee,
            dust: false,
        };
        let child = self.spender.make(&order);
        package.push(child);
        // What did not get in must not be spent later as if it had.
        self.spender.coins.truncate(first_known);
        if self.spender.random.one_in(12) {
            package.reverse();
        }
        if self.spender.random.one_in(6) {
            let first = package[0].clone();
            self.give("a parent by itself", &first);
        }
        self.give_package("family", &package);
    }

    pub(crate) fn prioritise(&mut self) {
        let all = self.mempool.view().expect("a view").txids();
        let Some(txid) = self.spender.random.pick(&all).copied() else {
            return;
        };
        let sat = self.spender.random.between(0, 40_000) as i64 - 10_000;
        self.prioritise_by(txid, sat);
    }

    pub(crate) fn prioritise_by(&mut self, txid: Txid, sat: i64) {
        self.done.push(format!("{txid} by {sat}"));
        let args = [&txid.to_string(), "0", &sat.to_string()];
        // Core's RPC refuses to raise what has ephemeral dust; the mempool itself does not.
        if self.core.try_call("prioritisetransaction", &args).is_err() {
            return;
        }
        self.mempool.prioritise(txid, sat).expect("it is noted");
        self.same("prioritising");
    }

    /// A block with a spend that goes against what is pending.
    pub(crate) fn rival_spend(&mut self) {
        let Some(mut order) = self.spender.order() else {
            return;
        };
        order.fee = Fee::Rate(1_000);
        let confirmed = |index: &usize| {
            let coin = self
                .ledger
                .best()
                .coin(&self.spender.coins[*index].outpoint);
            coin.expect("a read").is_some()
        };
        order.inputs.retain(confirmed);
        if order.inputs.is_empty() {
            return;
        }
        let tx = self.spender.make(&order);
        self.done
            .push(format!("a block with the rival {}", tx.compute_txid()));
        self.mine(vec![tx.clone()]);
        self.spender.learn(&tx);
        self.same("a rival");
    }

    /// Another branch, or blocks taken back.
    pub(crate) fn reorganise(&mut self) {
        let best = self.ledger.best();
        let depth = 1 + self.spender.random.below(4) as u32;
        let from = best.block_hash_at(best.height() - depth).expect("a block");
        match self.spender.random.below(3) {
            0 => {
                let mut first = best.hash();
                for _ in 0..depth {
                    let tip = self.ledger.best();
                    first = tip.hash();
                    let below = tip.header().prev_blockhash;
                    self.done.push("a block invalidated".to_owned());
                    self.core.call("invalidateblock", &[&first.to_string()]);
                    let taken = || self.ledger.invalidate_block(&first);
                    let undone = self.mempool.undo_with(&first, taken);
                    undone.expect("a ledger").expect("known");
                    self.same("invalidating");
                    // Another branch may be as high.
                    if self.ledger.best().hash() != below {
                        break;
                    }
                }
                if self.spender.random.one_in(2) {
                    self.done.push("reconsidered".to_owned());
                    self.core.call("reconsiderblock", &[&first.to_string()]);
                    self.ledger.reconsider_block(&first).expect("known");
                    self.same("reconsidering");
                }
            }
            kind => {
                self.done
                    .push(format!("a branch from {depth} below, kind {kind}"));
                let mut parent = self.ledger.world(&from).expect("a world");
                for _ in 0..=depth {
                    let all = self.mempool.pending_on(&parent).expect("a read");
                    let mut taken: Vec<Transaction> = Vec::new();
                    if kind == 1 {
                        let count = self.spender.random.below(all.len() + 1);
                        taken = all
                            .into_iter()
                            .take(count)
                            .map(|tx| tx.tx.clone())
                            .collect();
                    }
                    let time = self.now - 3_000 + self.blocks.len() as u64;
                    let bytes = self.block(&parent, taken, time);
                    self.submit(&bytes);
                    let hash = self.blocks.last().expect("just made").0;
                    parent = self.ledger.world(&hash).expect("a world");
                }
                self.same("another branch");
            }
        }
    }
}
