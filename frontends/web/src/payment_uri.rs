//! Owns links that ask for a payment (BIP21), and names as parts of an address of ours.
//! Promises that whatever stands in a label or a name is escaped.

use std::fmt::Write;

use bitcoin::Amount;

/// `bitcoin:ADDRESS?amount=…&label=…`; what is not there is left out.
pub(crate) fn payment_uri(address: &str, amount: Option<Amount>, label: &str) -> String {
    let mut uri = format!("bitcoin:{address}");
    let mut mark = '?';
    if let Some(amount) = amount {
        let btc = format!("{:.8}", amount.display_in(bitcoin::Denomination::Bitcoin));
        let short = btc.trim_end_matches('0').trim_end_matches('.');
        // Writing to a string cannot fail.
        let _ = write!(uri, "{mark}amount={short}");
        mark = '&';
    }
    if !label.is_empty() {
        let _ = write!(uri, "{mark}label={}", escaped(label));
    }
    uri
}

/// A text as a part of a path or a value of a query (RFC 3986): all but letters, digits and `-._~` as `%XX`.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                safe.push(char::from(byte));
            }
            other => {
                let _ = write!(safe, "%{other:02X}");
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_the_amount_in_bitcoin_and_the_label_escaped() {
        let sat = |sat| Some(Amount::from_sat(sat));
        assert_eq!(payment_uri("addr", None, ""), "bitcoin:addr");
        for (amount, text) in [
            (1, "0.00000001"),
            (3_000_000_000, "30"),
            (150_000_000, "1.5"),
        ] {
            let uri = payment_uri("addr", sat(amount), "");
            assert_eq!(uri, format!("bitcoin:addr?amount={text}"));
        }
        assert_eq!(
            payment_uri("addr", sat(10_000_000), "rent & more"),
            "bitcoin:addr?amount=0.1&label=rent%20%26%20more"
        );
        assert_eq!(payment_uri("addr", None, "ü"), "bitcoin:addr?label=%C3%BC");
    }
}
