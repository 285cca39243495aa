//! Owns how errors of wallets are told: code, reason, metadata.
//! Promises that a refusal for want of funds says which world lacks them.

use everett_proto::v1::ErrorReason;
use everett_wallet::keys::MessageError;
use everett_wallet::spend::{Childless, Irreplaceable, Scope, SpendError, Unspendable};
use everett_wallet::{FileError, KeyError, WalletError};
use tonic::Code;

use crate::convert::mempool::reject_reason;
use crate::fault::Fault;

/// What a locked wallet is refused with.
pub(crate) fn locked() -> Fault {
    Fault::new(
        Code::FailedPrecondition,
        ErrorReason::WalletLocked,
        "the wallet is locked; unlock it with its passphrase first (UnlockWallet, `everett wallet unlock`)",
    )
}

fn unfit(reason: ErrorReason, message: String) -> Fault {
    Fault::new(Code::FailedPrecondition, reason, message)
}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Fault {
        let message = error.to_string();
        match error {
            KeyError::Descriptor(_) | KeyError::Import(_) | KeyError::RangeShrinks { .. } => {
                Fault::field("descriptor", message)
            }
            KeyError::BadWif => Fault::field("wif", message),
            KeyError::Labels { .. } => Fault::field("jsonl", message),
            KeyError::TooLong { .. } => Fault::field("label", message),
            KeyError::Psbt { .. } => Fault::field("psbt", message),
            KeyError::EmptyPassphrase => Fault::field("passphrase", message),
            KeyError::Mnemonic(_) => Fault::field("mnemonic", message),
            KeyError::Locked => locked(),
            KeyError::KeypoolRanOut => unfit(
                ErrorReason::WalletLocked,
                "the next address needs a private key; unlock the wallet with its passphrase first".to_owned(),
            ),
            KeyError::NoAddresses { kind, .. } => unfit(
                ErrorReason::KeysMissing,
                format!("the wallet has no descriptor that makes {kind} addresses; import one, or ask for another kind"),
            ),
            KeyError::NoIndexLeft | KeyError::WatchOnly | KeyError::NoPrivateKey(_) => {
                unfit(ErrorReason::KeysMissing, message)
            }
            KeyError::WrongPassphrase => Fault::new(
                Code::PermissionDenied,
                ErrorReason::WrongPassphrase,
                "the passphrase is not the wallet's",
            ),
            KeyError::NotEncrypted => unfit(
                ErrorReason::WalletEncryption,
                "the wallet has no passphrase; give it one (EncryptWallet, `everett wallet encrypt`)".to_owned(),
            ),
            KeyError::AlreadyEncrypted => unfit(
                ErrorReason::WalletEncryption,
                "the wallet has a passphrase already; change it instead (ChangePassphrase)".to_owned(),
            ),
            KeyError::NothingToEncrypt => unfit(
                ErrorReason::WalletEncryption,
                "the wallet has no private keys: there is nothing to seal".to_owned(),
            ),
            KeyError::File(error) => error.into(),
            KeyError::Cost(_) | KeyError::Derivation(_) => {
                Fault::new(Code::Internal, ErrorReason::Internal, message)
            }
            _ => unfit(ErrorReason::KeysMissing, message),
        }
    }
}

impl From<FileError> for Fault {
    fn from(error: FileError) -> Fault {
        let message = error.to_string();
        match error {
            FileError::NoWallet { .. } => Fault::new(
                Code::NotFound,
                ErrorReason::WalletUnknown,
                format!(
                    "{message}; make one, or see which there are (ListWallets, `everett wallet list`)"
                ),
            ),
            FileError::Exists { .. } => {
                Fault::new(Code::AlreadyExists, ErrorReason::WalletExists, message)
            }
            FileError::InUse { .. } => unfit(ErrorReason::WalletInUse, message),
            FileError::OtherNetwork { found, .. } => {
                unfit(ErrorReason::WalletOtherNetwork, message).with("network", found)
            }
            FileError::DamagedRow { .. }
            | FileError::DamagedFile { .. }
            | FileError::DamagedBackup { .. }
            | FileError::Cut { .. } => {
                Fault::new(Code::DataLoss, ErrorReason::WalletDamaged, message)
            }
            FileError::Full { .. } => {
                Fault::new(Code::ResourceExhausted, ErrorReason::DiskFull, message)
            }
            FileError::NewerSchema { .. }
            | FileError::ReadOnly { .. }
            | FileError::InTheWay { .. } => unfit(ErrorReason::StoreFailed, message),
            _ => Fault::new(Code::Internal, ErrorReason::StoreFailed, message),
        }
    }
}

impl From<WalletError> for Fault {
    fn from(error: WalletError) -> Fault {
        let message = error.to_string();
        match error {
            WalletError::Keys(error) => error.into(),
            WalletError::File(error) => error.into(),
            WalletError::BlockRead(error) => error.into(),
            WalletError::Block { hash, .. } => {
                Fault::new(Code::DataLoss, ErrorReason::StoreFailed, message)
                    .with("block_hash", hash)
            }
            WalletError::World(error) => error.into(),
            WalletError::NoWorld(error) => error.into(),
            WalletError::Mempool(error) => error.into(),
            WalletError::ScanAborted { height } => {
                Fault::new(Code::Aborted, ErrorReason::ScanAborted, message).with("height", height)
            }
            // Who waits no longer is told so.
            WalletError::ScanLeft { height } => Fault::new(
                Code::DeadlineExceeded,
                ErrorReason::DeadlineExceeded,
                message,
            )
            .with("height", height),
            WalletError::Scanning { name } => {
                unfit(ErrorReason::WalletScanning, message).with("wallet", name)
            }
            WalletError::BlocksMissing { first, .. } => {
                Fault::new(Code::NotFound, ErrorReason::BlockUnknown, message).with("height", first)
            }
            WalletError::NoSuchTransaction { txid } => {
                let message = format!("the wallet has no transaction {txid}");
                Fault::new(Code::NotFound, ErrorReason::PaymentUnknown, message).with("txid", txid)
            }
            WalletError::NotAbandoned { txid, .. } => {
                unfit(ErrorReason::PaymentFixed, message).with("txid", txid)
            }
            WalletError::TooHeavy { .. } | WalletError::TooManyInputs { .. } => {
                Fault::field("transaction", message)
            }
            WalletError::BadName { .. } => Fault::field("name", message),
            WalletError::AlreadyOpen { name } => {
                Fault::new(Code::AlreadyExists, ErrorReason::WalletExists, message)
                    .with("wallet", name)
            }
            WalletError::NotOpen { name } => super::asking::unknown(&name),
            WalletError::TooManyOpen { limit } => {
                Fault::new(Code::ResourceExhausted, ErrorReason::WalletQuota, message)
                    .with("limit", limit)
            }
            WalletError::Directory { .. } => {
                Fault::new(Code::Internal, ErrorReason::StoreFailed, message)
            }
            _ => Fault::new(Code::Internal, ErrorReason::Internal, message),
        }
    }
}

impl From<SpendError> for Fault {
    fn from(error: SpendError) -> Fault {
        let message = error.to_string();
        match error {
            SpendError::InsufficientFunds {
                available,
                missing,
                scope,
                lacking,
                ..
            } => {
                let scope = match scope {
                    Scope::AllWorlds => "all_worlds",
                    Scope::Best => "best",
                };
                let fault = unfit(ErrorReason::InsufficientFunds, message)
                    .with("available_sat", available.to_sat())
                    .with("missing_sat", missing.to_sat())
                    .with("scope", scope);
                match lacking {
                    None => fault,
                    Some(lacking) => fault
                        .with("block_hash", lacking.tip)
                        .with("height", lacking.height)
                        .with("lacking_sat", lacking.amount.to_sat()),
                }
            }
            SpendError::Dust { index, .. } => {
                Fault::field(format!("terms.recipients[{index}].amount_sat"), message)
            }
            SpendError::NoPayees | SpendError::TooMuch => Fault::field("terms.recipients", message),
            SpendError::Coin { outpoint, why } => {
                let message = match why {
                    Unspendable::Locked => {
                        format!("{message} (UnlockCoin, `everett wallet coins --unlock`)")
                    }
                    Unspendable::NotEverywhere => {
                        format!("{message} (COIN_SCOPE_BEST, `--in best`)")
                    }
                    _ => message,
                };
                unfit(ErrorReason::CoinUnspendable, message).with("outpoint", outpoint)
            }
            SpendError::InputsTooFew | SpendError::LongChain => {
                unfit(ErrorReason::InsufficientFunds, message)
            }
            SpendError::Version { .. } | SpendError::Opaque => {
                unfit(ErrorReason::CoinUnspendable, message)
            }
            SpendError::NoFeeRate => unfit(
                ErrorReason::FeeUnfit,
                "nobody knows yet what to pay; name a rate, or wait for some blocks".to_owned(),
            ),
            SpendError::FeeRateTooLow { rate, required, .. } => unfit(
                ErrorReason::FeeUnfit,
                format!(
                    "{} satoshis for 1,000 virtual bytes are too few; this wallet and this node's mempool take {} at least",
                    rate.sat_per_kvb(),
                    required.sat_per_kvb()
                ),
            ),
            SpendError::FeeAboveAmount { .. }
            | SpendError::FeeLeavesDust { .. }
            | SpendError::FeeTooHigh { .. }
            | SpendError::BumpTooLow { .. }
            | SpendError::BumpTooHigh { .. }
            | SpendError::BumpBelowMempool { .. }
            | SpendError::BumpBelowRequired { .. } => unfit(ErrorReason::FeeUnfit, message),
            SpendError::TooLarge { .. } | SpendError::AboveMaxWeight { .. } => {
                unfit(ErrorReason::TxRejected, message).with("reject_reason", "tx-size")
            }
            SpendError::NotReplaceable {
                txid,
                why: Irreplaceable::Unknown,
            } => WalletError::NoSuchTransaction { txid }.into(),
            SpendError::NotReplaceable { txid, .. } => {
                unfit(ErrorReason::PaymentFixed, message).with("txid", txid)
            }
            SpendError::Repeated { txid } | SpendError::OtherPayment { txid } => {
                Fault::new(Code::AlreadyExists, ErrorReason::PaymentFixed, message)
                    .with("txid", txid)
            }
            SpendError::NoChild {
                txid,
                why: Childless::Unknown,
            } => WalletError::NoSuchTransaction { txid }.into(),
            SpendError::NoChild { txid, .. } => {
                unfit(ErrorReason::PaymentFixed, message).with("txid", txid)
            }
            SpendError::NoChange(_) => unfit(ErrorReason::KeysMissing, message),
            SpendError::Unsigned { input } => {
                unfit(ErrorReason::NotSigned, message).with("input", input)
            }
            SpendError::Refused(rejection) => {
                let fault = unfit(ErrorReason::TxRejected, message)
                    .with("reject_reason", reject_reason(&rejection));
                match rejection.debug.is_empty() {
                    true => fault,
                    false => fault.with("reject_debug_message", &rejection.debug),
                }
            }
            SpendError::Mempool(error) => error.into(),
            SpendError::Wallet(error) => error.into(),
            _ => unfit(ErrorReason::PaymentFixed, message),
        }
    }
}

impl From<MessageError> for Fault {
    fn from(error: MessageError) -> Fault {
        let message = error.to_string();
        match error {
            MessageError::Keys(error) => error.into(),
            MessageError::NoKey => Fault::field(
                "address",
                "only an address of one key's hash (legacy) can sign",
            ),
            MessageError::NotBase64 => Fault::field("signature", message),
            MessageError::NoPrivateKey => unfit(
                ErrorReason::KeysMissing,
                "the wallet has no private key of this address".to_owned(),
            ),
            _ => unfit(ErrorReason::KeysMissing, message),
        }
    }
}
