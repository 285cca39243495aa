//! Owns `everett script verify --jsonl`: a spend a line in, a verdict a line out.
//! Promises one answer for each line, in their order, as soon as there is one, on all cores and in bounded memory.
//! Refuses to stop at a line that is wrong: its answer names it.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::ExitCode;

use bitcoin::hex::FromHex;
use bitcoin::{Amount, ScriptBuf, TxOut};
use everett_script::Flags;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::lines::{Line, Lines, MAX_LINE_BYTES};
use crate::args::script::flags;
use crate::failure::Failure;
use crate::spend::{Spend, SpendError, read_transaction};

#[cfg(test)]
mod tests;

/// How much of a file is read at once, in bytes.
const READ_BYTES: usize = 1 << 20;

/// A line of input. Other fields are left alone.
#[derive(Deserialize)]
struct SpendLine<'a> {
    #[serde(borrow)]
    tx: Cow<'a, str>,
    input: Option<usize>,
    #[serde(borrow)]
    spent_outputs: Vec<SpentOutputLine<'a>>,
    #[serde(borrow)]
    flags: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct SpentOutputLine<'a> {
    amount_sat: u64,
    #[serde(borrow)]
    script_pubkey: Cow<'a, str>,
}

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
struct LineError {
    reason: &'static str,
    message: String,
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

/// Runs the command on a file, or on standard input for `-`.
pub(super) fn verify(file: &Path) -> Result<ExitCode, Failure> {
    let name = file.display();
    let failed = |error: io::Error| Failure::named("FILE_FAILED", format!("{name}: {error}"));
    let source: Box<dyn BufRead + Send> = if file == Path::new("-") {
        Box::new(BufReader::with_capacity(READ_BYTES, io::stdin()))
    } else {
        let file = File::open(file).map_err(failed)?;
        Box::new(BufReader::with_capacity(READ_BYTES, file))
    };
    let lines = Lines::of(source).map_err(failed)?;
    let (mut number, mut failures, mut first) = (0u64, 0u64, None);
    loop {
        let next = lines.next_lines().map_err(failed)?;
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
            // Whoever reads has seen enough.
            return Ok(ExitCode::SUCCESS);
        }
    }
    match first {
        None => Ok(ExitCode::SUCCESS),
        Some(first) => Err(Failure::named(
            "SCRIPT_FAILED",
            format!("{failures} of {number} lines do not verify, line {first} the first of them"),
        )),
    }
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

fn read(line: &Line) -> Result<Spend, LineError> {
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
