//! Owns which coins a payment may take, and what is needed to plan with them.
//! Promises that a coin which some chosen world does not have and could not have is not among them, or is refused by name.
//! Refuses to choose among them, which the selection does.

use std::collections::{HashMap, HashSet};

use bitcoin::{Amount, OutPoint, Script, ScriptBuf, TxIn, TxOut, Txid};
use everett_ledger::{COINBASE_MATURITY, World};
use miniscript::descriptor::DescriptorType;

use super::ancestry::{Ancestry, Before};
use super::error::{SpendError, Unspendable};
use super::request::{In, Request, Scope};
use super::versions::goes_with;
use crate::keys::OutputType;
use crate::safe::Own;
use crate::slot::{DescriptorNumber, Slot};
use crate::spendable::Spendable;
use crate::view::View;

/// What is known of how scripts are spent: by descriptor and the script's form.
type Weights = HashMap<(DescriptorNumber, usize, bool), Option<(u64, bool)>>;

/// A coin with all that is needed to plan with it.
pub(super) struct Candidate {
    pub(super) outpoint: OutPoint,
    pub(super) output: TxOut,
    pub(super) sequence: Option<u32>,
    pub(super) weight: u64,
    pub(super) segwit: bool,
    pub(super) wanted: bool,
    /// Blocks from the one that made it up to the tip; 0 while it waits.
    pub(super) confirmations: u32,
    /// Whether it was made by a payment of ours.
    pub(super) from_us: bool,
    /// What stands before it while it waits.
    pub(super) before: Before,
}

impl Candidate {
    /// The kind of address that was paid, as far as the form of the script tells.
    pub(super) fn kind(&self) -> OutputType {
        let script = &self.output.script_pubkey;
        match () {
            () if script.is_p2tr() => OutputType::Bech32m,
            () if script.is_witness_program() => OutputType::Bech32,
            () if script.is_p2sh() && self.segwit => OutputType::P2shSegwit,
            () => OutputType::Legacy,
        }
    }
}

/// What the coins of the best world are worth that are left out of a payment.
#[derive(Default)]
pub(super) struct Beside {
    /// Those of which it is not known how they are spent.
    pub(super) opaque: Amount,
    /// Those that are locked.
    pub(super) locked: Amount,
    /// Those whose address was paid from before, where that is avoided.
    pub(super) reused: Amount,
}

impl View<'_> {
    /// The coins that may be taken, the wanted ones first.
    pub(super) fn candidates(
        &self,
        request: &Request,
        best: &World,
        ancestry: &mut Ancestry<'_>,
    ) -> Result<Vec<Candidate>, SpendError> {
        let spendable = self.spendable_without(best, request.replaces)?;
        let mut by_outpoint: HashMap<OutPoint, &Spendable> =
            spendable.iter().map(|coin| (coin.outpoint, coin)).collect();
        let mut candidates = Vec::new();
        let mut named: HashSet<OutPoint> = HashSet::new();
        let mut all_taken: Vec<Spendable> = Vec::new();
        for wanted in &request.inputs {
            if !named.insert(wanted.outpoint) {
                return Err(SpendError::Coin {
                    outpoint: wanted.outpoint,
                    why: Unspendable::Twice,
                });
            }
            let coin = by_outpoint.remove(&wanted.outpoint);
            if coin.is_some_and(|coin| coin.locked) && !request.use_locked {
                return Err(SpendError::Coin {
                    outpoint: wanted.outpoint,
                    why: Unspendable::Locked,
                });
            }
            let taken = match coin {
                None if request.use_taken => self.taken(&wanted.outpoint, best)?,
                _ => None,
            };
            let mut candidate = self.wanted(wanted, coin.or(taken.as_ref()), best)?;
            self.look_before(&mut candidate, ancestry)?;
            let theirs = self.waiting_version(&candidate)?;
            if let Some(theirs) = theirs.filter(|theirs| !goes_with(request, *theirs)) {
                return Err(SpendError::Version {
                    theirs,
                    ours: request.version,
                });
            }
            candidates.push(candidate);
            all_taken.extend(taken);
        }
        let excluded = match request.scope {
            Scope::AllWorlds => self.not_everywhere(request, &spendable, &all_taken)?,
            Scope::Best => HashSet::new(),
        };
        if request.scope == Scope::AllWorlds && request.inputs_scope != Some(Scope::Best) {
            self.check_everywhere(&request.inputs, &excluded)?;
        }
        if !request.add_inputs {
            return Ok(candidates);
        }
        let mut weights = Weights::default();
        let depth = request.min_confirmations..=request.max_confirmations;
        for coin in spendable
            .iter()
            .filter(|coin| by_outpoint.contains_key(&coin.outpoint))
        {
            let fits = depth.contains(&coin.confirmations)
                && (self.spends_pending || coin.confirmations > 0)
                && (coin.trusted && !self.was_bumped(coin) || request.include_unsafe)
                && !coin.locked
                && (!coin.reused || request.use_reused)
                && !excluded.contains(&coin.outpoint);
            if fits && let Some(mut candidate) = self.candidate(coin, &mut weights) {
                self.look_before(&mut candidate, ancestry)?;
                candidates.push(candidate);
            }
        }
        self.leave_unfit_versions(request, candidates)
    }

    /// Notes how a coin stands that waits.
    fn look_before(
        &self,
        candidate: &mut Candidate,
        ancestry: &mut Ancestry<'_>,
    ) -> Result<(), SpendError> {
        let txid = &candidate.outpoint.txid;
        if let Some(record) = self.record(txid) {
            let mut spent = record.tx.input.iter().map(|input| input.previous_output);
            candidate.from_us = spent.any(|outpoint| self.output(&outpoint).is_some());
        }
        if candidate.confirmations == 0 {
            candidate.before = ancestry.before(txid)?;
        }
        Ok(())
    }

    /// Refuses a coin that was asked for and that some live world does not have and could not have.
    fn check_everywhere(
        &self,
        inputs: &[In],
        excluded: &HashSet<OutPoint>,
    ) -> Result<(), SpendError> {
        let missing = |outpoint| SpendError::Coin {
            outpoint,
            why: Unspendable::NotEverywhere,
        };
        if let Some(wanted) = inputs
            .iter()
            .find(|wanted| excluded.contains(&wanted.outpoint))
        {
            return Err(missing(wanted.outpoint));
        }
        // Of other people's coins nothing is kept: the worlds are asked.
        let foreign: Vec<&In> = inputs
            .iter()
            .filter(|wanted| self.output(&wanted.outpoint).is_none())
            .collect();
        if foreign.is_empty() {
            return Ok(());
        }
        for rival in &self.rivals {
            let mut waiting: Vec<OutPoint> = Vec::new();
            for wanted in &foreign {
                let there = rival.coin(&wanted.outpoint);
                if there.map_err(crate::WalletError::from)?.is_none() {
                    waiting.push(wanted.outpoint);
                }
            }
            if waiting.is_empty() {
                continue;
            }
            // What waits here may be something that cannot come there.
            let mempool = self.mempool.view_on(rival)?;
            let waits = |outpoint: &OutPoint| {
                let tx = mempool.transaction(&outpoint.txid);
                tx.is_some_and(|tx| tx.tx.output.get(outpoint.vout as usize).is_some())
            };
            if let Some(lacking) = waiting.into_iter().find(|outpoint| !waits(outpoint)) {
                return Err(missing(lacking));
            }
        }
        Ok(())
    }

    /// The coins that some live world does not have and could not have. Of those that wait and are not our own only these are
    /// looked at which the request may take. `taken`: those it names that something waiting spends.
    fn not_everywhere(
        &self,
        request: &Request,
        spendable: &[Spendable],
        taken: &[Spendable],
    ) -> Result<HashSet<OutPoint>, SpendError> {
        let mut missing = self.unsafe_coins();
        let named: HashSet<OutPoint> = (request.inputs.iter())
            .map(|wanted| wanted.outpoint)
            .collect();
        let matters = |coin: &&Spendable| {
            coin.trusted || request.include_unsafe || named.contains(&coin.outpoint)
        };
        let free = spendable.iter().filter(matters);
        let waiting = free.chain(taken).filter(|coin| coin.coin.is_none());
        let waiting: Vec<&Spendable> = waiting.collect();
        if waiting.is_empty() {
            return Ok(missing);
        }
        for rival in &self.rivals {
            let state = self.state(rival);
            let mut own = Own::new(self, &state, rival);
            let mut pending: Option<HashSet<Txid>> = None;
            for coin in &waiting {
                let txid = &coin.outpoint.txid;
                // Over there it may be confirmed, and what it made spent again.
                let there = match state.place(txid) {
                    Some(_) => state.coin(&coin.outpoint).is_some(),
                    None if own.can_come(txid) => true,
                    // It is built on what others sent and can take back over there.
                    None if coin.trusted => false,
                    // What others sent is asked of the mempool that would be there.
                    None => {
                        if pending.is_none() {
                            pending = Some(self.pending_on(rival)?);
                        }
                        (pending.as_ref()).is_some_and(|pending| pending.contains(txid))
                    }
                };
                if !there {
                    missing.insert(coin.outpoint);
                }
            }
        }
        Ok(missing)
    }

    /// What could be taken besides.
    pub(super) fn beside(&self, request: &Request) -> Result<Beside, SpendError> {
        let spendable = self.spendable_without(&self.best, request.replaces)?;
        let mut weights = Weights::default();
        let mut beside = Beside::default();
        for coin in spendable.iter().filter(|coin| coin.trusted) {
            if coin.locked {
                beside.locked += coin.output.amount;
            } else if self.candidate(coin, &mut weights).is_none() {
                beside.opaque += coin.output.amount;
            } else if coin.reused && !request.use_reused {
                beside.reused += coin.output.amount;
            }
        }
        Ok(beside)
    }

    /// One of our coins; `None` if it is not known how to spend it.
    fn candidate(&self, coin: &Spendable, weights: &mut Weights) -> Option<Candidate> {
        let script = self.script_of(&coin.outpoint)?;
        let (weight, segwit) = self.spend_weight(&script, coin.output.slot, weights)?;
        Some(Candidate {
            outpoint: coin.outpoint,
            output: TxOut {
                value: coin.output.amount,
                script_pubkey: script,
            },
            sequence: None,
            weight,
            segwit,
            wanted: false,
            confirmations: coin.confirmations,
            from_us: false,
            before: Before::default(),
        })
    }

    /// A coin of ours that no block has spent, whatever waits.
    fn taken(&self, outpoint: &OutPoint, best: &World) -> Result<Option<Spendable>, SpendError> {
        let Some(output) = self.output(outpoint) else {
            return Ok(None);
        };
        let state = self.state(best);
        let coin = state.coin(outpoint).copied();
        let there = match &coin {
            Some(coin) => coin.is_mature(best.height()),
            None => state.spender(outpoint).is_none() && self.pending_output(outpoint)?.is_some(),
        };
        Ok(there.then(|| Spendable {
            outpoint: *outpoint,
            output,
            coin,
            confirmations: coin.map_or(0, |coin| best.height() + 1 - coin.height),
            trusted: true,
            locked: false,
            reused: false,
        }))
    }

    /// A coin that has to be spent, ours or not.
    fn wanted(
        &self,
        wanted: &In,
        coin: Option<&Spendable>,
        best: &World,
    ) -> Result<Candidate, SpendError> {
        let outpoint = wanted.outpoint;
        let ours = coin.and_then(|coin| self.candidate(coin, &mut Weights::default()));
        let fail = |why| SpendError::Coin { outpoint, why };
        let mut candidate = match ours {
            Some(candidate) => candidate,
            None => {
                if coin.is_none() && self.output(&outpoint).is_some() {
                    return Err(fail(self.why_not(&outpoint, best)?));
                }
                let found = best.coin(&outpoint).map_err(crate::WalletError::from)?;
                let confirmations = match &found {
                    Some(found) => best.height() + 1 - found.height,
                    None => 0,
                };
                let output = match found {
                    Some(found) => TxOut {
                        value: found.amount,
                        script_pubkey: ScriptBuf::from_bytes(
                            found.script_pubkey.as_bytes().to_vec(),
                        ),
                    },
                    None => self
                        .pending_output(&outpoint)?
                        .ok_or_else(|| fail(Unspendable::Unknown))?,
                };
                let segwit = output.script_pubkey.is_witness_program();
                let why = match self.output(&outpoint) {
                    Some(_) => Unspendable::Opaque,
                    None => Unspendable::Unsolvable,
                };
                let weight = wanted.weight.ok_or_else(|| fail(why))?;
                Candidate {
                    outpoint,
                    output,
                    sequence: None,
                    weight,
                    segwit,
                    wanted: true,
                    confirmations,
                    from_us: false,
                    before: Before::default(),
                }
            }
        };
        candidate.weight = wanted.weight.unwrap_or(candidate.weight);
        candidate.sequence = wanted.sequence;
        candidate.wanted = true;
        Ok(candidate)
    }

    /// Why an output of ours is none that can be spent.
    fn why_not(&self, outpoint: &OutPoint, best: &World) -> Result<Unspendable, SpendError> {
        let state = self.state(best);
        if let Some(by) = state.spender(outpoint) {
            return Ok(Unspendable::Spent { by });
        }
        let coin = state.coin(outpoint);
        if let Some(young) = coin.filter(|coin| !coin.is_mature(best.height())) {
            return Ok(Unspendable::Immature {
                height: young.height + COINBASE_MATURITY,
            });
        }
        let waiting = self.unconfirmed_spenders(best, &state, &self.pending_on(best)?);
        let mut spenders = self.spenders(outpoint).iter();
        Ok(match spenders.find(|txid| waiting.contains(*txid)) {
            Some(by) => Unspendable::Taken { by: *by },
            None => Unspendable::NotInBest,
        })
    }

    /// An output of what waits in the mempool.
    pub(super) fn pending_output(&self, outpoint: &OutPoint) -> Result<Option<TxOut>, SpendError> {
        let view = self.mempool.view()?;
        let tx = view.transaction(&outpoint.txid);
        Ok(tx.and_then(|tx| tx.tx.output.get(outpoint.vout as usize).cloned()))
    }

    /// The script of one of our outputs.
    pub fn script_of(&self, outpoint: &OutPoint) -> Option<ScriptBuf> {
        let record = self.record(&outpoint.txid)?;
        let output = record.tx.output.get(outpoint.vout as usize)?;
        Some(output.script_pubkey.clone())
    }

    /// Weight units of an input that spends a script of ours, with its witness, and whether it has one. Known from another script
    /// of the same descriptor: keys and signatures are as long at each index.
    fn spend_weight(
        &self,
        script: &Script,
        slot: Slot,
        weights: &mut Weights,
    ) -> Option<(u64, bool)> {
        // Four kinds of scripts are of one `combo()`, which differ in their length but for two of them.
        let kind = (slot.descriptor, script.len(), script.is_p2pkh());
        if let Some(known) = weights.get(&kind) {
            return *known;
        }
        let weight = || {
            let solution = self.keyring().spent_like(script)?;
            let satisfaction = solution.max_weight_to_satisfy().ok()?;
            let segwit = solution.desc_type().segwit_version().is_some();
            let input = TxIn::default().segwit_weight() + satisfaction;
            // Our signatures have a low R, and are shorter by a byte than they might be; who signs for a wallet that only watches
            // may not see to that.
            let shorter = match solution.desc_type() {
                _ if self.keyring().flags().disable_private_keys => 0,
                DescriptorType::Wpkh | DescriptorType::ShWpkh => 1,
                DescriptorType::Pkh => 4,
                _ => 0,
            };
            Some((input.to_wu() - shorter, segwit))
        };
        let weight = weight();
        weights.insert(kind, weight);
        weight
    }
}
