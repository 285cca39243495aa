//! Owns a Bitcoin Core and a mempool of ours that are given the same, and what has to be the same of both.
//! Promises to say which step made them differ. Refuses to choose what they are given.

use std::collections::BTreeMap;
use std::sync::Arc;

use bitcoin::consensus::encode::{deserialize, serialize_hex};
use bitcoin::{Amount, Block, BlockHash, Transaction, Txid};
use everett_ledger::decode::DecodedTransaction;
use everett_ledger::{Clock, Ledger, LedgerConfig, Network, Params};
use everett_mempool::{
    Accepted, FeesKept, Mempool, MempoolConfig, PackageOutcome, Refused, RejectionKind,
    is_child_with_parents_tree,
};
use everett_tests::bitcoind::{Bitcoind, program};
use everett_tests::spender::{Spender, payout};
use serde_json::Value;

/// Unix seconds when a test begins.
pub(crate) const START: u64 = 1_700_000_000;

/// Both, side by side.
pub(crate) struct Pair {
    pub(crate) core: Bitcoind,
    pub(crate) ledger: Ledger,
    pub(crate) mempool: Mempool,
    pub(crate) spender: Spender,
    pub(crate) now: u64,
    /// Blocks made so far, with what they hold.
    pub(crate) blocks: Vec<(BlockHash, Vec<Transaction>)>,
    /// Reasons that were given, and how often.
    pub(crate) reasons: std::cell::RefCell<BTreeMap<String, usize>>,
    /// What was done, to be told when it goes wrong.
    pub(crate) done: Vec<String>,
}

impl Pair {
    pub(crate) fn start(
        name: &str,
        seed: u64,
        config: MempoolConfig,
        options: &[&str],
    ) -> Option<Pair> {
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

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now += seconds;
        self.ledger.clock().set(self.now);
        self.core.call("setmocktime", &[&self.now.to_string()]);
    }

    pub(crate) fn block(
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

    pub(crate) fn submit(&mut self, bytes: &[u8]) {
        let block: Block = deserialize(bytes).expect("a block");
        self.ledger.submit_block(bytes).expect("a disk");
        self.core.submit(bytes);
        // Else two steps of Core's can be one of ours.
        self.mempool.catch_up().expect("a ledger");
        self.blocks.push((block.block_hash(), block.txdata));
    }

    /// A block on the best world.
    pub(crate) fn mine(&mut self, transactions: Vec<Transaction>) {
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

    pub(crate) fn told(&self) -> String {
        let from = self
            .done
            .len()
            .saturating_sub(std::env::var_os("MEMPOOL_ALL").map_or(40, |_| usize::MAX));
        self.done[from..].join("\n")
    }

    /// Ends Core, and holds what it has written of fees against what we write, byte by byte; each of us reads it.
    pub(crate) fn same_fee_file(&mut self) {
        const FILE: &str = "fee_estimates.dat";
        self.core.stop();
        let theirs = self.core.chain_directory().join(FILE);
        let directory = tempfile::tempdir().expect("a directory");
        let ours = directory.path().join(FILE);
        self.mempool.save_fees(&ours, true).expect("a disk");
        let read = |path: &std::path::Path| std::fs::read(path).expect("it was written");
        let (their_bytes, our_bytes) = (read(&theirs), read(&ours));
        let differs = (their_bytes.iter().zip(&our_bytes)).position(|(one, other)| one != other);
        assert_eq!(differs, None, "a byte of {}", their_bytes.len());
        assert_eq!(their_bytes.len(), our_bytes.len());
        let fresh = Mempool::new(self.ledger.clone(), MempoolConfig::default());
        let taken = fresh.load_fees(&theirs, false).expect("Core's file");
        assert_eq!(taken, FeesKept::Taken);
    }

    /// Holds both mempools against each other.
    pub(crate) fn same(&mut self, what: &str) {
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
    pub(crate) fn same_entries(&self) {
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
    pub(crate) fn give(&mut self, what: &str, tx: &Transaction) -> bool {
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

    pub(crate) fn same_verdict(
        &self,
        what: &str,
        theirs: &Value,
        ours: &Result<Accepted, Refused>,
    ) {
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
    pub(crate) fn give_package(&mut self, what: &str, package: &[Transaction]) {
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

    pub(crate) fn test_package(&self, what: &str, list: &str, decoded: &[Arc<DecodedTransaction>]) {
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
}

pub(crate) fn txids(list: &Value) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter()
        .map(|txid| txid.as_str().expect("a txid").to_owned())
        .collect()
}

/// An amount in bitcoins as satoshis.
pub(crate) fn sat(value: &Value) -> i64 {
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
