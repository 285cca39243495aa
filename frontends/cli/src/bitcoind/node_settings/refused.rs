//! Owns what Core refuses of options that do nothing here, or that do not go together.
//! Promises Core's words: a script that is told of its mistake by Core is told of it by us.
//! Refuses to translate anything.

use super::super::arguments::Arguments;
use super::super::chain::Chain;
use super::super::failure::InitError;
use super::super::layout::Layout;

/// Units that a number of bytes may end in, and what they stand for.
const UNITS: [(char, u64); 8] = [
    ('k', 1_000),
    ('K', 1 << 10),
    ('m', 1_000_000),
    ('M', 1 << 20),
    ('g', 1_000_000_000),
    ('G', 1 << 30),
    ('t', 1_000_000_000_000),
    ('T', 1 << 40),
];

/// Looks at them, in Core's order.
///
/// # Errors
///
/// The first one that Core refuses.
pub(super) fn check(arguments: &Arguments, chain: Chain, layout: &Layout) -> Result<(), InitError> {
    if let Some(directory) = arguments.text("blocksdir")
        && !std::path::Path::new(&directory).is_dir()
    {
        return Err(InitError::new(format!(
            "Specified blocks directory \"{directory}\" does not exist."
        )));
    }
    let filters = super::rpc::block_filters(arguments)?;
    let prunes = arguments.int("prune").unwrap_or(0) != 0;
    let together = [
        (
            arguments.flag("peerblockfilters", false) && !filters,
            "Cannot set -peerblockfilters without -blockfilterindex.",
        ),
        (
            prunes && arguments.flag("txospenderindex", false),
            "Prune mode is incompatible with -txospenderindex.",
        ),
        (
            prunes && arguments.flag("reindex-chainstate", false),
            "Prune mode is incompatible with -reindex-chainstate. Use full -reindex instead.",
        ),
        (
            arguments.flag("forcednsseed", false) && !arguments.flag("dnsseed", true),
            "Cannot set -forcednsseed to true when setting -dnsseed to false.",
        ),
        (
            !arguments.list("test").is_empty() && chain != Chain::Regtest,
            "-test=<option> can only be used with regtest",
        ),
    ];
    if let Some((_, text)) = together.into_iter().find(|(holds, _)| *holds) {
        return Err(InitError::new(text));
    }
    if arguments.flag("acceptstalefeeestimates", false) && chain != Chain::Regtest {
        return Err(InitError::new(format!(
            "acceptstalefeeestimates is not supported on {} chain.",
            chain.section()
        )));
    }
    if let Some(text) = arguments
        .text("maxuploadtarget")
        .filter(|text| !bytes(text))
    {
        return Err(InitError::new(format!(
            "Unable to parse -maxuploadtarget: '{text}'"
        )));
    }
    if let Some(file) = arguments.text("asmap").filter(|file| file != "0") {
        if file.is_empty() || file == "1" {
            return Err(InitError::new("Embedded asmap data not available"));
        }
        let path = layout.file(file.as_ref());
        if !path.exists() {
            return Err(InitError::new(format!(
                "Could not find asmap file \"{}\"",
                path.display()
            )));
        }
    }
    let hidden = ["proxy", "onion", "i2psam"];
    let hidden = (hidden.iter()).any(|name| arguments.text(name).is_some_and(|text| text != "0"));
    if arguments.flag("privatebroadcast", false) && !hidden {
        return Err(InitError::new(
            "Private broadcast of own transactions requested (-privatebroadcast), but none of Tor or I2P networks is reachable",
        ));
    }
    if let Some(text) = arguments.text("i2psam").filter(|text| !text.is_empty())
        && super::network::proxy_address(&text).is_none()
    {
        return Err(InitError::new(format!(
            "Invalid -i2psam address or hostname: '{text}'"
        )));
    }
    Ok(())
}

/// Whether a text is a number of bytes, with a unit or without.
fn bytes(text: &str) -> bool {
    let with_unit = |(letter, unit): &(char, u64)| Some((text.strip_suffix(*letter)?, *unit));
    let (number, unit) = UNITS.iter().find_map(with_unit).unwrap_or((text, 1 << 20));
    number
        .parse::<u64>()
        .is_ok_and(|number| number.checked_mul(unit).is_some())
}

/// What Core warns of at the start, on standard error and in the log.
pub(super) fn warnings(arguments: &Arguments) -> Vec<String> {
    let mut warnings = Vec::new();
    if arguments.is_set("checkpoints") {
        warnings.push(
            "Option '-checkpoints' is set but checkpoints were removed. This option has no effect."
                .to_owned(),
        );
    }
    for (option, limits) in [
        ("limitancestorsize", "ancestor"),
        ("limitdescendantsize", "descendant"),
    ] {
        if arguments.is_set(option) {
            warnings.push(format!(
                "Option '-{option}' is given but {limits} size limits have been replaced with cluster size limits (see \
                 -limitclustersize). This option has no effect."
            ));
        }
    }
    for option in arguments.list("test") {
        if !TEST_OPTIONS.contains(&option.as_str()) {
            warnings.push(format!(
                "Unrecognised option \"{option}\" provided in -test=<option>."
            ));
        }
    }
    warnings
}

/// What `-test` knows.
const TEST_OPTIONS: [&str; 3] = [
    "addrman",
    "reindex_after_failure_noninteractive_yes",
    "bip94",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_bytes_may_have_a_unit() {
        for text in ["0", "10", "10K", "10k", "5M", "5t"] {
            assert!(bytes(text), "{text}");
        }
        for text in ["", "x", "-5", "1Q", "K", "10KK", "18446744073709551615T"] {
            assert!(!bytes(text), "{text}");
        }
    }
}
