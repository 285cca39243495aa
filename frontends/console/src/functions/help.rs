//! Owns `help()`.
//! Promises that whatever can be called is in it, because it is read from where the functions are registered.

use everett_proto::v1::ErrorReason;
use rhai::Engine;

use crate::book::{Book, Entry};
use crate::fault::{Fault, Given};

/// What `help()` says before the list.
const HEAD: &str = "\
Scripts are written in Rhai (https://rhai.rs/book): let, if, for, while, fn, arrays, maps.
`at` names a block: a hash, a height of the best chain, \"best\", a world or a block.

";

/// What it says after.
const TAIL: &str = "
help(\"block\") tells of a function, help(\"Block\") of a kind of value. Try:
  worlds()
  best().block.transactions[0].dump()
  for b in by_num(1) { print(b.hash) }
  block(102).tx(1).verify(0)
  the_wallet.balances
";

pub(super) fn register(engine: &mut Engine, book: &Book) {
    book.function("help()", "this list");
    let of = book.clone();
    engine.register_fn("help", move || overview(&of));
    book.function(
        "help(name)",
        "about a function or a kind of value, such as \"Block\"",
    );
    let of = book.clone();
    engine.register_fn("help", move |name: &str| -> Given<String> {
        Ok(about(&of, name)?)
    });
}

fn list(entries: &[Entry]) -> String {
    let width = entries
        .iter()
        .map(|entry| entry.signature.len())
        .max()
        .unwrap_or(0);
    entries
        .iter()
        .map(|entry| format!("  {:<width$}  {}\n", entry.signature, entry.text))
        .collect()
}

fn overview(book: &Book) -> String {
    let entries = book.entries();
    let functions: Vec<Entry> = entries
        .into_iter()
        .filter(|entry| entry.owner.is_none())
        .collect();
    let mut text = format!("{HEAD}Functions\n{}\nKinds of value\n", list(&functions));
    for kind in book.kinds() {
        text.push_str(&format!("  {:<14}  {}\n", kind.name, kind.text));
    }
    text + TAIL
}

fn about(book: &Book, name: &str) -> Result<String, Fault> {
    let wanted = name.trim().trim_end_matches("()");
    let entries = book.entries();
    if let Some(kind) = book.kinds().into_iter().find(|kind| kind.name == wanted) {
        let (methods, properties): (Vec<Entry>, Vec<Entry>) = entries
            .into_iter()
            .filter(|entry| entry.owner == Some(kind.name))
            .partition(Entry::is_call);
        return Ok(format!(
            "{}: {}\n\nProperties\n{}\nMethods\n{}",
            kind.name,
            kind.text,
            list(&properties),
            list(&methods)
        ));
    }
    let mut text = String::new();
    for entry in entries.iter().filter(|entry| entry.name() == wanted) {
        let owner = entry
            .owner
            .map_or(String::new(), |owner| format!("{owner}."));
        text.push_str(&format!("{owner}{}\n  {}\n", entry.signature, entry.text));
    }
    if text.is_empty() {
        let message = format!("there is no help on `{name}`; help() lists what there is");
        return Err(Fault::new(ErrorReason::InvalidArgument, message));
    }
    Ok(text)
}
