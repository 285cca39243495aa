//! Owns the bearer token that a server may ask for.
//! Promises that comparing takes the same time whatever was wrong, and that the token is never printed.

use bitcoin::hashes::{Hash, sha256};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::fault::Fault;

/// The header that carries the token.
const HEADER: &str = "authorization";
/// What stands before the token; compared without regard to case.
const SCHEME: &str = "bearer ";

/// A secret that every call has to carry, as `authorization: Bearer TOKEN`.
#[derive(Clone)]
pub struct BearerToken(sha256::Hash);

/// A text cannot be a token.
#[derive(Debug, thiserror::Error)]
#[error("a token is one or more visible ASCII characters, without spaces")]
pub struct InvalidToken;

impl BearerToken {
    /// Takes a secret of visible ASCII characters; white space around it (a file's last newline) is dropped.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`].
    pub fn new(text: &str) -> Result<BearerToken, InvalidToken> {
        let text = text.trim();
        match !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            true => Ok(BearerToken(sha256::Hash::hash(text.as_bytes()))),
            false => Err(InvalidToken),
        }
    }

    fn is(&self, text: &str) -> bool {
        // Only hashes are compared, so the time tells nothing about the token.
        sha256::Hash::hash(text.as_bytes()) == self.0
    }
}

impl std::fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BearerToken(…)")
    }
}

/// Stands before a service and lets in who has the token, or everyone when there is none.
#[derive(Clone, Debug)]
pub(crate) struct Door(Option<BearerToken>);

impl Door {
    pub(crate) fn new(token: Option<BearerToken>) -> Door {
        Door(token)
    }
}

impl Interceptor for Door {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(token) = &self.0 else {
            return Ok(request);
        };
        let given = request
            .metadata()
            .get(HEADER)
            .ok_or_else(|| {
                Fault::unauthenticated(
                    "this node asks for a token: send `authorization: Bearer TOKEN`",
                )
            })?
            .to_str()
            .ok()
            .and_then(|value| {
                let (scheme, given) = value.split_at_checked(SCHEME.len())?;
                scheme.eq_ignore_ascii_case(SCHEME).then_some(given)
            });
        match given {
            Some(given) if token.is(given) => Ok(request),
            _ => Err(Fault::unauthenticated("the token is wrong").into()),
        }
    }
}
