//! Owns the passphrase of a wallet: set, changed, and given for a time.
//! Promises Core's order of checks.

use std::time::Duration;

use everett_wallet::{KeyError, MAX_UNLOCKED, ScanTurn, Wallet, WalletError};

use crate::call::Call;
use crate::error::{
    RpcError, WALLET_ENCRYPTION_FAILED, WALLET_ERROR, WALLET_PASSPHRASE_INCORRECT,
    WALLET_WRONG_ENC_STATE,
};
use crate::json::Json;
use crate::method::{Answer, Argument, Category, Kind, Method, Run};

/// Refuses a wallet that is locked.
pub(crate) fn unlocked(wallet: &Wallet) -> Result<(), RpcError> {
    match wallet.view()?.keyring().is_locked() {
        false => Ok(()),
        true => Err(KeyError::Locked.into()),
    }
}

/// Refuses a wallet that has no passphrase.
fn sealed(wallet: &Wallet, method: &str) -> Result<(), RpcError> {
    match wallet.view()?.keyring().is_encrypted() {
        true => Ok(()),
        false => Err(RpcError::new(
            WALLET_WRONG_ENC_STATE,
            format!("Error: running with an unencrypted wallet, but {method} was called."),
        )),
    }
}

fn not_empty(passphrase: &str) -> Result<&str, RpcError> {
    match passphrase.is_empty() {
        false => Ok(passphrase),
        true => Err(KeyError::EmptyPassphrase.into()),
    }
}

/// Refuses while the wallet's scan may need its keys, and keeps one from beginning.
fn no_scan(wallet: &Wallet, before: &str) -> Result<ScanTurn, RpcError> {
    wallet.scan_turn().map_err(|error| match error {
        WalletError::Scanning { .. } => RpcError::new(
            WALLET_ERROR,
            format!(
                "Error: the wallet is currently being used to rescan the blockchain for related transactions. Please call \
                 `abortrescan` before {before}."
            ),
        ),
        other => other.into(),
    })
}

/// Says of a passphrase that is wrong and has a zero byte that it has one: who did not mean it does not see it.
fn wrong(error: RpcError, which: &str, passphrase: &str) -> RpcError {
    match error.code == WALLET_PASSPHRASE_INCORRECT && passphrase.contains('\0') {
        true => RpcError::new(
            WALLET_PASSPHRASE_INCORRECT,
            format!(
                "Error: The {which} passphrase entered is incorrect. It contains a null character (ie - a zero byte)."
            ),
        ),
        false => error,
    }
}

pub(super) static ENCRYPTWALLET: Method = Method {
    name: "encryptwallet",
    category: Category::Wallet,
    about: "Seals the private keys of a wallet with a passphrase. It is locked then.",
    arguments: &[Argument::required(
        "passphrase",
        Kind::Text,
        "The passphrase",
    )],
    result: "\"str\"    (string) What is to be done now",
    at: false,
    run: Run::Read(encrypt_wallet),
};

fn encrypt_wallet(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    let (watches, sealed) = {
        let view = wallet.view()?;
        let keyring = view.keyring();
        (keyring.flags().disable_private_keys, keyring.is_encrypted())
    };
    if watches {
        return Err(RpcError::new(
            WALLET_ENCRYPTION_FAILED,
            KeyError::NothingToEncrypt.to_string(),
        ));
    }
    if sealed {
        return Err(RpcError::new(
            WALLET_WRONG_ENC_STATE,
            "Error: running with an encrypted wallet, but encryptwallet was called.",
        ));
    }
    let _scan = wallet.scan_turn()?;
    wallet.encrypt(not_empty(call.text(0)?)?)?;
    Ok("wallet encrypted; The keypool is as it was and the keys are the same, so that a backup from before is as good, but is \
        not encrypted: make a new one and delete the old."
        .into())
}

pub(super) static WALLETPASSPHRASE: Method = Method {
    name: "walletpassphrase",
    category: Category::Wallet,
    about: "Unlocks a wallet for a time; any earlier end is forgotten.",
    arguments: &[
        Argument::required("passphrase", Kind::Text, "The passphrase"),
        Argument::required("timeout", Kind::Number, "Seconds; 100000000 at most"),
    ],
    result: "null    (json null)",
    at: false,
    run: Run::Read(wallet_passphrase),
};

fn wallet_passphrase(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    sealed(&wallet, "walletpassphrase")?;
    let passphrase = call.text(0)?;
    let seconds: i64 = call.int(1)?;
    if seconds < 0 {
        return Err(RpcError::parameter("Timeout cannot be negative."));
    }
    let time = Duration::from_secs(seconds.unsigned_abs()).min(MAX_UNLOCKED);
    wallet
        .unlock(not_empty(passphrase)?, time)
        .map_err(|error| wrong(error.into(), "wallet", passphrase))?;
    Ok(Json::Null)
}

pub(super) static WALLETPASSPHRASECHANGE: Method = Method {
    name: "walletpassphrasechange",
    category: Category::Wallet,
    about: "Changes the passphrase of a wallet.",
    arguments: &[
        Argument::required("oldpassphrase", Kind::Text, "The one that it has"),
        Argument::required("newpassphrase", Kind::Text, "The one that it gets"),
    ],
    result: "null    (json null)",
    at: false,
    run: Run::Read(wallet_passphrase_change),
};

fn wallet_passphrase_change(call: &Call) -> Answer {
    let wallet = call.wallet()?;
    sealed(&wallet, "walletpassphrasechange")?;
    let _no_scan = no_scan(&wallet, "changing the passphrase")?;
    let old = not_empty(call.text(0)?)?;
    let new = not_empty(call.text(1)?)?;
    wallet
        .change_keys(|keyring| Ok::<(), RpcError>(keyring.change_passphrase(old, new)?))
        .map_err(|error| wrong(error, "old wallet", old))?;
    Ok(Json::Null)
}

pub(super) static WALLETLOCK: Method = Method {
    name: "walletlock",
    category: Category::Wallet,
    about: "Forgets the private keys of a wallet until it is unlocked again.",
    arguments: &[],
    result: "null    (json null)",
    at: false,
    run: Run::Read(|call| {
        let wallet = call.wallet()?;
        sealed(&wallet, "walletlock")?;
        let _no_scan = no_scan(&wallet, "locking the wallet")?;
        wallet.lock()?;
        Ok(Json::Null)
    }),
};
