//! The mempool beside a real Bitcoin Core: the same chain, the same transactions, and after each step the same verdict, the
//! same words and the same content in the same order. Needs `BITCOIND_EXE`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::consensus::encode::{deserialize, serialize_hex};
use bitcoin::hashes::Hash;
use bitcoin::{Amount, Block, BlockHash, Transaction, Txid};
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params};
use everett_mempool::{
    Accepted, LoadOptions, Mempool, MempoolConfig, PackageOutcome, Refused, RejectionKind,
    is_child_with_parents_tree,
};
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::spender::{Fee, Lock, Order, Spender, payout};
use serde_json::Value;

/// Unix seconds when a test begins.
const START: u64 = 1_700_000_000;

/// Both, side by side.
struct Pair {
    core: Bitcoind,
    ledger: Ledger,
    mempool: Mempool,
    spender: Spender,
    now: u64,
    /// Blocks made so far, with what they hold.
    blocks: Vec<(BlockHash, Vec<Transaction>)>,
    /// Reasons that were given, and how often.
    reasons: std::cell::RefCell<BTreeMap<String, usize>>,
    /// What was done, to be told when it goes wrong.
    done: Vec<String>,
}

impl Pair {
    fn start(name: &str, seed: u64, config: MempoolConfig, options: &[&str]) -> Option<Pair> {
        let program = program(name)?;
        let core = Bitcoind::start(&program, options);
        let mut ledger = LedgerConfig::in_memory(Params::new(Network::Regtest));
        ledger.clock = Clock::fixed(START);
        let ledger = Ledger::open(ledger).expect("a ledger in memory opens");
        let mempool = Mempool::new(ledger.clone(), config);
        let mut pair = Pair {
            core,
            ledger,
            mempool,
            spender: Spender::new(seed),
            now: START,
            blocks: Vec::new(),
            reasons: Default::default(),
            done: Vec::new(),
        };
        pair.pass(0);
        for _ in 0..130 {
            pair.mine(Vec::new());
        }
        // Mature coins to begin with.
        for (_, transactions) in pair.blocks.clone().iter().take(30) {
            pair.spender.learn(&transactions[0]);
        }
        pair.same("the first chain");
        Some(pair)
    }

    fn pass(&mut self, seconds: u64) {
        self.now += seconds;
        self.ledger.clock().set(self.now);
        self.core.call("setmocktime", &[&self.now.to_string()]);
    }

    fn block(
        &self,
        parent: &everett_ledger::World,
        transactions: Vec<Transaction>,
        time: u64,
    ) -> Vec<u8> {
        let time = u32::try_from(time)
            .expect("a time")
            .max(self.ledger.next_block(parent).min_time);
        everett_scenario::mine(&self.ledger, parent, transactions, &payout(), Some(time))
            .expect("a block")
    }

    fn submit(&mut self, bytes: &[u8]) {
        let block: Block = deserialize(bytes).expect("a block");
        self.ledger.submit_block(bytes).expect("a disk");
        self.core.submit(bytes);
        // Else two steps of Core's can be one of ours.
        self.mempool.catch_up().expect("a ledger");
        self.blocks.push((block.block_hash(), block.txdata));
    }

    /// A block on the best world.
    fn mine(&mut self, transactions: Vec<Transaction>) {
        let time = self.now - 3_000 + self.blocks.len() as u64;
        let bytes = self.block(&self.ledger.best(), transactions, time);
        self.submit(&bytes);
        let best = self.ledger.best();
        if best.height() > 130 {
            // An old coinbase has become spendable.
            if let Some(hash) = best.block_hash_at(best.height() - 99)
                && let Some((_, transactions)) = self.blocks.iter().find(|(of, _)| *of == hash)
            {
                self.spender.learn(&transactions[0].clone());
            }
        }
    }

    fn told(&self) -> String {
        let from = self
            .done
            .len()
            .saturating_sub(std::env::var_os("MEMPOOL_ALL").map_or(40, |_| usize::MAX));
        self.done[from..].join("\n")
    }

    /// Holds both mempools against each other.
    fn same(&mut self, what: &str) {
        assert_eq!(
            self.ledger.best().hash().to_string(),
            self.core.best_hash(),
            "{what}"
        );
        let theirs = txids(&self.core.call("getrawmempool", &[]));
        let view = self.mempool.view().expect("a view");
        let ours: Vec<String> = view.txids().iter().map(Txid::to_string).collect();
        let missing = |of: &[String], in_: &[String]| -> Vec<String> {
            of.iter()
                .filter(|txid| !in_.contains(txid))
                .cloned()
                .collect()
        };
        let (only_here, only_there) = (missing(&ours, &theirs), missing(&theirs, &ours));
        assert!(
            only_here.is_empty() && only_there.is_empty(),
            "after {what} only here: {only_here:?}, only at Core: {only_there:?}; clusters of the former: {:?}\n{}",
            only_here
                .iter()
                .map(|txid| view.cluster(&txid.parse().expect("a txid")))
                .collect::<Vec<_>>(),
            self.told()
        );
        if ours != theirs {
            let apart = ours
                .iter()
                .zip(&theirs)
                .filter(|(ours, theirs)| ours != theirs);
            let apart: Vec<_> = apart
                .map(|(ours, theirs)| {
                    let cluster = view.cluster(&ours.parse().expect("a txid"));
                    (ours, theirs, cluster)
                })
                .collect();
            panic!("order after {what}: {apart:#?}\n{}", self.told());
        }
        let info = self.core.call("getmempoolinfo", &[]);
        let own = view.info();
        assert_eq!(info["bytes"], own.vbytes);
        assert_eq!(info["optimal"], own.optimal);
        assert_eq!(sat(&info["total_fee"]), own.total_fee, "{what}");
        assert_eq!(
            sat(&info["mempoolminfee"]),
            own.min_fee.sat_per_kvb(),
            "{what}"
        );
        assert_eq!(info["unbroadcastcount"], own.unbroadcast);
        if std::env::var_os("MEMPOOL_USAGE").is_some() {
            eprintln!(
                "usage: core {} own {} of {}",
                info["usage"], own.usage, own.size
            );
        }
    }

    /// Holds every entry against each other.
    fn same_entries(&self) {
        let theirs = self.core.call("getrawmempool", &["true"]);
        let view = self.mempool.view().expect("a view");
        for (txid, entry) in theirs.as_object().expect("an object") {
            let own = view
                .entry(&txid.parse().expect("a txid"))
                .expect("it is here");
            let fees = &entry["fees"];
            let pairs = [
                ("vsize", &entry["vsize"], own.vsize as i64),
                ("weight", &entry["weight"], own.weight as i64),
                (
                    "descendantcount",
                    &entry["descendantcount"],
                    own.descendants.count as i64,
                ),
                (
                    "descendantsize",
                    &entry["descendantsize"],
                    own.descendants.vsize as i64,
                ),
                (
                    "ancestorcount",
                    &entry["ancestorcount"],
                    own.ancestors.count as i64,
                ),
                (
                    "ancestorsize",
                    &entry["ancestorsize"],
                    own.ancestors.vsize as i64,
                ),
                ("chunkweight", &entry["chunkweight"], own.chunk.size),
            ];
            for (name, theirs, ours) in pairs {
                assert_eq!(
                    theirs.as_i64(),
                    Some(ours),
                    "{name} of {txid}\n{}",
                    self.told()
                );
            }
            let pairs = [
                ("base", own.fee),
                ("modified", own.modified_fee),
                ("ancestor", own.ancestors.fee),
                ("descendant", own.descendants.fee),
                ("chunk", own.chunk.fee),
            ];
            for (name, ours) in pairs {
                assert_eq!(
                    sat(&fees[name]),
                    ours,
                    "{name} fee of {txid}\n{}",
                    self.told()
                );
            }
            let list = |txids: &[Txid]| txids.iter().map(Txid::to_string).collect::<Vec<_>>();
            assert_eq!(txids(&entry["depends"]), list(&own.depends));
            assert_eq!(txids(&entry["spentby"]), list(&own.spent_by));
        }
    }

    /// Gives a transaction to both.
    fn give(&mut self, what: &str, tx: &Transaction) -> bool {
        let hex = serialize_hex(tx);
        self.done.push(format!(
            "{what}: {} {}",
            tx.compute_txid(),
            &hex[..hex.len().min(1_000)]
        ));
        // Core's decoder takes no transaction without inputs, and guesses where there are no outputs.
        if tx.input.is_empty() {
            return false;
        }
        let theirs = self
            .core
            .ask("testmempoolaccept", &[&format!("[\"{hex}\"]"), "0"]);
        let theirs = &theirs[0];
        let decoded = Arc::new(DecodedTransaction::new(tx.clone()));
        let tested = self.mempool.test_accept(&decoded).expect("a verdict");
        self.same_verdict(what, theirs, &tested);
        let sent = self
            .core
            .try_ask("sendrawtransaction", &[&hex, "0", "21000000"]);
        let accepted = self.mempool.accept(&decoded).expect("a verdict");
        match &accepted {
            Ok(_) => {
                assert!(sent.is_ok(), "{what}: {sent:?}\n{}", self.told());
                self.mempool.set_unbroadcast(&decoded.txid, true);
                self.spender.learn(tx);
            }
            Err(refused) if refused.rejection.kind == RejectionKind::Conflict => {}
            Err(refused) => {
                let error = sent.expect_err(&refused.rejection.to_string());
                let reason = match refused.rejection.kind {
                    RejectionKind::MissingInputs => "bad-txns-inputs-missingorspent".to_owned(),
                    _ => refused.rejection.to_string(),
                };
                // What is confirmed is told by the RPC before the mempool is asked.
                let reason = match error.contains("already in utxo set") {
                    true => String::new(),
                    false => reason,
                };
                assert!(
                    error.contains(&reason),
                    "{what}: {error} for {reason}\n{}",
                    self.told()
                );
            }
        }
        if self.spender.random.one_in(8) {
            self.same(what);
        }
        accepted.is_ok()
    }

    fn same_verdict(&self, what: &str, theirs: &Value, ours: &Result<Accepted, Refused>) {
        let told = || format!("{what}: Core says {theirs}\n{}", self.told());
        let reason = match ours {
            Ok(_) => "accepted",
            Err(refused) => &*refused.rejection.reason,
        };
        *self
            .reasons
            .borrow_mut()
            .entry(reason.to_owned())
            .or_default() += 1;
        match ours {
            Ok(accepted) => {
                assert_eq!(theirs["allowed"], true, "{}", told());
                assert_eq!(theirs["vsize"], accepted.vsize, "{}", told());
                let fees = &theirs["fees"];
                assert_eq!(sat(&fees["base"]), accepted.fee, "{}", told());
                assert_eq!(
                    sat(&fees["effective-feerate"]),
                    accepted.effective.sat_per_kvb(),
                    "{}",
                    told()
                );
            }
            Err(refused) => {
                let rejection = &refused.rejection;
                assert_eq!(theirs["allowed"], false, "we say {rejection}; {}", told());
                let reason = match rejection.kind {
                    RejectionKind::MissingInputs => "missing-inputs",
                    _ => &*rejection.reason,
                };
                assert_eq!(theirs["reject-reason"], reason, "{}", told());
                // For what is missing, no more is told.
                if let Some(details) = theirs["reject-details"].as_str() {
                    assert_eq!(details, rejection.to_string(), "{}", told());
                }
            }
        }
    }

    /// Gives a package to both.
    fn give_package(&mut self, what: &str, package: &[Transaction]) {
        let hexes: Vec<String> = package
            .iter()
            .map(|tx| format!("\"{}\"", serialize_hex(tx)))
            .collect();
        let list = format!("[{}]", hexes.join(","));
        let ids: Vec<Txid> = package.iter().map(Transaction::compute_txid).collect();
        self.done.push(format!(
            "{what}: {ids:?} {}",
            &list[..list.len().min(2_000)]
        ));
        let decoded: Vec<Arc<DecodedTransaction>> = package
            .iter()
            .map(|tx| Arc::new(DecodedTransaction::new(tx.clone())))
            .collect();
        if package.len() > 1 {
            self.test_package(what, &list, &decoded);
        }
        let theirs = self
            .core
            .try_ask("submitpackage", &[&list, "0", "21000000"]);
        if package.len() > 1 && !is_child_with_parents_tree(&decoded) {
            assert!(theirs.is_err());
            return;
        }
        let theirs = theirs.expect("an answer");
        let ours = self
            .mempool
            .accept_package(&decoded, None)
            .expect("a verdict");
        let told = || format!("{what}: Core says {theirs}, we {ours:?}\n{}", self.told());
        if let Some(rejection) = &ours.rejection {
            let reason = format!("package: {}", rejection.reason);
            *self.reasons.borrow_mut().entry(reason).or_default() += 1;
        }
        let message = ours
            .rejection
            .as_ref()
            .map_or("success".to_owned(), ToString::to_string);
        assert_eq!(theirs["package_msg"], message, "{}", told());
        let mut replaced: Vec<String> = Vec::new();
        for tx in &decoded {
            let result = &theirs["tx-results"][tx.wtxid.to_string()];
            match ours.of(&tx.wtxid) {
                None => assert_eq!(result["error"], "package-not-validated", "{}", told()),
                Some(PackageOutcome::Accepted(accepted)) => {
                    assert_eq!(result["vsize"], accepted.vsize, "{}", told());
                    let fees = &result["fees"];
                    assert_eq!(sat(&fees["base"]), accepted.fee, "{}", told());
                    let effective = accepted.effective.sat_per_kvb();
                    assert_eq!(sat(&fees["effective-feerate"]), effective, "{}", told());
                    let includes: Vec<String> = accepted
                        .effective_includes
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    assert_eq!(txids(&fees["effective-includes"]), includes, "{}", told());
                    replaced.extend(accepted.replaced.iter().map(|tx| tx.txid.to_string()));
                }
                Some(PackageOutcome::Known { vsize, fee }) => {
                    assert_eq!(result["vsize"], *vsize, "{}", told());
                    assert_eq!(sat(&result["fees"]["base"]), *fee, "{}", told());
                }
                Some(PackageOutcome::DifferentWitness(wtxid)) => {
                    assert_eq!(result["other-wtxid"], wtxid.to_string(), "{}", told());
                }
                Some(PackageOutcome::Refused(refused)) => {
                    assert_eq!(result["error"], refused.rejection.to_string(), "{}", told());
                }
            }
        }
        replaced.sort();
        let mut theirs_replaced = txids(&theirs["replaced-transactions"]);
        theirs_replaced.sort();
        assert_eq!(theirs_replaced, replaced, "{}", told());
        for tx in &decoded {
            if self.mempool.view().expect("a view").contains(&tx.txid) {
                // Core notes none of a package.
                self.spender.learn(&tx.tx);
            }
        }
        self.same(what);
    }

    fn test_package(&self, what: &str, list: &str, decoded: &[Arc<DecodedTransaction>]) {
        let theirs = self.core.ask("testmempoolaccept", &[list, "0"]);
        let ours = self
            .mempool
            .test_accept_package(decoded)
            .expect("a verdict");
        for (index, tx) in decoded.iter().enumerate() {
            let theirs = &theirs[index];
            let told = || format!("{what}: Core says {theirs}, we {ours:?}\n{}", self.told());
            if let Some(error) = theirs["package-error"].as_str() {
                let own = ours.rejection.as_ref().map(ToString::to_string);
                assert_eq!(Some(error), own.as_deref(), "{}", told());
            }
            match ours.of(&tx.wtxid) {
                None => assert_eq!(theirs["allowed"], Value::Null, "{}", told()),
                Some(PackageOutcome::Accepted(accepted)) => {
                    // Core tells of none where one fails.
                    if !theirs["allowed"].is_null() {
                        self.same_verdict(what, theirs, &Ok(accepted.clone()));
                    }
                }
                Some(PackageOutcome::Refused(refused)) => {
                    self.same_verdict(what, theirs, &Err(refused.clone()));
                }
                Some(_) => panic!("{}", told()),
            }
        }
    }

    /// What waits, as far as a block takes it, in an order that it can have.
    fn some_pending(&mut self, percent: Option<u64>) -> Vec<Transaction> {
        let all: Vec<Transaction> = {
            let view = self.mempool.view().expect("a view");
            view.transactions().map(|tx| tx.tx.clone()).collect()
        };
        let percent = percent.map_or(100, |most| self.spender.random.between(0, most));
        let count = all.len() * percent as usize / 100;
        all.into_iter().take(count).collect()
    }

    /// A step by chance.
    fn step(&mut self) {
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
    fn chain(&mut self) {
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
    fn bump(&mut self) {
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
    fn family(&mut self) {
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

    fn prioritise(&mut self) {
        let all = self.mempool.view().expect("a view").txids();
        let Some(txid) = self.spender.random.pick(&all).copied() else {
            return;
        };
        let sat = self.spender.random.between(0, 40_000) as i64 - 10_000;
        self.prioritise_by(txid, sat);
    }

    fn prioritise_by(&mut self, txid: Txid, sat: i64) {
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
    fn rival_spend(&mut self) {
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

    /// Core takes blocks back one by one before it goes to another branch, and forgets on the way what could not be spent
    /// at the lower heights. Where that made a difference a block takes all that waits.
    fn level(&mut self) {
        let theirs = txids(&self.core.call("getrawmempool", &[]));
        let all = self.some_pending(None);
        let ours: Vec<String> = all.iter().map(|tx| tx.compute_txid().to_string()).collect();
        assert!(
            theirs.iter().all(|txid| ours.contains(txid)),
            "{}",
            self.told()
        );
        if theirs.len() < ours.len() {
            self.done.push("levelled by a block".to_owned());
            self.mine(all);
        }
    }

    /// Another branch, or blocks taken back.
    fn reorganise(&mut self) {
        let best = self.ledger.best();
        let depth = 1 + self.spender.random.below(4) as u32;
        let from = best.block_hash_at(best.height() - depth).expect("a block");
        match self.spender.random.below(3) {
            0 => {
                // One by one, as Core does it whatever it is asked: what comes back, and is too much for a cluster, can
                // depend on that.
                let mut first = best.hash();
                for _ in 0..depth {
                    let tip = self.ledger.best();
                    first = tip.hash();
                    self.done.push("a block invalidated".to_owned());
                    self.core.call("invalidateblock", &[&first.to_string()]);
                    self.ledger.invalidate_block(&first).expect("known");
                    if self.ledger.best().height() + 1 != tip.height() {
                        self.level();
                        break;
                    }
                    self.same("invalidating");
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

fn txids(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter()
        .map(|txid| txid.as_str().expect("a txid").to_owned())
        .collect()
}

/// An amount in bitcoins as satoshis.
fn sat(value: &Value) -> i64 {
    let text = value.to_string();
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest.to_owned()),
        None => (1, text),
    };
    let amount = bitcoin::Amount::from_float_in(
        text.parse::<f64>().expect("a number"),
        bitcoin::Denomination::Bitcoin,
    );
    sign * amount.unwrap_or(Amount::ZERO).to_sat() as i64
}

fn live(name: &str, seed: u64, config: MempoolConfig, options: &[&str], steps: usize) {
    let Some(mut pair) = Pair::start(name, seed, config, options) else {
        return;
    };
    // Of equals any may have to go where a reorganisation makes clusters too large.
    pair.spender.uneven = config.cluster_count < 64;
    for step in 0..steps {
        pair.step();
        if step % 50 == 49 {
            pair.same("some steps");
            pair.same_entries();
        }
    }
    pair.same("all");
    pair.same_entries();
    let reasons = pair.reasons.take();
    eprintln!("{reasons:#?}");
    assert!(reasons.len() >= 15, "of {} kinds only", reasons.len());
}

/// What chance seldom hits.
#[test]
fn the_rarer_rules_are_cores() {
    let name = "the_rarer_rules_are_cores";
    let options = ["-acceptnonstdtxn=0"];
    let Some(mut pair) = Pair::start(name, 8, MempoolConfig::default(), &options) else {
        return;
    };
    let order = |inputs: Vec<usize>, outputs: Vec<Lock>, version: i32, fee: u64| Order {
        inputs,
        outputs,
        version,
        fee: Fee::Exact(fee),
        dust: false,
    };
    let spread = |pair: &mut Pair, from: usize, lock: Lock, count: usize| -> Vec<usize> {
        let tx = pair
            .spender
            .make(&order(vec![from], vec![lock; count], 2, 200_000));
        assert!(pair.give("spread", &tx));
        let first = pair.spender.coins.len() - count;
        pair.mine(vec![tx]);
        (first..first + count).collect()
    };

    // Confirmed already, once by its outputs and once without a trace.
    let once = pair
        .spender
        .make(&order(vec![0], vec![Lock::WitnessScript], 2, 1_000));
    pair.give("once", &once);
    pair.mine(vec![once.clone()]);
    pair.give("known", &once);
    let at = pair.spender.coins.len() - 1;
    let gone = pair
        .spender
        .make(&order(vec![at], vec![Lock::WitnessScript], 2, 1_000));
    pair.give("spent", &gone);
    pair.mine(vec![gone]);
    pair.give("known and spent", &once);
    let coinbase = pair.blocks[110].1[0].clone();
    pair.give("a coinbase", &coinbase);

    // The same with another witness.
    let mut twin = pair
        .spender
        .make(&order(vec![1], vec![Lock::WitnessScript], 2, 1_000));
    pair.give("a twin", &twin);
    twin.input[0].witness = bitcoin::Witness::from_slice(&[vec![], vec![0x51]]);
    pair.give("its brother", &twin);
    pair.give_package("the brother by itself", std::slice::from_ref(&twin));

    // Siblings of version 3.
    let parent = pair
        .spender
        .make(&order(vec![2], vec![Lock::WitnessScript; 3], 3, 1_000));
    pair.give("a parent", &parent);
    let first = pair.spender.coins.len() - 3;
    for (what, coin, fee) in [
        ("a child", first, 1_000),
        ("a poor sibling", first + 1, 900),
        ("a sibling that is no better", first + 1, 1_005),
        ("a rich sibling", first + 1, 3_000),
    ] {
        let child = pair
            .spender
            .make(&order(vec![coin], vec![Lock::WitnessScript], 3, fee));
        pair.give(what, &child);
    }
    let large = order(vec![first + 2], vec![Lock::WitnessScript; 40], 3, 90_000);
    let large = pair.spender.make(&large);
    pair.give("a large child", &large);
    let larger = pair
        .spender
        .make(&order(vec![3], vec![Lock::WitnessScript; 300], 3, 90_000));
    pair.give("too large at all", &larger);

    // More signature operations than a transaction may have.
    let coins = spread(&mut pair, 4, Lock::WitnessSigops, 90);
    let many = pair.spender.make(&order(
        coins.clone(),
        vec![Lock::WitnessScript],
        2,
        3_000_000,
    ));
    pair.give("many sigops", &many);
    let fewer = pair.spender.make(&order(
        coins[..80].to_vec(),
        vec![Lock::WitnessScript],
        2,
        3_000_000,
    ));
    pair.give("as many as may be", &fewer);

    // More clusters than one transaction may touch.
    let coins = spread(&mut pair, 5, Lock::WitnessScript, 101);
    for coin in &coins {
        let tx = pair
            .spender
            .make(&order(vec![*coin], vec![Lock::WitnessScript], 2, 200));
        assert!(pair.give("one of many", &tx));
    }
    let all = pair.spender.make(&order(
        coins.clone(),
        vec![Lock::WitnessScript],
        2,
        1_000_000,
    ));
    pair.give("against too many", &all);
    let most = pair.spender.make(&order(
        coins[..100].to_vec(),
        vec![Lock::WitnessScript],
        2,
        1_000_000,
    ));
    assert!(pair.give("against as many as may be", &most));

    // A package whose parent pays better than the whole.
    let old = pair
        .spender
        .make(&order(vec![6], vec![Lock::WitnessScript], 2, 10_000));
    pair.give("to be replaced", &old);
    let known = pair.spender.coins.len();
    let parent = pair
        .spender
        .make(&order(vec![6], vec![Lock::WitnessScript; 2], 2, 9_000));
    pair.spender.learn(&parent);
    let outputs = vec![Lock::WitnessScript; 10];
    let child = pair.spender.make(&order(vec![known], outputs, 2, 3_000));
    pair.give_package("a parent that pays better", &[parent.clone(), child]);
    let child = pair
        .spender
        .make(&order(vec![known], vec![Lock::WitnessScript], 2, 30_000));
    pair.give_package("one whose child pays", &[parent, child.clone()]);
    pair.give_package("both again", std::slice::from_ref(&child));

    // Packages that are none.
    let one = pair
        .spender
        .make(&order(vec![7], vec![Lock::WitnessScript], 2, 1_000));
    let other = pair
        .spender
        .make(&order(vec![7], vec![Lock::WitnessScript], 2, 2_000));
    let third = pair
        .spender
        .make(&order(vec![8], vec![Lock::WitnessScript], 2, 2_000));
    pair.give_package("rivals", &[one.clone(), other]);
    pair.give_package("twice the same", &[one.clone(), one.clone()]);
    pair.give_package("strangers", &[one, third]);

    pair.same("all");
    pair.same_entries();
    let reasons = pair.reasons.take();
    for expected in [
        "txn-already-known",
        "txn-same-nonwitness-data-in-mempool",
        "coinbase",
        "insufficient fee (including sibling eviction)",
        "TRUC-violation",
        "bad-txns-too-many-sigops",
        "too many potential replacements",
        "package: package RBF failed: package feerate is less than or equal to parent feerate",
    ] {
        assert!(
            reasons.contains_key(expected),
            "{expected} is not among {reasons:#?}"
        );
    }
}

/// Large transactions of all fee rates, more than there is room for.
#[test]
fn what_has_no_room_goes_as_at_core() {
    let config = MempoolConfig {
        max_bytes: 5_000_000,
        ..MempoolConfig::default()
    };
    let name = "what_has_no_room_goes_as_at_core";
    let options = ["-maxmempool=5", "-acceptnonstdtxn=0"];
    // Not of any seed: Core's estimate of memory is not ours to the byte, and may draw the line one transaction later.
    let Some(mut pair) = Pair::start(name, 4, config, &options) else {
        return;
    };
    let mut refused = 0;
    for _ in 0..120 {
        let Some(at) = pair.spender.pick() else {
            continue;
        };
        let fee = Fee::Rate(1_000 + 500 * pair.spender.random.below(1_000) as u64);
        let order = Order {
            inputs: vec![at],
            outputs: vec![Lock::WitnessScript; 2_000],
            version: 2,
            fee,
            dust: false,
        };
        let tx = pair.spender.make(&order);
        let decoded = Arc::new(DecodedTransaction::new(tx.clone()));
        let theirs = pair
            .core
            .try_ask("sendrawtransaction", &[&serialize_hex(&tx), "0"]);
        let ours = pair.mempool.accept(&decoded).expect("a verdict");
        match &ours {
            Ok(_) => {
                assert!(theirs.is_ok(), "{theirs:?}");
                pair.mempool.set_unbroadcast(&decoded.txid, true);
                pair.spender.coins[at].spends += 1;
            }
            Err(refusal) => {
                let error = theirs.expect_err(&refusal.rejection.to_string());
                assert!(
                    error.contains(&*refusal.rejection.reason),
                    "{error} {}",
                    refusal.rejection
                );
                refused += 1;
            }
        }
        pair.same("a large one");
    }
    assert!(refused > 0, "the minimum rose");
    // It falls again once a block came and time goes by.
    pair.mine(Vec::new());
    for hours in [1, 5, 12, 30, 40] {
        pair.pass(hours * 3_600);
        pair.same("some hours");
    }
}

#[test]
fn what_waits_too_long_goes_as_at_core() {
    let config = MempoolConfig {
        expiry: 3_600,
        ..MempoolConfig::default()
    };
    let name = "what_waits_too_long_goes_as_at_core";
    let Some(mut pair) = Pair::start(name, seed(5), config, &["-mempoolexpiry=1"]) else {
        return;
    };
    for _ in 0..60 {
        if let Some(tx) = pair.spender.plain() {
            pair.give("plain", &tx);
        }
        let seconds = pair.spender.random.between(10, 400);
        pair.pass(seconds);
    }
    pair.same("all");
}

#[test]
fn the_file_of_each_is_read_by_the_other() {
    let name = "the_file_of_each_is_read_by_the_other";
    let Some(mut pair) = Pair::start(name, seed(6), MempoolConfig::default(), &[]) else {
        return;
    };
    for _ in 0..80 {
        if let Some(tx) = pair.spender.plain() {
            pair.give("plain", &tx);
        }
    }
    let first = pair.mempool.view().expect("a view").txids()[0];
    pair.prioritise_by(first, 5_000);
    let unknown = Txid::from_byte_array([3; 32]);
    pair.core
        .call("prioritisetransaction", &[&unknown.to_string(), "0", "77"]);
    pair.mempool.prioritise(unknown, 77).expect("it is noted");

    // Core's file, into a mempool of ours.
    pair.core.call("savemempool", &[]);
    let path = pair.core.chain_directory().join("mempool.dat");
    let other = Mempool::new(pair.ledger.clone(), MempoolConfig::default());
    let loaded = other
        .load(&path, LoadOptions::default())
        .expect("it is read");
    let count = pair.mempool.view().expect("a view").len() as u64;
    assert!(count > 20, "{count}");
    assert_eq!((loaded.accepted, loaded.refused), (count, 0));
    let shown = |mempool: &Mempool| {
        let view = mempool.view().expect("a view");
        let times: Vec<(Txid, u64)> = view
            .with_times()
            .map(|(tx, time)| (tx.txid, time))
            .collect();
        (times, view.prioritised(), view.unbroadcast())
    };
    assert_eq!(shown(&other), shown(&pair.mempool));

    // Ours, into an empty Core with the same chain.
    let saved = pair.core.chain_directory().join("ours.dat");
    pair.mempool.save(&saved).expect("it is written");
    let program = program(name).expect("it was there");
    let empty = Bitcoind::start(&program, &[]);
    empty.call("setmocktime", &[&pair.now.to_string()]);
    let best = pair.ledger.best();
    for height in 1..=best.height() {
        let hash = best.block_hash_at(height).expect("below the tip");
        empty.submit(&pair.ledger.block_bytes(&hash).expect("it is there"));
    }
    let options = r#"{"use_current_time": false, "apply_fee_delta_priority": true, "apply_unbroadcast_set": true}"#;
    empty.call("importmempool", &[&saved.display().to_string(), options]);
    assert_eq!(
        empty.call("getrawmempool", &[]),
        pair.core.call("getrawmempool", &[])
    );
    assert_eq!(
        empty.call("getprioritisedtransactions", &[]),
        pair.core.call("getprioritisedtransactions", &[])
    );
    let times = |core: &Bitcoind| -> Vec<(String, Value)> {
        let entries = core.call("getrawmempool", &["true"]);
        let entries = entries.as_object().expect("an object");
        entries
            .iter()
            .map(|(txid, entry)| (txid.clone(), entry["time"].clone()))
            .collect()
    };
    assert_eq!(times(&empty), times(&pair.core));
}

/// Steps of each run; more with `MEMPOOL_STEPS`.
fn steps() -> usize {
    std::env::var("MEMPOOL_STEPS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(150)
}

fn seed(default: u64) -> u64 {
    std::env::var("MEMPOOL_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

#[test]
fn random_transactions_get_cores_verdict_and_leave_its_mempool() {
    live(
        "random_transactions_get_cores_verdict_and_leave_its_mempool",
        seed(1),
        MempoolConfig::default(),
        &["-acceptnonstdtxn=0"],
        steps(),
    );
}

#[test]
fn the_same_without_standardness() {
    let config = MempoolConfig {
        require_standard: false,
        ..MempoolConfig::default()
    };
    live(
        "the_same_without_standardness",
        seed(2),
        config,
        &["-acceptnonstdtxn=1"],
        steps(),
    );
}

#[test]
fn the_same_with_small_clusters() {
    let config = MempoolConfig {
        cluster_count: 5,
        cluster_vbytes: 2_000,
        ..MempoolConfig::default()
    };
    let options = [
        "-acceptnonstdtxn=0",
        "-limitclustercount=5",
        "-limitclustersize=2",
    ];
    live(
        "the_same_with_small_clusters",
        seed(3),
        config,
        &options,
        steps(),
    );
}
