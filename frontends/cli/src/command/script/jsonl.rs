//! Owns `everett script verify --jsonl`: a spend a line in, a verdict a line out.
//! Promises one answer for each line, in their order, as soon as there is one, on all cores and in bounded memory.
//! Refuses to stop at a line that is wrong: its answer names it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;

use bitcoin::hex::FromHex;
use bitcoin::{Amount, ScriptBuf, TxOut};
use everett_script::Flags;
use rayon::prelude::*;
use serde::Serialize;

use super::fields::{SpendLine, SpentOutputLine};
use super::lines::{Line, Lines, MAX_LINE_BYTES};
use crate::args::script::flags;
use crate::failure::Failure;
use crate::spend::{Spend, SpendError, read_transaction};

#[cfg(test)]
mod tests;

/// How much of a file is read at once, in bytes.
const READ_BYTES: usize = 1 << 20;

/// A line of output.
#[derive(Serialize, PartialEq, Eq, Debug)]
struct Answer {
    ok: bool,
    /// Bitcoin Core's name for the failure of a script, or what is wrong with the line.
    error: Option<&'static str>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The input whose script failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<usize>,
    /// The number of a line that is wrong, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
}

/// What is wrong with a line.
pub(super) struct LineError {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl LineError {
    fn malformed(message: impl ToString) -> LineError {
        LineError {
            reason: "MALFORMED",
            message: message.to_string(),
        }
    }
}

impl From<SpendError> for LineError {
    fn from(error: SpendError) -> LineError {
        LineError {
            reason: error.reason(),
            message: error.to_string(),
        }
    }
}

/// A file that cannot be read.
pub(super) fn unreadable(file: &Path, error: &io::Error) -> Failure {
    Failure::named("FILE_FAILED", format!("{}: {error}", file.display()))
}

/// The lines of a file, or of standard input for `-`.
pub(super) fn open(file: &Path) -> Result<Lines, Failure> {
    let failed = |error: io::Error| unreadable(file, &error);
    let source: Box<dyn BufRead + Send> = if file == Path::new("-") {
        Box::new(BufReader::with_capacity(READ_BYTES, io::stdin()))
    } else {
        let file = File::open(file).map_err(failed)?;
        Box::new(BufReader::with_capacity(READ_BYTES, file))
    };
    Lines::of(source).map_err(failed)
}

/// The failure of a run in which lines did not verify.
pub(super) fn outcome(failures: u64, number: u64, first: Option<u64>) -> Result<ExitCode, Failure> {
    match first {
        None => Ok(ExitCode::SUCCESS),
        Some(first) => Err(Failure::named(
            "SCRIPT_FAILED",
            format!("{failures} of {number} lines do not verify, line {first} the first of them"),
        )),
    }
}

/// Runs the command on a file, or on standard input for `-`.
pub(super) fn verify(file: &Path) -> Result<ExitCode, Failure> {
    let lines = open(file)?;
    let (mut number, mut failures, mut first) = (0u64, 0u64, None);
    loop {
        let next = lines
            .next_lines()
            .map_err(|error| unreadable(file, &error))?;
        if next.is_empty() {
            break;
        }
        let answers: Vec<Answer> = next
            .par_iter()
            .enumerate()
            .map(|(index, line)| answer(line, number + 1 + index as u64))
            .collect();
        for answer in &answers {
            number += 1;
            if !answer.ok {
                failures += 1;
                first.get_or_insert(number);
            }
        }
        if !write(&answers)? {
            // Whoever reads has seen enough; how the lines so far went is known all the same.
            break;
        }
    }
    outcome(failures, number, first)
}

/// Writes answers; false when nobody reads them any more.
fn write(answers: &[Answer]) -> Result<bool, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::named(
            "OUTPUT_FAILED",
            format!("standard output cannot be written: {error}"),
        )
    };
    let mut bytes = Vec::with_capacity(answers.len() * 32);
    for answer in answers {
        serde_json::to_writer(&mut bytes, answer).map_err(|error| failed(&error))?;
        bytes.push(b'\n');
    }
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(failed(&error)),
    }
}

fn answer(line: &Line, number: u64) -> Answer {
    let verdicts = read(line).and_then(|spend| Ok((spend.input, spend.verify()?)));
    let (asked, verdicts) = match verdicts {
        Ok(verdicts) => verdicts,
        Err(error) => {
            return Answer {
                ok: false,
                error: Some(error.reason),
                message: Some(format!("line {number}: {}", error.message)),
                input: None,
                line: Some(number),
            };
        }
    };
    let failed = verdicts
        .iter()
        .find_map(|verdict| Some((verdict.input, verdict.result.err()?)));
    Answer {
        ok: failed.is_none(),
        error: failed.map(|(_, error)| error.name()),
        message: failed.map(|(_, error)| error.to_string()),
        // Where one was asked for, it is that one.
        input: failed.map(|(input, _)| input).filter(|_| asked.is_none()),
        line: None,
    }
}

/// The spend of a line.
pub(super) fn read(line: &Line) -> Result<Spend, LineError> {
    let bytes = match line {
        Line::Text(bytes) => bytes,
        Line::TooLong => {
            let message = format!("longer than {MAX_LINE_BYTES} bytes");
            return Err(LineError::malformed(message));
        }
    };
    let line: SpendLine<'_> = serde_json::from_slice(bytes).map_err(not_json)?;
    let flags = match &line.flags {
        Some(names) => flags(names).map_err(|message| LineError {
            reason: "UNKNOWN_FLAG",
            message,
        })?,
        None => Flags::CONSENSUS,
    };
    let spent: Result<Vec<TxOut>, LineError> = line.spent_outputs.iter().map(output).collect();
    let tx = read_transaction(&line.tx)?;
    Ok(Spend::new(tx, spent?, line.input, flags)?)
}

/// The line's own number is known better here: the parser sees one line only.
fn not_json(error: serde_json::Error) -> LineError {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text);
    let what = what
        .replace("invalid type: sequence", "invalid type: an array")
        .replace("invalid type: map", "invalid type: an object");
    LineError::malformed(format!("{what} (column {})", error.column()))
}

fn output(line: &SpentOutputLine<'_>) -> Result<TxOut, LineError> {
    let script = Vec::<u8>::from_hex(&line.script_pubkey).map_err(|error| {
        LineError::malformed(format!("a script_pubkey is not hexadecimal: {error}"))
    })?;
    Ok(TxOut {
        value: Amount::from_sat(line.amount_sat),
        script_pubkey: ScriptBuf::from_bytes(script),
    })
}
