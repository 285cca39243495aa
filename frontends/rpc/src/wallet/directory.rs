//! Owns which wallets there are: made, loaded, unloaded, listed, copied and put back.
//! Promises Core's codes for a name that is taken, loaded, or not there.
//! Refuses what has no meaning here: wallets of Core's former kind, and external signers.

use std::path::Path;

use everett_wallet::{FileError, NewWallet, Wallet, WalletError, WalletFlags, Wallets};
use zeroize::Zeroizing;

use crate::call::Call;
use crate::error::{
    RpcError, WALLET_ALREADY_EXISTS, WALLET_ALREADY_LOADED, WALLET_ERROR, WALLET_NOT_FOUND,
};
use crate::json::{Json, object};
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

const LOAD_ON_STARTUP: Argument = Argument::optional(
    "load_on_startup",
    Kind::Bool,
    "Whether it is loaded at the start from now on [default: as before]",
);

const LOADED: &str =
    "{\"name\", \"warnings\"}    (json object) Its name, and what there is to know";

fn refuse(code: i32, message: impl Into<String>) -> RpcError {
    RpcError::new(code, message)
}

pub(super) static CREATEWALLET: Method = Method {
    name: "createwallet",
    category: Category::Wallet,
    about: "Makes a wallet and loads it.",
    arguments: &[
        Argument::required("wallet_name", Kind::Text, "Its name"),
        Argument::default(
            "disable_private_keys",
            Kind::Bool,
            "false",
            "Whether it only watches",
        ),
        Argument::default(
            "blank",
            Kind::Bool,
            "false",
            "Whether it begins without keys",
        ),
        Argument::optional(
            "passphrase",
            Kind::Text,
            "What its private keys are sealed with; without it they lie open",
        ),
        Argument::default(
            "avoid_reuse",
            Kind::Bool,
            "false",
            "Whether coins of addresses that were spent from are kept apart",
        ),
        Argument::default("descriptors", Kind::Bool, "true", "There is no other kind"),
        LOAD_ON_STARTUP,
        Argument::default(
            "external_signer",
            Kind::Bool,
            "false",
            "There is no support for one",
        ),
    ],
    result: LOADED,
    at: false,
    run: Run::Read(create_wallet),
};

fn create_wallet(call: &Call) -> Answer {
    let wallets = call.wallets()?;
    let name = call.text(0)?;
    if name.is_empty() && !wallets.config().compat {
        return Err(RpcError::parameter("Wallet name cannot be empty"));
    }
    if name.is_empty() && wallets.config().has(name) {
        return Err(no_name());
    }
    let flags = WalletFlags {
        disable_private_keys: call.bool_or(1, false)?,
        blank: call.bool_or(2, false)?,
        avoid_reuse: call.bool_or(4, false)?,
    };
    let on_startup = on_startup(call, 6)?;
    let given = call.maybe(3).map(Json::text).transpose()?;
    let passphrase = given.filter(|text| !text.is_empty());
    let mut warnings = Vec::new();
    if given.is_some() && passphrase.is_none() {
        warnings.push("Empty string given as passphrase, wallet will not be encrypted.".to_owned());
    }
    if !call.bool_or(5, true)? {
        return Err(refuse(
            WALLET_ERROR,
            "descriptors argument must be set to \"true\"; it is no longer possible to create a legacy wallet.",
        ));
    }
    if call.bool_or(7, false)? {
        return Err(refuse(
            WALLET_ERROR,
            "Compiled without external signing support (required for external signing)",
        ));
    }
    if passphrase.is_some() && flags.disable_private_keys {
        return Err(refuse(
            WALLET_ERROR,
            "Passphrase provided but private keys are disabled. A passphrase is only used to encrypt private keys, so cannot \
             be used for wallets with private keys disabled.",
        ));
    }
    let new = NewWallet {
        flags,
        passphrase: passphrase.map(|text| Zeroizing::new(text.to_owned())),
        ..NewWallet::default()
    };
    let made = wallets.create(name, new);
    let wallet = made.map_err(|error| match error {
        WalletError::AlreadyOpen { .. } | WalletError::File(FileError::Exists { .. }) => refuse(
            WALLET_ERROR,
            format!(
                "Wallet file verification failed. Failed to create database path '{}'. Database already exists.",
                place(wallets, name)
            ),
        ),
        other => other.into(),
    })?;
    opened(call, &wallet, on_startup, warnings)
}

fn no_name() -> RpcError {
    RpcError::parameter("Wallet name cannot be empty: the wallet without a name is there already")
}

fn place(wallets: &Wallets, name: &str) -> String {
    wallets
        .path(name)
        .map_or_else(|_| name.to_owned(), |path| path.display().to_string())
}

/// What is answered when a wallet was loaded, in whatever way. It is loaded then: what fails now is warned of.
fn opened(
    call: &Call,
    wallet: &Wallet,
    on_startup: Option<bool>,
    mut warnings: Vec<String>,
) -> Answer {
    let wallets = call.wallets()?;
    warnings.extend(marked(wallets, wallet.name(), on_startup));
    if let Err(error) = wallets.make_way_for(wallet.name()) {
        warnings.push(format!(
            "The wallet without a name is still loaded beside it. {error}"
        ));
    }
    let mut json = object! { "name" => wallet.name() };
    if !warnings.is_empty() {
        json.push("warnings", warnings);
    }
    Ok(json)
}

/// Marks a wallet for being loaded at the start, or not; a warning where that cannot be written.
fn marked(wallets: &Wallets, name: &str, on_startup: Option<bool>) -> Option<String> {
    let error = wallets.open_at_start(name, on_startup?).err()?;
    tracing::warn!(wallet = name, %error, "whether it is opened at the start is as it was");
    Some(format!(
        "Wallet load on startup setting could not be updated, so wallet may not be loaded next node startup. {error}"
    ))
}

/// What a call says of the next start.
fn on_startup(call: &Call, place: usize) -> Result<Option<bool>, RpcError> {
    call.maybe(place).map(Json::bool).transpose()
}

pub(super) static LOADWALLET: Method = Method {
    name: "loadwallet",
    category: Category::Wallet,
    about: "Loads a wallet. One with a passphrase is locked.",
    arguments: &[
        Argument::required("filename", Kind::Text, "Its name"),
        LOAD_ON_STARTUP,
    ],
    result: LOADED,
    at: false,
    run: Run::Read(load_wallet),
};

fn load_wallet(call: &Call) -> Answer {
    let wallets = call.wallets()?;
    let name = call.text(0)?;
    let on_startup = on_startup(call, 1)?;
    let wallet = wallets.load(name).map_err(|error| match error {
        WalletError::AlreadyOpen { .. } => refuse(
            WALLET_ALREADY_LOADED,
            format!("Wallet \"{name}\" is already loaded."),
        ),
        WalletError::File(FileError::NoWallet { path }) => {
            let why = match path.is_dir() {
                true => "Data is not in recognized format.",
                false => "Path does not exist.",
            };
            refuse(
                WALLET_NOT_FOUND,
                format!(
                    "Wallet file verification failed. Failed to load database path '{}'. {why}",
                    path.display()
                ),
            )
        }
        other => unverified(other, wallets, name),
    })?;
    opened(call, &wallet, on_startup, Vec::new())
}

/// Why a file is not a wallet that can be loaded.
fn unverified(error: WalletError, wallets: &Wallets, name: &str) -> RpcError {
    if let WalletError::File(
        error @ (FileError::DamagedFile { .. }
        | FileError::DamagedBackup { .. }
        | FileError::Cut { .. }),
    ) = &error
    {
        return refuse(
            WALLET_NOT_FOUND,
            format!(
                "Wallet file verification failed. Failed to load database path '{}'. Data is not in recognized format. {error}",
                place(wallets, name)
            ),
        );
    }
    if let WalletError::Opening { .. } = &error {
        return error.into();
    }
    let RpcError { code, message } = error.into();
    refuse(code, format!("Wallet file verification failed. {message}"))
}

/// The wallet that is named by the path, by the argument, or by both alike.
fn named(call: &Call) -> Result<String, RpcError> {
    let argument = call.maybe(0).map(Json::text).transpose()?;
    match (call.wallet_name(), argument) {
        (Some(path), Some(argument)) if path != argument => Err(RpcError::parameter(
            "The RPC endpoint wallet and the wallet name parameter specify different wallets",
        )),
        (Some(name), _) | (None, Some(name)) => Ok(name.to_owned()),
        (None, None) => Err(RpcError::parameter(
            "Either the RPC endpoint wallet or the wallet name parameter must be provided",
        )),
    }
}

pub(super) static UNLOADWALLET: Method = Method {
    name: "unloadwallet",
    category: Category::Wallet,
    about: "Unloads a wallet.",
    arguments: &[
        Argument::optional(
            "wallet_name",
            Kind::Text,
            "Its name [default: the one that the path names]",
        ),
        LOAD_ON_STARTUP,
    ],
    result: "{}    (json object) warnings, if there are some",
    at: false,
    run: Run::Read(unload_wallet),
};

fn unload_wallet(call: &Call) -> Answer {
    let name = named(call)?;
    let wallets = call.wallets()?;
    let wallet = wallets.get(&name).ok_or_else(|| {
        refuse(
            WALLET_NOT_FOUND,
            "Requested wallet does not exist or is not loaded",
        )
    })?;
    let _scan = wallet.scan_turn()?;
    let on_startup = on_startup(call, 1)?;
    wallets.unload(&name)?;
    let mut json = Json::Object(Vec::new());
    if let Some(warning) = marked(wallets, &name, on_startup) {
        json.push("warnings", vec![warning]);
    }
    Ok(json)
}

pub(super) static LISTWALLETS: Method = Method {
    name: "listwallets",
    category: Category::Wallet,
    about: "The wallets that are loaded.",
    arguments: &[],
    result: "[\"name\", ...]    (json array) Their names",
    at: false,
    run: Run::Read(|call| {
        let wallets = call.wallets()?.list();
        Ok(wallets.iter().map(Wallet::name).collect())
    }),
};

pub(super) static LISTWALLETDIR: Method = Method {
    name: "listwalletdir",
    category: Category::Wallet,
    about: "The wallets that there are, loaded or not.",
    arguments: &[],
    result: "{\"wallets\": [{\"name\", \"warnings\"}, ...]}    (json object) Their names",
    at: false,
    run: Run::Read(|call| {
        let names = call.wallets()?.names()?;
        let wallets: Json = names
            .into_iter()
            .map(|name| object! { "name" => name, "warnings" => Json::Array(Vec::new()) })
            .collect();
        Ok(object! { "wallets" => wallets })
    }),
};

pub(super) static MIGRATEWALLET: Method = Method {
    name: "migratewallet",
    category: Category::Wallet,
    about: "Refuses: there are no wallets here but those of descriptors.",
    arguments: &[
        Argument::optional("wallet_name", Kind::Text, "Its name"),
        Argument::optional("passphrase", Kind::Text, "Its passphrase"),
    ],
    result: "None: it fails",
    at: false,
    run: Run::Read(migrate_wallet),
};

fn migrate_wallet(call: &Call) -> Answer {
    let name = named(call)?;
    let wallets = call.wallets()?;
    if !wallets.names()?.contains(&name) {
        return Err(refuse(
            WALLET_NOT_FOUND,
            format!(
                "Wallet file verification failed. Failed to load database path '{}'. Path does not exist.",
                place(wallets, &name)
            ),
        ));
    }
    Err(refuse(
        WALLET_ERROR,
        "Error: This wallet is already a descriptor wallet",
    ))
}

pub(super) static BACKUPWALLET: Method = Method {
    name: "backupwallet",
    category: Category::Wallet,
    about: "Writes a copy of the wallet as it is now. What has a passphrase has it in the copy too.",
    arguments: &[Argument::required(
        "destination",
        Kind::Text,
        "The file, or the directory that gets a file wallet.dat, but not among the wallets; a file that is there is replaced, but in the \
         node's directory",
    )],
    result: "null    (json null)",
    at: false,
    run: Run::Read(backup_wallet),
};

/// The file's name in a directory.
const BACKUP_FILE: &str = "wallet.dat";

fn backup_wallet(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let home = &call.site.config.directory;
    let mut path = home.join(call.text(0)?);
    if path.is_dir() {
        path.push(BACKUP_FILE);
    }
    let failed = |why: String| {
        tracing::warn!(wallet = wallet.name(), path = %path.display(), why, "not backed up");
        refuse(WALLET_ERROR, format!("Error: Wallet backup failed! {why}"))
    };
    let unfit = |why: &str| failed(format!("{}: {why}", path.display()));
    if inside(&path, &call.wallets()?.config().directory) {
        return Err(unfit("it is in the directory of wallets"));
    }
    match path.symlink_metadata() {
        Ok(there) if !there.is_file() => {
            return Err(unfit("it is there, and no plain file"));
        }
        // Among the node's own files a wrong name would cost the ledger.
        Ok(_) if inside(&path, home) => {
            return Err(unfit(
                "it is there, and nothing in the node's directory is replaced; name another one",
            ));
        }
        _ => {}
    }
    wallet.catch_up()?;
    wallet
        .backup_over(&path)
        .map_err(|error| failed(error.to_string()))?;
    Ok(Json::Null)
}

/// Whether a file would lie in a directory, or below it. A file whose directory is not there lies nowhere.
fn inside(file: &Path, directory: &Path) -> bool {
    let parent = file.parent().map(Path::canonicalize);
    match (parent, directory.canonicalize()) {
        (Some(Ok(parent)), Ok(directory)) => parent.starts_with(directory),
        _ => false,
    }
}

pub(super) static RESTOREWALLET: Method = Method {
    name: "restorewallet",
    category: Category::Wallet,
    about: "Makes a wallet out of a copy that backupwallet wrote, and loads it.",
    arguments: &[
        Argument::required("wallet_name", Kind::Text, "The name that it gets"),
        Argument::required("backup_file", Kind::Text, "The copy"),
        LOAD_ON_STARTUP,
    ],
    result: LOADED,
    at: false,
    run: Run::Read(restore_wallet),
};

fn restore_wallet(call: &Call) -> Answer {
    let wallets = call.wallets()?;
    let name = call.text(0)?;
    if name.is_empty() && !wallets.config().compat {
        return Err(RpcError::parameter("Wallet name cannot be empty"));
    }
    if name.is_empty() && wallets.config().has(name) {
        return Err(no_name());
    }
    let on_startup = on_startup(call, 2)?;
    let backup = call.site.config.directory.join(call.text(1)?);
    if !backup.is_file() {
        return Err(RpcError::parameter("Backup file does not exist"));
    }
    let made = wallets.restore(name, &backup);
    let wallet = made.map_err(|error| match error {
        WalletError::AlreadyOpen { .. } | WalletError::File(FileError::Exists { .. }) => refuse(
            WALLET_ALREADY_EXISTS,
            format!(
                "Failed to restore wallet. Database file exists in '{}/data.mdb'.",
                place(wallets, name)
            ),
        ),
        other => unverified(other, wallets, name),
    })?;
    opened(call, &wallet, on_startup, Vec::new())
}
