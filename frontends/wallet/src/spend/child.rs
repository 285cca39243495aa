//! Owns how somebody else's payment to us, or our own, is made to pay more by a child that spends what it pays us (CPFP).
//! Promises that the child and what waits before it pay the rate together, ancestors counted as Bitcoin Core counts them.
//! Refuses what is confirmed, what does not wait in the mempool, and what pays us nothing that is free.

use bitcoin::{Amount, Txid};
use everett_mempool::{FeeRate, MempoolError};

use super::bump::WALLET_INCREMENT;
use super::error::{Childless, SpendError};
use super::packages::Packages;
use super::request::{FeeChoice, In, Request, Scope};
use super::settings::FeeSettings;
use super::versions::{TRUC_CHILD_WEIGHT, TRUC_VERSION};
use crate::view::View;

/// A child that is to pay for what waits before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Child {
    /// What is asked for: our coins of the parent, to a new address for change.
    pub request: Request,
    /// The rate of the child together with those that it pays for.
    pub rate: FeeRate,
    /// What those pay by themselves.
    pub parents_fee: Amount,
    /// Their virtual bytes.
    pub parents_vsize: u64,
}

impl View<'_> {
    /// What has to be asked for to lift a transaction that waits by a child of ours.
    ///
    /// With `fee` both pay that together, otherwise the estimate, and a step above what is paid now at least. Coins of ours are
    /// added where those of the parent are not enough, confirmed ones that exist in all live worlds. Those of the parent are
    /// spent wherever that can come.
    ///
    /// # Errors
    ///
    /// [`SpendError::NoChild`]; a rate that the mempool does not take.
    pub fn child(
        &self,
        txid: &Txid,
        fee: Option<FeeChoice>,
        settings: &FeeSettings,
    ) -> Result<Child, SpendError> {
        let fail = |why| SpendError::NoChild { txid: *txid, why };
        let record = self.record(txid).ok_or_else(|| fail(Childless::Unknown))?;
        let best = &self.best;
        if self.state(best).place(txid).is_some() {
            return Err(fail(Childless::Confirmed));
        }
        let packages = || -> Result<Option<Packages>, MempoolError> {
            Ok(Packages::around(&self.mempool.view()?, txid))
        };
        let around = packages()?.ok_or_else(|| fail(Childless::NotWaiting))?;
        let now = around.rate_of(txid);
        let rate = match fee {
            Some(fee) => self.rate(fee, true, settings)?.0,
            None => {
                let choice = FeeChoice::Target {
                    blocks: 6,
                    conservative: None,
                };
                let estimate = self.rate_or_least(choice, true, settings)?;
                estimate.max(now.plus(FeeRate::per_kvb(WALLET_INCREMENT)))
            }
        };
        let gap = around.gap(txid, rate);
        if gap.fee == 0 {
            return Err(fail(Childless::PaysEnough));
        }
        let free = |outpoint| In {
            outpoint,
            sequence: None,
            weight: None,
        };
        let inputs: Vec<In> = (self.spendable(best)?.into_iter())
            .filter(|coin| coin.outpoint.txid == *txid && !coin.locked)
            .map(|coin| free(coin.outpoint))
            .collect();
        if inputs.is_empty() {
            return Err(fail(Childless::NothingOfOurs));
        }
        let mut request = Request {
            scope: Scope::AllWorlds,
            // Where the parent cannot come, neither can the child.
            inputs_scope: Some(Scope::Best),
            fee: FeeChoice::Rate(rate),
            inputs,
            min_confirmations: 1,
            ..Request::to(Vec::new())
        };
        if record.tx.version.0 == TRUC_VERSION {
            request.version = TRUC_VERSION;
            request.max_weight = TRUC_CHILD_WEIGHT;
        }
        Ok(Child {
            request,
            rate,
            parents_fee: Amount::from_sat(gap.package.fee.max(0).unsigned_abs()),
            parents_vsize: gap.package.size.max(0).unsigned_abs(),
        })
    }
}
