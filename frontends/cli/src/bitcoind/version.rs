//! Owns what `-version` and `-help` print. Promises a first line that has the version of the Core whose interface is spoken where
//! Core's own has it, so that who looks for it finds it.

use super::arguments::Arguments;

/// The Core whose interface is spoken.
const CORE: &str = "v31.0.0";
/// Our own version.
const OWN: &str = env!("CARGO_PKG_VERSION");

/// The first line: of `what`, such as `daemon`.
pub(crate) fn line(what: &str) -> String {
    format!("Everett {what} version {CORE} (Everett {OWN}, in place of Bitcoin Core)\n")
}

/// The licence, as Core prints one.
pub(crate) const LICENCE: &str = "\
This is free software under the terms of the MIT licence or the Apache licence 2.0, as you prefer. It comes without any
warranty. It is no product of the Bitcoin Core developers.
";

/// What is printed, where version or help was asked for.
pub(super) fn text(arguments: &Arguments) -> Option<String> {
    let first = line("daemon");
    if arguments.flag("version", false) {
        return Some(first + LICENCE);
    }
    arguments.wants_help().then(|| {
        format!(
        "{first}\n\
         A Bitcoin node that keeps every competing chain as a world you can query, with the options, the files and the\n\
         JSON-RPC interface of Bitcoin Core's daemon.\n\
         \n\
         Usage: bitcoind [options]\n\
         or:    everett bitcoind [options]\n\
         \n\
         Options:\n\
         \n{}",
        arguments.table.help()
    )
    })
}
