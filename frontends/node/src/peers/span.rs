//! Owns how people write a length of time: `90s`, `30m`, `24h`, `7d`, `2w`.

use std::time::Duration;

/// A whole number and its unit: `s`, `m`, `h`, `d` or `w`.
///
/// # Errors
///
/// A sentence that says how it is written.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    const UNITS: [(char, u64); 5] = [
        ('s', 1),
        ('m', 60),
        ('h', 3_600),
        ('d', 86_400),
        ('w', 604_800),
    ];
    let wrong = || {
        format!(
            "`{}` is no length of time; write one like 90s, 30m, 24h, 7d or 2w",
            text.chars().take(32).collect::<String>()
        )
    };
    let trimmed = text.trim();
    let unit = trimmed.chars().last().ok_or_else(wrong)?;
    let (_, seconds) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(wrong)?;
    let number = trimmed.strip_suffix(unit).ok_or_else(wrong)?;
    // Not what else Rust takes for a number, such as `+5`.
    if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(*seconds).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_a_number_and_a_unit() {
        for (text, seconds) in [
            ("90s", 90),
            ("30m", 1_800),
            ("24h", 86_400),
            ("7d", 604_800),
            ("2w", 1_209_600),
            ("0s", 0),
        ] {
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in [
            "",
            "h",
            "24",
            "-1h",
            "+1h",
            "1.5h",
            "1y",
            "24 h",
            "é",
            "99999999999999999999w",
        ] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }
}
