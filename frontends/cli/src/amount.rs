//! Owns how amounts are shown to people: in bitcoin, with all eight decimals.
//! Promises exactness; refuses floating point.

/// `20.00000000`, `-0.00001000`.
pub(crate) fn btc(sat: i64) -> String {
    let sign = if sat < 0 { "-" } else { "" };
    let sat = sat.unsigned_abs();
    format!("{sign}{}.{:08}", sat / 100_000_000, sat % 100_000_000)
}

#[cfg(test)]
mod tests {
    use super::btc;

    #[test]
    fn amounts_have_all_their_decimals() {
        assert_eq!(btc(0), "0.00000000");
        assert_eq!(btc(2_999_999_000), "29.99999000");
        assert_eq!(btc(-1), "-0.00000001");
        assert_eq!(btc(i64::MIN), "-92233720368.54775808");
    }
}
