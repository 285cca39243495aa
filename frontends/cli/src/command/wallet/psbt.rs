//! Owns the commands about PSBTs.

use std::path::Path;
use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use everett_proto::v1;
use everett_wallet::keys::read_psbt;
use serde_json::json;

use super::{Asked, pay, write_out};
use crate::args::wallet::PsbtCommand;
use crate::failure::Failure;
use crate::source::Source;
use crate::view::wallet::Done;
use crate::view::wallet::psbt::{PsbtView, WorkedView};

pub(super) fn psbt(asked: &Asked, command: PsbtCommand) -> Result<ExitCode, Failure> {
    match command {
        PsbtCommand::Create(mut args) => {
            args.unsigned = true;
            pay::build(asked, *args)
        }
        PsbtCommand::Sign {
            psbt,
            only_update,
            unfinished,
            output,
        } => {
            let request = v1::SignPsbtRequest {
                wallet: asked.wallet.clone(),
                psbt: psbt.0,
                only_update,
                leave_unfinished: unfinished,
            };
            let signed = asked
                .node
                .ask_wallet(async |mut client| client.sign_psbt(request).await)?;
            let view = WorkedView::from(signed);
            if !view.complete && !only_update && !asked.json {
                eprintln!("not all inputs are signed yet");
            }
            worked(asked, &view, &view.psbt, output.as_deref())
        }
        PsbtCommand::Combine { psbts, output } => {
            let request = v1::CombinePsbtsRequest {
                psbts: psbts.into_iter().map(|psbt| psbt.0).collect(),
            };
            let answer = asked
                .node
                .ask_wallet(async |mut client| client.combine_psbts(request).await)?;
            let text = STANDARD.encode(answer.psbt);
            let view = Done::new(text.clone(), json!({ "psbt": text }));
            worked(asked, &view, &text, output.as_deref())
        }
        PsbtCommand::Finalize { psbt, output } => {
            let request = v1::FinalizePsbtRequest { psbt: psbt.0 };
            let answer = asked
                .node
                .ask_wallet(async |mut client| client.finalize_psbt(request).await)?;
            let view = WorkedView::from(answer);
            let Some(hex) = view.hex.clone() else {
                return Err(Failure::new(
                    v1::ErrorReason::NotSigned,
                    "not all inputs have their signatures: `everett wallet psbt show` says which",
                ));
            };
            match asked.json {
                true => worked(asked, &view, &hex, output.as_deref()),
                false => {
                    write_out(&format!("{hex}\n"), output.as_deref())?;
                    Ok(ExitCode::SUCCESS)
                }
            }
        }
        PsbtCommand::Show { psbt } => {
            let psbt = read_psbt(&psbt.0).map_err(Failure::usage)?;
            let network = asked.node.network()?.to_bitcoin();
            asked.show(&PsbtView::new(&psbt, network))
        }
    }
}

/// Writes to the file that was named, or shows.
fn worked(
    asked: &Asked,
    view: &impl crate::output::View,
    text: &str,
    output: Option<&Path>,
) -> Result<ExitCode, Failure> {
    if output.is_some() {
        write_out(&format!("{text}\n"), output)?;
        if !asked.json {
            return Ok(ExitCode::SUCCESS);
        }
    }
    asked.show(view)
}
