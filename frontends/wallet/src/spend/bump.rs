//! Owns how a payment that waits is made to pay more: replaced by another one (BIP125).
//! Promises that the payees are paid what they were paid unless others are named, and that it pays enough for being sent on;
//! what else the mempool asks of a replacement, the mempool says.
//! Refuses what is confirmed, what is not ours, and what others have built upon.

use bitcoin::{Address, Amount, OutPoint, Script, ScriptBuf, TxIn, TxOut, Txid};
use everett_mempool::FeeRate;

use super::ancestry::Ancestry;
use super::error::{Irreplaceable, SpendError};
use super::request::{ChangeTo, FeeChoice, In, Payee, Request, Scope};
use super::settings::FeeSettings;
use super::shape::{fee_for, payee_output, total, weight_of};
use crate::keys::Chain;
use crate::record::Record;
use crate::view::View;

/// What the replacing transaction has to pay, and is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bump {
    /// What is asked for: the same payees and coins.
    pub request: Request,
    /// What the old one pays.
    pub old_fee: Amount,
}

/// What is asked for in place of what is by default.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BumpWish {
    /// What it is to pay; the estimate, and a step above the old rate at least, unless it is given.
    pub fee: Option<FeeChoice>,
    /// Who is paid; the same as before unless it is given.
    pub payees: Option<Vec<Payee>>,
    /// Where change goes; to where it went before unless it is given.
    pub change: Option<ScriptBuf>,
    /// Whether coins of others may be among its inputs: they have to sign, too.
    pub foreign: bool,
    /// In which worlds coins have to exist that are added. Those that it spends are spent wherever they are.
    pub scope: Scope,
    /// Whether it says in turn that it may be replaced (BIP125); it does unless that is said.
    pub replaceable: Option<bool>,
    /// Whether coins may be added whose address was paid from, in a wallet that is to avoid those.
    pub use_reused: bool,
}

/// Most bytes of a signature in DER with its type.
const MAX_SIGNATURE: usize = 72;

/// Weight units of an input at most, going by one that was signed: signatures in DER may come out longer.
fn signed_weight(input: &TxIn) -> u64 {
    let longer = |item: &[u8]| match item {
        [0x30, rest @ ..] if (8..MAX_SIGNATURE).contains(&rest.len()) => {
            (MAX_SIGNATURE - item.len()) as u64
        }
        _ => 0,
    };
    let witness: u64 = input.witness.iter().map(longer).sum();
    let pushes = input.script_sig.instructions().flatten();
    let pushes = pushes.filter_map(|push| Some(longer(push.push_bytes()?.as_bytes())));
    input.segwit_weight().to_wu() + witness + 4 * pushes.sum::<u64>()
}

/// Added to the old rate where nobody says how much is to be paid, as in Bitcoin Core, in satoshis per 1,000 virtual bytes.
pub(super) const WALLET_INCREMENT: i64 = 5_000;

impl View<'_> {
    /// What a transaction of ours pays to miners; `None` where not all that it spends is known.
    pub fn fee_of(&self, txid: &Txid) -> Result<Option<Amount>, SpendError> {
        let Some(record) = self.record(txid) else {
            return Ok(None);
        };
        let fee = self.fee_by(record, |outpoint| match self.output(outpoint) {
            Some(ours) => Ok(Some(ours.amount)),
            None => self.amount_there(outpoint),
        })?;
        Ok(fee.ok().flatten())
    }

    /// Inputs without outputs, `None` where those are more; the first input of which the amount is not known.
    fn fee_by(
        &self,
        record: &Record,
        amount: impl Fn(&OutPoint) -> Result<Option<Amount>, SpendError>,
    ) -> Result<Result<Option<Amount>, OutPoint>, SpendError> {
        let mut coming = Amount::ZERO;
        for input in &record.tx.input {
            let outpoint = input.previous_output;
            match amount(&outpoint)? {
                Some(amount) => coming += amount,
                None => return Ok(Err(outpoint)),
            }
        }
        let going: Amount = record.tx.output.iter().map(|output| output.value).sum();
        Ok(Ok(coming.checked_sub(going)))
    }

    /// What a coin of the best world is worth.
    fn amount_there(&self, outpoint: &OutPoint) -> Result<Option<Amount>, SpendError> {
        let coin = self.best.coin(outpoint);
        let coin = coin.map_err(crate::WalletError::from)?;
        Ok(coin.map(|coin| coin.amount))
    }

    /// Whether an output of ours is change: of a chain of keys that gives out no addresses, and in no book of addresses.
    pub fn is_change(&self, script: &Script) -> bool {
        let keyring = self.keyring();
        let chain = keyring
            .slot_of(script)
            .and_then(|slot| keyring.descriptor(slot.descriptor));
        if chain.is_none_or(|descriptor| descriptor.chain != Chain::Internal) {
            return false;
        }
        let address = Address::from_script(script, keyring.network());
        !address.is_ok_and(|address| keyring.labels().address(&address.to_string()).is_some())
    }

    /// What has to be asked for to replace a transaction that waits by one that pays more.
    ///
    /// # Errors
    ///
    /// [`SpendError::NotReplaceable`], [`SpendError::BumpTooLow`], [`SpendError::BumpTooHigh`],
    /// [`SpendError::BumpBelowMempool`], [`SpendError::BumpBelowRequired`]; those of the mempool.
    pub fn bump(
        &self,
        txid: &Txid,
        wish: BumpWish,
        settings: &FeeSettings,
    ) -> Result<Bump, SpendError> {
        let fail = |why| SpendError::NotReplaceable { txid: *txid, why };
        let record = self
            .record(txid)
            .ok_or_else(|| fail(Irreplaceable::Unknown))?;
        let old_fee = self.fee_to_replace(record)?;
        self.check_replaceable(record, wish.foreign).map_err(fail)?;
        let as_before = record.tx.output.iter().map(|output| Payee {
            script_pubkey: output.script_pubkey.clone(),
            amount: output.value,
            pays_fee: false,
            shares: false,
        });
        let told = wish.change.is_some();
        let outputs = wish.payees.unwrap_or_else(|| as_before.collect());
        let mut worth = total(outputs.iter().map(|output| output.amount))?;
        let (back, mut payees): (Vec<Payee>, Vec<Payee>) = (outputs.into_iter())
            .partition(|output| !told && self.is_change(&output.script_pubkey));
        let back = back.last().map(|output| output.script_pubkey.clone());
        let mut change = wish.change.or(back);
        if payees.is_empty()
            && let Some(script_pubkey) = change.take()
        {
            if told {
                worth = record.tx.output.iter().map(|output| output.value).sum();
            }
            // All of it goes to ourselves: that pays for itself.
            payees.push(Payee {
                script_pubkey,
                amount: worth,
                pays_fee: true,
                shares: false,
            });
        }
        let inputs = (record.tx.input.iter()).map(|input| In {
            outpoint: input.previous_output,
            sequence: None,
            weight: match self.output(&input.previous_output) {
                Some(_) => None,
                None => Some(signed_weight(input)),
            },
        });
        let mut request = Request {
            scope: wish.scope,
            // What the payment spends already it may spend where it is.
            inputs_scope: Some(Scope::Best),
            change: change.map_or(ChangeTo::Automatic, ChangeTo::Script),
            inputs: inputs.collect(),
            use_locked: true,
            // What is added must not depend on anything that waits: the mempool refuses that of a replacement.
            min_confirmations: 1,
            replaceable: wish.replaceable.unwrap_or(true),
            use_reused: wish.use_reused,
            replaces: Some(*txid),
            notes: record.notes.clone(),
            ..Request::to(payees)
        };
        let rate = match wish.fee {
            Some(FeeChoice::Rate(rate) | FeeChoice::AnyRate(rate)) => {
                self.check_pays_more(&request, record, rate, old_fee, settings)?;
                rate
            }
            said => {
                let vsize = record.tx.vsize() as i64;
                let old_rate = FeeRate::paid(old_fee.to_sat() as i64, vsize);
                let incremental = self.mempool.config().incremental_relay_fee;
                let step = incremental.max(FeeRate::per_kvb(WALLET_INCREMENT));
                // The old rate was rounded down.
                let above = old_rate.plus(FeeRate::per_kvb(1)).plus(step);
                let choice = said.unwrap_or(FeeChoice::Target {
                    blocks: 6,
                    conservative: None,
                });
                let estimate = self.rate_or_least(choice, request.replaceable, settings)?;
                estimate.max(above)
            }
        };
        request.fee = FeeChoice::AnyRate(rate);
        Ok(Bump { request, old_fee })
    }

    /// What a transaction of ours pays to miners, all of whose coins are there but for itself.
    fn fee_to_replace(&self, record: &Record) -> Result<Amount, SpendError> {
        let fee = self.fee_by(record, |outpoint| match self.amount_there(outpoint)? {
            Some(amount) => Ok(Some(amount)),
            None => Ok(self.pending_output(outpoint)?.map(|output| output.value)),
        })?;
        match fee {
            Ok(fee) => Ok(fee.unwrap_or_default()),
            Err(outpoint) => Err(SpendError::NotReplaceable {
                txid: record.txid,
                why: Irreplaceable::Spent { outpoint },
            }),
        }
    }

    fn check_replaceable(&self, record: &Record, foreign: bool) -> Result<(), Irreplaceable> {
        let txid = &record.txid;
        let spends = |other: &Txid| {
            let other = self.record(other).filter(|_| other != txid);
            other.is_some_and(|other| !other.abandoned && other.replaced_by.is_none())
        };
        if self.family(*txid).iter().any(spends) {
            return Err(Irreplaceable::SpentByWallet);
        }
        let descendants = (self.mempool.view().ok()).and_then(|view| view.descendants(txid));
        if descendants.is_some_and(|all| !all.is_empty()) {
            return Err(Irreplaceable::SpentInMempool);
        }
        if self.state(&self.best).place(txid).is_some() {
            return Err(Irreplaceable::Confirmed);
        }
        if let Some(by) = record.replaced_by {
            return Err(Irreplaceable::Replaced { by });
        }
        let mut inputs = record.tx.input.iter();
        let all_ours = inputs.all(|input| self.output(&input.previous_output).is_some());
        match all_ours || foreign {
            true => Ok(()),
            false => Err(Irreplaceable::ForeignCoins),
        }
    }

    /// Whether a rate that was said pays for being let in, and for being sent on in place of the old transaction, and not more than
    /// is ever paid.
    fn check_pays_more(
        &self,
        request: &Request,
        record: &Record,
        rate: FeeRate,
        old: Amount,
        settings: &FeeSettings,
    ) -> Result<(), SpendError> {
        // What others had to go for; where none had to, the total below is the whole question.
        let relay = self.mempool.config().min_relay_fee;
        let minimum = self.mempool.view()?.min_fee();
        if minimum > relay && rate.sat_per_kvb() < minimum.sat_per_kvb() {
            return Err(SpendError::BumpBelowMempool { rate, minimum });
        }
        let mut ancestry = Ancestry::new(self.mempool, rate, Some(record.txid));
        let alone = Request {
            add_inputs: false,
            ..request.clone()
        };
        let candidates = self.candidates(&alone, &self.best, &mut ancestry)?;
        let coins: Vec<_> = candidates.iter().collect();
        let mut outputs: Vec<TxOut> = request.payees.iter().map(payee_output).collect();
        if let ChangeTo::Script(script) = &request.change {
            outputs.push(TxOut {
                value: Amount::ZERO,
                script_pubkey: script.clone(),
            });
        }
        let weight = weight_of(&coins, &outputs);
        let fee = fee_for(rate, weight) + ancestry.together(&coins)?;
        let increment = fee_for(self.mempool.config().incremental_relay_fee, weight);
        if fee < old + increment {
            return Err(SpendError::BumpTooLow {
                fee,
                old,
                increment,
            });
        }
        let required = fee_for(relay.max(settings.least), weight);
        if fee < required {
            return Err(SpendError::BumpBelowRequired { required });
        }
        match fee > settings.most {
            true => Err(SpendError::BumpTooHigh {
                fee,
                limit: settings.most,
            }),
            false => Ok(()),
        }
    }
}
