//! Owns the commands about keys and descriptors, and the scan for what they were paid.

use std::io::IsTerminal;
use std::process::ExitCode;

use everett_proto::v1;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::{Asked, read_in, write_out};
use crate::args::wallet::{DescriptorsCommand, KeyCommand, RescanArgs};
use crate::failure::Failure;
use crate::secret;
use crate::source::server::wallet::PAGE_SIZE;
use crate::view::wallet::Done;
use crate::view::wallet::address::{DescriptorView, DescriptorsView};

/// What of a descriptor's text says that it is for change, where several make addresses.
const CHANGE_PATH: &str = "/1/*";

fn list(asked: &Asked, private: bool) -> Result<Vec<DescriptorView>, Failure> {
    let mut request = v1::ListDescriptorsRequest {
        wallet: asked.wallet.clone(),
        include_private_keys: private,
        page_size: PAGE_SIZE,
        page_token: String::new(),
    };
    let mut descriptors = Vec::new();
    loop {
        let page = request.clone();
        let page = asked
            .node
            .ask_wallet(async |mut client| client.list_descriptors(page).await)?;
        descriptors.extend(page.descriptors.into_iter().map(DescriptorView::from));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return Ok(descriptors);
        }
    }
}

pub(super) fn descriptors(asked: &Asked, command: DescriptorsCommand) -> Result<ExitCode, Failure> {
    match command {
        DescriptorsCommand::List => asked.show(&DescriptorsView {
            descriptors: list(asked, false)?,
        }),
        DescriptorsCommand::Export { private, output } => {
            let descriptors = list(asked, private)?;
            let text: String = match asked.json {
                true => {
                    let json = serde_json::to_string_pretty(&DescriptorsView { descriptors });
                    json.map_err(|error| Failure::new(v1::ErrorReason::Internal, error))? + "\n"
                }
                false => (descriptors.iter())
                    .map(|one| format!("{}\n", one.descriptor))
                    .collect(),
            };
            write_out(&text, output.as_deref())?;
            Ok(ExitCode::SUCCESS)
        }
        DescriptorsCommand::Import {
            file,
            active,
            internal,
            range_end,
            label,
            no_rescan,
        } => {
            let text = read_in(&file)?;
            let lines = text.lines().map(str::trim);
            let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
            let imports = lines.iter().map(|line| {
                let ranged = line.contains('*');
                // One with both paths says by itself which is for change.
                let multipath = line.contains('<');
                let change = internal || (active && lines.len() > 1 && line.contains(CHANGE_PATH));
                v1::DescriptorImport {
                    descriptor: (*line).to_owned(),
                    active: active && ranged,
                    // Who says nothing leaves what is there as it is used.
                    internal: (!multipath && (change || active)).then_some(change),
                    range_end: range_end.filter(|_| ranged),
                    label: label.clone().filter(|_| !ranged),
                    ..Default::default()
                }
            });
            let request = v1::ImportDescriptorsRequest {
                wallet: asked.wallet.clone(),
                imports: imports.collect(),
                skip_rescan: no_rescan,
            };
            let answer = asked
                .node
                .ask_wallet(async |mut client| client.import_descriptors(request).await)?;
            if !asked.json {
                for warning in &answer.warnings {
                    eprintln!("warning: {warning}");
                }
            }
            let json = json!({
                "imported": lines.len(),
                "warnings": answer.warnings,
                "rescanned_from": answer.rescanned_from_height,
            });
            let count = lines.len();
            let line = format!("{count} taken up{}", scanned(answer.rescanned_from_height));
            asked.show(&Done::new(line, json))
        }
    }
}

fn scanned(from: Option<u32>) -> String {
    from.map_or_else(String::new, |from| {
        format!("; blocks from {from} on were looked into")
    })
}

pub(super) fn key(asked: &Asked, command: KeyCommand) -> Result<ExitCode, Failure> {
    let KeyCommand::Import {
        label,
        no_rescan,
        file,
    } = command;
    let wif = secret::read(
        "the private key (WIF)",
        secret::Origin::FileOption("--file", file.as_deref()),
    )?;
    let request = v1::ImportKeyRequest {
        wallet: asked.wallet.clone(),
        wif: wif.to_string(),
        label,
        birth_time: None,
        skip_rescan: no_rescan,
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.import_key(request).await)?;
    let from = answer.rescanned_from_height;
    let line = format!("taken up{}", scanned(from));
    asked.show(&Done::new(line, json!({ "rescanned_from": from })))
}

pub(super) fn rescan(asked: &Asked, args: &RescanArgs) -> Result<ExitCode, Failure> {
    if args.abort {
        return abort_rescan(asked);
    }
    let request = v1::RescanWalletRequest {
        wallet: asked.wallet.clone(),
        from_height: args.from,
        to_height: args.to,
    };
    let bar = ProgressBar::new(0);
    if asked.json || !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    // The template is ours: it is well formed.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} height {pos} of {len}, {eta} left") {
        bar.set_style(style);
    }
    // Each branch tells of its own highest block.
    let mut to = 0;
    asked.node.follow_wallet(
        async |mut client| client.rescan_wallet(request).await,
        |step| {
            bar.set_length(u64::from(step.last_height));
            bar.set_position(u64::from(step.height));
            to = to.max(step.last_height);
            Ok(true)
        },
    )?;
    bar.finish_and_clear();
    let line = format!(
        "blocks {} to {to} were looked into, on every branch",
        args.from
    );
    asked.show(&Done::new(line, json!({ "from": args.from, "to": to })))
}

fn abort_rescan(asked: &Asked) -> Result<ExitCode, Failure> {
    let request = v1::AbortRescanRequest {
        wallet: asked.wallet.clone(),
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.abort_rescan(request).await)?;
    let line = match answer.aborted {
        true => "the scan is ended",
        false => "no scan runs",
    };
    let json = json!({ "aborted": answer.aborted });
    asked.show(&Done::new(line.to_owned(), json))
}
