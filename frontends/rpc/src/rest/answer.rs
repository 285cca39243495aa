//! Owns what goes back: bytes, their hexadecimal or JSON, or a refusal in plain text.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bitcoin::hex::DisplayHex;
use everett_ledger::{ReadError, StoreError};
use everett_mempool::MempoolError;

use super::ask::Format;
use crate::error::RpcError;
use crate::json::Json;

/// What was found, as it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Found {
    content: &'static str,
    body: Vec<u8>,
}

impl Found {
    /// Bytes as they are.
    pub(super) fn bytes(body: Vec<u8>) -> Found {
        Found {
            content: "application/octet-stream",
            body,
        }
    }

    /// A line of text.
    pub(super) fn line(text: String) -> Found {
        Found {
            content: "text/plain",
            body: (text + "\n").into_bytes(),
        }
    }

    /// JSON, on a line.
    pub(super) fn json(json: &Json) -> Found {
        Found {
            content: "application/json",
            body: (json.write() + "\n").into_bytes(),
        }
    }

    /// Bytes in the format that was asked for; `json` is for JSON alone.
    pub(super) fn encode(
        format: Format,
        bytes: impl FnOnce() -> Vec<u8>,
        json: impl FnOnce() -> Result<Json, RestError>,
    ) -> Result<Found, RestError> {
        match format {
            Format::Binary => Ok(Found::bytes(bytes())),
            Format::Hex => Ok(Found::line(bytes().to_lower_hex_string())),
            Format::Json => Ok(Found::json(&json()?)),
            Format::Undefined => Err(RestError::no_format()),
        }
    }

    pub(super) fn response(self) -> Response<Body> {
        respond(StatusCode::OK, self.content, self.body)
    }
}

/// Why nothing is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RestError {
    pub(super) status: StatusCode,
    pub(super) text: String,
}

impl RestError {
    fn new(status: StatusCode, text: impl Into<String>) -> RestError {
        let text = text.into();
        RestError { status, text }
    }

    /// The request makes no sense.
    pub(super) fn bad(text: impl Into<String>) -> RestError {
        RestError::new(StatusCode::BAD_REQUEST, text)
    }

    /// There is no such thing.
    pub(super) fn not_found(text: impl Into<String>) -> RestError {
        RestError::new(StatusCode::NOT_FOUND, text)
    }

    /// Something broke here.
    pub(super) fn broken(text: impl Into<String>) -> RestError {
        RestError::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// No format, or one that does not exist.
    pub(super) fn no_format() -> RestError {
        RestError::not_found("output format not found (available: .bin, .hex, .json)")
    }

    /// The same where there is JSON alone.
    pub(super) fn json_only() -> RestError {
        RestError::not_found("output format not found (available: json)")
    }

    pub(super) fn response(self) -> Response<Body> {
        respond(self.status, "text/plain", (self.text + "\r\n").into_bytes())
    }
}

impl From<RpcError> for RestError {
    /// What a method refuses although its arguments were looked at before is nobody's fault but ours.
    fn from(error: RpcError) -> RestError {
        RestError::broken(error.message)
    }
}

impl From<ReadError> for RestError {
    fn from(error: ReadError) -> RestError {
        RestError::broken(error.to_string())
    }
}

impl From<StoreError> for RestError {
    fn from(error: StoreError) -> RestError {
        RestError::broken(error.to_string())
    }
}

impl From<MempoolError> for RestError {
    fn from(error: MempoolError) -> RestError {
        RestError::broken(error.to_string())
    }
}

fn respond(status: StatusCode, content: &'static str, body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content));
    response
}
