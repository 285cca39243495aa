//! Owns how numbers are written and read where it matters: amounts with eight decimals, floats with sixteen digits.

use bitcoin::Amount;

use super::Json;

/// Digits of a float that are written.
const REAL_DIGITS: usize = 16;

/// Most digits of a number that is read as an amount.
const UPPER_BOUND: i64 = 1_000_000_000_000_000_000 - 1;

/// An amount in bitcoins with its eight decimals.
pub(crate) fn amount(sat: i64) -> Json {
    let sign = if sat < 0 { "-" } else { "" };
    let sat = sat.unsigned_abs();
    Json::Number(format!(
        "{sign}{}.{:08}",
        sat / 100_000_000,
        sat % 100_000_000
    ))
}

impl From<Amount> for Json {
    fn from(value: Amount) -> Json {
        amount(i64::try_from(value.to_sat()).unwrap_or(i64::MAX))
    }
}

/// A float as C's `%.16g` writes it.
pub(super) fn write_real(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 && value.is_sign_negative() {
            "-0".to_owned()
        } else if value == 0.0 {
            "0".to_owned()
        } else {
            "null".to_owned()
        };
    }
    let text = format!("{:.*e}", REAL_DIGITS - 1, value);
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let negative = mantissa.starts_with('-');
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let body = if exponent < -4 || exponent >= REAL_DIGITS as i32 {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{first}{point}{rest}e{sign}{:02}", exponent.abs())
    } else if exponent < 0 {
        let zeros = "0".repeat((-exponent - 1) as usize);
        format!("0.{zeros}{digits}")
    } else {
        let whole = exponent as usize + 1;
        if digits.len() <= whole {
            format!("{digits}{}", "0".repeat(whole - digits.len()))
        } else {
            format!("{}.{}", &digits[..whole], &digits[whole..])
        }
    };
    if negative { format!("-{body}") } else { body }
}

/// Reads a decimal number as an integer of units of 10^-`decimals`; `None` where it does not fit, or is finer.
pub(crate) fn parse_fixed_point(text: &str, decimals: i32) -> Option<i64> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (number, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (number, None),
    };
    let all_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    if fraction.is_some_and(|fraction| !all_digits(fraction)) {
        return None;
    }
    let mut scale: i64 = match exponent {
        None => 0,
        Some(text) => {
            let (negative, digits) = match text.as_bytes().first()? {
                b'-' => (true, &text[1..]),
                b'+' => (false, &text[1..]),
                _ => (false, text),
            };
            if !all_digits(digits) || digits.len() > 18 {
                return None;
            }
            let value: i64 = digits.parse().ok()?;
            if negative { -value } else { value }
        }
    };
    let fraction = fraction.unwrap_or("").trim_end_matches('0');
    let mut mantissa: i64 = 0;
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    scale += (digits.len() - significant.len()) as i64 - fraction.len() as i64;
    for digit in significant.bytes() {
        mantissa = mantissa
            .checked_mul(10)?
            .checked_add(i64::from(digit - b'0'))?;
        if mantissa > UPPER_BOUND {
            return None;
        }
    }
    if mantissa == 0 {
        return Some(0);
    }
    let power = scale.checked_add(i64::from(decimals))?;
    if !(0..18).contains(&power) {
        return None;
    }
    for _ in 0..power {
        mantissa = mantissa.checked_mul(10)?;
    }
    if mantissa > UPPER_BOUND {
        return None;
    }
    Some(if negative { -mantissa } else { mantissa })
}
