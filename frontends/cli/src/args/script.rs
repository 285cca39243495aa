//! Owns the arguments of `everett script`, and the texts in them that name a spend.
//! Promises that what is too long for a command line may stand in a file or come through standard input.
//! Refuses to judge a spend: see `spend`.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use bitcoin::hex::FromHex;
use bitcoin::{Amount, ScriptBuf, TxOut};
use clap::{Args, Subcommand};
use everett_script::Flags;

use crate::spend::MAX_AMOUNT_SAT;

/// The most that is read from a file or standard input in place of an argument, in bytes: any block in hexadecimal.
const MAX_TEXT_BYTES: u64 = 16 << 20;

/// How `verify` is called.
const VERIFY_USAGE: &str = "\
everett script verify --tx HEX --spent AMOUNT_SAT:SCRIPT_HEX… [--input N] [--flags P2SH,…]
       everett script verify --jsonl [FILE|-]";
/// How `trace` is called.
const TRACE_USAGE: &str = "\
everett script trace --tx HEX --spent AMOUNT_SAT:SCRIPT_HEX… [--input N] [--flags P2SH,…]
       everett script trace --jsonl [FILE|-]";

#[derive(Args)]
pub(crate) struct ScriptArgs {
    #[command(subcommand)]
    pub(crate) command: ScriptCommand,
}

/// What can be done with a script.
#[derive(Subcommand)]
pub(crate) enum ScriptCommand {
    /// Show what a script says: assembly, kind, address, signature operations, script hash
    #[command(after_help = "\
Examples:
  everett script decode 76a914ee9d…88ac
  everett script decode --network regtest --json 0014751e…
  everett script decode @script.hex                  from a file; - is standard input")]
    Decode(DecodeArgs),
    /// Verify that a transaction may spend what it spends
    #[command(override_usage = VERIFY_USAGE, after_help = "\
Examples:
  everett script verify --tx 0200… --input 0 --spent 100000:0014751e…
  everett script verify --tx 0200… --spent 5000:a914… --spent 7000:51… --flags P2SH,WITNESS
  everett script verify --tx @tx.hex --spent 5000:a914…    HEX from a file; - is standard input
  everett script verify --jsonl spends.jsonl         many, from a file; - is standard input

A line of --jsonl is an object like
  {\"tx\":\"0200…\",\"input\":0,\"flags\":\"P2SH,WITNESS\",
   \"spent_outputs\":[{\"amount_sat\":100000,\"script_pubkey\":\"0014…\"}]}
and is answered with a line like {\"ok\":true,\"error\":null}, in the same order. `error` is \
Bitcoin Core's name for a script's failure (EVAL_FALSE), or what is wrong with the line \
(MALFORMED, with its number in `line`); `message` says it in words. Without `input` all \
inputs are verified; without `flags` the rules are those of blocks today.

Exits 1 if anything does not verify.")]
    Verify(VerifyArgs),
    /// Show each step of a spend: opcode, stacks and open conditions
    #[command(override_usage = TRACE_USAGE, after_help = "\
Examples:
  everett script trace --tx 0200… --input 0 --spent 100000:0014751e…
  everett script trace --json --tx 0200… --input 0 --spent 5000:a914…     a line of JSON a step
  everett script trace --jsonl spends.jsonl          the lines that `verify --jsonl` takes

What is shown beside an opcode is the state right before it; the top of a stack is on the right. \
Exits 1 if the spend does not verify.")]
    Trace(TraceArgs),
}

#[derive(Args)]
pub(crate) struct DecodeArgs {
    /// The script in hexadecimal; @FILE has it in a file, - on standard input
    #[arg(value_name = "HEX", value_parser = script)]
    pub(crate) script: ScriptBuf,
}

#[derive(Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) spend: SpendArgs,
    /// Verify many spends, a JSON object a line, from a file or - for standard input
    #[arg(
        long,
        value_name = "FILE|-",
        num_args = 0..=1,
        default_missing_value = "-",
        conflicts_with_all = ["tx", "input", "spent", "flags"]
    )]
    pub(crate) jsonl: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct TraceArgs {
    #[command(flatten)]
    pub(crate) spend: SpendArgs,
    /// Trace many spends, a JSON object a line, from a file or - for standard input
    #[arg(
        long,
        value_name = "FILE|-",
        num_args = 0..=1,
        default_missing_value = "-",
        conflicts_with_all = ["tx", "input", "spent", "flags"]
    )]
    pub(crate) jsonl: Option<PathBuf>,
}

/// A spend, by options.
#[derive(Args)]
pub(crate) struct SpendArgs {
    /// The spending transaction in hexadecimal; @FILE has it in a file, - on standard input
    #[arg(long, value_name = "HEX", value_parser = text, required_unless_present = "jsonl")]
    pub(crate) tx: Option<String>,
    /// Which input, counted from 0 [default: all of them]
    #[arg(long, value_name = "N", value_parser = input, allow_hyphen_values = true)]
    pub(crate) input: Option<usize>,
    /// An output that is spent; once for each input of the transaction, in their order
    #[arg(
        long,
        value_name = "AMOUNT_SAT:SCRIPT_HEX",
        value_parser = spent_output,
        allow_hyphen_values = true
    )]
    pub(crate) spent: Vec<TxOut>,
    /// Verification flags by Bitcoin Core's names, or consensus, standard, NONE
    #[arg(long, value_name = "P2SH,…", default_value = "consensus", value_parser = flags)]
    pub(crate) flags: Flags,
}

/// An argument, or what `@FILE` or `-` (standard input, once) have in its place. Blanks and line ends in them are
/// left out.
pub(crate) fn text(argument: &str) -> Result<String, String> {
    static STDIN_IS_TAKEN: AtomicBool = AtomicBool::new(false);
    let source: Box<dyn Read> = if argument == "-" {
        if STDIN_IS_TAKEN.swap(true, Ordering::Relaxed) {
            return Err("standard input can stand for one argument only".to_owned());
        }
        Box::new(io::stdin())
    } else if let Some(path) = argument.strip_prefix('@') {
        Box::new(File::open(path).map_err(|error| format!("{path}: {error}"))?)
    } else {
        return Ok(argument.to_owned());
    };
    let mut text = String::new();
    let read = source.take(MAX_TEXT_BYTES + 1).read_to_string(&mut text);
    match read {
        Err(error) => Err(format!("{argument}: {error}")),
        Ok(length) if length as u64 > MAX_TEXT_BYTES => {
            Err(format!("{argument}: longer than {MAX_TEXT_BYTES} bytes"))
        }
        Ok(_) => {
            text.retain(|character| !character.is_ascii_whitespace());
            Ok(text)
        }
    }
}

/// The number of an input.
pub(crate) fn input(text: &str) -> Result<usize, String> {
    let number = text.parse();
    number.map_err(|_| "write the number of an input, counted from 0".to_owned())
}

fn script(hex: &str) -> Result<ScriptBuf, String> {
    match Vec::<u8>::from_hex(&text(hex)?) {
        Ok(bytes) => Ok(ScriptBuf::from_bytes(bytes)),
        Err(error) => Err(format!("a script is written in hexadecimal: {error}")),
    }
}

fn spent_output(argument: &str) -> Result<TxOut, String> {
    let (amount, hex) = argument
        .split_once(':')
        .ok_or("write the amount in satoshis, a colon and the script pubkey, like 5000:0014…")?;
    let sat = amount
        .parse()
        .ok()
        .filter(|sat| *sat <= MAX_AMOUNT_SAT)
        .ok_or_else(|| {
            format!("`{amount}` is no amount: write satoshis, from 0 to {MAX_AMOUNT_SAT}")
        })?;
    Ok(TxOut {
        value: Amount::from_sat(sat),
        script_pubkey: script(hex)?,
    })
}

/// Core's names joined by commas, or the name of a set; blanks around them do not matter.
pub(crate) fn flags(text: &str) -> Result<Flags, String> {
    match text.trim() {
        "consensus" => Ok(Flags::CONSENSUS),
        "standard" => Ok(Flags::STANDARD),
        names => Flags::from_str(names).map_err(|error| {
            format!("{error}; consensus and standard are sets of them, to be named alone")
        }),
    }
}
