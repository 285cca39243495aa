//! Owns the text of descriptors: checksums, the public form of private keys, the single paths of several.

use bitcoin::bip32::{Xpriv, Xpub};
use bitcoin::secp256k1::Secp256k1;
use bitcoin::{Network, NetworkKind, PrivateKey, PublicKey};
use miniscript::descriptor::checksum::Engine;
use zeroize::Zeroizing;

/// Length of a checksum.
pub(super) const CHECKSUM_CHARS: usize = 8;

/// A descriptor and its checksum, which was right if it was given.
pub(crate) struct Checked<'a> {
    pub(crate) body: &'a str,
    pub(crate) checksum: String,
}

/// The checksum of a descriptor; `None` where it has characters that no descriptor has.
pub fn checksum(body: &str) -> Option<String> {
    let mut engine = Engine::new();
    engine.input(body).ok()?;
    Some(engine.checksum())
}

/// What stands before the checksum.
pub(crate) fn body(text: &str) -> &str {
    text.split('#').next().unwrap_or(text)
}

/// Takes the checksum off.
pub(crate) fn check(text: &str, needed: bool) -> Result<Checked<'_>, String> {
    let mut parts = text.split('#');
    let body = parts.next().unwrap_or_default();
    let given = parts.next();
    if parts.next().is_some() {
        return Err("Multiple '#' symbols".to_owned());
    }
    match given {
        None if needed => return Err("Missing checksum".to_owned()),
        Some(given) if given.len() != CHECKSUM_CHARS => {
            return Err(format!(
                "Expected {CHECKSUM_CHARS} character checksum, not {} characters",
                given.len()
            ));
        }
        _ => {}
    }
    let checksum = checksum(body).ok_or("Invalid characters in payload")?;
    match given {
        Some(given) if given != checksum => Err(format!(
            "Provided checksum '{given}' does not match computed checksum '{checksum}'"
        )),
        _ => Ok(Checked { body, checksum }),
    }
}

/// Where keys begin and end.
fn is_edge(character: char) -> bool {
    matches!(character, '(' | ')' | '{' | '}' | ',')
}

/// A private key in WIF of a network. `from_wif` takes any last byte for the mark of a compressed key; Core does not.
pub(crate) fn parse_wif(text: &str, network: Network) -> Option<PrivateKey> {
    let key = PrivateKey::from_wif(text).ok()?;
    let same = Zeroizing::new(key.to_wif()).as_str() == text;
    (same && key.network == NetworkKind::from(network)).then_some(key)
}

/// A descriptor with the private keys of two texts of it; `None` where they are not built alike.
pub(crate) fn with_secrets_of(one: &str, other: &str, network: Network) -> Option<String> {
    let edges = |text: &'_ str| -> Vec<char> { text.chars().filter(|c| is_edge(*c)).collect() };
    let between = edges(one);
    if between != edges(other) {
        return None;
    }
    let mut edges = between.into_iter();
    // Never grown: no copy of a key is left behind.
    let mut text = String::with_capacity(one.len() + other.len());
    for (one, other) in one.split(is_edge).zip(other.split(is_edge)) {
        let is_private = public_key(other, "", false, network).is_ok_and(|(_, private)| private);
        text.push_str(match is_private {
            true => other,
            false => one,
        });
        text.extend(edges.next());
    }
    Some(text)
}

/// The public extended keys that a text names, without those of its private ones.
pub(crate) fn extended_keys(text: &str) -> Vec<Xpub> {
    let words = text.split(is_edge);
    let keys = words.filter_map(|word| {
        let key = word.rsplit(']').next()?;
        key.split('/').next()?.parse().ok()
    });
    keys.collect()
}

/// How Core begins what it says of a key of a function; `None` for functions that take something else.
fn takes_keys(function: &str) -> Option<String> {
    match function {
        "pk" | "pkh" | "wpkh" | "combo" | "tr" | "rawtr" => Some(format!("{function}():")),
        "multi" | "sortedmulti" | "multi_a" | "sortedmulti_a" => Some("Multi:".to_owned()),
        _ => None,
    }
}

/// Whether a key expression is a single key, private or public, that is not compressed.
fn is_uncompressed(text: &str) -> bool {
    let key = text.rsplit(']').next().unwrap_or(text);
    let public = key.parse::<PublicKey>().is_ok_and(|key| !key.compressed);
    public || PrivateKey::from_wif(key).is_ok_and(|key| !key.compressed)
}

/// How Core begins what it says of the first key of a descriptor that is not compressed; `None` where there is none, and where it
/// stands in miniscript.
pub(super) fn who_has_uncompressed(body: &str) -> Option<String> {
    let mut within: Vec<&str> = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let end = rest.find(is_edge).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if after.starts_with('(') {
            within.push(word);
        } else if is_uncompressed(word) {
            let (function, around) = within.split_last()?;
            let is_plain = around
                .iter()
                .all(|around| matches!(*around, "sh" | "wsh" | "tr"));
            return takes_keys(function).filter(|_| is_plain);
        }
        if after.starts_with(')') {
            within.pop();
        }
        // Edges are one byte each.
        rest = after.get(1..).unwrap_or_default();
    }
    None
}

/// One key expression in its public form, and whether it was a private one.
fn public_key(
    text: &str,
    function: &str,
    x_only: bool,
    network: Network,
) -> Result<(String, bool), String> {
    let (origin, rest) = match text.rfind(']') {
        Some(end) => text.split_at(end + 1),
        None => ("", text),
    };
    let (key, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if let Some(who) = takes_keys(function)
        && key != key.trim()
    {
        return Err(format!("{who} Key '{key}' is invalid due to whitespace"));
    }
    let not_valid = || format!("{function}(): key '{key}' is not valid");
    let kind = NetworkKind::from(network);
    let secp = Secp256k1::new();
    let (shown, private) = if PrivateKey::from_wif(key).is_ok() {
        let secret = parse_wif(key, network).ok_or_else(not_valid)?;
        let public = secret.public_key(&secp);
        let shown = match x_only {
            true => public.inner.x_only_public_key().0.to_string(),
            false => public.to_string(),
        };
        (shown, true)
    } else if let Ok(secret) = key.parse::<Xpriv>() {
        if secret.network != kind {
            return Err(not_valid());
        }
        (Xpub::from_priv(&secp, &secret).to_string(), true)
    } else {
        let foreign = key
            .parse::<Xpub>()
            .is_ok_and(|public| public.network != kind);
        if foreign {
            return Err(not_valid());
        }
        (key.to_owned(), false)
    };
    // The last marker of hardened steps is the one that all are written with.
    let marker = text
        .rfind(['\'', 'h'])
        .filter(|_| !path.is_empty() || !origin.is_empty());
    let marker = marker.and_then(|at| text[at..].chars().next());
    let with = |text: &str| match marker {
        Some('\'') => text.replace('h', "'"),
        Some(_) => text.replace('\'', "h"),
        None => text.to_owned(),
    };
    Ok((format!("{}{shown}{}", with(origin), with(path)), private))
}

/// A descriptor with each private key replaced by its public one, and whether there was any.
pub(super) fn without_secrets(body: &str, network: Network) -> Result<(String, bool), String> {
    let function = body.split('(').next().unwrap_or_default();
    if matches!(function, "addr" | "raw") {
        return Ok((body.to_owned(), false));
    }
    let mut public = String::with_capacity(body.len());
    let mut any = false;
    let mut within = function;
    let mut before = "";
    let mut rest = body;
    while !rest.is_empty() {
        let end = rest.find(is_edge).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if after.starts_with('(') {
            within = word;
            public.push_str(word);
        } else {
            // Nothing stands between two brackets that close, or that open.
            let is_argument = matches!(before, "(" | ",") && after.starts_with([')', ',']);
            if let (true, true, Some(who)) = (word.is_empty(), is_argument, takes_keys(within)) {
                return Err(format!("{who} No key provided"));
            }
            let x_only = matches!(function, "tr" | "rawtr");
            let (shown, private) = public_key(word, within, x_only, network)?;
            public.push_str(&shown);
            any |= private;
        }
        // Edges are one byte each.
        (before, rest) = after.split_at(after.len().min(1));
        public.push_str(before);
    }
    Ok((public, any))
}

/// The descriptors that one with several paths (`<0;1>`) stands for.
pub(crate) fn single_paths(public: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|index| {
            let mut single = String::with_capacity(public.len());
            let mut rest = public;
            while let Some((before, after)) = rest.split_once('<') {
                single.push_str(before);
                let (choices, after) = after.split_once('>').unwrap_or((after, ""));
                single.push_str(choices.split(';').nth(index).unwrap_or_default());
                rest = after;
            }
            single.push_str(rest);
            single
        })
        .collect()
}
