//! Owns values as JSON.
//! Promises amounts as whole satoshis and hashes as text; refuses what would be longer than the limit.

use rhai::{Array, Blob, Dynamic, Map};
use serde_json::{Value, json as object};

use crate::fault::Fault;
use crate::limits::{MAX_JSON_BYTES, MAX_VALUE_DEPTH};
use crate::value::with_shown;

/// A value for programs.
pub(crate) fn json(value: &Dynamic) -> Result<Value, Fault> {
    let mut room = MAX_JSON_BYTES;
    build(value, &mut room, 0)
}

/// Takes from what is left.
fn take(room: &mut usize, bytes: usize) -> Result<(), Fault> {
    *room = room.checked_sub(bytes).ok_or_else(|| {
        Fault::named(
            "ANSWER_TOO_LARGE",
            format!(
                "the answer is longer than {} MiB of JSON; ask for a part of it",
                MAX_JSON_BYTES >> 20
            ),
        )
    })?;
    Ok(())
}

fn build(value: &Dynamic, room: &mut usize, depth: usize) -> Result<Value, Fault> {
    /// What a value takes beside its text: brackets, commas, quotes.
    const AROUND: usize = 4;
    if depth > MAX_VALUE_DEPTH {
        return Err(Fault::named(
            "ANSWER_TOO_LARGE",
            format!("the answer nests deeper than {MAX_VALUE_DEPTH} levels"),
        ));
    }
    if value.is_unit() {
        take(room, AROUND)?;
        return Ok(Value::Null);
    }
    if let Ok(truth) = value.as_bool() {
        take(room, AROUND)?;
        return Ok(truth.into());
    }
    if let Ok(number) = value.as_int() {
        take(room, AROUND)?;
        return Ok(number.into());
    }
    if let Ok(number) = value.as_float() {
        take(room, AROUND)?;
        if !number.is_finite() {
            let text = format!("{number} is no JSON; show it without --json");
            return Err(Fault::named("NOT_JSON", text));
        }
        return Ok(object!(number));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        take(room, text.len() + AROUND)?;
        return Ok(text.as_str().into());
    }
    if let Some(list) = value.read_lock::<Array>() {
        let items = list.iter().map(|value| build(value, room, depth + 1));
        return Ok(Value::Array(items.collect::<Result<_, _>>()?));
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        take(room, bytes.len() * AROUND)?;
        return Ok(object!(*bytes));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let mut entries = serde_json::Map::new();
        for (name, value) in map.iter() {
            take(room, name.len() + AROUND)?;
            entries.insert(name.to_string(), build(value, room, depth + 1)?);
        }
        return Ok(Value::Object(entries));
    }
    if let Some(made) = with_shown!(value, |shown| shown.json()) {
        let made = made?;
        take(room, made.to_string().len())?;
        return Ok(made);
    }
    let text = value.to_string();
    take(room, text.len() + AROUND)?;
    Ok(text.into())
}
