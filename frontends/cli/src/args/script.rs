//! Owns the arguments of `everett script`, and the texts in them that name a spend.
//! Refuses to judge a spend: see `spend`.

use std::path::PathBuf;
use std::str::FromStr;

use bitcoin::hex::FromHex;
use bitcoin::{Amount, ScriptBuf, TxOut};
use clap::{Args, Subcommand};
use everett_script::Flags;

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
  everett script decode --network regtest --json 0014751e…")]
    Decode(DecodeArgs),
    /// Verify that a transaction may spend what it spends
    #[command(after_help = "\
Examples:
  everett script verify --tx 0200… --input 0 --spent 100000:0014751e…
  everett script verify --tx 0200… --spent 5000:a914… --spent 7000:51… --flags P2SH,WITNESS
  everett script verify --jsonl spends.jsonl         many, from a file; - is standard input

A line of --jsonl is an object like
  {\"tx\":\"0200…\",\"input\":0,\"flags\":\"P2SH,WITNESS\",
   \"spent_outputs\":[{\"amount_sat\":100000,\"script_pubkey\":\"0014…\"}]}
and is answered with a line like {\"ok\":true,\"error\":null}, in the same order. `error` is
Bitcoin Core's name for a script's failure (EVAL_FALSE), or what is wrong with the line
(MALFORMED, with its number in `line`); `message` says it in words. Without `input` all
inputs are verified; without `flags` the rules are those of blocks today.

Exits 1 if anything does not verify.")]
    Verify(VerifyArgs),
    /// Show each step of a spend: opcode, stacks and open conditions
    #[command(after_help = "\
Examples:
  everett script trace --tx 0200… --input 0 --spent 100000:0014751e…
  everett script trace --json --tx 0200… --input 0 --spent 5000:a914…     a line of JSON a step

What is shown beside an opcode is the state right before it; the top of a stack is on the right.
Exits 1 if the spend does not verify.")]
    Trace(TraceArgs),
}

#[derive(Args)]
pub(crate) struct DecodeArgs {
    /// The script
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
}

/// A spend, by options.
#[derive(Args)]
pub(crate) struct SpendArgs {
    /// The spending transaction
    #[arg(long, value_name = "HEX", required = true)]
    pub(crate) tx: Option<String>,
    /// Which input, counted from 0 [default: all of them]
    #[arg(long, value_name = "N")]
    pub(crate) input: Option<usize>,
    /// An output that is spent; once for each input of the transaction, in their order
    #[arg(long, value_name = "AMOUNT_SAT:SCRIPT_HEX", value_parser = spent_output)]
    pub(crate) spent: Vec<TxOut>,
    /// Verification flags by Bitcoin Core's names, or consensus, standard, NONE
    #[arg(long, value_name = "P2SH,…", default_value = "consensus", value_parser = flags)]
    pub(crate) flags: Flags,
}

fn script(hex: &str) -> Result<ScriptBuf, String> {
    match Vec::<u8>::from_hex(hex) {
        Ok(bytes) => Ok(ScriptBuf::from_bytes(bytes)),
        Err(error) => Err(format!("a script is written in hexadecimal: {error}")),
    }
}

fn spent_output(text: &str) -> Result<TxOut, String> {
    let (amount, hex) = text
        .split_once(':')
        .ok_or("write the amount in satoshis, a colon and the script pubkey, like 5000:0014…")?;
    let sat = amount
        .parse()
        .map_err(|error| format!("`{amount}` is no amount in satoshis: {error}"))?;
    Ok(TxOut {
        value: Amount::from_sat(sat),
        script_pubkey: script(hex)?,
    })
}

/// Core's names joined by commas, or the name of a set.
pub(crate) fn flags(text: &str) -> Result<Flags, String> {
    match text {
        "consensus" => Ok(Flags::CONSENSUS),
        "standard" => Ok(Flags::STANDARD),
        names => Flags::from_str(names).map_err(|error| error.to_string()),
    }
}
