//! Owns JSON as this interface speaks it: objects keep the order of their keys, numbers the digits they were written with.
//! Promises that what comes out is written as Bitcoin Core's own library (univalue) writes it.
//! Refuses to turn amounts into floating point on their way.

mod convert;
mod number;
mod parse;
mod write;

pub(crate) use number::{amount, parse_fixed_point};

use crate::error::{MISC_ERROR, RpcError, TYPE_ERROR};

/// A JSON value.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) enum Json {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A string.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object: its keys in order, repeated ones as well.
    Object(Vec<(String, Json)>),
    /// An array that is written already: for answers with so many things that a value for each would take longer than
    /// all the rest. Nothing of what it holds can be asked for.
    Written(String),
}

static NULL: Json = Json::Null;

impl Json {
    /// What Core calls the type of a value.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "bool",
            Json::Number(_) => "number",
            Json::Text(_) => "string",
            Json::Array(_) | Json::Written(_) => "array",
            Json::Object(_) => "object",
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Json::Null)
    }

    /// The value of a key, the first one; `null` if there is none.
    pub(crate) fn get(&self, key: &str) -> &Json {
        self.find(key).unwrap_or(&NULL)
    }

    /// The value of a key, the first one.
    pub(crate) fn find(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(fields) => fields
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    fn not(&self, expected: &str) -> RpcError {
        RpcError::new(
            TYPE_ERROR,
            format!(
                "JSON value of type {} is not of expected type {expected}",
                self.type_name()
            ),
        )
    }

    /// The text of a string.
    pub(crate) fn text(&self) -> Result<&str, RpcError> {
        match self {
            Json::Text(text) => Ok(text),
            other => Err(other.not("string")),
        }
    }

    /// The truth of a boolean.
    pub(crate) fn bool(&self) -> Result<bool, RpcError> {
        match self {
            Json::Bool(value) => Ok(*value),
            other => Err(other.not("bool")),
        }
    }

    /// An integer of the type that is asked for.
    pub(crate) fn int<T: std::str::FromStr>(&self) -> Result<T, RpcError> {
        match self {
            Json::Number(text) => text
                .parse()
                .map_err(|_| RpcError::new(MISC_ERROR, "JSON integer out of range")),
            other => Err(other.not("number")),
        }
    }

    /// A number as floating point.
    pub(crate) fn real(&self) -> Result<f64, RpcError> {
        match self {
            Json::Number(text) => text
                .parse()
                .map_err(|_| RpcError::new(MISC_ERROR, "JSON double out of range")),
            other => Err(other.not("number")),
        }
    }

    /// The elements of an array.
    pub(crate) fn array(&self) -> Result<&[Json], RpcError> {
        match self {
            Json::Array(items) => Ok(items),
            other => Err(other.not("array")),
        }
    }

    /// The fields of an object.
    pub(crate) fn object(&self) -> Result<&[(String, Json)], RpcError> {
        match self {
            Json::Object(fields) => Ok(fields),
            other => Err(other.not("object")),
        }
    }

    /// Adds a field to an object; nothing else has any.
    pub(crate) fn push(&mut self, key: &str, value: impl Into<Json>) {
        if let Json::Object(fields) = self {
            fields.push((key.to_owned(), value.into()));
        }
    }

    /// Adds a field where there is a value for it.
    pub(crate) fn push_some(&mut self, key: &str, value: Option<impl Into<Json>>) {
        if let Some(value) = value {
            self.push(key, value);
        }
    }
}

/// An object with its fields in the order in which they are written.
macro_rules! object {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::json::Json::Object(vec![$(($key.to_string(), $crate::json::Json::from($value))),*])
    };
}
pub(crate) use object;

#[cfg(test)]
mod tests;
