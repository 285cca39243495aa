//! Owns the search for what is wrong with a Bech32 address (BIP173, BIP350): up to two characters.
//! Promises the places alone: what should stand there is for whoever has the address to find out.

use std::collections::HashMap;

use super::NoAddress;

const CHARSET: &str = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const CHECKSUM_CHARS: usize = 6;
const MAX_CHARS: usize = 90;
const MAX_PROGRAM_BYTES: usize = 40;
/// What the checksum of each version comes to.
const BECH32: u32 = 1;
const BECH32M: u32 = 0x2bc8_30a3;

/// One step of the checksum's division.
fn step(remainder: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    let top = remainder >> 25;
    let mut next = ((remainder & 0x01ff_ffff) << 5) ^ value;
    for (bit, term) in GENERATOR.iter().enumerate() {
        if top >> bit & 1 == 1 {
            next ^= term;
        }
    }
    next
}

fn remainder(prefix: &str, values: &[u32]) -> u32 {
    let high = prefix.bytes().map(|byte| u32::from(byte) >> 5);
    let low = prefix.bytes().map(|byte| u32::from(byte) & 31);
    let all = high.chain([0]).chain(low).chain(values.iter().copied());
    all.fold(1, step)
}

/// Places from the end, at most two, that explain a remainder.
fn explain(wrong: u32, length: usize) -> Option<Vec<usize>> {
    // What an error at a place adds to the remainder: the division is linear.
    let mut effects: HashMap<u32, usize> = HashMap::new();
    let mut list = Vec::with_capacity(length * 31);
    for error in 1..32 {
        let mut effect = error;
        for place in 0..length {
            if place > 0 {
                effect = step(effect, 0);
            }
            effects.insert(effect, place);
            list.push((effect, place));
        }
    }
    if let Some(place) = effects.get(&wrong) {
        return Some(vec![*place]);
    }
    list.iter().find_map(|(effect, place)| {
        let other = effects.get(&(wrong ^ effect))?;
        (other != place).then(|| vec![*place, *other])
    })
}

/// What is wrong with a text that begins like an address of this network.
pub(super) fn find_errors(text: &str, prefix: &str) -> Option<NoAddress> {
    let at = |message: &str, places: Vec<usize>| {
        Some(NoAddress {
            message: message.to_owned(),
            places,
        })
    };
    if text.len() > MAX_CHARS {
        return at("Bech32 string too long", (MAX_CHARS..text.len()).collect());
    }
    let mixed = mixed_case(text);
    if !mixed.is_empty() {
        return at("Invalid character or mixed case", mixed);
    }
    let Some(separator) = text.rfind('1') else {
        return at("Missing separator", Vec::new());
    };
    if separator == 0 || separator + CHECKSUM_CHARS >= text.len() {
        return at("Invalid separator position", vec![separator]);
    }
    let text = text.to_ascii_lowercase();
    let mut values = Vec::with_capacity(text.len());
    for (place, character) in text.char_indices().skip(separator + 1) {
        match CHARSET.find(character) {
            Some(value) => values.push(value as u32),
            None => return at("Invalid Base 32 character", vec![place]),
        }
    }
    let found = remainder(&text[..separator], &values);
    if found == BECH32 || found == BECH32M {
        let version_zero_sum = found == BECH32;
        return wrong_content(&text[..separator], prefix, &values, version_zero_sum);
    }
    let mut best: Option<(&str, Vec<usize>)> = None;
    for (name, constant) in [("Bech32", BECH32), ("Bech32m", BECH32M)] {
        if let Some(places) = explain(found ^ constant, values.len())
            && best
                .as_ref()
                .is_none_or(|(_, known)| places.len() < known.len())
        {
            best = Some((name, places));
        }
    }
    let Some((name, places)) = best else {
        return at("Invalid checksum", Vec::new());
    };
    let mut places: Vec<usize> = places.iter().map(|place| text.len() - 1 - place).collect();
    places.sort_unstable();
    at(&format!("Invalid {name} checksum"), places)
}

/// Characters that are none of an address, or of the other case than those before.
fn mixed_case(text: &str) -> Vec<usize> {
    let (mut lower, mut upper) = (false, false);
    let mut wrong = Vec::new();
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' if upper => wrong.push(place),
            b'a'..=b'z' => lower = true,
            b'A'..=b'Z' if lower => wrong.push(place),
            b'A'..=b'Z' => upper = true,
            33..=126 => {}
            _ => wrong.push(place),
        }
    }
    wrong
}

/// What is wrong with an address whose checksum is right.
fn wrong_content(
    given: &str,
    prefix: &str,
    values: &[u32],
    version_zero_sum: bool,
) -> Option<NoAddress> {
    let data = &values[..values.len() - CHECKSUM_CHARS];
    let no = |message: String| Some(NoAddress::new(message));
    let Some(version) = data.first() else {
        return no("Empty Bech32 data section".to_owned());
    };
    if given != prefix {
        return no(format!(
            "Invalid or unsupported prefix for Segwit (Bech32) address (expected {prefix}, got {given})."
        ));
    }
    if *version == 0 && !version_zero_sum {
        return no("Version 0 witness address must use Bech32 checksum".to_owned());
    }
    if *version != 0 && version_zero_sum {
        return no("Version 1+ witness address must use Bech32m checksum".to_owned());
    }
    let bits = (data.len() - 1) * 5;
    let last = data.last().copied().unwrap_or(0);
    if bits % 8 >= 5 || (data.len() > 1 && last & ((1 << (bits % 8)) - 1) != 0) {
        return no("Invalid padding in Bech32 data section".to_owned());
    }
    let length = bits / 8;
    let bytes = if length == 1 { "byte" } else { "bytes" };
    if *version == 0 && length != 20 && length != 32 {
        return no(format!(
            "Invalid Bech32 v0 address program size ({length} {bytes}), per BIP141"
        ));
    }
    if *version > 16 {
        return no("Invalid Bech32 address witness version".to_owned());
    }
    if !(2..=MAX_PROGRAM_BYTES).contains(&length) {
        return no(format!(
            "Invalid Bech32 address program size ({length} {bytes})"
        ));
    }
    None
}
