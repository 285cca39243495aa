//! Owns how the daemon refuses to start: Core's one line on standard error, and exit code 1.

use std::fmt;

/// Why it does not start, in Core's words where Core has some.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct InitError {
    text: String,
    /// Core puts questions that nobody can answer without a word before them.
    question: bool,
}

impl InitError {
    pub(crate) fn new(text: impl fmt::Display) -> InitError {
        InitError {
            text: text.to_string(),
            question: false,
        }
    }

    /// What Core asks where it has a window.
    pub(crate) fn question(text: impl fmt::Display) -> InitError {
        InitError {
            question: true,
            ..InitError::new(text)
        }
    }

    /// As it stands on standard error.
    pub(crate) fn line(&self) -> String {
        match self.question {
            true => self.text.clone(),
            false => format!("Error: {}", self.text),
        }
    }
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
