//! Owns the commands about wallets as such: which there are, and their passphrases.

use std::path::Path;
use std::process::ExitCode;

use everett_proto::v1;
use serde_json::json;

use super::Asked;
use crate::args::wallet::{CreateArgs, LoadArgs, RestoreArgs, SecretArgs, UnloadArgs, UnlockArgs};
use crate::failure::Failure;
use crate::secret::{self, Origin};
use crate::view::wallet::{Done, WalletView, WalletsView};
use crate::view::world::seconds;

pub(super) fn list(asked: &Asked) -> Result<ExitCode, Failure> {
    let request = v1::ListWalletsRequest {};
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.list_wallets(request).await)?;
    asked.show(&WalletsView {
        wallets: answer.wallets.into_iter().map(WalletView::from).collect(),
        unloaded: answer.unloaded_names,
    })
}

pub(super) fn create(asked: &Asked, args: CreateArgs) -> Result<ExitCode, Failure> {
    let words = match args.words {
        true => secret::read("the words", Origin::Input)?,
        false => Default::default(),
    };
    let needs_none = args.no_passphrase || args.watch_only;
    let passphrase = match needs_none {
        true => Default::default(),
        false => secret::read_new("a passphrase", passphrase(args.passphrase_file.as_deref()))?,
    };
    let request = v1::CreateWalletRequest {
        name: args.name,
        passphrase: passphrase.to_string(),
        watch_only: args.watch_only,
        blank: args.blank,
        avoid_reuse: args.avoid_reuse,
        mnemonic: words.to_string(),
        mnemonic_passphrase: String::new(),
        load_at_start: Some(!args.not_at_start),
        birth_time: args.born,
        skip_rescan: args.no_rescan,
    };
    let made = asked
        .node
        .ask_wallet(async |mut client| client.create_wallet(request).await)?;
    warn(&made.warnings);
    asked.show(&WalletView::from(made.wallet.unwrap_or_default()))
}

pub(super) fn load(asked: &Asked, args: LoadArgs) -> Result<ExitCode, Failure> {
    let request = v1::LoadWalletRequest {
        name: args.name,
        load_at_start: args.at_start.then_some(true),
    };
    let loaded = asked
        .node
        .ask_wallet(async |mut client| client.load_wallet(request).await)?;
    warn(&loaded.warnings);
    asked.show(&WalletView::from(loaded.wallet.unwrap_or_default()))
}

pub(super) fn unload(asked: &Asked, args: UnloadArgs) -> Result<ExitCode, Failure> {
    let wallet = args.name.or_else(|| asked.wallet.clone());
    let request = v1::UnloadWalletRequest {
        wallet: wallet.clone(),
        load_at_start: args.not_at_start.then_some(false),
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.unload_wallet(request).await)?;
    warn(&answer.warnings);
    asked.show(&Done::new("unloaded", json!({ "unloaded": wallet })))
}

/// What could not be done, beside what was asked for and done.
fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

/// A path as the node has to see it: from its root.
fn absolute(path: &Path) -> Result<String, Failure> {
    let failed = |why: String| Failure::usage(format!("{}: {why}", path.display()));
    let path = std::path::absolute(path).map_err(|error| failed(error.to_string()))?;
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| failed("not in UTF-8".to_owned()))
}

pub(super) fn backup(asked: &Asked, path: &Path) -> Result<ExitCode, Failure> {
    let path = absolute(path)?;
    let request = v1::BackupWalletRequest {
        wallet: asked.wallet.clone(),
        path: path.clone(),
    };
    asked
        .node
        .ask_wallet(async |mut client| client.backup_wallet(request).await)?;
    let line = format!("written to {path} on the node's machine");
    asked.show(&Done::new(line, json!({ "backup": path })))
}

pub(super) fn restore(asked: &Asked, args: RestoreArgs) -> Result<ExitCode, Failure> {
    let request = v1::RestoreWalletRequest {
        name: args.name,
        path: absolute(&args.path)?,
        load_at_start: None,
    };
    let made = asked
        .node
        .ask_wallet(async |mut client| client.restore_wallet(request).await)?;
    warn(&made.warnings);
    asked.show(&WalletView::from(made.wallet.unwrap_or_default()))
}

fn passphrase(file: Option<&Path>) -> Origin<'_> {
    Origin::FileOption("--passphrase-file", file)
}

pub(super) fn encrypt(asked: &Asked, args: &SecretArgs) -> Result<ExitCode, Failure> {
    let passphrase = secret::read_new("a passphrase", passphrase(args.passphrase_file.as_deref()))?;
    let request = v1::EncryptWalletRequest {
        wallet: asked.wallet.clone(),
        passphrase: passphrase.to_string(),
    };
    asked
        .node
        .ask_wallet(async |mut client| client.encrypt_wallet(request).await)?;
    let line =
        "sealed, and locked; backups from before are not sealed: make a new one and delete them";
    asked.show(&Done::new(
        line,
        json!({ "encrypted": true, "locked": true }),
    ))
}

pub(super) fn unlock(asked: &Asked, args: &UnlockArgs) -> Result<ExitCode, Failure> {
    let passphrase = secret::read(
        "the passphrase",
        passphrase(args.secret.passphrase_file.as_deref()),
    )?;
    let request = v1::UnlockWalletRequest {
        wallet: asked.wallet.clone(),
        passphrase: passphrase.to_string(),
        duration: prost_types::Duration::try_from(args.time).ok(),
    };
    let answer = asked
        .node
        .ask_wallet(async |mut client| client.unlock_wallet(request).await)?;
    let until = seconds(answer.unlocked_until);
    let line = format!("unlocked for {} s", args.time.as_secs());
    asked.show(&Done::new(line, json!({ "unlocked_until": until })))
}

pub(super) fn lock(asked: &Asked) -> Result<ExitCode, Failure> {
    let request = v1::LockWalletRequest {
        wallet: asked.wallet.clone(),
    };
    asked
        .node
        .ask_wallet(async |mut client| client.lock_wallet(request).await)?;
    asked.show(&Done::new("locked", json!({ "locked": true })))
}

pub(super) fn change_passphrase(asked: &Asked) -> Result<ExitCode, Failure> {
    let old = secret::read("the old passphrase", Origin::Input)?;
    let new = secret::read_new("the new passphrase", Origin::Input)?;
    let request = v1::ChangePassphraseRequest {
        wallet: asked.wallet.clone(),
        old_passphrase: old.to_string(),
        new_passphrase: new.to_string(),
    };
    asked
        .node
        .ask_wallet(async |mut client| client.change_passphrase(request).await)?;
    asked.show(&Done::new("changed", json!({ "changed": true })))
}
