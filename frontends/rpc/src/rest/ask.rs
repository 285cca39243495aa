//! Owns what is asked: the rest of a path, the format at its end, the query behind it.
//! Promises to read them as Core does, unusual ones as well.

use std::str::FromStr;
use std::sync::Arc;

use bitcoin::BlockHash;
use bytes::Bytes;
use everett_ledger::{Ledger, World};

use super::answer::RestError;
use crate::call::{At, Call};
use crate::error::RpcError;
use crate::json::Json;
use crate::method::{Answer, Given, Method, Run};
use crate::site::Site;

/// How something is to be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// None was named, or one that does not exist.
    Undefined,
    /// `.bin`
    Binary,
    /// `.hex`
    Hex,
    /// `.json`
    Json,
}

/// One question.
pub(super) struct Ask {
    site: Arc<Site>,
    /// What stands between the path's beginning and the format.
    pub(super) argument: String,
    /// The format at its end.
    pub(super) format: Format,
    /// What was asked beyond the path: behind the first question mark.
    query: String,
    /// What was sent along.
    pub(super) body: Bytes,
}

/// What comes before the format, and the format: behind the last point, up to the last question mark.
fn split_format(rest: &str) -> (&str, Format) {
    let path = rest.rsplit_once('?').map_or(rest, |(path, _)| path);
    let Some((before, name)) = path.rsplit_once('.') else {
        return (path, Format::Undefined);
    };
    match name {
        "bin" => (before, Format::Binary),
        "hex" => (before, Format::Hex),
        "json" => (before, Format::Json),
        "" => (before, Format::Undefined),
        _ => (path, Format::Undefined),
    }
}

/// Undoes the percent signs of RFC 3986; what is none stays as it is.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |place: usize| {
        let byte = bytes.get(place)?;
        char::from(*byte).to_digit(16)
    };
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while let Some(byte) = bytes.get(place) {
        let pair = (digit(place + 1), digit(place + 2));
        match (byte, pair) {
            (b'%', (Some(high), Some(low))) => {
                decoded.push((high * 16 + low) as u8);
                place += 3;
            }
            _ => {
                decoded.push(*byte);
                place += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// A number that is written with digits alone, after a minus sign where there can be one.
pub(super) fn number<T: FromStr>(text: &str) -> Option<T> {
    // The standard library would take a plus sign as well.
    (!text.starts_with('+')).then(|| text.parse().ok())?
}

/// A hash as it is displayed.
pub(super) fn hash<T: FromStr>(text: &str) -> Result<T, RestError> {
    let invalid = || RestError::bad(format!("Invalid hash: {text}"));
    let well_formed = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !well_formed {
        return Err(invalid());
    }
    text.parse().map_err(|_| invalid())
}

impl Ask {
    /// Reads what stands behind a path's beginning.
    pub(super) fn new(site: Arc<Site>, rest: &str, body: Bytes) -> Ask {
        let (argument, format) = split_format(rest);
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        Ask {
            site,
            argument: argument.to_owned(),
            format,
            query: query.to_owned(),
            body,
        }
    }

    /// The first value of a key in the query; empty if it has none.
    pub(super) fn parameter(&self, key: &str) -> Option<String> {
        find_parameter(&self.query, key)
    }

    /// A value that is `true` or `false`.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool, RestError> {
        match self.parameter(key).as_deref() {
            None => Ok(default),
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            Some(_) => Err(RestError::bad(format!(
                "The \"{key}\" query parameter must be either \"true\" or \"false\"."
            ))),
        }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        self.site.handle.ledger()
    }

    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    pub(super) fn network(&self) -> bitcoin::Network {
        self.ledger().params().network.to_bitcoin()
    }

    fn at(&self) -> Result<Option<At>, RestError> {
        let Some(text) = self.parameter("at") else {
            return Ok(None);
        };
        At::parse(&Json::Text(text))
            .map(Some)
            .map_err(|error| RestError::bad(error.message))
    }

    /// Whether another world than the best one is asked.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.parameter("at").is_some_and(|at| at != "best")
    }

    /// The world that is asked.
    pub(super) fn world(&self) -> Result<World, RestError> {
        let world = match self.at()?.unwrap_or_default() {
            At::Best => return Ok(self.ledger().best()),
            At::Height(height) => self.ledger().world_at_height(height),
            At::Block(hash) => self.ledger().world(&hash),
        };
        world.map_err(|error| RestError::not_found(RpcError::from(error).message))
    }

    /// A call of a method with these arguments, in the world that is asked.
    pub(super) fn call(&self, places: Vec<Json>) -> Result<Call, RestError> {
        // A world that cannot be had is the caller's fault, and is told before the method finds it.
        self.world()?;
        let given = Given {
            places,
            at: self.at()?,
        };
        Ok(Call::new(self.site.clone(), given))
    }

    /// What a method answers.
    pub(super) fn method(&self, method: &Method, places: Vec<Json>) -> Answer {
        let call = self
            .call(places)
            .map_err(|error| RpcError::misc(error.text))?;
        match method.run {
            Run::Read(run) => run(&call),
            _ => Err(RpcError::misc(format!(
                "{} does not only read",
                method.name
            ))),
        }
    }

    /// A block of the path, on any branch.
    pub(super) fn block_hash(&self) -> Result<BlockHash, RestError> {
        hash(&self.argument)
    }
}

fn find_parameter(query: &str, key: &str) -> Option<String> {
    let query = query.split('#').next().unwrap_or_default();
    query.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name) == key).then(|| decode(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_stands_behind_the_last_point_before_the_query() {
        assert_eq!(split_format("ab.json?x=1"), ("ab", Format::Json));
        assert_eq!(split_format("ab.hex"), ("ab", Format::Hex));
        assert_eq!(split_format("a.b.bin"), ("a.b", Format::Binary));
        assert_eq!(split_format("ab"), ("ab", Format::Undefined));
        assert_eq!(split_format("ab.foo"), ("ab.foo", Format::Undefined));
        assert_eq!(split_format("ab."), ("ab", Format::Undefined));
        // The last question mark ends the path, as in Core.
        assert_eq!(
            split_format("ab.json?x=1?y"),
            ("ab.json?x=1", Format::Undefined)
        );
    }

    #[test]
    fn a_query_is_searched_for_the_first_value_of_a_key() {
        let query = "a=1&b&co%75nt=%37%zz&a=2#c=3&d=4";
        let found = |key| find_parameter(query, key);
        assert_eq!(found("a").as_deref(), Some("1"));
        assert_eq!(found("b").as_deref(), Some(""));
        assert_eq!(found("count").as_deref(), Some("7%zz"));
        assert_eq!(found("d"), None);
    }

    #[test]
    fn numbers_have_digits_alone() {
        assert_eq!(number::<u64>("05"), Some(5));
        assert_eq!(number::<i32>("-5"), Some(-5));
        assert_eq!(number::<u64>("+5"), None);
        assert_eq!(number::<u64>(" 5"), None);
        assert_eq!(number::<u64>(""), None);
    }
}
