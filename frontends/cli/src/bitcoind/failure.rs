//! Owns how the daemon refuses to start: Core's one line on standard error, and exit code 1.

use std::fmt;

/// Why it does not start, in Core's words where Core has some.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct InitError(String);

impl InitError {
    pub(crate) fn new(text: impl fmt::Display) -> InitError {
        InitError(text.to_string())
    }
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
