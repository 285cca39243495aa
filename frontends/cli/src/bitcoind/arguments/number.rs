//! Owns numbers as C's `atoi` reads them, which is how options are read.

/// The number that a text begins with, after blanks and a sign; 0 if there is none, and the nearest one that there is if it
/// is too large.
pub(crate) fn leading_integer(text: &str) -> i64 {
    let text = text.trim_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.bytes().take_while(u8::is_ascii_digit);
    let value = digits.fold(0_i64, |value, digit| {
        value
            .saturating_mul(10)
            .saturating_add(i64::from(digit - b'0'))
    });
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_what_a_text_begins_with() {
        for (text, number) in [
            ("12", 12),
            (" -3x", -3),
            ("+4", 4),
            ("+-4", 0),
            ("true", 0),
            ("", 0),
            ("99999999999999999999", i64::MAX),
        ] {
            assert_eq!(leading_integer(text), number, "{text}");
        }
    }
}
