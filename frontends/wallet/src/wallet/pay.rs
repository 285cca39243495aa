//! Owns how an open wallet pays: planned, signed, sent, given up.
//! Promises that coins are spoken for from their choice on, and that what is sent is remembered first.
//! Refuses to choose coins, which [`spend`](crate::spend) does.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bitcoin::hashes::Hash;
use bitcoin::{Amount, OutPoint, Psbt, ScriptBuf, Transaction, TxOut, Txid, WPubkeyHash};
use everett_ledger::decode::DecodedTransaction;
use tracing::warn;

use super::Wallet;
use crate::error::WalletError;
use crate::keys::{Chain, KeyError, Keyring, OutputType, Process};
use crate::payment::PaymentState;
use crate::record::Record;
use crate::request_id::RequestId;
use crate::slot::Slot;
use crate::spend::{
    Asked, Bump, BumpWish, ChangeTo, FeeChoice, Made, Plan, Request, Scope, SpendError, Unspendable,
};
use crate::verify::sum;

/// What was planned and signed as far as the keys go.
#[derive(Clone, PartialEq, Debug)]
pub struct Prepared {
    /// How it came to be.
    pub plan: Plan,
    /// The payment with its signatures.
    pub psbt: Psbt,
    /// The transaction where it has all of them.
    pub tx: Option<Transaction>,
}

/// The transaction of a PSBT whose inputs are all finished.
fn finished(psbt: &Psbt) -> Transaction {
    let mut tx = psbt.unsigned_tx.clone();
    for (input, told) in tx.input.iter_mut().zip(&psbt.inputs) {
        input.script_sig = told.final_script_sig.clone().unwrap_or_default();
        input.witness = told.final_script_witness.clone().unwrap_or_default();
    }
    tx
}

/// What a transaction that was made before has to be, to be sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SendTerms {
    /// Whether it may take the place of a payment of ours that waits and spends a coin of the same.
    pub may_replace: bool,
    /// Where the coins of ours that it spends have to exist.
    pub scope: Scope,
    /// The most that it may pay to miners; `None` for no limit.
    pub max_fee: Option<Amount>,
}

impl SendTerms {
    /// Anything that the mempool takes.
    pub const NONE: SendTerms = SendTerms {
        may_replace: true,
        scope: Scope::Best,
        max_fee: None,
    };
}

/// What was paid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paid {
    /// The transaction.
    pub tx: Transaction,
    /// Its id.
    pub txid: Txid,
    /// How it came to be.
    pub plan: Plan,
}

/// What takes the place of a payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bumped<T> {
    /// The new one.
    pub new: T,
    /// What the old one pays to miners.
    pub old_fee: Amount,
}

impl Wallet {
    /// Plans a payment and, where it has change, keeps the address of that for it. Nothing is sent.
    ///
    /// # Errors
    ///
    /// [`SpendError`].
    pub fn plan(&self, request: &Request) -> Result<Plan, SpendError> {
        let _turn = self.inner.spending.lock();
        self.plan_in_turn(request)
    }

    fn plan_in_turn(&self, request: &Request) -> Result<Plan, SpendError> {
        let view = self.view()?;
        let mut keyring = view.keyring().clone();
        let change = match &request.change {
            // Nothing comes back.
            _ if request.everything => Ok((None, ScriptBuf::new())),
            ChangeTo::Script(script) => Ok((None, script.clone())),
            ChangeTo::Kind(kind) => new_change(&mut keyring, *kind),
            ChangeTo::Automatic => {
                let kind = self.inner.change_type;
                let usual = self.inner.address_type;
                let kind = kind.unwrap_or_else(|| change_kind(&keyring, request, usual));
                new_change(&mut keyring, kind)
            }
        };
        // Whether there is change is known when coins have been chosen: until then any script of that size will do.
        let script = match &change {
            Ok((_, script)) => script.clone(),
            Err(_) => ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros()),
        };
        let mut plan = view.plan(request, &self.inner.fees, &script)?;
        drop(view);
        let Some(place) = plan.change else {
            return Ok(plan);
        };
        if let (Some(slot), _) = change.map_err(SpendError::NoChange)? {
            // Addresses are given out while a payment is planned: this one may be somebody's by now.
            let script = self.change_keys(|keyring| -> Result<ScriptBuf, WalletError> {
                Ok(keyring.give_made(slot)?)
            })?;
            plan.tx.output[place].script_pubkey = script;
        }
        Ok(plan)
    }

    /// Plans a payment, signs it, and sends it.
    ///
    /// # Errors
    ///
    /// [`SpendError`]: then nothing was sent.
    pub fn pay(&self, request: &Request) -> Result<Paid, SpendError> {
        self.pay_once(request, None)
    }

    /// The same, once: the payment has this name from the step of the file on that has the payment, and whoever asks by it again is
    /// told of that one.
    ///
    /// # Errors
    ///
    /// As [`Wallet::pay`]; [`SpendError::Repeated`] where it was made before, [`SpendError::OtherPayment`] where another one was.
    pub fn pay_once(&self, request: &Request, id: Option<&RequestId>) -> Result<Paid, SpendError> {
        let _turn = self.inner.spending.lock();
        self.refuse_repeated(id, Asked::Request(request))?;
        self.pay_in_turn(request, id)
    }

    /// The payment that was made by this name, if one was; what took its place where that happened since.
    pub fn payment_asked_for(&self, id: &RequestId) -> Option<Txid> {
        let book = self.inner.book.read();
        let named = book.requests.get(id).copied()?;
        Some(book.stands_for(named))
    }

    /// Refuses to make a payment whose name was given to one before, whether the wallet could make it now or not.
    ///
    /// # Errors
    ///
    /// [`SpendError::Repeated`], [`SpendError::OtherPayment`].
    pub fn refuse_repeated(
        &self,
        id: Option<&RequestId>,
        asked: Asked<'_>,
    ) -> Result<(), SpendError> {
        let book = self.inner.book.read();
        let named = id.and_then(|id| book.requests.get(id));
        let Some(record) = named.and_then(|txid| book.records.get(txid)) else {
            return Ok(());
        };
        let txid = book.stands_for(record.txid);
        let coins = record.tx.input.iter();
        let coming = coins.map(|input| Some(book.outputs.get(&input.previous_output)?.amount));
        let coming = coming.sum::<Option<Amount>>();
        let fee = coming.and_then(|coming| coming.checked_sub(sum(&record.tx.output)?));
        let outputs = record.tx.output.iter();
        let ours = outputs.map(|output| book.keyring.slot_of(&output.script_pubkey).is_some());
        let made = Made {
            tx: &record.tx,
            fee,
            ours: &ours.collect::<Vec<bool>>(),
        };
        Err(match asked.is_met_by(made) {
            true => SpendError::Repeated { txid },
            false => SpendError::OtherPayment { txid },
        })
    }

    fn pay_in_turn(&self, request: &Request, id: Option<&RequestId>) -> Result<Paid, SpendError> {
        {
            let view = self.view()?;
            if view.keyring().is_locked() {
                return Err(WalletError::from(KeyError::Locked).into());
            }
        }
        let plan = self.plan_in_turn(request)?;
        let tx = self.sign_plan(&plan)?;
        let txid = self.send_in_turn(tx.clone(), &request.notes, request.replaces, id)?;
        Ok(Paid { tx, txid, plan })
    }

    /// Pays for a transaction that waits by a child that spends what it pays us: together they pay `fee`, or the estimate, and a
    /// step above what is paid now at least. What is left comes back to a new address of ours. Coins that are added exist in all
    /// live worlds, see [`View::child`](crate::View::child).
    ///
    /// # Errors
    ///
    /// [`SpendError`], [`SpendError::NoChild`] among them: then nothing was sent.
    pub fn bump_child(&self, txid: &Txid, fee: Option<FeeChoice>) -> Result<Paid, SpendError> {
        // Nobody else makes one meanwhile, or takes what it is to spend.
        let _turn = self.inner.spending.lock();
        let child = self.view()?.child(txid, fee, &self.inner.fees)?;
        self.pay_in_turn(&child.request, None)
    }

    /// Replaces a payment that waits by one that pays more, see [`View::bump`](crate::View::bump), and sends it.
    ///
    /// # Errors
    ///
    /// [`SpendError`], [`SpendError::NotReplaceable`] among them: then nothing was sent.
    pub fn bump(&self, txid: &Txid, wish: BumpWish) -> Result<Bumped<Paid>, SpendError> {
        // Nobody builds on it meanwhile.
        let _turn = self.inner.spending.lock();
        let Bump { request, old_fee } = self.view()?.bump(txid, wish, &self.inner.fees)?;
        let new = self.pay_in_turn(&request, None)?;
        Ok(Bumped { new, old_fee })
    }

    /// The same, but only plans it, as [`Wallet::plan`] does.
    ///
    /// # Errors
    ///
    /// [`SpendError`].
    pub fn plan_bump(&self, txid: &Txid, wish: BumpWish) -> Result<Bumped<Plan>, SpendError> {
        let _turn = self.inner.spending.lock();
        let Bump { request, old_fee } = self.view()?.bump(txid, wish, &self.inner.fees)?;
        let new = self.plan_in_turn(&request)?;
        Ok(Bumped { new, old_fee })
    }

    /// Plans a payment and signs it as far as the keys go; with `send` it is sent where that is all the way, and with `lock` its
    /// coins are locked. Nobody else takes them meanwhile.
    ///
    /// # Errors
    ///
    /// [`SpendError`]: then nothing was sent.
    pub fn prepare(
        &self,
        request: &Request,
        send: bool,
        lock: bool,
    ) -> Result<Prepared, SpendError> {
        let _turn = self.inner.spending.lock();
        let plan = self.plan_in_turn(request)?;
        let mut psbt = self.psbt(&plan)?;
        let complete = {
            let view = self.view()?;
            let process = Process {
                sign: !view.keyring().is_locked(),
                ..Process::default()
            };
            let spent = |outpoint: &OutPoint| view.spent_coin(outpoint);
            let processed = view.keyring().process_psbt(&mut psbt, spent, process);
            processed.map_err(WalletError::from)?
        };
        let tx = complete.then(|| finished(&psbt));
        if let (true, Some(tx)) = (send, &tx) {
            // A coin that was named may be one that another payment spends while that waits.
            let replaces = match request.replaces {
                None => self.replaced_by(tx, SendTerms::NONE)?,
                said => said,
            };
            self.send_in_turn(tx.clone(), &request.notes, replaces, None)?;
        }
        // What was sent is spent.
        if lock && !(send && tx.is_some()) {
            self.lock_plan(&plan);
        }
        Ok(Prepared { plan, psbt, tx })
    }

    /// The same as [`Wallet::plan`], and locks the coins that it takes, before anybody else takes them.
    ///
    /// # Errors
    ///
    /// [`SpendError`].
    pub fn plan_and_lock(&self, request: &Request) -> Result<Plan, SpendError> {
        let _turn = self.inner.spending.lock();
        let plan = self.plan_in_turn(request)?;
        self.lock_plan(&plan);
        Ok(plan)
    }

    /// Locks what a plan spends until the program ends; what is locked already stays so as it is.
    fn lock_plan(&self, plan: &Plan) {
        let coins = plan.tx.input.iter().map(|input| input.previous_output);
        self.inner.book.write().lock_for_now(coins);
    }

    /// The plan as a PSBT, with all that is known of its coins and of our keys.
    ///
    /// # Errors
    ///
    /// [`WalletError::Keys`].
    pub fn psbt(&self, plan: &Plan) -> Result<Psbt, WalletError> {
        self.psbt_of(plan, true)
    }

    /// The same; `derivations`: whether the ways to the keys are told.
    ///
    /// # Errors
    ///
    /// [`WalletError::Keys`].
    pub fn psbt_of(&self, plan: &Plan, derivations: bool) -> Result<Psbt, WalletError> {
        let view = self.view()?;
        let failed = |error: bitcoin::psbt::Error| KeyError::Psbt {
            input: 0,
            detail: error.to_string(),
        };
        let mut psbt = Psbt::from_unsigned_tx(plan.tx.clone()).map_err(failed)?;
        let process = Process {
            sign: false,
            finalize: false,
            derivations,
            ..Process::default()
        };
        let spent = |outpoint: &OutPoint| view.spent_coin(outpoint);
        view.keyring().process_psbt(&mut psbt, spent, process)?;
        Ok(psbt)
    }

    fn sign_plan(&self, plan: &Plan) -> Result<Transaction, SpendError> {
        let view = self.view()?;
        let coins = plan.tx.input.iter().zip(&plan.spent);
        let spent: HashMap<OutPoint, TxOut> = coins
            .map(|(input, coin)| (input.previous_output, coin.clone()))
            .collect();
        let signed = (view.keyring())
            .sign_transaction(&plan.tx, |outpoint| spent.get(outpoint).cloned(), None)
            .map_err(WalletError::from)?;
        match signed.unsigned.first() {
            Some(input) => Err(SpendError::Unsigned { input: *input }),
            None => Ok(signed.transaction),
        }
    }

    /// Gives a transaction that was made before to the mempool, and remembers it as ours.
    ///
    /// # Errors
    ///
    /// [`SpendError::Coin`] and [`SpendError::FeeTooHigh`] where it is not what `terms` say, [`SpendError::Refused`],
    /// [`SpendError::Mempool`]: then nothing is remembered; what the disk does.
    pub fn send(
        &self,
        tx: Transaction,
        notes: &BTreeMap<String, String>,
        terms: SendTerms,
    ) -> Result<Txid, SpendError> {
        self.send_once(tx, notes, terms, None)
    }

    /// The same, once: see [`Wallet::pay_once`].
    ///
    /// # Errors
    ///
    /// As [`Wallet::send`]; [`SpendError::Repeated`], [`SpendError::OtherPayment`].
    pub fn send_once(
        &self,
        tx: Transaction,
        notes: &BTreeMap<String, String>,
        terms: SendTerms,
        id: Option<&RequestId>,
    ) -> Result<Txid, SpendError> {
        let _turn = self.inner.spending.lock();
        self.refuse_repeated(id, Asked::Transaction(&tx))?;
        let replaces = self.replaced_by(&tx, terms)?;
        if let Some(limit) = terms.max_fee {
            // Only the mempool knows what the coins of others are worth; what it refuses is told when it is sent.
            let decoded = Arc::new(DecodedTransaction::new(tx.clone()));
            if let Ok(accepted) = self.inner.mempool.test_accept(&decoded)? {
                let fee = Amount::from_sat(accepted.fee.unsigned_abs());
                if fee > limit {
                    return Err(SpendError::FeeTooHigh { fee, limit });
                }
            }
        }
        self.send_in_turn(tx, notes, replaces, id)
    }

    /// The payment of ours that a transaction takes the place of, if it does and may.
    fn replaced_by(&self, tx: &Transaction, terms: SendTerms) -> Result<Option<Txid>, SpendError> {
        let txid = tx.compute_txid();
        let view = self.view()?;
        let at_risk = match terms.scope {
            Scope::AllWorlds => view.unsafe_coins(),
            Scope::Best => HashSet::new(),
        };
        let mut replaces = None;
        for input in &tx.input {
            let outpoint = input.previous_output;
            let refused = |why| SpendError::Coin { outpoint, why };
            if at_risk.contains(&outpoint) {
                return Err(refused(Unspendable::NotEverywhere));
            }
            let waits = |other: &&Txid| {
                let record = view.record(other);
                **other != txid
                    && view.book.loose.contains(*other)
                    && record
                        .is_some_and(|record| !record.abandoned && record.replaced_by.is_none())
            };
            let other = view.spenders(&outpoint).iter().find(waits).copied();
            if let Some(by) = other.filter(|_| !terms.may_replace) {
                return Err(refused(Unspendable::Taken { by }));
            }
            replaces = replaces.or(other);
        }
        Ok(replaces)
    }

    fn send_in_turn(
        &self,
        tx: Transaction,
        notes: &BTreeMap<String, String>,
        replaces: Option<Txid>,
        id: Option<&RequestId>,
    ) -> Result<Txid, SpendError> {
        let inner = &*self.inner;
        let decoded = Arc::new(DecodedTransaction::new(tx.clone()));
        let txid = decoded.txid;
        // Remembered first: what was sent and then forgotten could be paid twice.
        let mut book = inner.book.write();
        let now = inner.ledger.clock().now();
        let known = book.records.get(&txid).cloned();
        let fresh = || Record::new(Arc::new(tx), book.next_order(), now, now);
        let mut record = known.clone().unwrap_or_else(fresh);
        // What somebody else paid is not ours because we send it on.
        record.ours |= known.is_none();
        record.abandoned = false;
        if known.is_none() || !notes.is_empty() {
            record.notes.clone_from(notes);
        }
        record.replaces = replaces.or(record.replaces);
        if let Some(id) = id {
            record.name(id.clone());
        }
        book.put(record)?;
        drop(book);
        // Without broadcasting it stays here, until its owner gives it to somebody.
        let sent = match inner.broadcast {
            true => match inner.mempool.accept_own(&decoded) {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(refused)) => Err(SpendError::Refused(refused.rejection)),
                Err(error) => Err(SpendError::from(error)),
            },
            false => Ok(()),
        };
        if let Err(error) = sent
            && !(inner.mempool.view()).is_ok_and(|waiting| waiting.contains(&txid))
        {
            let taken_back = self.inner.book.write().take_back(&txid, known);
            self.changed();
            taken_back?;
            return Err(error);
        }
        // The money has gone: who is told otherwise pays again.
        if let Err(error) = self.note_sent(&decoded, replaces) {
            warn!(wallet = self.name(), %txid, %error, "it is sent, but not all that goes with it is written");
        }
        self.changed();
        Ok(txid)
    }

    fn note_sent(
        &self,
        sent: &DecodedTransaction,
        replaces: Option<Txid>,
    ) -> Result<(), WalletError> {
        let mut book = self.inner.book.write();
        if let Some(old) = replaces.and_then(|old| book.records.get(&old).cloned()) {
            let replaced_by = Some(sent.txid);
            book.put(Record { replaced_by, ..old })?;
        }
        // What is spent needs no lock any more, whether it is told to others or not.
        let spent = sent.tx.input.iter().map(|input| input.previous_output);
        book.unlock(spent)
    }

    /// Gives a transaction up that waits in no mempool, with all of ours that are built on it: their coins are free again.
    ///
    /// # Errors
    ///
    /// [`WalletError::NoSuchTransaction`], [`WalletError::NotAbandoned`], what the disk does.
    pub fn abandon(&self, txid: &Txid) -> Result<(), WalletError> {
        let family = {
            let view = self.view()?;
            let pending = view.pending_on(view.best())?;
            let family = view.family(*txid);
            let fail = |why| WalletError::NotAbandoned { txid: *txid, why };
            if view.record(txid).is_none() {
                return Err(WalletError::NoSuchTransaction { txid: *txid });
            }
            if !view.book.loose.contains(txid) {
                return Err(fail("a block of the best chain has it"));
            }
            if family.iter().any(|txid| pending.contains(txid)) {
                return Err(fail("it waits in the mempool"));
            }
            if view.record(txid).is_some_and(|record| record.abandoned) {
                return Err(fail("it was given up already"));
            }
            let conflicted =
                view.payment_in(txid, view.best(), &view.state(view.best()), &pending)?;
            if matches!(conflicted, PaymentState::Conflicted { block: Some(_), .. }) {
                return Err(fail("a block of the best chain has what stands against it"));
            }
            family
        };
        let mut book = self.inner.book.write();
        for txid in family {
            if let Some(record) = book.records.get(&txid).cloned() {
                let abandoned = true;
                book.put(Record {
                    abandoned,
                    ..record
                })?;
            }
        }
        drop(book);
        self.changed();
        Ok(())
    }
}

fn new_change(
    keyring: &mut Keyring,
    kind: OutputType,
) -> Result<(Option<Slot>, ScriptBuf), KeyError> {
    let (slot, script) = keyring.new_script(kind, Chain::Internal)?;
    Ok((Some(slot), script))
}

/// The kind of change that tells least which output it is, as Core chooses it: that of a payee, the newest one first, or else the
/// newest that the wallet has. Whoever wants addresses of the oldest kind gets change of that kind.
fn change_kind(keyring: &Keyring, request: &Request, usual: OutputType) -> OutputType {
    if usual == OutputType::Legacy {
        return usual;
    }
    let is_paid = |kind: &OutputType| {
        request.payees.iter().any(|payee| {
            let script = &payee.script_pubkey;
            match kind {
                OutputType::Legacy => script.is_p2pkh(),
                OutputType::P2shSegwit => script.is_p2sh(),
                OutputType::Bech32 => script.is_p2wpkh(),
                OutputType::Bech32m => script.is_p2tr(),
            }
        })
    };
    let has = |kind: &OutputType| keyring.active(*kind, Chain::Internal).is_some();
    let newest_first = || OutputType::ALL.into_iter().rev().filter(has);
    let newest =
        || newest_first().find(|kind| matches!(kind, OutputType::Bech32 | OutputType::Bech32m));
    newest_first()
        .find(is_paid)
        .or_else(newest)
        .unwrap_or(usual)
}
