//! Owns how values are shown: as text for people, as JSON for programs.
//! Promises bounded answers: a table is cut at its limit and says so, JSON beyond its limit is an error.
//! Refuses half of a JSON document.

mod json;
mod table;

use everett_ledger::BlockInfo;
use rhai::{Array, Dynamic, Map};

pub(crate) use json::json;
pub(crate) use table::{Align, Table};

use crate::fault::Fault;
use crate::limits::{MAX_ROWS, MAX_TEXT_BYTES, MAX_VALUE_DEPTH};
use crate::value::with_shown;

/// A value of the console's own.
pub(crate) trait Shown {
    /// What scripts call its type.
    const KIND: &'static str;

    /// All of it on one line.
    fn line(&self) -> String;

    /// All of it, on lines that each have their end.
    fn text(&self) -> Result<String, Fault>;

    /// For programs.
    fn json(&self) -> Result<serde_json::Value, Fault>;

    /// Headings for a list of them.
    fn columns() -> Vec<(&'static str, Align)>;

    /// Its row in that list.
    fn cells(&self) -> Result<Vec<String>, Fault>;
}

/// A value for people, without a line end after it; `None` for the unit value, of which there is nothing to show.
pub(crate) fn text(value: &Dynamic) -> Result<Option<String>, Fault> {
    if value.is_unit() {
        return Ok(None);
    }
    let mut text = whole(value)?;
    while text.ends_with('\n') {
        text.pop();
    }
    if text.len() > MAX_TEXT_BYTES {
        let mut end = MAX_TEXT_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let more = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("\n… and {more} bytes more; ask for a part of it"));
    }
    Ok(Some(text))
}

fn whole(value: &Dynamic) -> Result<String, Fault> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.to_string());
    }
    if let Some(list) = value.read_lock::<Array>() {
        return list_text(&list);
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map_text(&map);
    }
    match with_shown!(value, |shown| shown.text()) {
        Some(text) => text,
        None => Ok(value.to_string()),
    }
}

/// A table if all are of one kind of ours, or else a line each.
fn list_text(list: &Array) -> Result<String, Fault> {
    let Some(first) = list.first() else {
        return Ok("(none)".to_owned());
    };
    let kind = first.type_name();
    let rows = &list[..list.len().min(MAX_ROWS)];
    let alike = rows.iter().all(|value| value.type_name() == kind);
    let mut text = match with_shown!(first, |shown| Table::new(columns_of(shown))) {
        Some(mut table) if alike => {
            for value in rows {
                if let Some(cells) = with_shown!(value, |shown| shown.cells()) {
                    table.row(cells?);
                }
            }
            table.to_string()
        }
        _ => {
            let mut text = String::new();
            for value in rows {
                text.push_str(&line(value, 0));
                text.push('\n');
            }
            text
        }
    };
    let more = list.len() - rows.len();
    if more > 0 {
        text.push_str(&format!(
            "… and {more} more: a list is shown up to {MAX_ROWS}; take a part of it, like list.extract({MAX_ROWS}, 50)\n"
        ));
    }
    Ok(text)
}

fn columns_of<T: Shown>(_: &T) -> Vec<(&'static str, Align)> {
    T::columns()
}

fn map_text(map: &Map) -> Result<String, Fault> {
    if map.is_empty() {
        return Ok("(empty)".to_owned());
    }
    let mut text = String::new();
    for (name, value) in map.iter().take(MAX_ROWS) {
        text.push_str(&format!("{name}: {}\n", line(value, 0)));
    }
    let more = map.len().saturating_sub(MAX_ROWS);
    if more > 0 {
        text.push_str(&format!("… and {more} more\n"));
    }
    Ok(text)
}

/// A value within another one.
fn line(value: &Dynamic, depth: usize) -> String {
    if depth > MAX_VALUE_DEPTH {
        return "…".to_owned();
    }
    let joined = |lines: Vec<String>, more: usize| match more {
        0 => lines.join(", "),
        more => format!("{}, … and {more} more", lines.join(", ")),
    };
    if let Some(list) = value.read_lock::<Array>() {
        let lines = list
            .iter()
            .take(MAX_ROWS)
            .map(|value| line(value, depth + 1));
        let more = list.len().saturating_sub(MAX_ROWS);
        return format!("[{}]", joined(lines.collect(), more));
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map.iter().take(MAX_ROWS);
        let lines = entries.map(|(name, value)| format!("{name}: {}", line(value, depth + 1)));
        let more = map.len().saturating_sub(MAX_ROWS);
        return format!("#{{{}}}", joined(lines.collect(), more));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return if depth == 0 {
            text.to_string()
        } else {
            format!("{:?}", text.as_str())
        };
    }
    with_shown!(value, |shown| shown.line()).unwrap_or_else(|| value.to_string())
}

/// Facts under each other, their names in a column.
pub(crate) fn facts<S: AsRef<str>>(facts: impl IntoIterator<Item = (&'static str, S)>) -> String {
    let mut text = String::new();
    for (name, value) in facts {
        text.push_str(&format!("{name:<13} {}\n", value.as_ref()));
    }
    text
}

/// An amount in bitcoin, with all eight decimals.
pub(crate) fn btc(sat: i64) -> String {
    let sign = if sat < 0 { "-" } else { "" };
    let sat = sat.unsigned_abs();
    format!("{sign}{}.{:08}", sat / 100_000_000, sat % 100_000_000)
}

/// A block's word in `getchaintips`, and whether it is the best one.
pub(crate) fn standing(info: &BlockInfo, best: bool) -> String {
    let mut text = info.status.as_str().to_owned();
    if best {
        text.push_str(", best");
    }
    if !info.live {
        text.push_str(", not live");
    }
    text
}

#[cfg(test)]
mod tests;
