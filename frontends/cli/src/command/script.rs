//! Owns `everett script`: scripts and spends that need no ledger.
//! Promises that a spend that does not verify is an answer and a failure; refuses to look anything up.

mod fields;
mod jsonl;
mod lines;
mod trace;

use std::process::ExitCode;

use everett_ledger::Network;

use crate::args::script::{ScriptArgs, ScriptCommand, SpendArgs, VerifyArgs};
use crate::failure::Failure;
use crate::output::show;
use crate::settings::Settings;
use crate::spend::{Spend, SpendError, read_transaction};
use crate::view::script::ScriptView;
use crate::view::verdict::VerdictsView;

pub(super) use self::trace::trace_spend;

/// Runs the command.
pub(super) fn script(settings: &Settings, args: ScriptArgs) -> Result<ExitCode, Failure> {
    match args.command {
        ScriptCommand::Decode(args) => {
            let network = settings.params(Network::Mainnet)?.network;
            show(&ScriptView::new(&args.script, network), settings.json)?;
            Ok(ExitCode::SUCCESS)
        }
        ScriptCommand::Verify(args) => verify(settings, args),
        ScriptCommand::Trace(args) => match args.jsonl {
            Some(file) => trace::trace_lines(&file, settings.json),
            None => trace_spend(&spend(args.spend)?, settings.json),
        },
    }
}

fn verify(settings: &Settings, args: VerifyArgs) -> Result<ExitCode, Failure> {
    if let Some(file) = args.jsonl {
        return jsonl::verify(&file);
    }
    let spend = spend(args.spend)?;
    let verdicts = spend.verify().map_err(Failure::usage)?;
    answer(&VerdictsView::new(&spend, &verdicts, None), settings.json)
}

/// Shows verdicts; one that is not ok is a failure, too.
pub(super) fn answer(verdicts: &VerdictsView, as_json: bool) -> Result<ExitCode, Failure> {
    show(verdicts, as_json)?;
    match verdicts.failure() {
        None => Ok(ExitCode::SUCCESS),
        Some(message) => Err(Failure::named("SCRIPT_FAILED", message)),
    }
}

fn spend(args: SpendArgs) -> Result<Spend, Failure> {
    // clap has seen to it that there is one.
    let hex = args.tx.unwrap_or_default();
    read_transaction(&hex)
        .and_then(|tx| Spend::new(tx, args.spent, args.input, args.flags))
        .map_err(usage)
}

/// A spend that cannot be verified: a wrong call.
pub(super) fn usage(error: SpendError) -> Failure {
    Failure::usage_for(error.reason(), error)
}
