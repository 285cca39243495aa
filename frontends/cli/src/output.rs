//! Owns standard output: a view as JSON or as text.
//! Promises that a reader who has seen enough (`| head`) is no failure; refuses half an answer:
//! an answer is written when it is complete.

use std::io::{self, Write};

use everett_proto::v1::ErrorReason;
use serde::Serialize;

use crate::failure::Failure;

/// An answer of a command.
pub(crate) trait View: Serialize {
    /// The answer for people: lines, each with its end.
    fn text(&self) -> String;
}

/// Writes an answer.
pub(crate) fn show(view: &impl View, as_json: bool) -> Result<(), Failure> {
    let text = if as_json {
        let json = serde_json::to_string_pretty(view)
            .map_err(|error| Failure::new(ErrorReason::Internal, error))?;
        json + "\n"
    } else {
        view.text()
    };
    write(&text)
}

/// Writes text as it is.
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::named(
            "OUTPUT_FAILED",
            format!("standard output cannot be written: {error}"),
        )),
        _ => Ok(()),
    }
}
