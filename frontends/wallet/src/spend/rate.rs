//! Owns what a payment pays for its size, and why so much.
//! Promises Bitcoin Core's order: what was said, else the estimate or the fallback, and not less than the mempool lets in now.

use everett_mempool::{EstimateBasis, FeeRate};

use super::error::SpendError;
use super::request::FeeChoice;
use super::settings::FeeSettings;
use crate::view::View;

/// The estimate for so many blocks is the one that asks least.
const LONGEST_TARGET: u32 = 1_008;

/// Why a payment pays the rate that it pays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RateReason {
    /// Somebody said so.
    Said,
    /// It is estimated, by this way of asking.
    Estimated(EstimateBasis),
    /// There is nothing to estimate from: it is the fallback of the settings.
    Fallback,
    /// The mempool lets nothing in below it now.
    MempoolMinimum,
    /// Nothing is ever paid or relayed below it.
    Required,
}

impl View<'_> {
    /// What is to be paid, and why. `replaceable`: whether the payment says that it may be replaced; one that cannot be helped later is
    /// estimated on the safe side unless somebody says how.
    ///
    /// # Errors
    ///
    /// [`SpendError::FeeRateTooLow`], [`SpendError::NoFeeRate`]; those of the mempool.
    pub(super) fn rate(
        &self,
        choice: FeeChoice,
        replaceable: bool,
        settings: &FeeSettings,
    ) -> Result<(FeeRate, RateReason), SpendError> {
        // What the mempool asks now and then, the mempool refuses; what is never relayed is refused here.
        let relay = self.mempool.config().min_relay_fee;
        let required = relay.max(settings.least);
        match choice {
            FeeChoice::Rate(rate) if rate < required => Err(SpendError::FeeRateTooLow {
                rate,
                required,
                wallet: settings.least,
                relay,
            }),
            FeeChoice::Rate(rate) | FeeChoice::AnyRate(rate) => Ok((rate, RateReason::Said)),
            FeeChoice::Target {
                blocks,
                conservative,
            } => {
                let (estimate, minimum) = {
                    let mempool = self.mempool.view()?;
                    let conservative = conservative.unwrap_or(!replaceable);
                    let estimate = mempool.fee_estimate(blocks, conservative);
                    (estimate, mempool.min_fee())
                };
                let fallback = Some(settings.fallback).filter(|rate| rate.sat_per_kvb() > 0);
                let estimated = (estimate.rate.zip(estimate.basis))
                    .map(|(rate, basis)| (rate, RateReason::Estimated(basis)));
                let fallback = fallback.map(|rate| (rate, RateReason::Fallback));
                let mut told = estimated.or(fallback).ok_or(SpendError::NoFeeRate)?;
                for least in [
                    (minimum, RateReason::MempoolMinimum),
                    (required, RateReason::Required),
                ] {
                    if told.0 < least.0 {
                        told = least;
                    }
                }
                Ok(told)
            }
        }
    }

    /// The same, or the least that is ever paid where there is nothing to estimate from.
    pub(super) fn rate_or_least(
        &self,
        choice: FeeChoice,
        replaceable: bool,
        settings: &FeeSettings,
    ) -> Result<FeeRate, SpendError> {
        match self.rate(choice, replaceable, settings) {
            Err(SpendError::NoFeeRate) => Ok(settings.least),
            rate => Ok(rate?.0),
        }
    }

    /// The rate at which change is given up: as the settings say, but not more than is ever paid and not less than what makes
    /// dust of it.
    pub(super) fn discard_rate(
        &self,
        settings: &FeeSettings,
        dust_rate: u64,
    ) -> Result<FeeRate, SpendError> {
        let longest = self.mempool.view()?.fee_estimate(LONGEST_TARGET, false);
        let discard = longest
            .rate
            .map_or(settings.discard, |rate| rate.min(settings.discard));
        let dust_rate = i64::try_from(dust_rate).unwrap_or(i64::MAX);
        Ok(discard.max(FeeRate::per_kvb(dust_rate)))
    }
}
