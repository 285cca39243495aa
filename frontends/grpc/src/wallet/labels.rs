//! Owns the labels of a wallet: listed, set, and as files of BIP329.

use everett_proto::v1;
use everett_wallet::{Label, LabelKind, Purpose, Wallet};

use super::asking::Asking;
use crate::fault::Fault;
use crate::paging::{self, List, Token};
use crate::parse;

fn kind(kind: v1::LabelKind) -> Option<LabelKind> {
    match kind {
        v1::LabelKind::Unspecified => None,
        v1::LabelKind::Tx => Some(LabelKind::Tx),
        v1::LabelKind::Addr => Some(LabelKind::Addr),
        v1::LabelKind::Pubkey => Some(LabelKind::Pubkey),
        v1::LabelKind::Input => Some(LabelKind::Input),
        v1::LabelKind::Output => Some(LabelKind::Output),
        v1::LabelKind::Xpub => Some(LabelKind::Xpub),
    }
}

fn told(kind: LabelKind) -> v1::LabelKind {
    match kind {
        LabelKind::Tx => v1::LabelKind::Tx,
        LabelKind::Addr => v1::LabelKind::Addr,
        LabelKind::Pubkey => v1::LabelKind::Pubkey,
        LabelKind::Input => v1::LabelKind::Input,
        LabelKind::Output => v1::LabelKind::Output,
        LabelKind::Xpub => v1::LabelKind::Xpub,
    }
}

pub(crate) fn list(
    _: &Asking<'_>,
    wallet: &Wallet,
    request: v1::ListLabelsRequest,
) -> Result<v1::ListLabelsResponse, Fault> {
    let page_size = paging::page_size(request.page_size)?;
    let wanted = parse::choice("kind", request.kind)?.and_then(kind);
    let mut filter = wallet.name().as_bytes().to_vec();
    filter.extend([0, request.kind() as u8]);
    let token = Token::parse(List::Labels, &request.page_token)?;
    let after = match &token {
        None => None,
        Some(token) => {
            token.check(&[], &filter)?;
            Some(read_position(token.position_bytes())?)
        }
    };
    let view = wallet.view()?;
    let labels = view.keyring().labels().iter_after(after);
    let mut rest = labels.filter(|(kind, _, _)| wanted.is_none_or(|wanted| wanted == *kind));
    let page: Vec<_> = rest.by_ref().take(page_size).collect();
    let more = rest.next().is_some();
    let next = page.last().filter(|_| more).map(|(kind, reference, _)| {
        let position = position(*kind, reference);
        Token::new(List::Labels, &[], &filter, position).to_text()
    });
    let labels = page.iter().map(|(kind, reference, label)| v1::WalletLabel {
        kind: told(*kind).into(),
        reference: (*reference).to_owned(),
        label: label.text.clone(),
    });
    Ok(v1::ListLabelsResponse {
        labels: labels.collect(),
        next_page_token: next.unwrap_or_default(),
    })
}

/// Of the last label of a page: its kind, and on what it is.
fn position(kind: LabelKind, reference: &str) -> Vec<u8> {
    let mut bytes = vec![told(kind) as u8];
    bytes.extend_from_slice(reference.as_bytes());
    bytes
}

fn read_position(bytes: &[u8]) -> Result<(LabelKind, String), Fault> {
    let read = || {
        let (number, reference) = bytes.split_first()?;
        let kind = kind(v1::LabelKind::try_from(i32::from(*number)).ok()?)?;
        Some((kind, String::from_utf8(reference.to_vec()).ok()?))
    };
    read().ok_or_else(|| Fault::field("page_token", "not a token that this node gave out"))
}

pub(crate) fn set(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::SetLabelRequest,
) -> Result<v1::SetLabelResponse, Fault> {
    let label = (request.label).ok_or_else(|| Fault::field("label", "a label is missing"))?;
    let kind = parse::choice("label.kind", label.kind)?
        .and_then(kind)
        .ok_or_else(|| Fault::field("label.kind", "it is not said what is labelled"))?;
    let written = label.reference.as_str();
    if written.is_empty() {
        return Err(Fault::field("label.reference", "it is missing"));
    }
    let network = asking.reading.ledger.params().network;
    let reference = kind.reference(written, network.to_bitcoin());
    match kind {
        LabelKind::Tx => drop(parse::txid("label.reference", written)?),
        LabelKind::Addr => {
            let address = parse::address("label.reference", written, network)?;
            let script = address.script_pubkey();
            let mine = wallet.view()?.keyring().slot_of(&script).is_some();
            let purpose = match mine {
                true => Purpose::Receive,
                false => Purpose::Send,
            };
            // As addresses are written, which may be otherwise than this one was.
            let address = &address.to_string();
            wallet.change_keys(|keyring| {
                let labels = keyring.labels_mut();
                match label.label.is_empty() && !mine {
                    true => drop(labels.remove(LabelKind::Addr, address)),
                    false => labels.set_address(address, &label.label, purpose)?,
                }
                Ok::<(), Fault>(())
            })?;
            return Ok(v1::SetLabelResponse {});
        }
        LabelKind::Input | LabelKind::Output | LabelKind::Pubkey | LabelKind::Xpub => {}
    }
    let reference = reference.ok_or_else(|| {
        let wrong = match kind {
            LabelKind::Input | LabelKind::Output => "it is not `txid:number`",
            _ => "it is not a key of that kind",
        };
        Fault::field("label.reference", wrong)
    })?;
    wallet.change_keys(|keyring| {
        let labels = keyring.labels_mut();
        if label.label.is_empty() {
            labels.remove(kind, &reference);
            return Ok::<(), Fault>(());
        }
        let known = labels.get(kind, &reference).cloned().unwrap_or_default();
        let text = label.label.clone();
        labels.set(kind, &reference, Label { text, ..known })?;
        Ok(())
    })?;
    Ok(v1::SetLabelResponse {})
}

pub(crate) fn export(
    _: &Asking<'_>,
    wallet: &Wallet,
    _: v1::ExportLabelsRequest,
) -> Result<v1::ExportLabelsResponse, Fault> {
    let view = wallet.view()?;
    Ok(v1::ExportLabelsResponse {
        jsonl: view.keyring().labels().export_bip329(),
    })
}

pub(crate) fn import(
    _: &Asking<'_>,
    wallet: &Wallet,
    request: v1::ImportLabelsRequest,
) -> Result<v1::ImportLabelsResponse, Fault> {
    let count = wallet.change_keys(|keyring| {
        let network = keyring.network();
        let taken = keyring.labels_mut().import_bip329(&request.jsonl, network);
        // Whatever is wrong is wrong with the file.
        taken.map_err(|error| Fault::field("jsonl", error.to_string()))
    })?;
    Ok(v1::ImportLabelsResponse {
        count: count as u64,
    })
}
