//! Owns how errors of wallets are told: Core's codes, and its words where it has some.

use everett_wallet::{FileError, KeyError, WalletError};

use crate::error::{
    INVALID_ADDRESS_OR_KEY, INVALID_PARAMETER, MISC_ERROR, RpcError, TYPE_ERROR, VERIFY_ERROR,
    WALLET_ALREADY_LOADED, WALLET_ENCRYPTION_FAILED, WALLET_ERROR, WALLET_INVALID_LABEL_NAME,
    WALLET_KEYPOOL_RAN_OUT, WALLET_NOT_FOUND, WALLET_PASSPHRASE_INCORRECT, WALLET_UNLOCK_NEEDED,
    WALLET_WRONG_ENC_STATE,
};
use everett_wallet::keys::{DescriptorError, MessageError};

/// Refusals of an import that Core counts among the wallet's, not among those of its parameters.
const OF_THE_WALLET: [&str; 2] = [
    "Combo descriptors cannot be set to active",
    "Cannot import descriptor without private keys to a wallet with private keys enabled",
];

/// Whether a descriptor was understood, but makes no scripts.
fn cannot_expand(why: &DescriptorError) -> bool {
    why.0.starts_with("Cannot derive") || why.0.starts_with("Cannot expand")
}

impl From<KeyError> for RpcError {
    fn from(error: KeyError) -> RpcError {
        let code = match &error {
            KeyError::File(_) => WALLET_ERROR,
            KeyError::Descriptor(why) if cannot_expand(why) => WALLET_ERROR,
            KeyError::Descriptor(_) | KeyError::BadWif => INVALID_ADDRESS_OR_KEY,
            KeyError::Import(why) if OF_THE_WALLET.contains(why) => WALLET_ERROR,
            KeyError::Import(_)
            | KeyError::RangeShrinks { .. }
            | KeyError::EmptyPassphrase
            | KeyError::Labels { .. }
            | KeyError::Mnemonic(_) => INVALID_PARAMETER,
            KeyError::NoAddresses { .. } | KeyError::KeypoolRanOut | KeyError::NoIndexLeft => {
                WALLET_KEYPOOL_RAN_OUT
            }
            KeyError::Locked => WALLET_UNLOCK_NEEDED,
            KeyError::WrongPassphrase => WALLET_PASSPHRASE_INCORRECT,
            KeyError::NotEncrypted | KeyError::AlreadyEncrypted => WALLET_WRONG_ENC_STATE,
            KeyError::NothingToEncrypt => WALLET_ENCRYPTION_FAILED,
            KeyError::TooLong { .. } => WALLET_INVALID_LABEL_NAME,
            KeyError::Psbt { .. } => VERIFY_ERROR,
            _ => WALLET_ERROR,
        };
        let message = match &error {
            KeyError::Descriptor(why) if cannot_expand(why) => {
                "Cannot expand descriptor. Probably because of hardened derivations without private keys provided"
                    .to_owned()
            }
            KeyError::Locked => {
                "Error: Please enter the wallet passphrase with walletpassphrase first.".to_owned()
            }
            KeyError::KeypoolRanOut => {
                "Error: Keypool ran out, please call keypoolrefill first".to_owned()
            }
            KeyError::NotEncrypted => {
                "Error: running with an unencrypted wallet; encrypt it with encryptwallet first"
                    .to_owned()
            }
            KeyError::AlreadyEncrypted => {
                "Error: running with an encrypted wallet, but encryptwallet was called; walletpassphrasechange changes its passphrase"
                    .to_owned()
            }
            _ => error.to_string(),
        };
        RpcError::new(code, message)
    }
}

impl From<FileError> for RpcError {
    fn from(error: FileError) -> RpcError {
        let code = match &error {
            FileError::NoWallet { .. }
            | FileError::OtherNetwork { .. }
            | FileError::DamagedFile { .. }
            | FileError::DamagedBackup { .. }
            | FileError::DamagedRow { .. }
            | FileError::Cut { .. } => WALLET_NOT_FOUND,
            _ => WALLET_ERROR,
        };
        let message = match &error {
            FileError::NoWallet { .. } => {
                format!("{error}; listwalletdir tells which there are, createwallet makes one")
            }
            _ => error.to_string(),
        };
        RpcError::new(code, message)
    }
}

impl From<WalletError> for RpcError {
    fn from(error: WalletError) -> RpcError {
        match error {
            WalletError::Keys(error) => error.into(),
            WalletError::File(error) => error.into(),
            WalletError::World(error) => error.into(),
            WalletError::Mempool(error) => error.into(),
            WalletError::BlockRead(error) => error.into(),
            WalletError::NoSuchTransaction { .. } => {
                RpcError::not_found("Invalid or non-wallet transaction id")
            }
            WalletError::NotAbandoned { .. } => {
                RpcError::not_found("Transaction not eligible for abandonment")
            }
            WalletError::ScanAborted { .. } => RpcError::new(MISC_ERROR, "Rescan aborted."),
            // Nobody leaves one but a node that stops.
            WalletError::ScanLeft { .. } => everett_ledger::ReadError::Cancelled.into(),
            WalletError::Scanning { .. } => RpcError::new(
                WALLET_ERROR,
                "Wallet is currently rescanning. Abort existing rescan or wait.",
            ),
            WalletError::BlocksMissing { .. } => RpcError::misc(
                "Can't rescan beyond pruned data. Use RPC call getblockchaininfo to determine your pruned height.",
            ),
            WalletError::AlreadyOpen { .. } => {
                RpcError::new(WALLET_ALREADY_LOADED, error.to_string())
            }
            WalletError::NotOpen { .. } => RpcError::new(
                WALLET_NOT_FOUND,
                "Requested wallet does not exist or is not loaded",
            ),
            other => RpcError::new(WALLET_ERROR, other.to_string()),
        }
    }
}

impl From<MessageError> for RpcError {
    fn from(error: MessageError) -> RpcError {
        let code = match error {
            MessageError::Keys(error) => return error.into(),
            MessageError::NoKey | MessageError::NotBase64 => TYPE_ERROR,
            MessageError::NoPrivateKey => WALLET_ERROR,
            _ => WALLET_ERROR,
        };
        RpcError::new(code, error.to_string())
    }
}
