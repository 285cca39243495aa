//! Owns the passphrase of a wallet: set, changed, given for a time.
//! Promises that the text is wiped once it was used; what the transport had of it is beyond that.

use std::time::{Duration, SystemTime};

use everett_proto::v1;
use everett_wallet::{MAX_UNLOCKED, Wallet};
use zeroize::Zeroizing;

use super::asking::Asking;
use crate::fault::Fault;
use crate::parse;

/// How long a wallet is unlocked unless the request says otherwise.
const DEFAULT_UNLOCKED: Duration = Duration::from_secs(60);

pub(crate) fn encrypt(
    _: &Asking<'_>,
    wallet: &Wallet,
    request: v1::EncryptWalletRequest,
) -> Result<v1::EncryptWalletResponse, Fault> {
    let passphrase = Zeroizing::new(request.passphrase);
    // It writes the file anew.
    let _turn = wallet.scan_turn()?;
    wallet.encrypt(&passphrase)?;
    Ok(v1::EncryptWalletResponse {})
}

pub(crate) fn unlock(
    _: &Asking<'_>,
    wallet: &Wallet,
    request: v1::UnlockWalletRequest,
) -> Result<v1::UnlockWalletResponse, Fault> {
    let passphrase = Zeroizing::new(request.passphrase);
    let time = match request.duration {
        None => DEFAULT_UNLOCKED,
        Some(asked) => parse::duration(asked)
            .ok_or_else(|| Fault::field("duration", "it is negative"))?
            .min(MAX_UNLOCKED),
    };
    wallet.unlock(&passphrase, time)?;
    let until = SystemTime::now().checked_add(time);
    Ok(v1::UnlockWalletResponse {
        unlocked_until: until.map(prost_types::Timestamp::from),
    })
}

pub(crate) fn lock(
    _: &Asking<'_>,
    wallet: &Wallet,
    _: v1::LockWalletRequest,
) -> Result<v1::LockWalletResponse, Fault> {
    // A scan that somebody waits for may need the keys.
    let _turn = wallet.scan_turn()?;
    wallet.lock()?;
    Ok(v1::LockWalletResponse {})
}

pub(crate) fn change(
    _: &Asking<'_>,
    wallet: &Wallet,
    request: v1::ChangePassphraseRequest,
) -> Result<v1::ChangePassphraseResponse, Fault> {
    let old = Zeroizing::new(request.old_passphrase);
    let new = Zeroizing::new(request.new_passphrase);
    let _turn = wallet.scan_turn()?;
    wallet.change_keys(|keyring| Ok::<(), Fault>(keyring.change_passphrase(&old, &new)?))?;
    Ok(v1::ChangePassphraseResponse {})
}
