//! Owns which wallets there are: made, loaded, unloaded, listed, copied and put back.
//! Promises that a path is one of the node's machine, whole and from its root.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use everett_proto::v1;
use everett_wallet::keys::Master;
use everett_wallet::{NewWallet, Wallet, WalletFlags};
use zeroize::Zeroizing;

use super::asking::Asking;
use super::descriptors::{birth, scan_from};
use crate::convert::wallet as convert;
use crate::fault::Fault;

/// A wallet as it is told.
pub(crate) fn tell(asking: &Asking<'_>, wallet: &Wallet) -> Result<v1::Wallet, Fault> {
    let at_start = asking.wallets.opened_at_start()?;
    let view = wallet.view()?;
    let keyring = view.keyring();
    let flags = keyring.flags();
    let missed = view.missed_scan();
    let until = view.unlocked_for();
    let until = until.and_then(|rest| SystemTime::now().checked_add(rest));
    Ok(v1::Wallet {
        name: wallet.name().to_owned(),
        encrypted: keyring.is_encrypted(),
        locked: keyring.is_locked(),
        unlocked_until: until.map(prost_types::Timestamp::from),
        watch_only: flags.disable_private_keys,
        blank: flags.blank,
        avoid_reuse: flags.avoid_reuse,
        load_at_start: at_start.iter().any(|name| name == wallet.name()),
        keypool: keyring.keypool(),
        descriptor_count: u32::try_from(keyring.descriptors().count()).unwrap_or(u32::MAX),
        payment_count: view.records().count() as u64,
        scan: wallet.scan_progress().map(convert::scan),
        owed_scan_from_height: view.owed_scan(),
        missed_scan_from_height: missed.as_ref().map(|missed| missed.start),
        missed_scan_below_height: missed.as_ref().map(|missed| missed.end),
    })
}

pub(crate) fn list(
    asking: &Asking<'_>,
    _: v1::ListWalletsRequest,
) -> Result<v1::ListWalletsResponse, Fault> {
    let open = asking.wallets.list();
    let names = asking.wallets.names()?;
    let is_open = |name: &String| open.iter().any(|wallet| wallet.name() == name);
    Ok(v1::ListWalletsResponse {
        unloaded_names: names.into_iter().filter(|name| !is_open(name)).collect(),
        wallets: (open.iter())
            .map(|wallet| tell(asking, wallet))
            .collect::<Result<_, _>>()?,
    })
}

pub(crate) fn create(
    asking: &Asking<'_>,
    request: v1::CreateWalletRequest,
) -> Result<v1::CreateWalletResponse, Fault> {
    let passphrase = Zeroizing::new(request.passphrase);
    let words = Zeroizing::new(request.mnemonic);
    let words_passphrase = Zeroizing::new(request.mnemonic_passphrase);
    if request.name.is_empty() {
        return Err(Fault::field("name", "a wallet has a name"));
    }
    if !passphrase.is_empty() && request.watch_only {
        let wrong = "a wallet that only watches has nothing to seal";
        return Err(Fault::field("passphrase", wrong));
    }
    if !words.is_empty() && (request.watch_only || request.blank) {
        let wrong = "a wallet that begins without keys takes none from words";
        return Err(Fault::field("mnemonic", wrong));
    }
    let network = asking.wallets.config().network;
    let master = match words.is_empty() {
        true => None,
        false => Some(Master::from_mnemonic(&words, &words_passphrase, network)?),
    };
    if words.is_empty() && (request.birth_time.is_some() || request.skip_rescan) {
        let wrong =
            "random keys are new, and paid in no block: this is for those that come from words";
        let field = match request.birth_time {
            Some(_) => "birth_time",
            None => "skip_rescan",
        };
        return Err(Fault::field(field, wrong));
    }
    let birth = match words.is_empty() {
        true => None,
        false => Some(birth("birth_time", request.birth_time)?),
    };
    // Words that were used before may have been paid long ago.
    let paid_since = birth.and_then(|birth| scan_from(asking, birth, request.skip_rescan));
    let new = NewWallet {
        flags: WalletFlags {
            disable_private_keys: request.watch_only,
            blank: request.blank,
            avoid_reuse: request.avoid_reuse,
        },
        master,
        passphrase: Some(passphrase).filter(|text| !text.is_empty()),
        paid_since,
        birth,
    };
    let wallet = (asking.wallets.create(&request.name, new))
        .map_err(|error| Fault::from(error).with("wallet", &request.name))?;
    let warnings = opened(asking, &wallet, Some(request.load_at_start.unwrap_or(true)));
    if paid_since.is_some() {
        super::rescan::pay_since(asking, &wallet.scan_turn()?, paid_since)?;
    }
    Ok(v1::CreateWalletResponse {
        wallet: Some(tell(asking, &wallet)?),
        warnings,
    })
}

pub(crate) fn load(
    asking: &Asking<'_>,
    request: v1::LoadWalletRequest,
) -> Result<v1::LoadWalletResponse, Fault> {
    let wallet = (asking.wallets.load(&request.name))
        .map_err(|error| Fault::from(error).with("wallet", &request.name))?;
    let warnings = opened(asking, &wallet, request.load_at_start);
    Ok(v1::LoadWalletResponse {
        wallet: Some(tell(asking, &wallet)?),
        warnings,
    })
}

pub(crate) fn unload(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::UnloadWalletRequest,
) -> Result<v1::UnloadWalletResponse, Fault> {
    // A scan keeps the file open: it could not be loaded again.
    let _turn = wallet.scan_turn()?;
    asking.wallets.unload(wallet.name())?;
    Ok(v1::UnloadWalletResponse {
        warnings: Vec::from_iter(marked(asking, wallet.name(), request.load_at_start)),
    })
}

/// What is left to do when a wallet is loaded, in whatever way; warnings of what cannot be: it is loaded all the same.
fn opened(asking: &Asking<'_>, wallet: &Wallet, at_start: Option<bool>) -> Vec<String> {
    let mut warnings = Vec::from_iter(marked(asking, wallet.name(), at_start));
    if let Err(error) = asking.wallets.make_way_for(wallet.name()) {
        warnings.push(format!(
            "the wallet without a name is still loaded beside it: {error}"
        ));
    }
    warnings
}

/// Marks a wallet for being loaded at the start, or not; a warning where that cannot be written.
fn marked(asking: &Asking<'_>, name: &str, at_start: Option<bool>) -> Option<String> {
    let error = asking.wallets.open_at_start(name, at_start?).err()?;
    tracing::warn!(wallet = name, %error, "whether it is opened at the start is as it was");
    Some(format!(
        "whether it is loaded at the start could not be changed: {error}"
    ))
}

pub(crate) fn backup(
    asking: &Asking<'_>,
    wallet: &Wallet,
    request: v1::BackupWalletRequest,
) -> Result<v1::BackupWalletResponse, Fault> {
    let path = path(&request.path)?;
    if path.exists() {
        let wrong = "there is something already: a backup overwrites nothing";
        return Err(Fault::field("path", wrong));
    }
    let directory = asking.wallets.config().directory.canonicalize();
    let parent = path.parent().map(Path::canonicalize);
    if let (Ok(directory), Some(Ok(parent))) = (directory, parent)
        && parent.starts_with(directory)
    {
        let wrong = "it lies among the wallets, where it would be taken for one";
        return Err(Fault::field("path", wrong));
    }
    wallet.backup(&path)?;
    Ok(v1::BackupWalletResponse {})
}

pub(crate) fn restore(
    asking: &Asking<'_>,
    request: v1::RestoreWalletRequest,
) -> Result<v1::RestoreWalletResponse, Fault> {
    if request.name.is_empty() {
        return Err(Fault::field("name", "a wallet has a name"));
    }
    let path = path(&request.path)?;
    if !path.exists() {
        let wrong = "there is nothing on the node's machine";
        return Err(Fault::field("path", wrong));
    }
    let wallet = (asking.wallets.restore(&request.name, &path))
        .map_err(|error| Fault::from(error).with("wallet", &request.name))?;
    let warnings = opened(asking, &wallet, Some(request.load_at_start.unwrap_or(true)));
    Ok(v1::RestoreWalletResponse {
        wallet: Some(tell(asking, &wallet)?),
        warnings,
    })
}

/// A path on this machine.
fn path(text: &str) -> Result<PathBuf, Fault> {
    /// Longest path that is looked at, in bytes.
    const MAX_PATH_BYTES: usize = 4_096;
    let path = PathBuf::from(text);
    match path.is_absolute() && text.len() <= MAX_PATH_BYTES && !text.contains('\0') {
        true => Ok(path),
        false => Err(Fault::field(
            "path",
            "an absolute path of the node's machine is needed",
        )),
    }
}
