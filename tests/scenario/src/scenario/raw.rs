//! Owns the shape of a scenario file: which keys there are, and of what type.
//! Promises the places of steps and payments in the text; refuses unknown keys.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::amount::Money;

/// Seconds from block to block when the scenario does not say.
const DEFAULT_SPACING: u32 = 600;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScenario {
    pub(super) title: Spanned<String>,
    #[serde(default)]
    pub(super) about: String,
    pub(super) seed: Option<String>,
    #[serde(default = "default_spacing")]
    pub(super) spacing: u32,
    #[serde(default)]
    pub(super) parties: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(super) step: Vec<Spanned<RawStep>>,
}

fn default_spacing() -> u32 {
    DEFAULT_SPACING
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    #[serde(default)]
    pub(super) say: String,
    pub(super) mine: Option<u32>,
    pub(super) on: Option<String>,
    pub(super) by: Option<String>,
    #[serde(rename = "as")]
    pub(super) label: Option<String>,
    pub(super) pay: Option<Vec<Spanned<RawPayment>>>,
    pub(super) invalidate: Option<String>,
    pub(super) reconsider: Option<String>,
    pub(super) expect: Option<RawExpect>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPayment {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) amount: Option<Money>,
    pub(super) fee: Option<Money>,
    #[serde(rename = "as")]
    pub(super) name: Option<String>,
    pub(super) instead_of: Option<String>,
    pub(super) again: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpect {
    pub(super) best: Option<String>,
    pub(super) tips: Option<usize>,
    #[serde(default)]
    pub(super) status: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) balances: BTreeMap<String, BTreeMap<String, Money>>,
    #[serde(default)]
    pub(super) conflicts: Vec<RawConflicts>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConflicts {
    pub(super) between: [String; 2],
    pub(super) coins: usize,
    pub(super) kind: Option<String>,
}
