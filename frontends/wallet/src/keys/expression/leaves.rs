//! Owns `sortedmulti_a`, which miniscript does not know: it is read as the `multi_a` with the same keys, and these are put in
//! order wherever the descriptor is derived.
//! Promises Core's order, that of the x-only keys' bytes, and the text as it was given.

use std::str::FromStr;
use std::sync::Arc;

use miniscript::Descriptor;
use miniscript::descriptor::DefiniteDescriptorKey;
use zeroize::Zeroizing;

use super::{DescriptorError, SECP, wrong};

const SORTED: &str = "sortedmulti_a(";
const UNSORTED: &str = "multi_a(";

/// For each `multi_a` of a text, from the left, whether its keys are to be put in order; `None` where that is so for none.
pub(super) fn sorted_leaves(text: &str) -> Option<Arc<[bool]>> {
    let found = text.match_indices(UNSORTED);
    let sorted: Arc<[bool]> = found
        .map(|(at, _)| text[..at].ends_with("sorted"))
        .collect();
    sorted.contains(&true).then_some(sorted)
}

/// The text that miniscript reads. It may be private: it is one allocation, and wiped.
pub(super) fn unsorted(text: &str) -> Zeroizing<String> {
    let mut unsorted = Zeroizing::new(String::with_capacity(text.len()));
    for (place, part) in text.split(SORTED).enumerate() {
        if place > 0 {
            unsorted.push_str(UNSORTED);
        }
        unsorted.push_str(part);
    }
    unsorted
}

/// A text that miniscript wrote, with the functions' own names.
pub(super) fn named(text: &str, sorted: &[bool]) -> String {
    let mut named = String::with_capacity(text.len() + 6 * sorted.len());
    let mut parts = text.split(UNSORTED);
    named.push_str(parts.next().unwrap_or_default());
    for (part, sorted) in parts.zip(sorted) {
        named.push_str(match sorted {
            true => SORTED,
            false => UNSORTED,
        });
        named.push_str(part);
    }
    named
}

/// The threshold and the keys of a `multi_a`, the keys in order.
fn in_order(arguments: &str) -> Result<String, DescriptorError> {
    let (threshold, keys) = arguments.split_once(',').unwrap_or((arguments, ""));
    let mut keys = keys
        .split(',')
        .map(|text| {
            let key = DefiniteDescriptorKey::from_str(text)
                .map_err(|error| wrong(format!("tr(): {error}")))?;
            let public = key.derive_public_key(&SECP).inner.x_only_public_key().0;
            Ok((public.serialize(), text))
        })
        .collect::<Result<Vec<_>, DescriptorError>>()?;
    keys.sort_unstable();
    let keys: Vec<&str> = keys.into_iter().map(|(_, text)| text).collect();
    Ok(format!("{threshold},{}", keys.join(",")))
}

/// The descriptor at an index with the keys of its leaves in order.
pub(super) fn put_in_order(
    definite: &Descriptor<DefiniteDescriptorKey>,
    sorted: &[bool],
) -> Result<Descriptor<DefiniteDescriptorKey>, DescriptorError> {
    let text = format!("{definite:#}");
    let mut ordered = String::with_capacity(text.len());
    let mut parts = text.split(UNSORTED);
    ordered.push_str(parts.next().unwrap_or_default());
    for (part, sorted) in parts.zip(sorted) {
        ordered.push_str(UNSORTED);
        match part.split_once(')') {
            Some((arguments, rest)) if *sorted => {
                ordered.push_str(&in_order(arguments)?);
                ordered.push(')');
                ordered.push_str(rest);
            }
            _ => ordered.push_str(part),
        }
    }
    Descriptor::from_str(&ordered).map_err(|error| wrong(format!("tr(): {error}")))
}
