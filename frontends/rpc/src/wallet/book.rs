//! Owns what the book of addresses says of a script.

use bitcoin::{Address, Network, OutPoint, Script};
use everett_wallet::{Label, View};

use crate::call::Call;
use crate::error::{RpcError, WALLET_INVALID_LABEL_NAME};

/// The address of a script, if it has one.
pub(super) fn address(script: &Script, network: Network) -> Option<Address> {
    Address::from_script(script, network).ok()
}

/// What the book of addresses says of a script.
pub(super) fn entry<'a>(view: &'a View<'_>, script: &Script) -> Option<&'a Label> {
    let keyring = view.keyring();
    let address = address(script, keyring.network())?;
    keyring.labels().address(&address.to_string())
}

/// Whether an output of ours pays an address with this label.
pub(super) fn is_labelled(view: &View<'_>, outpoint: &OutPoint, label: &str) -> bool {
    let script = view.script_of(outpoint);
    let text = script.and_then(|script| Some(entry(view, &script)?.text.clone()));
    text.unwrap_or_default() == label
}

/// A label that there can be.
pub(super) fn check(label: &str) -> Result<&str, RpcError> {
    match label {
        "*" => Err(RpcError::new(
            WALLET_INVALID_LABEL_NAME,
            "Invalid label name",
        )),
        label => Ok(label),
    }
}

/// Whether methods and answers of older wallets are spoken as well: `-walletcompat`.
pub(super) fn speaks_of_accounts(call: &Call) -> bool {
    call.wallets().is_ok_and(|wallets| wallets.config().compat)
}
