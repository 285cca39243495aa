//! Owns the trace of a spend: every step of every script that runs, as text or as lines of JSON.
//! Promises that each step is written as it is seen, so that memory does not grow with the script.
//! Refuses to shorten anything in JSON; in text, long elements are.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use bitcoin::Script;
use bitcoin::hex::DisplayHex;
use everett_script::interpreter::ScriptVersion;
use everett_script::opcode::{OP_0, OP_PUSHDATA1, OP_PUSHDATA4, Opcode};
use everett_script::stack::Stack;
use everett_script::trace::{Check, Observer, Phase, Step, Stop, StopCause};
use everett_script::{
    InputChecker, PreparedTransaction, ScriptError, assembly, verify_script_watched,
};
use serde::Serialize;

use super::lines::Line;
use super::{jsonl, usage};
use crate::amount::btc;
use crate::failure::Failure;
use crate::spend::Spend;
use crate::view::coin::sat;

#[cfg(test)]
mod tests;

/// Elements up to this are shown whole in text, in bytes.
const SHOWN_BYTES: usize = 12;
/// How much of a longer one is shown at its beginning and at its end.
const SHOWN_ENDS: (usize, usize) = (6, 3);

/// The opcodes that are followed also where others are skipped.
const CONDITIONALS: [&str; 4] = ["OP_IF", "OP_NOTIF", "OP_ELSE", "OP_ENDIF"];

/// What a trace consists of. Bytes are hexadecimal; the top of a stack is last.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event {
    /// An input is about to be verified.
    Input {
        txid: String,
        input: usize,
        spends: String,
        amount_sat: i64,
        script_pubkey: String,
        script_sig: String,
        witness: Vec<String>,
        flags: String,
    },
    /// A script begins.
    Script {
        phase: &'static str,
        rules: &'static str,
        script: String,
        asm: String,
        stack: Vec<String>,
    },
    /// The state right before an opcode.
    Step {
        phase: &'static str,
        index: u32,
        offset: usize,
        opcode: String,
        /// What a push carries; null for other opcodes.
        push: Option<String>,
        /// False where an open condition skips it; conditionals are followed all the same.
        executed: bool,
        stack: Vec<String>,
        alt_stack: Vec<String>,
        conditions: Vec<bool>,
    },
    /// The script is read no further: an instruction that is not executed decides.
    Stop {
        phase: &'static str,
        index: u32,
        offset: usize,
        opcode: String,
        /// `truncated_push` or `op_success`.
        cause: &'static str,
        /// The script's bytes from the opcode on.
        rest: String,
    },
    /// Something beside scripts was checked.
    Check {
        /// `key_path_signature` or `taproot_commitment`.
        check: &'static str,
        ok: bool,
        error: Option<&'static str>,
        message: Option<String>,
        output_key: String,
        /// Of the key path.
        #[serde(skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
        /// Of a commitment.
        #[serde(skip_serializing_if = "Option::is_none")]
        control_block: Option<String>,
        /// The script that is committed to.
        #[serde(skip_serializing_if = "Option::is_none")]
        script: Option<String>,
    },
    /// A line of `--jsonl`: what follows is about it.
    Line {
        /// Counted from 1.
        line: u64,
        /// What is wrong with the line; nothing else follows then.
        error: Option<&'static str>,
        message: Option<String>,
    },
    /// The script has ended.
    End {
        phase: &'static str,
        error: Option<&'static str>,
        message: Option<String>,
        stack: Vec<String>,
        alt_stack: Vec<String>,
    },
    /// The input is done with.
    Verdict {
        input: usize,
        ok: bool,
        error: Option<&'static str>,
        message: Option<String>,
    },
}

/// Traces the inputs that are asked for, in their order; the first that fails is the failure.
pub(crate) fn trace_spend(spend: &Spend, as_json: bool) -> Result<ExitCode, Failure> {
    let mut pen = Pen::new(BufWriter::new(io::stdout().lock()), as_json);
    let failed = trace(spend, &mut pen)?;
    pen.finish()?;
    match failed {
        None => Ok(ExitCode::SUCCESS),
        Some((input, error)) => Err(Failure::named(
            "SCRIPT_FAILED",
            format!("input {input} does not verify: {error}"),
        )),
    }
}

/// Traces the spends of a file of lines, or of standard input, in their order. A line that is wrong stops nothing.
pub(super) fn trace_lines(file: &Path, as_json: bool) -> Result<ExitCode, Failure> {
    let lines = jsonl::open(file)?;
    let mut pen = Pen::new(BufWriter::new(io::stdout().lock()), as_json);
    let (mut number, mut failures, mut first) = (0, 0, None);
    while !pen.is_broken() {
        let next = lines.next_lines();
        let next = next.map_err(|error| jsonl::unreadable(file, &error))?;
        if next.is_empty() {
            break;
        }
        for line in &next {
            number += 1;
            if !trace_line(line, number, &mut pen)? {
                failures += 1;
                first.get_or_insert(number);
            }
        }
        pen.flush();
    }
    pen.finish()?;
    jsonl::outcome(failures, number, first)
}

/// Traces the spend of one line; whether it verifies.
fn trace_line<W: Write>(line: &Line, number: u64, pen: &mut Pen<W>) -> Result<bool, Failure> {
    let read = jsonl::read(line);
    let wrong = read.as_ref().err();
    pen.write(&Event::Line {
        line: number,
        error: wrong.map(|error| error.reason),
        message: wrong.map(|error| error.message.clone()),
    });
    match read {
        Ok(spend) => Ok(trace(&spend, pen)?.is_none()),
        Err(_) => Ok(false),
    }
}

fn trace<W: Write>(
    spend: &Spend,
    pen: &mut Pen<W>,
) -> Result<Option<(usize, ScriptError)>, Failure> {
    let spent = spend.spent_outputs();
    let prepared =
        PreparedTransaction::new(&spend.tx, &spent).map_err(|error| usage(error.into()))?;
    let mut failed = None;
    for input in spend.inputs() {
        pen.write(&introduction(spend, input));
        let (txin, output) = (&spend.tx.input[input], &spent[input]);
        let result = verify_script_watched(
            &txin.script_sig,
            output.script_pubkey,
            &txin.witness,
            spend.flags,
            &mut InputChecker::new(&prepared, input),
            pen,
        );
        let error = result.err();
        pen.write(&Event::Verdict {
            input,
            ok: error.is_none(),
            error: error.map(|error| error.name()),
            message: error.map(|error| error.to_string()),
        });
        failed = failed.or(error.map(|error| (input, error)));
    }
    Ok(failed)
}

fn introduction(spend: &Spend, input: usize) -> Event {
    let (txin, output) = (&spend.tx.input[input], &spend.spent[input]);
    Event::Input {
        txid: spend.tx.compute_txid().to_string(),
        input,
        spends: txin.previous_output.to_string(),
        amount_sat: sat(output.value),
        script_pubkey: output.script_pubkey.as_bytes().to_lower_hex_string(),
        script_sig: txin.script_sig.as_bytes().to_lower_hex_string(),
        witness: txin
            .witness
            .iter()
            .map(|item| item.to_lower_hex_string())
            .collect(),
        flags: spend.flags.to_string(),
    }
}

/// Writes down what it is told and what it sees.
struct Pen<W> {
    out: W,
    as_json: bool,
    /// The script that runs.
    phase: &'static str,
    /// Why nothing more can be written.
    broken: Option<io::Error>,
}

impl<W: Write> Pen<W> {
    fn new(out: W, as_json: bool) -> Pen<W> {
        Pen {
            out,
            as_json,
            phase: "",
            broken: None,
        }
    }

    fn write(&mut self, event: &Event) {
        if self.broken.is_some() {
            return;
        }
        let written = if self.as_json {
            serde_json::to_writer(&mut self.out, event)
                .map_err(io::Error::from)
                .and_then(|()| self.out.write_all(b"\n"))
        } else {
            self.out.write_all(event.text().as_bytes())
        };
        self.broken = written.err();
    }

    /// Whether nothing more can be written.
    fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    fn flush(&mut self) {
        if self.broken.is_none() {
            self.broken = self.out.flush().err();
        }
    }

    /// Writes what is left. That nobody reads any more is no failure.
    fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.out.flush();
        match self.broken.map_or(flushed, Err) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::named(
                "OUTPUT_FAILED",
                format!("standard output cannot be written: {error}"),
            )),
            _ => Ok(()),
        }
    }
}

impl<W: Write> Observer for Pen<W> {
    fn script_begins(
        &mut self,
        phase: Phase,
        version: ScriptVersion,
        script: &[u8],
        stack: &Stack<'_>,
    ) {
        self.phase = phase.name();
        self.write(&Event::Script {
            phase: phase.name(),
            rules: match version {
                ScriptVersion::Base => "base",
                ScriptVersion::WitnessV0 => "witness_v0",
                ScriptVersion::Tapscript => "tapscript",
            },
            script: script.to_lower_hex_string(),
            asm: assembly::to_asm(Script::from_bytes(script)),
            stack: hex(stack),
        });
    }

    fn step(&mut self, step: &Step<'_, '_>) {
        if self.broken.is_some() {
            return;
        }
        let opcode = step.instruction.opcode;
        let pushes = opcode <= OP_PUSHDATA4;
        self.write(&Event::Step {
            phase: self.phase,
            index: step.index,
            offset: step.offset,
            opcode: name(opcode),
            push: pushes.then(|| step.instruction.data.to_lower_hex_string()),
            executed: step.executed,
            stack: hex(step.stack),
            alt_stack: hex(step.alt_stack),
            conditions: step.conditions.values().to_vec(),
        });
    }

    fn stops(&mut self, stop: &Stop<'_>) {
        let opcode = Opcode(stop.rest.first().copied().unwrap_or_default());
        self.write(&Event::Stop {
            phase: self.phase,
            index: stop.index,
            offset: stop.offset,
            opcode: match stop.cause {
                StopCause::TruncatedPush => name(opcode),
                StopCause::Success => format!("OP_SUCCESS{}", opcode.0),
            },
            cause: match stop.cause {
                StopCause::TruncatedPush => "truncated_push",
                StopCause::Success => "op_success",
            },
            rest: stop.rest.to_lower_hex_string(),
        });
    }

    fn checked(&mut self, check: &Check<'_>, result: Result<(), ScriptError>) {
        let error = result.err();
        let (check, output_key, signature, commitment) = match *check {
            Check::KeyPathSignature {
                output_key,
                signature,
            } => ("key_path_signature", output_key, Some(signature), None),
            Check::Commitment {
                output_key,
                control,
                script,
            } => (
                "taproot_commitment",
                output_key,
                None,
                Some((control, script)),
            ),
        };
        self.write(&Event::Check {
            check,
            ok: error.is_none(),
            error: error.map(|error| error.name()),
            message: error.map(|error| error.to_string()),
            output_key: output_key.to_lower_hex_string(),
            signature: signature.map(|bytes| bytes.to_lower_hex_string()),
            control_block: commitment.map(|(control, _)| control.to_lower_hex_string()),
            script: commitment.map(|(_, script)| script.to_lower_hex_string()),
        });
    }

    fn script_ends(
        &mut self,
        stack: &Stack<'_>,
        alt_stack: &Stack<'_>,
        result: Result<(), ScriptError>,
    ) {
        let error = result.err();
        self.write(&Event::End {
            phase: self.phase,
            error: error.map(|error| error.name()),
            message: error.map(|error| error.to_string()),
            stack: hex(stack),
            alt_stack: hex(alt_stack),
        });
    }
}

/// Core's name, and one for the pushes that have none.
fn name(opcode: Opcode) -> String {
    if opcode > OP_0 && opcode < OP_PUSHDATA1 {
        format!("OP_PUSHBYTES_{}", opcode.0)
    } else {
        opcode.name().to_owned()
    }
}

fn hex(stack: &Stack<'_>) -> Vec<String> {
    let elements = stack.elements().iter();
    elements
        .map(|element| element.as_bytes().to_lower_hex_string())
        .collect()
}

impl Event {
    /// For people: one line for a step.
    fn text(&self) -> String {
        match self {
            Event::Input {
                txid,
                input,
                spends,
                amount_sat,
                script_pubkey,
                script_sig,
                witness,
                flags,
            } => format!(
                "input {input} of {txid}\nspends        {spends}, {} BTC\n\
                 scriptPubKey  {script_pubkey}\nscriptSig     {}\nwitness       {}\n\
                 flags         {flags}\n",
                btc(*amount_sat),
                short(script_sig),
                list(witness)
            ),
            Event::Script {
                phase,
                rules,
                script,
                asm,
                ..
            } => {
                let size = script.len() / 2;
                format!("\n{phase} ({size} bytes, {rules} rules): {asm}\n")
            }
            Event::Step {
                index,
                offset,
                opcode,
                push,
                executed,
                stack,
                alt_stack,
                conditions,
                ..
            } => {
                let what = match push {
                    Some(data) if !data.is_empty() => short(data),
                    _ => opcode.clone(),
                };
                let followed = *executed || CONDITIONALS.contains(&opcode.as_str());
                let what = if followed { what } else { format!("({what})") };
                let mut line = format!("{index:>5} @{offset:<5} {what:<26} {}", list(stack));
                // Writing to a String cannot fail.
                if !alt_stack.is_empty() {
                    let _ = write!(line, "  alt {}", list(alt_stack));
                }
                if !conditions.is_empty() {
                    let _ = write!(line, "  if {conditions:?}");
                }
                line + "\n"
            }
            Event::Stop {
                index,
                offset,
                opcode,
                cause,
                rest,
                ..
            } => {
                let why = match *cause {
                    "op_success" => "the tapscript succeeds by it, whatever else is in it",
                    _ => "a push of more bytes than the script has left",
                };
                let rest = short(rest);
                format!("{index:>5} @{offset:<5} {opcode:<26} {why} (from here: {rest})\n")
            }
            Event::Check {
                check,
                error,
                message,
                output_key,
                signature,
                control_block,
                ..
            } => {
                let (what, of) = match *check {
                    "key_path_signature" => ("signature of the output key", signature),
                    _ => ("control block's commitment to the script", control_block),
                };
                let of = short(of.as_deref().unwrap_or_default());
                let how = match (error, message) {
                    (Some(error), Some(message)) => format!("{error}: {message}"),
                    _ => "ok".to_owned(),
                };
                format!(
                    "\ntaproot, output key {}\n{what} {of}: {how}\n",
                    short(output_key)
                )
            }
            Event::Line {
                line,
                error,
                message,
            } => match (error, message) {
                (Some(error), Some(message)) => format!("line {line}: {error}: {message}\n\n"),
                _ => format!("line {line}\n"),
            },
            Event::End {
                error,
                message,
                stack,
                alt_stack,
                ..
            } => {
                let mut line = format!("{:>12} {:<26} {}", "", "end", list(stack));
                if !alt_stack.is_empty() {
                    let _ = write!(line, "  alt {}", list(alt_stack));
                }
                if let (Some(error), Some(message)) = (error, message) {
                    let _ = write!(line, "\n{:>12} {error}: {message}", "");
                }
                line + "\n"
            }
            Event::Verdict {
                input,
                error,
                message,
                ..
            } => match (error, message) {
                (Some(error), Some(message)) => format!("\ninput {input}: {error}: {message}\n"),
                _ => format!("\ninput {input}: ok\n"),
            },
        }
    }
}

fn list(elements: &[String]) -> String {
    let shown: Vec<String> = elements.iter().map(|element| short(element)).collect();
    format!("[{}]", shown.join(", "))
}

/// Hexadecimal that is not too long for a line; the empty string as `''`.
fn short(hex: &str) -> String {
    let bytes = hex.len() / 2;
    if bytes == 0 {
        return "''".to_owned();
    }
    if bytes <= SHOWN_BYTES {
        return hex.to_owned();
    }
    let (first, last) = (
        &hex[..2 * SHOWN_ENDS.0],
        &hex[hex.len() - 2 * SHOWN_ENDS.1..],
    );
    format!("{first}…{last}({bytes})")
}
