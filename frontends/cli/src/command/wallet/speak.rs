//! Owns the commands about messages and labels.

use std::process::ExitCode;

use everett_proto::v1;
use serde_json::json;

use super::{Asked, read_in, write_out};
use crate::args::wallet::{Labelled, LabelsCommand, MessageCommand};
use crate::failure::Failure;
use crate::source::server::wallet::PAGE_SIZE;
use crate::view::wallet::Done;
use crate::view::wallet::address::{LabelView, LabelsView};

pub(super) fn message(asked: &Asked, command: MessageCommand) -> Result<ExitCode, Failure> {
    match command {
        MessageCommand::Sign { address, message } => {
            let request = v1::SignMessageRequest {
                wallet: asked.wallet.clone(),
                address,
                message,
            };
            let answer = asked
                .node
                .ask_wallet(async |mut client| client.sign_message(request).await)?;
            let json = json!({ "signature": answer.signature });
            asked.show(&Done::new(answer.signature, json))
        }
        MessageCommand::Verify {
            address,
            signature,
            message,
        } => {
            let request = v1::VerifyMessageRequest {
                address,
                signature,
                message,
            };
            let answer = asked
                .node
                .ask_wallet(async |mut client| client.verify_message(request).await)?;
            let line = match answer.valid {
                true => "signed with the key of this address",
                false => "not signed with the key of this address",
            };
            asked.show(&Done::new(line, json!({ "valid": answer.valid })))?;
            match answer.valid {
                true => Ok(ExitCode::SUCCESS),
                false => Ok(ExitCode::FAILURE),
            }
        }
    }
}

fn kind(on: Labelled) -> v1::LabelKind {
    match on {
        Labelled::Tx => v1::LabelKind::Tx,
        Labelled::Addr => v1::LabelKind::Addr,
        Labelled::Pubkey => v1::LabelKind::Pubkey,
        Labelled::Input => v1::LabelKind::Input,
        Labelled::Output => v1::LabelKind::Output,
        Labelled::Xpub => v1::LabelKind::Xpub,
    }
}

pub(super) fn labels(asked: &Asked, command: LabelsCommand) -> Result<ExitCode, Failure> {
    let wallet = asked.wallet.clone();
    match command {
        LabelsCommand::List => {
            let mut request = v1::ListLabelsRequest {
                wallet,
                kind: v1::LabelKind::Unspecified.into(),
                page_size: PAGE_SIZE,
                page_token: String::new(),
            };
            let mut labels = Vec::new();
            loop {
                let page = request.clone();
                let page = asked
                    .node
                    .ask_wallet(async |mut client| client.list_labels(page).await)?;
                labels.extend(page.labels.into_iter().map(LabelView::from));
                request.page_token = page.next_page_token;
                if request.page_token.is_empty() {
                    return asked.show(&LabelsView { labels });
                }
            }
        }
        LabelsCommand::Set {
            on,
            reference,
            label,
        } => {
            let json = json!({ "reference": reference, "label": label });
            let request = v1::SetLabelRequest {
                wallet,
                label: Some(v1::WalletLabel {
                    kind: kind(on).into(),
                    reference,
                    label,
                }),
            };
            asked
                .node
                .ask_wallet(async |mut client| client.set_label(request).await)?;
            asked.show(&Done::new("labelled", json))
        }
        LabelsCommand::Export { output } => {
            let request = v1::ExportLabelsRequest { wallet };
            let answer = asked
                .node
                .ask_wallet(async |mut client| client.export_labels(request).await)?;
            write_out(&answer.jsonl, output.as_deref())?;
            Ok(ExitCode::SUCCESS)
        }
        LabelsCommand::Import { file } => {
            let request = v1::ImportLabelsRequest {
                wallet,
                jsonl: read_in(&file)?.to_string(),
            };
            let answer = asked
                .node
                .ask_wallet(async |mut client| client.import_labels(request).await)?;
            let line = format!("{} labels taken over", answer.count);
            asked.show(&Done::new(line, json!({ "imported": answer.count })))
        }
    }
}
