//! Owns how a scenario writes an amount: `"20 BTC"`, `"1500 sat"`, or a whole number of satoshis.
//! Promises exactness: no floating point; refuses numbers without a unit that are not whole.

use std::fmt;
use std::str::FromStr;

use bitcoin::Amount;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// An amount as a scenario file gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Money(pub(super) Amount);

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
        deserializer.deserialize_any(MoneyVisitor)
    }
}

struct MoneyVisitor;

impl Visitor<'_> for MoneyVisitor {
    type Value = Money;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount such as \"20 BTC\", \"1500 sat\" or a whole number of satoshis")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Money, E> {
        let amount = Amount::from_str(text).map_err(|error| {
            E::custom(format!(
                "`{text}` is no amount ({error}); write it like \"20 BTC\" or \"1500 sat\""
            ))
        })?;
        bounded(amount)
    }

    fn visit_i64<E: Error>(self, sat: i64) -> Result<Money, E> {
        let sat = u64::try_from(sat)
            .map_err(|_| E::custom(format!("{sat} is negative, and an amount cannot be")))?;
        bounded(Amount::from_sat(sat))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Money, E> {
        Err(E::custom(format!(
            "{number} has no unit; write it like \"20 BTC\" or \"1500 sat\""
        )))
    }
}

/// No more than there will ever be.
fn bounded<E: Error>(amount: Amount) -> Result<Money, E> {
    if amount > Amount::MAX_MONEY {
        return Err(E::custom(format!(
            "{amount} is more than there will ever be"
        )));
    }
    Ok(Money(amount))
}
