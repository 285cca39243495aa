//! Owns the labels of a wallet: listed, set, and as files of BIP329.

use everett_proto::v1;
use everett_wallet::{Label, LabelKind, Purpose, Wallet};

use super::asking::Asking;
use crate::fault::Fault;

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
    let wanted = kind(request.kind());
    let view = wallet.view()?;
    let labels = view.keyring().labels().iter();
    let labels = labels.filter(|(kind, _, _)| wanted.is_none_or(|wanted| wanted == *kind));
    Ok(v1::ListLabelsResponse {
        labels: labels
            .map(|(kind, reference, label)| v1::WalletLabel {
                kind: told(kind).into(),
                reference: reference.to_owned(),
                label: label.text.clone(),
            })
            .collect(),
    })
}

pub(crate) fn set(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::SetLabelRequest,
) -> Result<v1::SetLabelResponse, Fault> {
    let label = (request.label).ok_or_else(|| Fault::field("label", "a label is missing"))?;
    let kind = kind(label.kind())
        .ok_or_else(|| Fault::field("label.kind", "it is not said what is labelled"))?;
    let reference = label.reference.as_str();
    if reference.is_empty() {
        return Err(Fault::field("label.reference", "it is missing"));
    }
    match kind {
        LabelKind::Tx => drop(crate::parse::txid("label.reference", reference)?),
        LabelKind::Addr => {
            let network = asking.reading.ledger.params().network;
            let script = crate::parse::address("label.reference", reference, network)?;
            let mine = wallet.view()?.keyring().slot_of(&script).is_some();
            let purpose = match mine {
                true => Purpose::Receive,
                false => Purpose::Send,
            };
            wallet.change_keys(|keyring| {
                let labels = keyring.labels_mut();
                match label.label.is_empty() && !mine {
                    true => drop(labels.remove(LabelKind::Addr, reference)),
                    false => labels.set_address(reference, &label.label, purpose)?,
                }
                Ok::<(), Fault>(())
            })?;
            return Ok(v1::SetLabelResponse {});
        }
        LabelKind::Input | LabelKind::Output => {
            let valid = reference.parse::<bitcoin::OutPoint>().is_ok();
            if !valid {
                return Err(Fault::field("label.reference", "it is not `txid:number`"));
            }
        }
        LabelKind::Pubkey | LabelKind::Xpub => {}
    }
    wallet.change_keys(|keyring| {
        let labels = keyring.labels_mut();
        if label.label.is_empty() {
            labels.remove(kind, reference);
            return Ok::<(), Fault>(());
        }
        let known = labels.get(kind, reference).cloned().unwrap_or_default();
        let text = label.label.clone();
        labels.set(kind, reference, Label { text, ..known })?;
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
        let taken = keyring.labels_mut().import_bip329(&request.jsonl);
        // Whatever is wrong is wrong with the file.
        taken.map_err(|error| Fault::field("jsonl", error.to_string()))
    })?;
    Ok(v1::ImportLabelsResponse {
        count: count as u64,
    })
}
