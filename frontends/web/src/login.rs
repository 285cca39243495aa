//! Owns the name and password that the page may ask for.
//! Promises that comparing takes the same time whatever was wrong, and that neither is kept or printed in the clear.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bitcoin::hashes::{Hash, sha256};

/// The scheme of HTTP Basic authentication (RFC 7617); compared without regard to case.
const SCHEME: &str = "basic ";

/// A name and a password.
#[derive(Clone)]
pub struct Login(sha256::Hash);

/// A text cannot be a login.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidLogin {
    /// Name and password are not told apart.
    #[error("a login is written NAME:PASSWORD; there is no `:` in this one")]
    NoColon,
    /// Nothing before the colon.
    #[error("a login is written NAME:PASSWORD; there is no name in this one")]
    NoName,
    /// Nothing behind the colon.
    #[error("a login is written NAME:PASSWORD; there is no password in this one")]
    NoPassword,
    /// Browsers do not send such characters, or each in another way.
    #[error("a login cannot hold line breaks or other control characters")]
    ControlCharacter,
}

impl FromStr for Login {
    type Err = InvalidLogin;

    /// Reads `NAME:PASSWORD`; the password may hold colons. White space at the end (a file's last newline) is dropped.
    fn from_str(text: &str) -> Result<Login, InvalidLogin> {
        let text = text.trim_end();
        let (name, password) = text.split_once(':').ok_or(InvalidLogin::NoColon)?;
        if name.is_empty() {
            return Err(InvalidLogin::NoName);
        }
        if password.is_empty() {
            return Err(InvalidLogin::NoPassword);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidLogin::ControlCharacter);
        }
        Ok(Login(sha256::Hash::hash(text.as_bytes())))
    }
}

impl Login {
    /// Whether an `Authorization` header carries this login.
    pub(crate) fn opens(&self, header: &[u8]) -> bool {
        let given = std::str::from_utf8(header).ok().and_then(|value| {
            let (scheme, encoded) = value.split_at_checked(SCHEME.len())?;
            let encoded = scheme.eq_ignore_ascii_case(SCHEME).then_some(encoded)?;
            STANDARD.decode(encoded.trim()).ok()
        });
        let given = sha256::Hash::hash(&given.unwrap_or_default());
        // All bytes are looked at, whichever differs.
        let pairs = given.as_byte_array().iter().zip(self.0.as_byte_array());
        pairs.fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<u8> {
        format!("Basic {}", STANDARD.encode(text)).into_bytes()
    }

    #[test]
    fn only_the_same_name_and_password_open() {
        let login: Login = "ann:se:cret\n".parse().unwrap();
        assert!(login.opens(&header("ann:se:cret")));
        assert!(
            login.opens(
                &String::from_utf8_lossy(&header("ann:se:cret"))
                    .replace("Basic", "bAsIc")
                    .into_bytes()
            )
        );
        for wrong in ["ann:se", "Ann:se:cret", "ann:se:cret ", "", ":", "ann"] {
            assert!(!login.opens(&header(wrong)), "{wrong}");
        }
        for wrong in [
            "",
            "Basic",
            "Basic ",
            "Basic ???",
            "Bearer YW5uOnNlOmNyZXQ=",
        ] {
            assert!(!login.opens(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_login_is_told_why() {
        let error = |text: &str| text.parse::<Login>().unwrap_err();
        assert_eq!(error("ann"), InvalidLogin::NoColon);
        assert_eq!(error(":x"), InvalidLogin::NoName);
        assert_eq!(error("ann:\n"), InvalidLogin::NoPassword);
        assert_eq!(error("ann:a\tb"), InvalidLogin::ControlCharacter);
    }

    #[test]
    fn a_login_is_not_printed() {
        let login: Login = "ann:secret".parse().unwrap();
        assert_eq!(format!("{login:?}"), "Login(…)");
    }
}
