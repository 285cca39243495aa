//! Owns how a caller says what a payment costs: a rate, or within how many blocks it is to be confirmed; and how he is told why it costs
//! that.
//! Promises Core's refusals of what does not go together.

use everett_mempool::{EstimateBasis, FeeRate, Horizon};
use everett_wallet::spend::{FeeChoice, RateReason};

use crate::error::RpcError;
use crate::json::Json;
use crate::method::{Argument, Kind};
use crate::rawtransactions::parse_money;

/// Blocks within which a payment is to be confirmed where nobody says.
const DEFAULT_TARGET: u32 = 6;
/// The names of the ways to estimate.
const MODES: [&str; 3] = ["unset", "economical", "conservative"];
/// A rate of so many satoshis for 1,000 virtual bytes is taken for a mistake.
const MAX_RATE: i64 = 21_000_000 * 100_000_000;

pub(in super::super) const CONF_TARGET: Argument = Argument::optional(
    "conf_target",
    Kind::Number,
    "Within how many blocks it is to be confirmed",
);
pub(in super::super) const ESTIMATE_MODE: Argument = Argument::default(
    "estimate_mode",
    Kind::Text,
    "\"unset\"",
    "unset, economical, or conservative: looks back farther; unset is economical where it may be replaced",
);
pub(in super::super) const FEE_RATE: Argument =
    Argument::optional("fee_rate", Kind::Any, "Satoshis for each virtual byte");

/// Why a payment pays the rate that it pays, in Core's words.
pub(super) fn reason(reason: RateReason) -> &'static str {
    match reason {
        RateReason::Said => "None",
        RateReason::Estimated(EstimateBasis::Half) => "Half Target 60% Threshold",
        RateReason::Estimated(EstimateBasis::Whole) => "Target 85% Threshold",
        RateReason::Estimated(EstimateBasis::Double) => "Double Target 95% Threshold",
        RateReason::Estimated(EstimateBasis::Cautious) => {
            "Conservative Double Target longer horizon"
        }
        RateReason::Fallback => "Fallback fee",
        RateReason::MempoolMinimum => "Mempool Min Fee",
        RateReason::Required => "Minimum Required Fee",
    }
}

/// What was said of the fee.
#[derive(Clone, Copy, Default)]
pub(in super::super) struct Said<'a> {
    pub(in super::super) target: Option<&'a Json>,
    pub(in super::super) mode: Option<&'a Json>,
    pub(in super::super) rate: Option<&'a Json>,
}

/// Satoshis for each virtual byte, with three decimals.
pub(in super::super) fn parse_rate(value: &Json) -> Result<FeeRate, RpcError> {
    Ok(FeeRate::per_kvb(parse_money(value, 3, MAX_RATE)?))
}

impl Said<'_> {
    /// What is to be paid.
    pub(in super::super) fn choice(self) -> Result<FeeChoice, RpcError> {
        let mode = self.mode.map(Json::text).transpose()?;
        let mode = mode.map(str::to_ascii_lowercase);
        if let Some(rate) = self.rate {
            if self.target.is_some() {
                return Err(RpcError::parameter(
                    "Cannot specify both conf_target and fee_rate. Please provide either a confirmation target in blocks for automatic fee \
                     estimation, or an explicit fee rate.",
                ));
            }
            if mode.is_some_and(|mode| mode != "unset") {
                return Err(RpcError::parameter(
                    "Cannot specify both estimate_mode and fee_rate",
                ));
            }
            return parse_rate(rate).map(FeeChoice::Rate);
        }
        if mode.as_deref().is_some_and(|mode| !MODES.contains(&mode)) {
            return Err(RpcError::parameter(format!(
                "Invalid estimate_mode parameter, must be one of: \"{}\"",
                MODES.join("\", \"")
            )));
        }
        let most = Horizon::Long.most_blocks();
        let blocks = match self.target {
            None => DEFAULT_TARGET,
            Some(target) => {
                let target = u32::try_from(target.int::<i64>()?).ok();
                let target = target.filter(|target| (1..=most).contains(target));
                target.ok_or_else(|| {
                    RpcError::parameter(format!(
                        "Invalid conf_target, must be between 1 and {most}"
                    ))
                })?
            }
        };
        Ok(FeeChoice::Target {
            blocks,
            conservative: match mode.as_deref() {
                None | Some("unset") => None,
                Some(mode) => Some(mode == "conservative"),
            },
        })
    }
}
