//! Owns the address that somebody is asked to pay to, with its QR code, and the addresses that were given out and not paid to.
//! Promises that nothing is given out by looking: that takes the form's button.

use std::collections::HashSet;

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount, Denomination, ScriptBuf};
use everett_ledger::Network;
use everett_wallet::{Chain, LabelKind, OutputType, Purpose, View};

use crate::fault::Fault;
use crate::pages::Choice;
use crate::parse::{cut, malformed};
use crate::payment_uri::{escaped, payment_uri};
use crate::qr;
use crate::reads::Patience;

/// Addresses that wait to be paid to and are listed, at most.
const MAX_WAITING: usize = 8;

pub(super) struct Receive {
    /// The address that is shown, with its picture; none while none was given out.
    pub(super) shown: Option<ShownAddress>,
    /// Others that were given out and not paid to, the newest first.
    pub(super) waiting: Vec<WaitingAddress>,
    /// Why no new address can be given out.
    pub(super) refused: Option<String>,
}

pub(super) struct ShownAddress {
    pub(super) address: String,
    pub(super) label: String,
    pub(super) amount: String,
    pub(super) uri: String,
    pub(super) qr: Option<String>,
    /// Whether some transaction of some world, or one that waits, pays it.
    pub(super) paid: bool,
}

pub(super) struct WaitingAddress {
    pub(super) address: String,
    pub(super) short: String,
    pub(super) label: String,
}

/// What the page was asked to show.
pub(super) struct Asked {
    script: Option<ScriptBuf>,
    amount: Option<Amount>,
    label: Option<String>,
}

impl Asked {
    pub(super) fn of(choice: &Choice, network: Network) -> Result<Asked, Fault> {
        let given = |text: &Option<String>| {
            let text = text.as_deref().map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let script = given(&choice.address).map(|text| {
            crate::parse::address(&text, network).map(|address| address.script_pubkey())
        });
        let amount = given(&choice.amount).map(|text| {
            let amount = Amount::from_str_in(&text, Denomination::Bitcoin).ok();
            let amount = amount.filter(|amount| *amount <= Amount::MAX_MONEY);
            amount.ok_or_else(|| malformed(&text, "an amount in bitcoin"))
        });
        Ok(Asked {
            script: script.transpose()?,
            amount: amount.transpose()?.filter(|amount| *amount > Amount::ZERO),
            label: given(&choice.label).map(|label| cut(&label)),
        })
    }
}

/// What is shown of one address.
fn shown(view: &View<'_>, address: &Address, asked: &Asked, paid: bool) -> ShownAddress {
    let text = address.to_string();
    let label = view.keyring().labels().address(&text);
    let label = asked
        .label
        .clone()
        .or_else(|| Some(cut(&label?.text)))
        .unwrap_or_default();
    let uri = payment_uri(&text, asked.amount, &label);
    ShownAddress {
        qr: qr::svg(&uri, &format!("QR code of {uri}")),
        amount: asked.amount.map_or_else(String::new, |amount| {
            let text = amount.to_string_in(Denomination::Bitcoin);
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }),
        address: text,
        label,
        uri,
        paid,
    }
}

/// What can be told to somebody who wants to pay.
pub(super) fn receive(
    view: &View<'_>,
    asked: Asked,
    kind: OutputType,
    patience: &Patience,
) -> Result<Receive, Fault> {
    let keyring = view.keyring();
    let network = keyring.network();
    let mut paid: HashSet<&ScriptBuf> = HashSet::new();
    for record in view.records() {
        patience.check()?;
        paid.extend(record.tx.output.iter().map(|output| &output.script_pubkey));
    }
    let given_out = keyring.labels().iter().filter_map(|(what, name, label)| {
        let ours = what == LabelKind::Addr && label.purpose == Some(Purpose::Receive);
        let address: Address<NetworkUnchecked> = name.parse().ok().filter(|_| ours)?;
        let address = address.require_network(network).ok()?;
        let slot = keyring.slot_of(&address.script_pubkey())?;
        Some((slot, address, label.text.as_str()))
    });
    let mut waiting: Vec<_> = given_out
        .filter(|(_, address, _)| !paid.contains(&address.script_pubkey()))
        .collect();
    // Of the usual kind first, those that were given out last before the others.
    let usual = keyring.active(kind, Chain::External);
    let usual = usual.map(|descriptor| descriptor.number);
    waiting.sort_by_key(|(slot, _, _)| {
        std::cmp::Reverse((Some(slot.descriptor) == usual, slot.index))
    });
    let shown = match &asked.script {
        None => waiting
            .first()
            .map(|(_, address, _)| shown(view, address, &asked, false)),
        Some(script) => {
            let address = Address::from_script(script, network).ok();
            let address = address.filter(|_| keyring.slot_of(script).is_some());
            let address = address.ok_or_else(|| {
                malformed(
                    &script.to_hex_string(),
                    "the script of an address of this wallet",
                )
            })?;
            Some(shown(view, &address, &asked, paid.contains(script)))
        }
    };
    let is_shown = |address: &Address| {
        let text = address.to_string();
        shown.as_ref().is_some_and(|shown| shown.address == text)
    };
    let others = waiting.iter().filter(|(_, address, _)| !is_shown(address));
    let others = others.take(MAX_WAITING).map(|(_, address, label)| {
        let address = address.to_string();
        WaitingAddress {
            short: crate::show::short(&address),
            address: escaped(&address),
            label: cut(label),
        }
    });
    let others = others.collect();
    Ok(Receive {
        refused: usual.is_none().then(|| {
            format!(
                "This wallet gives out no {kind} addresses: it has no active descriptor for them."
            )
        }),
        shown,
        waiting: others,
    })
}
