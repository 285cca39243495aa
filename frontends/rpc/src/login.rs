//! Owns who may call: names with salted hashes of passwords, as Core's `rpcauth` has them.
//! Promises that comparing takes the same time whatever was wrong, and that no password is kept in the clear.

use base64::Engine;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use bitcoin::hex::DisplayHex;

/// The scheme of the header; Core takes it in this spelling only.
const SCHEME: &str = "Basic ";

const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new());

/// A line of `rpcauth` is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("rpcauth is written NAME:SALT$HMAC, as Core's share/rpcauth/rpcauth.py prints it")]
pub struct InvalidAuth;

/// One name.
#[derive(Clone)]
struct Entry {
    user: String,
    salt: String,
    /// HMAC-SHA256 of the password under the salt, in hexadecimal.
    hash: String,
}

/// All names that may call.
#[derive(Clone, Default)]
pub(crate) struct Logins(Vec<Entry>);

fn hmac(salt: &str, password: &[u8]) -> String {
    let mut engine = HmacEngine::<sha256::Hash>::new(salt.as_bytes());
    engine.input(password);
    let hash = Hmac::<sha256::Hash>::from_engine(engine);
    hash.to_byte_array().to_lower_hex_string()
}

/// Looks at all bytes, whichever differs.
fn equal(a: &[u8], b: &[u8]) -> bool {
    let differs = (0..a.len().max(b.len())).fold(a.len() ^ b.len(), |differs, index| {
        let byte = |bytes: &[u8]| bytes.get(index).copied().unwrap_or(0);
        differs | usize::from(byte(a) ^ byte(b))
    });
    differs == 0
}

impl Logins {
    /// Adds a name with its password.
    pub(crate) fn add(&mut self, user: &str, password: &str) {
        let salt: [u8; 16] = bitcoin::secp256k1::rand::random();
        let salt = salt.to_lower_hex_string();
        let hash = hmac(&salt, password.as_bytes());
        self.0.push(Entry {
            user: user.to_owned(),
            salt,
            hash,
        });
    }

    /// Adds a line of `rpcauth`.
    pub(crate) fn add_line(&mut self, line: &str) -> Result<(), InvalidAuth> {
        let (user, rest) = line.split_once(':').ok_or(InvalidAuth)?;
        let (salt, hash) = rest.split_once('$').ok_or(InvalidAuth)?;
        if rest.contains(':') || hash.contains('$') {
            return Err(InvalidAuth);
        }
        self.0.push(Entry {
            user: user.to_owned(),
            salt: salt.to_owned(),
            hash: hash.to_owned(),
        });
        Ok(())
    }

    /// The name that an `Authorization` header proves.
    pub(crate) fn admits(&self, header: &[u8]) -> Option<String> {
        let header = std::str::from_utf8(header).ok()?;
        let given = BASE64.decode(header.strip_prefix(SCHEME)?.trim()).ok()?;
        let colon = given.iter().position(|byte| *byte == b':')?;
        let (user, password) = (&given[..colon], &given[colon + 1..]);
        let proven = self.0.iter().any(|entry| {
            equal(entry.user.as_bytes(), user)
                && equal(
                    hmac(&entry.salt, password).as_bytes(),
                    entry.hash.as_bytes(),
                )
        });
        proven.then(|| String::from_utf8_lossy(user).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<u8> {
        format!("Basic {}", BASE64.encode(text)).into_bytes()
    }

    #[test]
    fn a_name_and_its_password_are_admitted() {
        let mut logins = Logins::default();
        logins.add("ann", "se:cret");
        assert_eq!(
            logins.admits(&header("ann:se:cret")).as_deref(),
            Some("ann")
        );
        for wrong in ["ann:se", "bob:se:cret", "ann", "", ":"] {
            assert_eq!(logins.admits(&header(wrong)), None, "{wrong}");
        }
        for wrong in ["", "Basic", "Basic ?", "bearer x"] {
            assert_eq!(logins.admits(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_line_of_rpcauth_is_what_cores_script_makes_of_the_password() {
        let line = "rt:93648e835a54c573682c2eb19f882535$7681e9c5b74bdd85e78166031d2058e1069b3ed7ed967c93fc63abba06f31144";
        let mut logins = Logins::default();
        logins.add_line(line).unwrap();
        let password = "cA773lm788buwYe4g4WT+05pKyNruVKjQ25x3n0DQcM=";
        assert!(logins.admits(&header(&format!("rt:{password}"))).is_some());
        assert!(logins.admits(&header("rt:x")).is_none());
        for wrong in ["a", "a:b", "a:b$c$d", "a:b:c$d"] {
            assert_eq!(logins.add_line(wrong), Err(InvalidAuth), "{wrong}");
        }
    }
}
