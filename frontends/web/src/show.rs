//! Owns how values are written for people: amounts, ages, sizes, hashes, work.
//! Promises exact amounts, and that nothing foreign is written without the templates' escaping.
//! Refuses floating point where money is meant.

use std::fmt;
use std::time::Duration;

use bitcoin::{Address, Script, Work};
use everett_ledger::Network;

/// An amount in bitcoin with all eight decimals, in parts, so that idle zeros can be written faintly.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Btc {
    /// The whole bitcoins, thousands apart, and the decimals up to the last that is not 0.
    pub(crate) strong: String,
    /// The zeros behind.
    pub(crate) faint: String,
}

impl Btc {
    /// Of an amount in satoshis.
    pub(crate) fn of(sat: u64) -> Btc {
        const SAT_PER_BTC: u64 = 100_000_000;
        let whole = thousands(sat / SAT_PER_BTC);
        let decimals = format!("{:08}", sat % SAT_PER_BTC);
        let kept = decimals.trim_end_matches('0').len();
        let (strong, faint) = decimals.split_at(kept);
        match strong {
            "" => Btc {
                strong: whole,
                faint: format!(".{faint}"),
            },
            _ => Btc {
                strong: format!("{whole}.{strong}"),
                faint: faint.to_owned(),
            },
        }
    }
}

impl fmt::Display for Btc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.strong, self.faint)
    }
}

/// `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 block`, `12 blocks`.
pub(crate) fn count(number: u64, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{} {many}", thousands(number)),
    }
}

/// Both ends of a hash or txid, as far as people compare them.
pub(crate) fn short(hash: &impl ToString) -> String {
    const END: usize = 6;
    let text = hash.to_string();
    match text.is_ascii() && text.len() > 2 * END + 1 {
        true => format!("{}…{}", &text[..END], &text[text.len() - END..]),
        false => text,
    }
}

/// How long ago: `12 s`, `3 min`, `5 h`, `2 days`, `4 years`.
pub(crate) fn age(now: u64, then: u64) -> String {
    match now.saturating_sub(then) {
        0..5 => "now".to_owned(),
        seconds => span(Duration::from_secs(seconds)),
    }
}

/// A length of time in its largest unit that is not below one.
pub(crate) fn span(time: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    match time.as_secs() {
        seconds @ 0..MINUTE => format!("{seconds} s"),
        seconds @ MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        seconds @ HOUR..DAY => format!("{} h", seconds / HOUR),
        seconds @ DAY..YEAR => count(seconds / DAY, "day", "days"),
        seconds => count(seconds / YEAR, "year", "years"),
    }
}

/// `2026-11-21 05:57:42 UTC`.
pub(crate) fn moment(unix: u64) -> String {
    let (days, seconds) = (unix / 86_400, unix % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

/// The date of a day since 1970-01-01, by counting years from 1 March 0000 on (Howard Hinnant, "chrono-compatible
/// low-level date algorithms").
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// `812 B`, `4.2 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    match size < 10.0 {
        true => format!("{size:.1} {unit}"),
        false => format!("{size:.0} {unit}"),
    }
}

/// Work as hexadecimal without leading zeros.
pub(crate) fn work(work: Work) -> String {
    let text = format!("{work:x}");
    let digits = text.trim_start_matches("0x").trim_start_matches('0');
    format!("0x{}", if digits.is_empty() { "0" } else { digits })
}

/// How much work a chain lacks or has more than another, in blocks of today's difficulty: `2`, `0.4`.
pub(crate) fn work_in_blocks(work: Work, block: Work) -> String {
    let blocks = work.log2().exp2() / block.log2().exp2();
    match blocks {
        none if !none.is_finite() => "0".to_owned(),
        few if few < 9.95 && (few - few.round()).abs() > 0.04 => format!("{few:.1}"),
        many => thousands(many.round() as u64),
    }
}

/// The address of a script, if it has one.
pub(crate) fn address(script: &Script, network: Network) -> Option<String> {
    let address = Address::from_script(script, network.to_bitcoin()).ok()?;
    Some(address.to_string())
}

#[cfg(test)]
mod tests;
