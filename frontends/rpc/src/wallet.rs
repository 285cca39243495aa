//! Owns the methods of wallets: which wallet a call means, and what is told of it.
//! Promises Core's methods as its wallets of descriptors have them, each in whatever world is named where that makes a
//! difference.
//! Refuses all of them, as unknown, on a node that keeps no wallets.

mod account;
mod address;
mod address_info;
mod balance;
mod book;
mod bump;
mod coins;
mod descriptor;
mod directory;
mod hd_key;
mod history;
mod info;
mod label;
mod message;
pub(crate) mod money;
mod passphrase;
mod pay;
mod pruned;
mod psbt;
mod received;
mod refusal;
mod rescan;
mod worlds;

use everett_wallet::{Wallet, Wallets};

use crate::call::Call;
use crate::error::{METHOD_NOT_FOUND, RpcError, WALLET_NOT_FOUND, WALLET_NOT_SPECIFIED};
use crate::method::Method;

pub(crate) use address::new_address;
pub(crate) use info::old_info;
pub(crate) use passphrase::unlocked;

/// What there is.
pub(crate) static METHODS: &[&Method] = &[
    &account::DUMPPRIVKEY,
    &account::GETACCOUNT,
    &account::GETACCOUNTADDRESS,
    &account::GETADDRESSESBYACCOUNT,
    &account::IMPORTPRIVKEY,
    &account::LISTACCOUNTS,
    &account::SETACCOUNT,
    &address::GETNEWADDRESS,
    &address::GETRAWCHANGEADDRESS,
    &address::KEYPOOLREFILL,
    &address_info::GETADDRESSINFO,
    &descriptor::IMPORTDESCRIPTORS,
    &descriptor::LISTDESCRIPTORS,
    &directory::BACKUPWALLET,
    &directory::CREATEWALLET,
    &directory::LISTWALLETDIR,
    &directory::LISTWALLETS,
    &directory::LOADWALLET,
    &directory::MIGRATEWALLET,
    &directory::RESTOREWALLET,
    &directory::UNLOADWALLET,
    &hd_key::CREATEWALLETDESCRIPTOR,
    &hd_key::GETHDKEYS,
    &info::GETWALLETINFO,
    &info::SETWALLETFLAG,
    &label::GETADDRESSESBYLABEL,
    &label::LISTLABELS,
    &label::SETLABEL,
    &message::SIGNMESSAGE,
    &passphrase::ENCRYPTWALLET,
    &passphrase::WALLETLOCK,
    &passphrase::WALLETPASSPHRASE,
    &passphrase::WALLETPASSPHRASECHANGE,
    &rescan::ABORTRESCAN,
    &rescan::RESCANBLOCKCHAIN,
];

impl Call {
    /// The node's wallets.
    pub(crate) fn wallets(&self) -> Result<&Wallets, RpcError> {
        let wallets = self.handle().wallets();
        wallets.ok_or_else(|| RpcError::new(METHOD_NOT_FOUND, "Method not found"))
    }

    /// The wallet that is asked: the one that the path names, or the only one that is loaded.
    pub(crate) fn wallet(&self) -> Result<Wallet, RpcError> {
        let wallets = self.wallets()?;
        if let Some(name) = self.wallet_name() {
            return wallets.get(name).ok_or_else(|| {
                RpcError::new(
                    WALLET_NOT_FOUND,
                    "Requested wallet does not exist or is not loaded",
                )
            });
        }
        let mut loaded = wallets.list();
        match (loaded.pop(), loaded.is_empty()) {
            (Some(wallet), true) => Ok(wallet),
            (None, _) => Err(RpcError::new(
                WALLET_NOT_FOUND,
                "No wallet is loaded. Load a wallet using loadwallet or create a new one with createwallet. (Note: A default \
                 wallet is no longer automatically created)",
            )),
            (Some(_), false) => Err(RpcError::new(
                WALLET_NOT_SPECIFIED,
                "Multiple wallets are loaded. Please select which wallet to use by requesting the RPC through the \
                 /wallet/<walletname> URI path.",
            )),
        }
    }
}
