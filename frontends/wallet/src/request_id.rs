//! Owns the name that somebody gives a payment before it is made, so that asking twice pays once.
//! Promises 1 to [`MAX_REQUEST_ID_BYTES`] bytes.

use thiserror::Error;

/// Longest one, in bytes.
pub const MAX_REQUEST_ID_BYTES: usize = 64;

/// The name of a payment that is asked for: no other payment of the wallet has it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RequestId(String);

/// A text that is no request id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("it has {bytes} bytes; a request id has 1 to {MAX_REQUEST_ID_BYTES}")]
pub struct BadRequestId {
    /// How many it has.
    pub bytes: usize,
}

impl RequestId {
    /// Checks a text.
    ///
    /// # Errors
    ///
    /// [`BadRequestId`].
    pub fn new(text: &str) -> Result<RequestId, BadRequestId> {
        let bytes = text.len();
        match (1..=MAX_REQUEST_ID_BYTES).contains(&bytes) {
            true => Ok(RequestId(text.to_owned())),
            false => Err(BadRequestId { bytes }),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
