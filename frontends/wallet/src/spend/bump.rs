//! Owns how a payment that waits is made to pay more: replaced by another one (BIP125).
//! Promises that the payees are paid what they were paid, and that the mempool's rules on replacement are kept.
//! Refuses what is confirmed, what is not ours, and what others have built upon.

use bitcoin::{Amount, ScriptBuf, Txid};
use everett_mempool::FeeRate;

use super::error::{Irreplaceable, SpendError};
use super::plan::FeeSettings;
use super::request::{ChangeTo, FeeChoice, In, Payee, Request, Scope};
use crate::keys::Chain;
use crate::view::View;

/// What the replacing transaction has to pay, and is to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bump {
    /// What is asked for: the same payees and coins.
    pub request: Request,
    /// What the old one pays.
    pub old_fee: Amount,
}

/// Added to the old rate where nobody says how much is to be paid, as in Bitcoin Core, in satoshis per 1,000 virtual bytes.
pub(super) const WALLET_INCREMENT: i64 = 5_000;

impl View<'_> {
    /// What a transaction of ours pays to miners; `None` where not all that it spends is known.
    pub fn fee_of(&self, txid: &Txid) -> Result<Option<Amount>, SpendError> {
        let Some(record) = self.record(txid) else {
            return Ok(None);
        };
        let best = &self.best;
        let mut coming = Amount::ZERO;
        for input in &record.tx.input {
            let outpoint = &input.previous_output;
            let ours = self.output(outpoint).map(|output| output.amount);
            let amount = match ours {
                Some(amount) => Some(amount),
                None => best
                    .coin(outpoint)
                    .map_err(crate::WalletError::from)?
                    .map(|coin| coin.amount),
            };
            match amount {
                Some(amount) => coming += amount,
                None => return Ok(None),
            }
        }
        let going: Amount = record.tx.output.iter().map(|output| output.value).sum();
        Ok(coming.checked_sub(going))
    }

    /// Whether an output of ours is change: of a chain of keys that gives out no addresses.
    pub fn is_change(&self, script: &bitcoin::Script) -> bool {
        let keyring = self.keyring();
        let chain = keyring
            .slot_of(script)
            .and_then(|slot| keyring.descriptor(slot.descriptor));
        chain.is_some_and(|descriptor| descriptor.chain == Chain::Internal)
    }

    /// What has to be asked for to replace a transaction that waits by one that pays more.
    ///
    /// With `fee` it pays that, otherwise the estimate, and a step above the old rate at least. With `payees` it pays others
    /// than before.
    ///
    /// # Errors
    ///
    /// [`SpendError::NotReplaceable`], [`SpendError::BumpTooLow`]; a rate that the mempool does not take.
    pub fn bump(
        &self,
        txid: &Txid,
        fee: Option<FeeChoice>,
        payees: Option<Vec<Payee>>,
        settings: &FeeSettings,
    ) -> Result<Bump, SpendError> {
        let fail = |why| SpendError::NotReplaceable { txid: *txid, why };
        let record = self
            .record(txid)
            .ok_or_else(|| fail(Irreplaceable::Unknown))?;
        if self.state(&self.best).place(txid).is_some() {
            return Err(fail(Irreplaceable::Confirmed));
        }
        if record.replaced_by.is_some() {
            return Err(fail(Irreplaceable::Replaced));
        }
        if self.family(*txid).len() > 1 {
            return Err(fail(Irreplaceable::SpentByWallet));
        }
        {
            let mempool = self.mempool.view()?;
            if mempool.descendants(txid).is_some_and(|all| !all.is_empty()) {
                return Err(fail(Irreplaceable::SpentInMempool));
            }
        }
        let all_ours = record
            .tx
            .input
            .iter()
            .all(|input| self.output(&input.previous_output).is_some());
        if !all_ours {
            return Err(fail(Irreplaceable::ForeignCoins));
        }
        let old_fee = self
            .fee_of(txid)?
            .ok_or_else(|| fail(Irreplaceable::UnknownFee))?;
        let vsize = record.tx.vsize() as i64;
        let old_rate = FeeRate::paid(old_fee.to_sat() as i64, vsize);
        let incremental = self.mempool.config().incremental_relay_fee;
        let step = incremental.max(FeeRate::per_kvb(WALLET_INCREMENT));
        let rate = match fee {
            Some(fee) => self.rate(fee, settings)?,
            None => {
                let choice = FeeChoice::Target {
                    blocks: 6,
                    conservative: false,
                };
                let estimate = self.rate(choice, settings).ok();
                estimate.unwrap_or(settings.least).max(old_rate.plus(step))
            }
        };
        let lowest = old_rate.plus(incremental);
        if rate < lowest {
            let pays = |rate: FeeRate| Amount::from_sat(rate.fee(vsize).max(0) as u64);
            return Err(SpendError::BumpTooLow {
                fee: pays(rate),
                least: pays(lowest),
            });
        }
        let mut change: Option<ScriptBuf> = None;
        let mut kept = Vec::new();
        for output in &record.tx.output {
            if change.is_none() && self.is_change(&output.script_pubkey) {
                change = Some(output.script_pubkey.clone());
                continue;
            }
            kept.push(Payee {
                script_pubkey: output.script_pubkey.clone(),
                amount: output.value,
                pays_fee: false,
                shares: false,
            });
        }
        let inputs = (record.tx.input.iter())
            .map(|input| In {
                outpoint: input.previous_output,
                sequence: None,
                weight: None,
            })
            .collect();
        let request = Request {
            scope: Scope::Best,
            fee: FeeChoice::Rate(rate),
            change: change.map_or(ChangeTo::Automatic, ChangeTo::Script),
            inputs,
            use_locked: true,
            // What is added must not depend on anything that waits: the mempool refuses that of a replacement.
            min_confirmations: 1,
            replaces: Some(*txid),
            notes: record.notes.clone(),
            ..Request::to(payees.unwrap_or(kept))
        };
        Ok(Bump { request, old_fee })
    }
}
