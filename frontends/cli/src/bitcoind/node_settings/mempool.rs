//! Owns the settings of the mempool, as the options say them.

use everett_mempool::{FeeRate, MempoolConfig};
use everett_script::policy::MAX_OP_RETURN_RELAY;

use super::super::arguments::Arguments;
use super::super::chain::Chain;
use super::super::failure::InitError;

/// Most transactions of a cluster that can be asked for.
const MAX_CLUSTER_COUNT: i64 = 64;
/// Satoshis of a bitcoin, and the digits after its point.
const COIN: u64 = 100_000_000;
const COIN_DIGITS: usize = 8;
/// Most satoshis that an amount can have.
const MAX_MONEY: u64 = 21_000_000 * COIN;

/// What the options say.
pub(super) fn config(
    arguments: &Arguments,
    chain: Chain,
    remarks: &mut Vec<String>,
) -> Result<MempoolConfig, InitError> {
    let mut config = MempoolConfig::default();
    let positive = |name: &str| {
        let value = arguments.int(name);
        value.map(|value| u64::try_from(value).unwrap_or(0))
    };
    if let Some(megabytes) = positive("maxmempool") {
        config.max_bytes = megabytes.saturating_mul(1_000_000);
    }
    if let Some(hours) = positive("mempoolexpiry") {
        config.expiry = hours.saturating_mul(3_600);
    }
    if let Some(rate) = rate(arguments, "incrementalrelayfee")? {
        config.incremental_relay_fee = rate;
    }
    match rate(arguments, "minrelaytxfee")? {
        Some(rate) => config.min_relay_fee = rate,
        None if config.incremental_relay_fee.sat_per_kvb() > config.min_relay_fee.sat_per_kvb() => {
            config.min_relay_fee = config.incremental_relay_fee;
            remarks.push("Increasing minrelaytxfee to match incrementalrelayfee".to_owned());
        }
        None => {}
    }
    if let Some(rate) = rate(arguments, "dustrelayfee")? {
        config.standard.dust_relay_fee = rate.sat_per_kvb().unsigned_abs();
    }
    config.standard.permit_bare_multisig = arguments.flag("permitbaremultisig", true);
    config.standard.max_datacarrier_bytes = match arguments.flag("datacarrier", true) {
        true => Some(
            positive("datacarriersize").map_or(MAX_OP_RETURN_RELAY, |bytes| {
                usize::try_from(bytes).unwrap_or(usize::MAX)
            }),
        ),
        false => None,
    };
    if let Some(bytes) = positive("bytespersigop") {
        config.bytes_per_sigop = bytes;
    }
    config.require_standard = !arguments.flag("acceptnonstdtxn", false);
    if chain == Chain::Main && !config.require_standard {
        return Err(InitError::new(
            "acceptnonstdtxn is not currently supported for main chain",
        ));
    }
    if let Some(count) = arguments.int("limitclustercount") {
        if count > MAX_CLUSTER_COUNT {
            return Err(InitError::new(format!(
                "limitclustercount must be less than or equal to {MAX_CLUSTER_COUNT}"
            )));
        }
        config.cluster_count = usize::try_from(count).unwrap_or(0).max(1);
    }
    if let Some(kilobytes) = positive("limitclustersize") {
        config.cluster_vbytes = kilobytes.saturating_mul(1_000);
    }
    let least = config.least_max_bytes();
    // Core takes 0, and then keeps nothing.
    let nothing = config.max_bytes == 0 && arguments.int("maxmempool") == Some(0);
    if config.max_bytes < least && !nothing {
        return Err(InitError::new(format!(
            "-maxmempool must be at least {} MB",
            least.div_ceil(1_000_000)
        )));
    }
    Ok(config)
}

/// A fee rate in bitcoins for 1,000 virtual bytes, if the option has one.
pub(super) fn rate(arguments: &Arguments, name: &str) -> Result<Option<FeeRate>, InitError> {
    let Some(text) = arguments.text(name) else {
        return Ok(None);
    };
    match money(&text) {
        Some(sat) => Ok(Some(FeeRate::per_kvb(sat))),
        None => Err(InitError::new(format!(
            "Invalid amount for -{name}=<amount>: '{text}'"
        ))),
    }
}

/// Bitcoins with up to eight digits after the point, in satoshis.
fn money(text: &str) -> Option<i64> {
    let text = text.trim();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if text.is_empty() || !digits(whole) || !digits(part) || part.len() > COIN_DIGITS {
        return None;
    }
    let number = |text: &str| match text {
        "" => Some(0),
        text => text.parse::<u64>().ok(),
    };
    let part = number(&format!("{part:0<8}"))?;
    let sat = number(whole)?.checked_mul(COIN)?.checked_add(part)?;
    (sat <= MAX_MONEY).then(|| i64::try_from(sat).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_bitcoins_with_eight_digits_at_most() {
        for (text, sat) in [
            ("0.00001", Some(1_000)),
            (" 1 ", Some(100_000_000)),
            ("0", Some(0)),
            (".5", Some(50_000_000)),
            ("21000000", Some(2_100_000_000_000_000)),
            ("21000000.00000001", None),
            ("0.000000001", None),
            ("-1", None),
            ("1e3", None),
            ("", None),
        ] {
            assert_eq!(money(text), sat, "{text}");
        }
    }
}
