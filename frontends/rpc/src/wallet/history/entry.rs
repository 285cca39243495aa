//! Owns one transaction of a wallet as an answer tells it.
//! Promises Core's fields in Core's order.

use std::collections::{BTreeSet, HashSet};

use bitcoin::{OutPoint, Script, Sequence, TxOut, Txid};
use everett_ledger::World;
use everett_wallet::{PaymentState, Record, State, View};

use super::super::{book, coins};
use crate::call::Call;
use crate::error::RpcError;
use crate::json::{Json, amount, object};
use crate::method::Answer;

/// Transactions that are built on each other and looked through for what stands against the first one, at most.
const MAX_GENERATIONS: usize = 1_000;
/// Version of transactions that have one parent and one child while they wait (BIP431).
const TRUC_VERSION: i32 = 3;

/// What of a transaction is listed.
pub(in super::super) struct Listing<'a> {
    /// Only what is received by this label.
    pub(in super::super) label: Option<&'a str>,
    /// Whether it is told how the transaction stands.
    pub(in super::super) whole: bool,
    /// Whether change is told as well.
    pub(in super::super) change: bool,
    /// Whether what is received is told also where something stands against it.
    pub(in super::super) conflicted: bool,
}

impl Default for Listing<'_> {
    fn default() -> Self {
        Listing {
            label: None,
            whole: true,
            change: false,
            conflicted: false,
        }
    }
}

/// Tells of transactions as they stand in one world.
pub(in super::super) struct Teller<'a, 'v> {
    call: &'a Call,
    view: &'a View<'v>,
    world: &'a World,
    state: State,
    pending: HashSet<Txid>,
    trusted: HashSet<Txid>,
}

fn sat(output: &TxOut) -> i64 {
    i64::try_from(output.value.to_sat()).unwrap_or(i64::MAX)
}

impl<'a, 'v> Teller<'a, 'v> {
    pub(in super::super) fn new(
        call: &'a Call,
        view: &'a View<'v>,
        world: &'a World,
    ) -> Result<Teller<'a, 'v>, RpcError> {
        let state = view.state(world);
        let pending = view.pending_on(world)?;
        let trusted = view.trusted(&state, &pending);
        Ok(Teller {
            call,
            view,
            world,
            state,
            pending,
            trusted,
        })
    }

    /// Whether it waits in this world.
    pub(in super::super) fn waits(&self, record: &Record) -> bool {
        self.pending.contains(&record.txid)
    }

    /// The outputs of a transaction with their places.
    fn outputs(record: &Record) -> impl Iterator<Item = (OutPoint, &TxOut)> {
        let outputs = record.tx.output.iter().enumerate();
        // A transaction has fewer outputs than a u32 counts.
        outputs.map(|(vout, output)| (OutPoint::new(record.txid, vout as u32), output))
    }

    fn is_ours(&self, outpoint: &OutPoint) -> bool {
        self.view.output(outpoint).is_some()
    }

    /// Satoshis of ours that it spends.
    pub(in super::super) fn debit(&self, record: &Record) -> i64 {
        let spent = record.tx.input.iter();
        let ours = spent.filter_map(|input| self.view.output(&input.previous_output));
        ours.map(|output| output.amount.to_sat() as i64).sum()
    }

    /// Satoshis that it pays us; none while it is a coinbase that is too young.
    pub(in super::super) fn credit(&self, record: &Record) -> Result<i64, RpcError> {
        if record.tx.is_coinbase() && self.is_immature(record)? {
            return Ok(0);
        }
        let ours = Self::outputs(record).filter(|(outpoint, _)| self.is_ours(outpoint));
        Ok(ours.map(|(_, output)| sat(output)).sum())
    }

    /// Satoshis of all its outputs.
    pub(in super::super) fn paid(&self, record: &Record) -> i64 {
        record.tx.output.iter().map(sat).sum()
    }

    fn is_immature(&self, record: &Record) -> Result<bool, RpcError> {
        let depth = self.confirmations(record)?;
        Ok(record.tx.is_coinbase() && depth <= i64::from(everett_ledger::COINBASE_MATURITY))
    }

    /// Whether it was given up, or cannot come in this world: it is a coinbase of a block that this world does not have, or is
    /// built on one.
    fn is_abandoned(&self, record: &Record) -> bool {
        let mut seen = BTreeSet::from([record.txid]);
        let mut waiting = vec![record];
        while let Some(ancestor) = waiting.pop() {
            if ancestor.tx.is_coinbase() {
                return self.state.place(&ancestor.txid).is_none();
            }
            waiting.extend(self.loose_parents(ancestor, &mut seen));
        }
        record.abandoned
    }

    /// How deep it is: 0 while it waits, negative where a block has something that stands against it.
    pub(in super::super) fn confirmations(&self, record: &Record) -> Result<i64, RpcError> {
        let depth = |height: u32| i64::from(self.world.height()) + 1 - i64::from(height);
        if let Some(place) = self.state.place(&record.txid) {
            return Ok(depth(place.height));
        }
        if self.pending.contains(&record.txid) {
            return Ok(0);
        }
        // What stands against something that it is built on stands against it; the deepest counts.
        let mut deepest = 0;
        let mut seen = BTreeSet::from([record.txid]);
        let mut built_on = vec![record];
        while let Some(record) = built_on.pop() {
            let state =
                (self.view).payment_in(&record.txid, self.world, &self.state, &self.pending)?;
            if let PaymentState::Conflicted {
                block: Some(block), ..
            } = state
            {
                let info = self.call.ledger().block_info(&block);
                deepest = deepest.min(info.map_or(0, |info| -depth(info.height)));
            }
            built_on.extend(self.loose_parents(record, &mut seen));
        }
        Ok(deepest)
    }

    /// The transactions of the wallet that it spends, that no block has, that do not wait, and that were not seen before.
    fn loose_parents<'r>(
        &'r self,
        record: &'r Record,
        seen: &mut BTreeSet<Txid>,
    ) -> Vec<&'r Record> {
        if seen.len() >= MAX_GENERATIONS {
            return Vec::new();
        }
        let loose = |txid: &Txid| self.state.place(txid).is_none() && !self.pending.contains(txid);
        let spent = record
            .tx
            .input
            .iter()
            .map(|input| input.previous_output.txid);
        let parents = spent.filter(|txid| loose(txid) && seen.insert(*txid));
        parents.filter_map(|txid| self.view.record(&txid)).collect()
    }

    /// Adds how a transaction stands.
    pub(in super::super) fn standing(
        &self,
        record: &Record,
        json: &mut Json,
    ) -> Result<(), RpcError> {
        let confirmations = self.confirmations(record)?;
        json.push("confirmations", confirmations);
        if record.tx.is_coinbase() {
            json.push("generated", true);
        }
        match self.state.place(&record.txid) {
            Some(place) => {
                json.push("blockhash", place.block);
                json.push("blockheight", place.height);
                json.push("blockindex", place.index);
                let info = self.call.ledger().block_info(&place.block);
                json.push_some("blocktime", info.map(|info| info.header.time));
            }
            None => json.push("trusted", self.trusted.contains(&record.txid)),
        }
        json.push("txid", record.txid);
        json.push("wtxid", record.tx.compute_wtxid());
        json.push(
            "walletconflicts",
            self.rivals(record).into_iter().collect::<Json>(),
        );
        json.push(
            "mempoolconflicts",
            self.waiting_rivals(record)?.into_iter().collect::<Json>(),
        );
        json.push("time", record.time);
        json.push("timereceived", record.received);
        let replaceable = match confirmations > 0 {
            true => "no",
            false => self.replaceable(record)?,
        };
        json.push("bip125-replaceable", replaceable);
        let mut notes: Vec<(&str, Json)> = record
            .notes
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str().into()))
            .collect();
        notes.extend(
            record
                .replaced_by
                .map(|txid| ("replaced_by_txid", txid.into())),
        );
        notes.extend(record.replaces.map(|txid| ("replaces_txid", txid.into())));
        notes.sort_by_key(|(name, _)| *name);
        for (name, text) in notes {
            json.push(name, text);
        }
        Ok(())
    }

    /// The other transactions of the wallet that spend what it spends.
    fn rivals(&self, record: &Record) -> BTreeSet<Txid> {
        if record.tx.is_coinbase() {
            return BTreeSet::new();
        }
        let spent = record.tx.input.iter();
        let spenders = spent.flat_map(|input| self.view.spenders(&input.previous_output));
        spenders
            .copied()
            .filter(|txid| *txid != record.txid)
            .collect()
    }

    /// The transactions in the mempool that spend what it spends, or what those of the wallet spend that it is built on and that
    /// do not wait either.
    fn waiting_rivals(&self, record: &Record) -> Result<BTreeSet<Txid>, RpcError> {
        if self.state.place(&record.txid).is_some() || self.pending.contains(&record.txid) {
            return Ok(BTreeSet::new());
        }
        let mempool = self.call.handle().mempool().view()?;
        let mut rivals = BTreeSet::new();
        let mut seen = BTreeSet::from([record.txid]);
        let mut built_on = vec![record];
        while let Some(record) = built_on.pop() {
            for input in &record.tx.input {
                let outpoint = &input.previous_output;
                let rival = mempool.spender(outpoint);
                rivals.extend(rival.filter(|txid| *txid != record.txid));
            }
            rivals.extend(siblings(&mempool, record));
            built_on.extend(self.loose_parents(record, &mut seen));
        }
        Ok(rivals)
    }

    /// Whether it, or what it is built on, says that it may be replaced.
    fn replaceable(&self, record: &Record) -> Result<&'static str, RpcError> {
        let signals = |inputs: &[bitcoin::TxIn]| {
            let mut sequences = inputs.iter().map(|input| input.sequence);
            sequences.any(|sequence: Sequence| sequence.is_rbf())
        };
        if signals(&record.tx.input) {
            return Ok("yes");
        }
        let mempool = self.call.handle().mempool().view()?;
        let Some(ancestors) = mempool.ancestors(&record.txid) else {
            return Ok("unknown");
        };
        let mut ancestors = ancestors
            .iter()
            .filter_map(|txid| mempool.transaction(txid));
        Ok(match ancestors.any(|tx| signals(&tx.tx.input)) {
            true => "yes",
            false => "no",
        })
    }

    fn push_address(&self, script: &Script, json: &mut Json) {
        let address = book::address(script, self.view.keyring().network());
        json.push_some("address", address.map(|address| address.to_string()));
    }

    /// Adds what a transaction pays, and what it pays us.
    pub(in super::super) fn list(
        &self,
        record: &Record,
        listing: &Listing<'_>,
        told: &mut Vec<Json>,
    ) -> Result<(), RpcError> {
        let debit = self.debit(record);
        let shown = |script: &Script| debit == 0 || listing.change || !self.view.is_change(script);
        let sends = debit > 0 && listing.label.is_none();
        let confirmations = self.confirmations(record)?;
        // As in Core: what a block stands against is told as that alone.
        let abandoned = self.is_abandoned(record) && confirmations >= 0;
        for (outpoint, output) in Self::outputs(record).filter(|_| sends) {
            let script = &output.script_pubkey;
            if !shown(script) {
                continue;
            }
            let mut json = Json::Object(Vec::new());
            self.push_address(script, &mut json);
            json.push("category", "send");
            json.push("amount", amount(-sat(output)));
            let entry = book::entry(self.view, script);
            json.push_some("label", entry.map(|label| label.text.as_str()));
            json.push("vout", outpoint.vout);
            json.push("fee", amount(self.paid(record) - debit));
            if listing.whole {
                self.standing(record, &mut json)?;
            }
            json.push("abandoned", abandoned);
            told.push(json);
        }
        if confirmations < 0 && !listing.conflicted {
            return Ok(());
        }
        for (outpoint, output) in Self::outputs(record) {
            let script = &output.script_pubkey;
            if !self.is_ours(&outpoint) || !shown(script) {
                continue;
            }
            let entry = book::entry(self.view, script);
            let text = entry.map_or("", |label| label.text.as_str());
            if listing.label.is_some_and(|wanted| wanted != text) {
                continue;
            }
            let mut json = Json::Object(Vec::new());
            self.push_address(script, &mut json);
            json.push("parent_descs", coins::parents(self.view, script));
            let category = match record.tx.is_coinbase() {
                false => "receive",
                true if confirmations < 1 => "orphan",
                true if self.is_immature(record)? => "immature",
                true => "generate",
            };
            json.push("category", category);
            json.push("amount", output.value);
            json.push_some("label", entry.map(|label| label.text.as_str()));
            json.push("vout", outpoint.vout);
            json.push("abandoned", abandoned);
            if listing.whole {
                self.standing(record, &mut json)?;
            }
            told.push(json);
        }
        Ok(())
    }

    /// How a transaction stands, as one word with what goes with it.
    pub(in super::super) fn state(&self, record: &Record) -> Answer {
        let state = self
            .view
            .payment_in(&record.txid, self.world, &self.state, &self.pending)?;
        let mut json = object! {
            "hash" => self.world.hash(),
            "height" => self.world.height(),
            "best" => self.world.hash() == self.call.ledger().best().hash(),
            "state" => state.word(),
            "confirmations" => self.confirmations(record)?,
        };
        match state {
            PaymentState::Confirmed { place, .. } => {
                json.push("blockhash", place.block);
                json.push("blockheight", place.height);
                json.push("blockindex", place.index);
            }
            PaymentState::Pending { in_mempool } => json.push("in_mempool", in_mempool),
            PaymentState::Conflicted {
                outpoint,
                by,
                block,
            } => {
                json.push("outpoint", outpoint.to_string());
                json.push_some("by", by);
                json.push_some("blockhash", block);
            }
            PaymentState::Gone { missing } => {
                json.push_some("missing", missing.map(|outpoint| outpoint.to_string()));
            }
        }
        Ok(json)
    }
}

/// Of a transaction of version 3 those that wait in its place: its parent has no other child (BIP431).
fn siblings(mempool: &everett_mempool::View<'_>, record: &Record) -> Vec<Txid> {
    if record.tx.version.0 != TRUC_VERSION {
        return Vec::new();
    }
    let parents = record
        .tx
        .input
        .iter()
        .map(|input| input.previous_output.txid);
    let children = parents.filter_map(|parent| mempool.descendants(&parent));
    children
        .flatten()
        .filter(|txid| *txid != record.txid)
        .collect()
}
