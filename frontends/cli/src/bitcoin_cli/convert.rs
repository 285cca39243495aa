//! Owns the way from words of a command line to parameters of a method, by position or by name.
//! Promises Core's reading: what its methods take as JSON is JSON, all else is a string.
//! Refuses JSON that is none, before anything is sent.

mod table;

use serde_json::value::RawValue;

/// Arguments that are ours, of many methods: the world that is asked, the worlds that a payment's coins have to be in. They are
/// strings, and no text of another argument begins with them.
const OURS: [&str; 2] = ["at", "in"];

/// How an argument is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    /// As JSON.
    Json,
    /// As a string, which may hold an equals sign.
    Text,
    /// As JSON, or else as a string.
    JsonOrText,
}

/// An argument of a method.
#[derive(Clone, Copy, Debug)]
struct Param {
    position: usize,
    name: &'static str,
    format: Format,
}

/// A word that is to be JSON is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("Error parsing JSON: {0}")]
pub(super) struct NotJson(String);

fn params(method: &str) -> &'static [Param] {
    table::METHODS
        .iter()
        .find(|(name, _)| *name == method)
        .map_or(&[], |(_, params)| params)
}

fn at(method: &str, position: usize) -> Option<&'static Param> {
    params(method)
        .iter()
        .find(|param| param.position == position)
}

fn named(method: &str, name: &str) -> Option<&'static Param> {
    params(method).iter().find(|param| param.name == name)
}

/// The text of a string as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn read(text: &str) -> Option<String> {
    let value: Box<RawValue> = serde_json::from_str(text).ok()?;
    Some(value.get().to_owned())
}

fn value(param: Option<&Param>, text: &str) -> Result<String, NotJson> {
    match param.map(|param| param.format) {
        None | Some(Format::Text) => Ok(quoted(text)),
        Some(Format::Json) => read(text).ok_or_else(|| NotJson(text.to_owned())),
        Some(Format::JsonOrText) => Ok(read(text).unwrap_or_else(|| quoted(text))),
    }
}

/// Parameters by position, as a JSON array.
///
/// # Errors
///
/// [`NotJson`].
pub(super) fn by_position(method: &str, words: &[String]) -> Result<String, NotJson> {
    let values = words
        .iter()
        .enumerate()
        .map(|(position, word)| value(at(method, position), word));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    Ok(format!("[{}]", values.join(",")))
}

/// Parameters by name, as a JSON object; words without a name stand in its `args`.
///
/// # Errors
///
/// [`NotJson`].
pub(super) fn by_name(method: &str, words: &[String]) -> Result<String, NotJson> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    let mut positional: Vec<String> = Vec::new();
    for word in words {
        let place = at(method, positional.len());
        let Some((name, text)) = word.split_once('=') else {
            positional.push(value(place, word)?);
            continue;
        };
        let param = named(method, name);
        if param.is_none() && !OURS.contains(&name) {
            // An equals sign in what is the next argument by position.
            let whole = match place.map(|place| place.format) {
                Some(Format::Json) => read(word),
                Some(Format::Text) => Some(quoted(word)),
                _ => None,
            };
            if let Some(whole) = whole {
                positional.push(whole);
                continue;
            }
        }
        let text = value(param, text)?;
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, earlier)) => *earlier = text,
            None => fields.push((name, text)),
        }
    }
    if !positional.is_empty() {
        fields.push(("args", format!("[{}]", positional.join(","))));
    }
    let fields = fields
        .iter()
        .map(|(name, text)| format!("{}:{text}", quoted(name)));
    Ok(format!("{{{}}}", fields.collect::<Vec<_>>().join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn numbers_are_numbers_where_the_method_has_numbers() {
        let text = |method: &str, list: &[&str]| by_position(method, &words(list)).unwrap();
        assert_eq!(text("getblockhash", &["12"]), "[12]");
        assert_eq!(text("getblock", &["12", "0"]), r#"["12",0]"#);
        assert_eq!(text("unheard", &["12", "a\"b"]), r#"["12","a\"b"]"#);
        assert_eq!(text("getblockstats", &["00ff"]), r#"["00ff"]"#);
        assert_eq!(text("getblockstats", &["7"]), "[7]");
        // Digits stay as they were written.
        assert_eq!(text("sendtoaddress", &["x", "1.10"]), r#"["x",1.10]"#);
        let wrong = by_position("getblockhash", &words(&["x"])).unwrap_err();
        assert_eq!(wrong.to_string(), "Error parsing JSON: x");
    }

    #[test]
    fn names_go_before_equals_signs_unless_the_text_is_the_argument() {
        let text = |method: &str, list: &[&str]| by_name(method, &words(list)).unwrap();
        assert_eq!(
            text("getblock", &["blockhash=ab", "verbosity=1", "verbosity=2"]),
            r#"{"blockhash":"ab","verbosity":2}"#
        );
        assert_eq!(
            text("getblock", &["ab", "verbosity=0"]),
            r#"{"verbosity":0,"args":["ab"]}"#
        );
        assert_eq!(
            text("createwallet", &["my=wallet"]),
            r#"{"args":["my=wallet"]}"#
        );
        assert_eq!(text("getblockcount", &["at=00ff"]), r#"{"at":"00ff"}"#);
        assert_eq!(
            text("sendtoaddress", &["address=x", "amount=1", "in=best"]),
            r#"{"address":"x","amount":1,"in":"best"}"#
        );
        assert_eq!(text("getwalletwarnings", &["blocks=5"]), r#"{"blocks":5}"#);
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(table::METHODS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
