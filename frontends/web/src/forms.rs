//! Owns what a form sends back so that it is known to come from a page of ours.
//! Promises that a page of somebody else can neither read the token nor send a form in the visitor's name.
//! Refuses forms without it, and those whose browser says that another site sent them.

use axum::http::{HeaderMap, header};
use bitcoin::hex::DisplayHex;
use bitcoin::key::rand::RngCore;
use bitcoin::key::rand::rngs::OsRng;

use crate::fault::Fault;

/// Says by whose page a request was made (Fetch Metadata Request Headers).
const FETCH_SITE: &str = "sec-fetch-site";

/// The token of this run of the server.
pub(crate) struct Forms {
    token: String,
}

impl Forms {
    pub(crate) fn new() -> Forms {
        let mut bytes = [0; 16];
        OsRng.fill_bytes(&mut bytes);
        Forms {
            token: bytes.to_lower_hex_string(),
        }
    }

    /// What a form on a page of ours holds. Other sites cannot read it: nothing here is shared with them.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Whether a form came from a page of ours.
    pub(crate) fn check(&self, headers: &HeaderMap, token: &str) -> Result<(), Fault> {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let site = text(FETCH_SITE).is_none_or(|site| site == "same-origin");
        // Browsers send it with every form; others may leave it out.
        let origin = text(header::ORIGIN.as_str()).is_none_or(|origin| {
            let from = origin.split_once("://").map(|(_, host)| host);
            from.is_some() && from == text(header::HOST.as_str())
        });
        let same_length = token.len() == self.token.len();
        let pairs = token.bytes().zip(self.token.bytes());
        // All bytes are looked at, whichever differs.
        let differs = pairs.fold(0, |differs, (a, b)| differs | (a ^ b)) != 0;
        match site && origin && same_length && !differs {
            true => Ok(()),
            false => Err(Fault::ForeignForm),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| {
                let name = axum::http::HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn a_form_needs_the_token_of_this_run_and_an_origin_that_is_ours() {
        let (forms, others) = (Forms::new(), Forms::new());
        let token = forms.token().to_owned();
        let host = ("host", "127.0.0.1:8380");
        for good in [
            &[host][..],
            &[host, ("origin", "http://127.0.0.1:8380")],
            &[host, ("sec-fetch-site", "same-origin")],
        ] {
            assert!(forms.check(&headers(good), &token).is_ok(), "{good:?}");
            for wrong in ["", "x", others.token(), &token[1..]] {
                assert!(forms.check(&headers(good), wrong).is_err(), "{wrong}");
            }
        }
        for bad in [
            &[host, ("origin", "http://evil.example")][..],
            &[host, ("origin", "null")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "none")],
        ] {
            assert!(forms.check(&headers(bad), &token).is_err(), "{bad:?}");
        }
    }
}
